"""A stack of layers with a loss and an optimizer: the programs it becomes, and the jobs an engine gets of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from threading import get_ident
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import losses as loss_module
from thalweg import metrics as metric_module
from thalweg import optimizers as optimizer_module
from thalweg.callbacks.callback import Columns, Logs
from thalweg.data import arrays as batches
from thalweg.engine import TARGETS, aligned, make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Job, mean_loss
from thalweg.errors import ArgumentError, ThalwegError, ThalwegWarning
from thalweg.layers import Layer
from thalweg.layers.layer import Shape
from thalweg.losses.outputs import doubt
from thalweg.models.stack import Stack
from thalweg.program.ir.instruction import FIRST_METRIC, ROWS, SLOTS, Buffer
from thalweg.program.ir.listing import Listing
from thalweg.program.ir.memory import align
from thalweg.program.ir.program import Program
from thalweg.program.lowering import Network, Objective, Weight, forward, lower
from thalweg.program.passes.draft import KINDS, Request
from thalweg.support.checks import whole
from thalweg.support.naming import choose
from thalweg.support.once import making

Given = ParamSpec("Given")
Result = TypeVar("Result")
Method = Callable[Concatenate[Any, Given], Result]


def trains(method: Method[Given, Result]) -> Method[Given, Result]:
    """A method that trains a model. One thread at a time may: two would change the same weights."""

    @wraps(method)
    def alone(self: CompiledStack, /, *arguments: Given.args, **named: Given.kwargs) -> Result:
        with making:
            self._check_trainer("train it")
            before, self._trainer = self._trainer, get_ident()  # a callback may call another such method
        try:
            return method(self, *arguments, **named)
        finally:
            self._trainer = before

    return alone


class CompiledStack(Stack):
    """Base of `Sequential`: everything about what it becomes."""

    def __init__(
        self, layers: Sequence[Layer] | None, name: str | None, seed: int | None, engine: str, dtype: str
    ) -> None:
        super().__init__(layers, name, seed, engine, dtype)
        self.compiled = False
        self._programs: dict[Any, Any] = {}
        self._profiles: dict[Any, tuple[Program, list[float]]] = {}
        self._trainer: int | None = None  # the thread that trains it

    # --- what it is trained for ----------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizer_module.Optimizer,
        loss: str | loss_module.Loss,
        metrics: Sequence[str | metric_module.Metric] | str | None = None,
    ) -> None:
        """Sets optimizer, loss and metrics, by name or as objects. The optimizer starts afresh."""
        with making:
            self._check_trainer("compile it")
            self._compile(optimizer, loss, metrics)

    def _compile(
        self,
        optimizer: str | optimizer_module.Optimizer,
        loss: str | loss_module.Loss,
        metrics: Sequence[str | metric_module.Metric] | str | None,
    ) -> None:
        if metrics is not None and not isinstance(metrics, (str, metric_module.Metric, list, tuple)):
            raise ArgumentError(f"metrics is a list of names or of thalweg.metrics, got {metrics!r}")
        names: list[Any] = [metrics] if isinstance(metrics, (str, metric_module.Metric)) else [*(metrics or [])]
        optimizer, loss = optimizer_module.get(optimizer), loss_module.get(loss)
        if optimizer.owner not in (None, self):
            kind = type(optimizer).__name__
            raise ArgumentError(f"this {kind} belongs to another model, whose steps it counts: make a new one")
        named_metrics(names, loss, self.output_shape or (1,), check=self.built)  # told before anything changes
        if self.output_shape is not None:
            loss.keeps(self.output_shape, self.features_shape)
        self.optimizer, self.loss, self.metric_names = optimizer, loss, names
        self.optimizer.iterations, self.optimizer.owner = 0, self
        self.slots = aligned(0, self.dtype)
        self.compiled = True
        self._programs.clear()
        self._profiles.clear()
        self._warn()

    def build(self, input_shape: Sequence[int] | None = None) -> None:
        new = not self.built
        super().build(input_shape)
        if new:
            self._warn()

    def _warn(self) -> None:
        """Warns once both are known, where the network's output isn't what the loss takes."""
        if self.built and self.compiled:
            builder, y_pred = forward(self.network(of_bytes=False), training=False)
            reason = doubt(self.loss, y_pred, builder.instructions)
            if reason is not None:
                warnings.warn(reason, ThalwegWarning, stacklevel=3)

    @property
    def metrics(self) -> list[metric_module.Named]:
        """The compiled metrics, under the names they are logged by."""
        self.build()
        assert self.output_shape is not None
        return named_metrics(self.metric_names, self.loss, self.output_shape)

    def _check_trainer(self, what: str) -> None:
        if self._trainer not in (None, get_ident()):
            raise ThalwegError(
                f"{self.name!r} is being trained by another thread: {what} when that has ended, or take a copy of it "
                "(copy.deepcopy)"
            )

    def _ready(self, x: ArrayLike | None = None) -> None:
        """Builds the model from the first data if it must be, and checks that it is compiled."""
        if not self.compiled:
            raise ThalwegError("the model has to be compiled first: model.compile(optimizer=…, loss=…)")
        self._build_for(x)
        with making:
            self.prepare_slots()

    def prepare_slots(self) -> None:
        """Makes the optimizer's vectors, and what the loss keeps, if they aren't there yet."""
        size = len(self.optimizer.slot_names()) * align(self.vector.size)
        size += sum(align(b.size) for b in self.kept_by_loss().values())
        if self.slots.size != size:
            self.slots = aligned(size, self.dtype)
            self.optimizer.initial_slots(self.named_slots(), self.vector)

    def named_slots(self) -> dict[str, Array]:
        """The optimizer's vectors by their names: views, each with an element for every weight."""
        stride = align(self.vector.size)
        return {n: self.slots[k * stride :][: self.vector.size] for k, n in enumerate(self.optimizer.slot_names())}

    def kept_by_loss(self) -> dict[str, Buffer]:
        """What the loss keeps from batch to batch, by name: it lies after the optimizer's vectors."""
        assert self.output_shape is not None
        place, result = len(self.optimizer.slot_names()) * align(self.vector.size), {}
        for name, shape in self.loss.keeps(self.output_shape, self.features_shape).items():
            result[name] = Buffer(name, shape, SLOTS, per_row=False, offset=place)
            place += align(result[name].size)
        return result

    def training_state(self) -> dict[str, Array]:
        """All that training keeps beside the weights, as views by name: "optimizer/m", …, "loss/centers"."""
        self._ready()
        stride = align(self.vector.size)
        names = self.optimizer.slot_names()
        state = {f"optimizer/{n}": self.slots[k * stride : (k + 1) * stride] for k, n in enumerate(names)}
        for name, b in self.kept_by_loss().items():
            state[f"loss/{name}"] = self.slots[b.offset :][: b.size].reshape(b.shape)
        return state

    def state_shapes(self) -> dict[str, Shape]:
        """The shapes of `training_state`'s arrays, before there are any."""
        shapes: dict[str, Shape] = {f"optimizer/{n}": (align(self.vector.size),) for n in self.optimizer.slot_names()}
        return shapes | {f"loss/{name}": b.shape for name, b in self.kept_by_loss().items()}

    def use_average(self) -> None:
        """The moving average of the weights, which the optimizer keeps with use_ema=True, replaces them."""
        average = self.named_slots()[optimizer_module.AVERAGE]
        for _, p in self.trained_parameters():
            assert p.array is not None
            p.array[...] = average[p.buffer.offset :][: p.buffer.size].reshape(p.buffer.shape)

    def _build_for(self, x: ArrayLike | None) -> None:
        if not self.built and self.input is None and x is not None:
            shape = batches.to_array(x, "x").shape[1:]
            self.build(shape or (1,))
        self.build()

    def network(self, of_bytes: bool) -> Network:
        trained = self.trained_parameters()
        assert self.output_shape is not None
        return Network(
            layers=self._layers,
            input_shape=self.input_shape,
            output_shape=self.output_shape,
            weights=[Weight(path, p.buffer) for path, p in trained],
            penalties=[(p.buffer, p.regularizer) for _, p in trained if p.regularizer is not None],
            constraints=[p.constraint.lower(p.buffer) for _, p in trained if p.constraint is not None],
            vector=self.vector.size,
            of_bytes=of_bytes,
        )

    def lower(self, request: Request) -> tuple[Program, int]:
        """The program for a request, made once for all that get the same, and how many running sums it keeps."""
        request = self._common(request)
        key = (request, *(path for path, _ in self.live_parameters()))
        found: tuple[Program, int] | None = self._programs.get(key)
        if found is None:
            with making:
                found = self._programs.get(key) or self._lower(request)
                self._programs[key] = found
        return found

    def _common(self, request: Request) -> Request:
        """The request that stands for all with the same program."""
        return TARGETS[self.engine].common(request, lambda other: self.lower(other)[0])

    def _lower(self, request: Request, after: str | None = None) -> tuple[Program, int]:
        """The program itself, or what it is after the pass of that name."""
        network, passes = self.network(request.of_bytes), TARGETS[self.engine].passes
        if request.kind == "inference":
            return lower(network, request, passes, after=after), FIRST_METRIC
        if request.trains and not network.weights:
            raise ThalwegError("the model has no weights to train")
        objective = Objective(self.loss, [n.metric for n in self.metrics], request.weighted, self.kept_by_loss())
        return lower(network, request, passes, objective, self.optimizer, after), objective.totals

    def logs(self, totals: NDArray[np.float64]) -> Logs:
        """Loss and metrics from their running sums."""
        return {key: values[0] for key, values in self.columns(totals[None])().items()}

    def columns(self, totals: NDArray[np.float64]) -> Columns:
        """The same for many epochs at once, when it is asked for: totals (epochs, sums); a list for each."""
        return partial(self.scores(), totals)

    def scores(self) -> Callable[[NDArray[np.float64]], dict[str, list[float]]]:
        """Loss and metrics of epochs from their running sums (epochs, sums), as the model is compiled now."""
        assert self.output_shape is not None
        return partial(scores, tuple(self.metrics), self.output_shape)

    # --- data and jobs -------------------------------------------------------------------------------------------

    def _arrays(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        class_weight: Mapping[int, float] | None = None,
    ) -> list[Array | None]:
        """x, y and the row weights, checked, as the engine takes them."""
        assert self.output_shape is not None
        inputs = batches.input_rows(x, self.input_shape, self.dtype)
        targets = batches.to_array(y, "y")
        batches.same_rows(inputs, targets)
        targets = batches.contiguous(self.loss.check_targets(targets, self.output_shape), self.dtype, "y")
        return [inputs, targets, batches.row_weights(sample_weight, class_weight, targets, self.dtype)]

    def _lower_for(
        self, kind: str, arrays: Sequence[Array | None], batch: int, lanes: int = 1, visible: bool = False
    ) -> tuple[Program, int]:
        """The program for these x, y and row weights."""
        x, _, weights = arrays
        assert x is not None
        return self.lower(Request(kind, batch, lanes, weights is not None, x.dtype == np.uint8, visible))

    def _job(
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
        program, totals = self._lower_for(kind, arrays, batch, lanes, visible)
        data = {"X": x, "Y": y} | ({} if weights is None else {"weights": weights})
        return Job(
            program, data, len(x), batch, self.vector, self.slots, totals=totals, seed=self.seed, lanes=lanes, **more
        )

    def _training_job(self, arrays: Sequence[Array | None], batch: int, lanes: int | None, shuffle: bool) -> Job:
        """Training on these arrays in batches; one that is larger than the data is the data."""
        assert arrays[0] is not None
        batch = min(batch, len(arrays[0]))
        program, _ = self._lower_for("training", arrays, batch)
        return self._job(
            "training", arrays, batch, usable_lanes(lanes, program, batch, self.engine), shuffle=bool(shuffle)
        )

    # --- seeing it -----------------------------------------------------------------------------------------------

    def program(
        self, kind: str = "training", batch_size: int = 32, lanes: int = 1, after: str | None = None
    ) -> Listing:
        """What the network becomes: every instruction with formula, shape and cost.

        kind: "training" (forward, backward, update), "evaluation" or "inference".
        lanes: with more than one the sum of the lanes' gradients is shown too. Those of wide layers need none: each
            lane computes a share of them from the rows of all, right before the update. A first layer with many
            inputs is split over the lanes by its inputs.
        after: shows the program as the pass of this name leaves it: after "derive" the backward half is there, "fuse
            losses", "fuse relu" and others make it faster. An unknown name raises an error that lists those that run.

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
            self._ready()
        request = Request(kind, whole("batch_size", batch_size), whole("lanes", lanes))
        program, _ = self.lower(request) if after is None else self._lower(self._common(request), after)
        profiled, seconds = self._profiles.get((kind, batch_size), (program, None))
        shared = TARGETS[self.engine].shared_gradients(program, batch_size, lanes)
        return Listing(program, batch_size, seconds if program is profiled else None, lanes, shared)

    def profile(self, batch_size: int = 32, repeats: int = 50) -> Listing:
        """Times every instruction of a training step on random inputs, then returns the listing with times.

        The weights stay as they are. Later calls of `program(batch_size=…)` show the times too.
        """
        with making:  # no other thread compiles the model
            self._ready()
            assert self.output_shape is not None
            x = np.random.default_rng(0).normal(size=(batch_size, *self.input_shape)).astype(self.dtype)
            y = np.zeros((batch_size, *self.loss.target_shape(self.output_shape)), self.dtype)
            job = self._job("training", [x, y, None], whole("batch_size", batch_size))
        job.parameters, job.slots = self.vector.copy(), self.slots.copy()
        executor = make_executor(self.engine, job)
        chunk = Chunk(0, 0, 1, job.program.every - 1, np.array([0.0]))  # a step that updates
        seconds = executor.measure(chunk, whole("repeats", repeats))
        self._profiles[("training", batch_size)] = (job.program, seconds)
        return self.program("training", batch_size)

    def trace(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, Array]:
        """Every value of one training step on these rows, by its name in `program()`; the weights stay as they are.

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
            self._ready(x)
            arrays = self._arrays(x, y, sample_weight)
            assert arrays[0] is not None
            job = self._job("training", arrays, len(arrays[0]), visible=True)
        job.parameters, job.slots = self.vector.copy(), self.slots.copy()
        chunk = Chunk(0, 0, 1, self.optimizer.iterations, np.array([self.optimizer.learning_rate]))
        blocks: dict[str, list[Array]] = {}
        for instruction, memory in make_executor(self.engine, job).trace(chunk):
            for buffer in instruction.outputs:
                if not buffer.per_row:
                    blocks.pop(buffer.name, None)
                blocks.setdefault(buffer.name, []).append(memory[buffer].copy())
        return {name: np.concatenate(values) for name, values in blocks.items()}


def named_metrics(
    names: Sequence[Any], loss: loss_module.Loss, output: Shape, check: bool = True
) -> list[metric_module.Named]:
    """The metrics for a network's output; an unknown name raises, and so does, with `check`, one that doesn't fit."""
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
