"""A compiled model: its programs, its training state, and the jobs it gives the engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import engine as engines
from thalweg import metrics as metric_module
from thalweg import optimizers as optimizer_module
from thalweg.callbacks.callback import Columns, Logs
from thalweg.engine import aligned, usable_lanes
from thalweg.engine.contract import Array, Chunk, Engine, Job, Ranks
from thalweg.errors import ArgumentError, ThalwegError, ThalwegWarning
from thalweg.layers.layer import Shape
from thalweg.layers.recurrent.stateful import claimed, keeping, refuse_shuffling, require_rows, states_of
from thalweg.losses.outputs import doubt
from thalweg.metrics.masked import for_mask
from thalweg.models.goals import Goals, ModelLoss, OutputGoal, scores
from thalweg.models.graph import Graph, IdInput, id_inputs
from thalweg.models.lengths.ragged import filled_like
from thalweg.models.rows import (
    Data,
    Observed,
    first,
    has_weights,
    input_arrays,
    observed,
    of_engine,
    row_of,
    targets_and_weights,
    weights_by_step,
)
from thalweg.models.weights import Weights
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import FIRST_METRIC, SLOTS, Buffer
from thalweg.program.ir.program import Program
from thalweg.program.lowering import Network, Objective, OutputObjective, Weight, forward, lower, places
from thalweg.program.passes.draft import Pass, Request
from thalweg.support.checks import whole
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.nested import mapped
from thalweg.support.once import making
from thalweg.support.parts import held_by
from thalweg.support.seeds import draw_seed

MOST_PROGRAMS = 32  # that are kept: where lanes share a network's inputs, every batch size has one
MOST_LENGTHS = 48  # whose programs are kept, of a model for sequences of any length


class Training:
    """What `compile` was told, and what training changes besides the weights."""

    optimizer: optimizer_module.Optimizer
    goals: Goals
    slots: Array  # the optimizer's vectors, then the state of the loss
    stride: int  # from one of the optimizer's vectors to the next
    complete: bool = False  # whether `compile` was called
    epochs_trained: int = 0


class Compiled:
    """A graph and its weights with loss, optimizer and metrics: the programs, their memory, and the engine's jobs."""

    optimizer: optimizer_module.Optimizer = held_by("training", "optimizer", "The optimizer.")
    goals: Goals = held_by("training", "goals", "What its outputs are trained for.")
    slots: Array = held_by("training", "slots", "The optimizer's vectors, then the state of the loss.")
    stride: int = held_by("training", "stride", "From one of the optimizer's vectors to the next.")
    complete: bool = held_by("training", "complete", "Whether `compile` was called.")
    epochs_trained: int = held_by("training", "epochs_trained", "The number of epochs of all fits together.")

    def __init__(self, graph: Graph, weights: Weights, seed: int | None, engine: str) -> None:
        self.graph, self.weights = graph, weights
        self.seed_given = seed is not None
        self.seed = draw_seed() if seed is None else whole("Sequential's seed", seed, least=0)
        choose("engine", engine, engines.ENGINES)
        self.engine = engine
        if self.runs.package:
            need(self.runs.package, self.runs.package, f"engine={engine!r}")
        if weights.dtype.name not in self.runs.dtypes:
            others = [name for name, other in engines.ENGINES.items() if weights.dtype.name in other.dtypes]
            raise ArgumentError(
                f"the {engine} engine computes in {' or '.join(self.runs.dtypes)}; dtype={weights.dtype.name!r} needs "
                f"engine={' or '.join(map(repr, others))}"
            )
        weights.listeners.append(self.moved)
        self.training = Training()
        self.slots, self.stride = aligned(0, weights.dtype), 0
        self._programs: dict[Any, Any] = {}
        self._facts: dict[str, Any] = {}  # about the network, whatever the request
        self._profiles: dict[Any, tuple[Program, list[float]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_programs": {}, "_facts": {}, "_profiles": {}}

    def of(self, graph: Graph) -> Compiled:
        """The same for another graph of the same layers: weights and training are shared."""
        other = copy(self)
        other.graph, other._programs, other._facts, other._profiles = graph, {}, {}, {}
        return other

    def at(self, sizes: Sequence[int], filled: bool = False) -> Compiled:
        """The same for sequences of these lengths, one for each input of any length; made once.

        filled: rows have fewer steps of their own, and come as `Filled`.
        """
        known = self._facts.setdefault("lengths", {})
        if (*sizes, filled) not in known:
            if len(known) >= MOST_LENGTHS:
                known.pop(next(iter(known)))
            known[(*sizes, filled)] = self.of(self.graph.sized(sizes, filled))
        made: Compiled = known[(*sizes, filled)]
        return made

    @property
    def runs(self) -> Engine:
        """The engine that runs it."""
        return engines.ENGINES[self.engine]

    # --- loss, optimizer, metrics --------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizer_module.Optimizer,
        loss: Any,
        metrics: Any,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
    ) -> None:
        """Sets optimizer, loss and metrics. The optimizer starts over."""
        goals = Goals(loss, metrics, loss_weights, weighted_metrics)
        optimizer = optimizer_module.get(optimizer)
        if optimizer.owner not in (None, self.training):
            kind = type(optimizer).__name__
            raise ArgumentError(f"this {kind} belongs to another model, whose steps it counts: make a new one")
        goals.check(self.graph)  # raises before anything changes
        self.optimizer, self.goals = optimizer, goals
        self.optimizer.owner, self.complete = self.training, True
        self.restart()
        self.warn()

    def restart(self) -> None:
        """Lets the optimizer start over, if there is one: the model was compiled, or its layers have changed."""
        self.forget()
        if self.complete:
            self.optimizer.iterations, self.slots = 0, aligned(0, self.weights.dtype)

    def forget(self) -> None:
        """Drops the programs, which are made again when they are needed."""
        for kept in (self._programs, self._facts, self._profiles):
            kept.clear()

    def moved(self, old: dict[int, int]) -> None:
        """The vector of weights has changed: the optimizer's vectors follow, and the programs are made anew."""
        self.forget()
        if not self.complete or not self.slots.size:
            return
        before, names = self.slots, self.optimizer.slot_names()
        stride = self.stride
        size = sum(align(b.size) for b in self.state_buffers().values())
        self.slots = aligned(size, self.weights.dtype)
        self.optimizer.initial_slots(self.named_slots(), self.weights.vector)
        for place in range(len(names)):
            for parameter in self.weights.vector_of.parameters:
                at = parameter.buffer.offset
                source = place * stride + old.get(id(parameter), at if not old else -1)
                if old.get(id(parameter), at if not old else -1) < 0 or source + parameter.buffer.size > len(before):
                    continue
                if not old and at >= stride:
                    continue
                target = place * align(self.weights.vector.size) + at
                self.slots[target : target + parameter.buffer.size] = before[source : source + parameter.buffer.size]
        rest = len(before) - len(names) * stride
        if rest:
            self.slots[-rest:] = before[-rest:]
        self.stride = align(self.weights.vector.size)

    @property
    def loss(self) -> Any:
        """The loss, or the list or dict of them."""
        return self.goals.loss

    @property
    def metric_names(self) -> list[Any]:
        """The metrics as they were given."""
        return self.goals.metric_names

    def goals_and_shapes(self) -> list[tuple[OutputGoal, Shape]]:
        """What every output is trained for, and its shape; nothing before `compile`."""
        return list(zip(self.objectives(), self.scored_shapes, strict=True)) if self.complete else []

    def objectives(self) -> list[OutputGoal]:
        """What every output is trained for."""
        return self.goals.outputs(self.graph)

    def build(self, input_shape: Any = None) -> None:
        """Fixes the shapes and makes the initial weights, unless they exist."""
        if not self.weights.placed:
            require_rows(self.graph.layers, self.graph.inputs)
            self.weights.build(input_shape, self.seed)
            self.warn()

    @property
    def rows_kept(self) -> int | None:
        """The rows of a batch, if layers keep states for them."""
        return claimed(self.graph.layers, self.graph.inputs)

    def batch_size(self, given: int | None, shuffled: bool = False) -> int:
        """The rows of a batch: by default so many as layers keep states for, or 32; then they can't be shuffled."""
        if shuffled:
            refuse_shuffling(self.graph.layers)
        return (self.rows_kept or 32) if given is None else whole("batch_size", given)

    def reset_states(self) -> None:
        """Lets the next batch begin with states of 0, in the recurrent layers with stateful=True."""
        for layer in keeping(self.graph.layers):
            layer.reset_state()

    def build_for(self, x: Any) -> None:
        """Builds the model for the first data, if necessary."""
        if not self.weights.placed and not self.graph.inputs and x is not None:
            several = isinstance(x, dict) or self.graph.takes_structure(x)
            shape = mapped(x, row_of) if several else self.graph.row_of(x)
            self.build(shape)
        self.build()

    def ready(self, x: ArrayLike | None = None) -> None:
        """Builds the model for the first data, and checks that `compile` was called."""
        if not self.complete:
            raise ThalwegError("the model has to be compiled first: model.compile(optimizer=…, loss=…)")
        self.build_for(x)
        with making:
            self.prepare_slots()

    def warn(self) -> None:
        """Warns, once both are known, if the network's output doesn't suit the loss."""
        if self.weights.placed and self.complete:
            builder, outputs = forward(self.network(), Request("inference"))
            for goal, y_pred in zip(self.objectives(), outputs, strict=True):
                reason = None if goal.loss is None else doubt(goal.loss, y_pred, builder.instructions)
                if reason is not None:
                    warnings.warn(reason, ThalwegWarning, stacklevel=5)

    @property
    def scored_shapes(self) -> list[Shape]:
        """The same as losses and metrics see them: one number a row is a vector of one."""
        return [shape or (1,) for shape in self.output_shapes]

    @property
    def output_shapes(self) -> list[Shape]:
        """The shapes of one row's outputs; builds the model if necessary."""
        self.build()
        return self.graph.output_shapes

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns: "loss", then the metrics'."""
        return ["loss", *(named.key for named in self.metrics)]

    @property
    def metrics(self) -> list[metric_module.Named]:
        """The metrics, with their names in the logs."""
        self.build()
        return [named for goal in self.objectives() for named in goal.metrics]

    # --- training state ------------------------------------------------------------------------------------------

    def state_buffers(self) -> dict[str, Buffer]:
        """The buffers within `slots`, by name: "optimizer/m", …, then the loss's state, "loss/centers"."""
        shapes: dict[str, Shape] = {
            f"optimizer/{n}": (align(self.weights.vector.size),) for n in self.optimizer.slot_names()
        }
        self.build()
        of_loss: dict[str, Shape] = {}
        for goal, output in zip(self.objectives(), self.scored_shapes, strict=True):
            if goal.loss is not None:
                of_loss |= goal.loss.state_shapes(output, self.graph.features_shape)
        place, result = 0, {}
        for name, shape in (shapes | {f"loss/{n}": shape for n, shape in of_loss.items()}).items():
            result[name] = Buffer(name.partition("/")[2], shape, SLOTS, per_row=False, offset=place)
            place += align(result[name].size)
        return result

    def loss_state(self) -> dict[str, Buffer]:
        """What the loss carries from batch to batch, by name."""
        return {b.name: b for name, b in self.state_buffers().items() if name.startswith("loss/")}

    def named_slots(self) -> dict[str, Array]:
        """Views of the optimizer's vectors, by name, each with an element for every weight."""
        size = self.weights.vector.size
        return {n: self.slots[k * align(size) :][:size] for k, n in enumerate(self.optimizer.slot_names())}

    def prepare_slots(self) -> None:
        """Makes `slots`, unless it exists."""
        size = sum(align(b.size) for b in self.state_buffers().values())
        if self.slots.size != size:
            self.slots = aligned(size, self.weights.dtype)
            self.stride = align(self.weights.vector.size)
            self.optimizer.initial_slots(self.named_slots(), self.weights.vector)

    def training_state(self) -> dict[str, Array]:
        """What training keeps besides the weights, as views by name: "optimizer/m", …, "loss/centers"."""
        self.ready()
        return {n: self.slots[b.offset :][: b.size].reshape(b.shape) for n, b in self.state_buffers().items()}

    def use_average(self) -> None:
        """Replaces the weights by their moving average, which the optimizer keeps with use_ema=True."""
        average = self.named_slots()[optimizer_module.AVERAGE]
        for _, p in self.weights.trained():
            assert p.array is not None
            p.array[...] = average[p.buffer.offset :][: p.buffer.size].reshape(p.buffer.shape)

    # --- programs ------------------------------------------------------------------------------------------------

    def network(self) -> Network:
        """What lowering needs to know."""
        self.build()
        trained = sorted(self.weights.trained(), key=lambda pair: pair[1].buffer.offset)
        return Network(
            run=self.graph.lower,
            input_shapes=self.graph.fed_shapes,
            output_shapes=self.graph.output_shapes,
            weights=[Weight(path, p.buffer) for path, p in trained],
            penalties=[(p.buffer, p.regularizer) for _, p in trained if p.regularizer is not None],
            constraints=[p.constraint.lower(p.buffer) for _, p in trained if p.constraint is not None],
            vector=self.weights.vector.size,
        )

    def lower(self, request: Request) -> tuple[Program, int]:
        """The program for a request and its number of running sums; requests with the same program share it."""
        request = self._common(request)
        targets: list[Any] = [
            g.loss.target_shape(s) for g, s in self.goals_and_shapes() if g.loss is not None and g.loss.own
        ]
        targets += [g.loss.has_targets for g, _ in self.goals_and_shapes() if isinstance(g.loss, ModelLoss)]
        key = (request, *(path for path, _ in self.weights.live()), *targets)
        found: tuple[Program, int] | None = self._programs.get(key)
        if found is None:
            with making:
                found = self._programs.get(key) or self._lower(request)
                if len(self._programs) >= MOST_PROGRAMS:
                    self._programs.pop(next(iter(self._programs)))
                self._programs[key] = found
        return found

    def _common(self, request: Request) -> Request:
        """The request that represents all those with the same program."""
        return self.runs.common(request, lambda other: self.lower(other)[0])

    def _lower(
        self, request: Request, after: str | None = None, passes: Sequence[Pass] | None = None
    ) -> tuple[Program, int]:
        """Makes the program, or what it is after the pass named by `after`. `passes`: by default the engine's."""
        if self.graph.lengths:
            raise self.graph.length_needed()
        network, passes = self.network(), self.runs.passes if passes is None else passes
        if (own := self.graph.step_of(request.kind)) is not None:
            return own.lower(self, request, passes, after)
        self.graph.check_outputs()
        if request.kind == "inference":
            return lower(network, request, passes, after=after), FIRST_METRIC
        if request.trains and not network.weights:
            raise ThalwegError(
                "the model has no weights to train: all its layers have trainable = False, which counts when it trains"
                if self.weights.named()
                else "the model has no weights to train"
            )
        outputs = [
            OutputObjective(cast(Any, goal.loss), [n.metric for n in metrics], self.loss_state())
            for goal, metrics in zip(self.objectives(), self.judged_by(), strict=True)
        ]
        objective = Objective(outputs)
        return lower(network, request, passes, objective, self.optimizer, after), objective.totals

    def logs(self, totals: NDArray[np.float64], kind: str = "training") -> Logs:
        """Loss and metrics from their running sums."""
        return {key: values[0] for key, values in self.scores(kind)(totals[None]).items()}

    def columns(self, totals: NDArray[np.float64]) -> Columns:
        """Those of training for many epochs, totals (epochs, sums), as a list for each name; computed when called."""
        return partial(self.scores(), totals)

    def scores(self, kind: str = "training") -> Callable[[NDArray[np.float64]], dict[str, list[float]]]:
        """Loss and metrics of epochs from their running sums (epochs, sums), as the model is compiled now."""
        if (own := self.graph.step_of(kind)) is not None:
            return own.scores(kind)
        shapes = zip(self.judged_by(), self.scored_shapes, strict=True)
        return partial(scores, [(named, shape) for metrics, shape in shapes for named in metrics])

    def judged_by(self) -> list[list[metric_module.Named]]:
        """The metrics of every output: of one with a mask, those that leave out what it does."""
        goals = self.objectives()
        return [
            [n if n.metric.by_itself else metric_module.Named(n.key, for_mask(n.metric)) for n in goal.metrics]
            if masked
            else goal.metrics
            for goal, masked in zip(goals, self.masked(), strict=True)
        ]

    def masked(self) -> list[bool]:
        """Whether each output has a mask."""
        found: list[bool] | None = self._facts.get("masked")
        if found is None:
            builder, outputs = forward(self.network(), Request("inference"))
            found = self._facts["masked"] = [y in builder.masks for y in outputs]
        return found

    # --- data and jobs -------------------------------------------------------------------------------------------

    def data(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None) -> Data:
        """x, y and the row weights, checked, by the names under which programs know them."""
        inputs = self.inputs(x)
        if self.masked() == [True]:
            y, sample_weight = filled_like(x, self.output_shapes[0], y=y, sample_weight=sample_weight)
        names, kind = self.graph.output_names, self.weights.dtype
        targets = targets_and_weights(names, self.goals_and_shapes(), y, sample_weight, class_weight, inputs[0], kind)
        return dict(zip(places("X", len(inputs)), inputs, strict=True)) | targets

    def inputs(self, x: Any) -> list[Array]:
        """The arrays of all inputs, checked."""
        arrays, names = input_arrays(self.graph, x, self.weights.dtype), self.graph.input_names
        for ids in self.id_inputs():
            name = names[self.graph.feeds[ids.number].place]
            ids.check(arrays[ids.number], "x" if len(names) == 1 else f"x of {name!r}")
        return arrays

    def id_inputs(self) -> list[IdInput]:
        """The inputs that hold ids."""
        found: list[IdInput] | None = self._facts.get("ids")
        if found is None:
            builder, _ = forward(self.network(), Request("inference"))
            found = list(id_inputs(builder.instructions, {p.buffer: path for path, p in self.weights.named()}))
            self._facts["ids"] = found
        return found

    def lower_for(
        self, kind: str, data: Data, batch: int, lanes: int = 1, visible: bool = False
    ) -> tuple[Program, int]:
        """The program for these x, y and row weights."""
        of_bytes = first(data).dtype == np.uint8
        return self.lower(Request(kind, batch, lanes, has_weights(data), of_bytes, visible, weights_by_step(data)))

    def job(self, kind: str, data: Data, batch: int, lanes: int = 1, visible: bool = False, **more: Any) -> Job:
        shared = lanes if more.get("ranks") is None else 1  # a lane of another process can't share its inputs
        program, totals = self.lower_for(kind, data, batch, shared, visible)
        more |= {"totals": totals, "seed": self.seed, "lanes": lanes}
        more["states"] = states_of(program, batch, self.weights.dtype)
        data = of_engine(data, self.goals_and_shapes(), self.weights.dtype)
        return Job(program, data, len(first(data)), batch, self.weights.vector, self.slots, **more)

    def observed(self, what: str = "") -> Observed | None:
        """The metrics of Python code, if there are any. what: raises, if this is what can't call them."""
        return observed([goal for goal, _ in self.goals_and_shapes()], what)

    def training_job(self, data: Data, batch: int, lanes: int | None, shuffle: bool, ranks: Ranks | None = None) -> Job:
        """The job of training on these arrays; a batch holds no more than all rows. ranks: who trains together."""
        batch = min(batch, len(first(data)))
        program, _ = self.lower_for("training", data, batch)
        asked, available = lanes, None if ranks is None else ranks.cores()
        lanes = usable_lanes(asked, program, batch, self.runs, available)
        if ranks is not None and asked is None:
            lanes = max(lanes, ranks.size)
        return self.job("training", data, batch, lanes, shuffle=bool(shuffle), ranks=ranks)

    def next_step(self) -> Chunk:
        """A chunk of one training step."""
        return Chunk(0, 0, 1, self.optimizer.iterations, self.optimizer.rates(1))

    # --- inspection ----------------------------------------------------------------------------------------------

    def random_data(self, rows: int) -> Data:
        """Random inputs, and targets of zeros."""
        draw, kind = np.random.default_rng(0), self.weights.dtype
        shapes, outputs = self.graph.fed_shapes, self.scored_shapes
        data: Data = {
            name: draw.normal(size=(rows, *shape)).astype(kind)
            for name, shape in zip(places("X", len(shapes)), shapes, strict=True)
        }
        for ids in self.id_inputs():
            x = data[places("X", len(shapes))[ids.number]]
            x[:] = draw.integers(0, ids.size, x.shape)
        for name, goal, output in zip(places("Y", len(outputs)), self.objectives(), outputs, strict=True):
            if goal.loss is not None:
                data[name] = np.zeros((rows, *goal.loss.target_shape(output)), kind)
        return data
