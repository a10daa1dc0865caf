"""A compiled model: its programs, its training state, and the jobs it gives the engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import losses as loss_module
from thalweg import metrics as metric_module
from thalweg import optimizers as optimizer_module
from thalweg import utils
from thalweg.callbacks.callback import Columns, Logs
from thalweg.data import arrays as batches
from thalweg.engine import TARGETS, aligned, make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Job, mean_loss
from thalweg.errors import ArgumentError, ThalwegError, ThalwegWarning
from thalweg.layers.layer import Shape
from thalweg.losses.outputs import doubt
from thalweg.models.graph import Graph
from thalweg.models.weights import Weights
from thalweg.program.ir.instruction import FIRST_METRIC, ROWS, SLOTS, Buffer
from thalweg.program.ir.listing import Listing
from thalweg.program.ir.memory import align
from thalweg.program.ir.program import Program
from thalweg.program.lowering import Network, Objective, Weight, forward, lower
from thalweg.program.passes.draft import KINDS, Request
from thalweg.support.checks import whole
from thalweg.support.naming import choose
from thalweg.support.once import making


class Compiled:
    """A graph and its weights with loss, optimizer and metrics: the programs, their memory, and the engine's jobs."""

    optimizer: optimizer_module.Optimizer
    loss: loss_module.Loss
    metric_names: list[Any]
    slots: Array  # the optimizer's vectors, then the state of the loss

    def __init__(self, graph: Graph, weights: Weights, seed: int | None, engine: str) -> None:
        self.graph, self.weights = graph, weights
        self.seed = utils.draw_seed() if seed is None else whole("Sequential's seed", seed, least=0)
        self.engine = choose("engine", engine, ("native", "reference"))
        if engine == "native" and weights.dtype != np.float32:
            raise ArgumentError("the native engine computes in float32; dtype='float64' needs engine='reference'")
        self.complete = False  # whether `compile` was called
        self.epochs_trained = 0
        self._programs: dict[Any, Any] = {}
        self._profiles: dict[Any, tuple[Program, list[float]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_programs": {}, "_profiles": {}}

    # --- loss, optimizer, metrics --------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizer_module.Optimizer,
        loss: str | loss_module.Loss,
        metrics: Sequence[str | metric_module.Metric] | str | None,
    ) -> None:
        """Sets optimizer, loss and metrics. The optimizer starts over."""
        if metrics is not None and not isinstance(metrics, (str, metric_module.Metric, list, tuple)):
            raise ArgumentError(f"metrics is a list of names or of thalweg.metrics, got {metrics!r}")
        names: list[Any] = [metrics] if isinstance(metrics, (str, metric_module.Metric)) else [*(metrics or [])]
        optimizer, loss = optimizer_module.get(optimizer), loss_module.get(loss)
        if optimizer.owner not in (None, self):
            kind = type(optimizer).__name__
            raise ArgumentError(f"this {kind} belongs to another model, whose steps it counts: make a new one")
        output = self.graph.output_shape
        named_metrics(names, loss, output or (1,), check=output is not None)  # raises before anything changes
        if output is not None:
            loss.state_shapes(output, self.graph.features_shape)
        self.optimizer, self.loss, self.metric_names = optimizer, loss, names
        self.optimizer.iterations, self.optimizer.owner = 0, self
        self.slots = aligned(0, self.weights.dtype)
        self.complete = True
        self._programs.clear()
        self._profiles.clear()
        self.warn()

    def build(self, input_shape: Sequence[int] | None = None) -> None:
        """Fixes the shapes and makes the initial weights, unless they exist."""
        if not self.graph.built:
            self.weights.build(input_shape, self.seed)
            self.warn()

    def build_for(self, x: ArrayLike | None) -> None:
        """Builds the model for the first data, if necessary."""
        if not self.graph.built and self.graph.input is None and x is not None:
            self.build(self.graph.read(x).shape[1:] or (1,))
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
        if self.graph.built and self.complete:
            builder, y_pred = forward(self.network(), Request("inference"))
            reason = doubt(self.loss, y_pred, builder.instructions)
            if reason is not None:
                warnings.warn(reason, ThalwegWarning, stacklevel=4)

    @property
    def output_shape(self) -> Shape:
        """The shape of one row's output; builds the model if necessary."""
        self.build()
        assert self.graph.output_shape is not None
        return self.graph.output_shape

    @property
    def metrics(self) -> list[metric_module.Named]:
        """The metrics, with their names in the logs."""
        return named_metrics(self.metric_names, self.loss, self.output_shape)

    # --- training state ------------------------------------------------------------------------------------------

    def state_buffers(self) -> dict[str, Buffer]:
        """The buffers within `slots`, by name: "optimizer/m", …, then the loss's state, "loss/centers"."""
        shapes: dict[str, Shape] = {
            f"optimizer/{n}": (align(self.weights.vector.size),) for n in self.optimizer.slot_names()
        }
        of_loss = self.loss.state_shapes(self.output_shape, self.graph.features_shape)
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
        trained = self.weights.trained()
        return Network(
            layers=self.graph.layers[len(self.graph.entry) :],
            input_shape=self.graph.fed_shape,
            output_shape=self.output_shape,
            weights=[Weight(path, p.buffer) for path, p in trained],
            penalties=[(p.buffer, p.regularizer) for _, p in trained if p.regularizer is not None],
            constraints=[p.constraint.lower(p.buffer) for _, p in trained if p.constraint is not None],
            vector=self.weights.vector.size,
        )

    def lower(self, request: Request) -> tuple[Program, int]:
        """The program for a request and its number of running sums; requests with the same program share it."""
        request = self._common(request)
        key = (request, *(path for path, _ in self.weights.live()))
        found: tuple[Program, int] | None = self._programs.get(key)
        if found is None:
            with making:
                found = self._programs.get(key) or self._lower(request)
                self._programs[key] = found
        return found

    def _common(self, request: Request) -> Request:
        """The request that represents all those with the same program."""
        return TARGETS[self.engine].common(request, lambda other: self.lower(other)[0])

    def _lower(self, request: Request, after: str | None = None) -> tuple[Program, int]:
        """Makes the program, or what it is after the pass named by `after`."""
        network, passes = self.network(), TARGETS[self.engine].passes
        if request.kind == "inference":
            return lower(network, request, passes, after=after), FIRST_METRIC
        if request.trains and not network.weights:
            raise ThalwegError("the model has no weights to train")
        objective = Objective(self.loss, [n.metric for n in self.metrics], self.loss_state())
        return lower(network, request, passes, objective, self.optimizer, after), objective.totals

    def logs(self, totals: NDArray[np.float64]) -> Logs:
        """Loss and metrics from their running sums."""
        return {key: values[0] for key, values in self.columns(totals[None])().items()}

    def columns(self, totals: NDArray[np.float64]) -> Columns:
        """The same for many epochs, totals (epochs, sums), as a list for each name; computed when called."""
        return partial(self.scores(), totals)

    def scores(self) -> Callable[[NDArray[np.float64]], dict[str, list[float]]]:
        """Loss and metrics of epochs from their running sums (epochs, sums), as the model is compiled now."""
        return partial(scores, tuple(self.metrics), self.output_shape)

    # --- data and jobs -------------------------------------------------------------------------------------------

    def arrays(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> list[Array | None]:
        """x, y and the row weights, checked, as the engine takes them."""
        inputs = self.graph.feed(x, self.weights.dtype)
        targets = batches.to_array(y, "y")
        batches.same_rows(inputs, targets)
        targets = batches.contiguous(self.loss.check_targets(targets, self.output_shape), self.weights.dtype, "y")
        return [inputs, targets, batches.row_weights(sample_weight, class_weight, targets, self.weights.dtype)]

    def lower_for(
        self, kind: str, arrays: Sequence[Array | None], batch: int, lanes: int = 1, visible: bool = False
    ) -> tuple[Program, int]:
        """The program for these x, y and row weights."""
        x, _, weights = arrays
        assert x is not None
        return self.lower(Request(kind, batch, lanes, weights is not None, x.dtype == np.uint8, visible))

    def job(
        self,
        kind: str,
        arrays: Sequence[Array | None],
        batch: int,
        lanes: int = 1,
        visible: bool = False,
        **more: Any,
    ) -> Job:
        x, y, weights = arrays
        assert x is not None
        assert y is not None
        program, totals = self.lower_for(kind, arrays, batch, lanes, visible)
        data = {"X": x, "Y": y} | ({} if weights is None else {"weights": weights})
        more |= {"totals": totals, "seed": self.seed, "lanes": lanes}
        return Job(program, data, len(x), batch, self.weights.vector, self.slots, **more)

    def training_job(self, arrays: Sequence[Array | None], batch: int, lanes: int | None, shuffle: bool) -> Job:
        """The job of training on these arrays; a batch holds no more than all rows."""
        assert arrays[0] is not None
        batch = min(batch, len(arrays[0]))
        program, _ = self.lower_for("training", arrays, batch)
        return self.job(
            "training", arrays, batch, usable_lanes(lanes, program, batch, self.engine), shuffle=bool(shuffle)
        )

    def next_step(self) -> Chunk:
        """A chunk of one training step."""
        return Chunk(0, 0, 1, self.optimizer.iterations, np.array([self.optimizer.learning_rate]))

    # --- inspection ----------------------------------------------------------------------------------------------

    def program(
        self, kind: str = "training", batch_size: int = 32, lanes: int = 1, after: str | None = None
    ) -> Listing:
        """The program that the network is compiled to: every instruction with formula, shape and cost.

        kind: "training" (forward, backward, update), "evaluation" or "inference".
        lanes: with more than one, the sum of the lanes' gradients is shown too. Wide layers need no sum: right before
            the update, each lane computes a share of their gradients from all rows. A first layer with many inputs is
            split among the lanes by its inputs.
        after: shows the program as it is after this pass: "derive" adds the backward half; "fuse losses", "fuse relu"
            and others make it faster. An unknown name raises an error that lists the passes.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "sigmoid")])
        >>> model.compile("sgd", "mse")
        >>> [row.name for row in model.program(after="derive") if row.section == "backward"]
        ['squared error + gradient', 'sigmoid adjoint', 'weight gradient', 'bias gradient']
        >>> [row.name for row in model.program() if row.section == "backward"]
        ['weight gradient']
        """
        choose("kind of program", kind, KINDS)
        if kind == "inference":
            self.build()
        else:
            self.ready()
        request = Request(kind, whole("batch_size", batch_size), whole("lanes", lanes))
        program, _ = self.lower(request) if after is None else self._lower(self._common(request), after)
        profiled, seconds = self._profiles.get((kind, batch_size), (program, None))
        shared = TARGETS[self.engine].shared_gradients(program, batch_size, lanes)
        return Listing(program, batch_size, seconds if program is profiled else None, lanes, shared)

    def profile(self, batch_size: int = 32, repeats: int = 50) -> Listing:
        """Times every instruction of a training step on random inputs, then returns the listing with times.

        The weights don't change. Later calls of `program(batch_size=…)` show the times too.
        """
        with making:  # no other thread compiles the model
            self.ready()
            x = np.random.default_rng(0).normal(size=(batch_size, *self.graph.fed_shape)).astype(self.weights.dtype)
            y = np.zeros((batch_size, *self.loss.target_shape(self.output_shape)), self.weights.dtype)
            job = self.job("training", [x, y, None], whole("batch_size", batch_size))
        job.parameters, job.slots = self.weights.vector.copy(), self.slots.copy()
        executor = make_executor(self.engine, job)
        chunk = Chunk(0, 0, 1, job.program.every - 1, np.array([0.0]))  # a step that updates
        seconds = executor.measure(chunk, whole("repeats", repeats))
        self._profiles[("training", batch_size)] = (job.program, seconds)
        return self.program("training", batch_size)

    def trace(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, Array]:
        """Every value of one training step on these rows, by its name in `program()`; the weights don't change.

        h, a, y_pred, their adjoints dh, da, the gradients dW, db, and w, the parameter vector after the step.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, use_bias=False)], seed=0)
        >>> model.compile("sgd", "mse")
        >>> model.set_weights([[[1.0], [2.0]]])
        >>> values = model.trace([[1.0, 1.0], [1.0, 0.0]], [[0.0], [0.0]])
        >>> values["y_pred"].ravel(), values["dW"].ravel()
        (array([3., 1.], dtype=float32), array([4., 3.], dtype=float32))
        """
        with making:  # no other thread compiles the model
            self.ready(x)
            arrays = self.arrays(x, y, sample_weight)
            assert arrays[0] is not None
            job = self.job("training", arrays, len(arrays[0]), visible=True)
        job.parameters, job.slots = self.weights.vector.copy(), self.slots.copy()
        blocks: dict[str, list[Array]] = {}
        for instruction, memory in make_executor(self.engine, job).trace(self.next_step()):
            for buffer in instruction.outputs:
                if not buffer.per_row:
                    blocks.pop(buffer.name, None)
                blocks.setdefault(buffer.name, []).append(memory[buffer].copy())
        return {name: np.concatenate(values) for name, values in blocks.items()}


def named_metrics(
    names: Sequence[Any], loss: loss_module.Loss, output: Shape, check: bool = True
) -> list[metric_module.Named]:
    """The metrics for a network's output; an unknown name raises, and with `check` so does one that doesn't fit."""
    target = loss.target_shape(output)
    named = [metric_module.get(name, output, target) for name in names]
    for metric in named if check else []:
        metric.metric.check(output, target)
    return named


def scores(
    metrics: Sequence[metric_module.Named], output: Shape, totals: NDArray[np.float64]
) -> dict[str, list[float]]:
    """Loss and metrics of epochs from their running sums (epochs, sums)."""
    result = {"loss": mean_loss(totals.T).tolist()}
    place = FIRST_METRIC
    for named in metrics:
        size, score = named.metric.sums(output), named.metric.result
        result[named.key] = [score(t[place : place + size], t[ROWS], output) for t in totals]
        place += size
    return result
