"""Sequential: a network as a list of layers, with Keras's methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import losses as loss_module
from thalweg import metrics as metric_module
from thalweg import optimizers as optimizer_module
from thalweg import saving
from thalweg.callbacks import Callback, History, Logs
from thalweg.callbacks.base import checked, introduced, tell
from thalweg.checks import whole
from thalweg.data import batches
from thalweg.diagnosis import diagnose
from thalweg.engine import aligned, make_executor, usable_lanes
from thalweg.engine.work import Array, Chunk, Job, mean_loss
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.layers import Layer
from thalweg.layers.base import Shape
from thalweg.naming import choose
from thalweg.prediction import Predictor
from thalweg.program.listing import Listing
from thalweg.program.lowering import (
    FIRST_METRIC,
    ROWS,
    Network,
    Objective,
    Weight,
    evaluation_program,
    inference_program,
    training_program,
)
from thalweg.program.memory import align
from thalweg.program.program import Program
from thalweg.progress import Progress
from thalweg.stack import Stack
from thalweg.training import Fit, sound

Data = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


class Sequential(Stack):
    """Layers one after the other.

    Args:
        layers: the layers; an `Input` at the front fixes the shapes, otherwise they follow from the first data.
        name: the model's name.
        seed: fixes initial weights, shuffling and dropout; drawn from `utils.set_random_seed`'s generator if None.
        engine: "native" (compiled, float32), or "reference" (NumPy, float32 or float64).
        dtype: "float32", or "float64" with the reference engine.

    >>> import numpy as np
    >>> import thalweg
    >>> from thalweg.layers import Dense
    >>> model = Sequential([thalweg.Input((2,)), Dense(8, activation="tanh"), Dense(1, activation="sigmoid")], seed=1)
    >>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> history = model.fit(x, [0, 1, 1, 0], epochs=1000, verbose=0)
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        name: str | None = None,
        *,
        seed: int | None = None,
        engine: str = "native",
        dtype: str = "float32",
    ) -> None:
        super().__init__(layers, name, seed, engine, dtype)
        self.history: History | None = None
        self.stop_training = False
        self.initial_epoch = 0  # of the last fit
        self.epochs_trained = 0
        self.compiled = False
        self._predictor: Predictor | None = None
        self._programs: dict[Any, Any] = {}
        self._profiles: dict[Any, list[float]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes along: not what is made again when it is needed."""
        return self.__dict__ | {"_predictor": None, "_programs": {}, "_profiles": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.built:
            self._bind_parameters()  # copied arrays are no longer views of the copied vector

    # --- what it is trained for ----------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | optimizer_module.Optimizer,
        loss: str | loss_module.Loss,
        metrics: Sequence[str | metric_module.Metric] | str | None = None,
    ) -> None:
        """Sets optimizer, loss and metrics, by name or as objects. The optimizer starts afresh."""
        if metrics is not None and not isinstance(metrics, (str, metric_module.Metric, list, tuple)):
            raise ArgumentError(f"metrics is a list of names or of thalweg.metrics, got {metrics!r}")
        names: list[Any] = [metrics] if isinstance(metrics, (str, metric_module.Metric)) else [*(metrics or [])]
        optimizer, loss = optimizer_module.get(optimizer), loss_module.get(loss)
        if optimizer.owner not in (None, self):
            kind = type(optimizer).__name__
            raise ArgumentError(f"this {kind} belongs to another model, whose steps it counts: make a new one")
        named_metrics(names, loss, self.output_shape or (1,), check=self.built)  # told before anything changes
        self.optimizer, self.loss, self.metric_names = optimizer, loss, names
        self.optimizer.iterations, self.optimizer.owner = 0, self
        self.slots = aligned(0, self.dtype)
        self.compiled = True
        self._programs.clear()
        self._profiles.clear()

    @property
    def metrics(self) -> list[metric_module.Named]:
        """The compiled metrics, under the names they are logged by."""
        self.build()
        assert self.output_shape is not None
        return named_metrics(self.metric_names, self.loss, self.output_shape)

    def _ready(self, x: ArrayLike | None = None) -> None:
        """Builds the model from the first data if it must be, and checks that it is compiled."""
        if not self.compiled:
            raise ThalwegError("the model has to be compiled first: model.compile(optimizer=…, loss=…)")
        self._build_for(x)
        self.prepare_slots()

    def prepare_slots(self) -> None:
        """Makes the optimizer's vectors if they aren't there yet."""
        size = len(self.optimizer.slot_names()) * align(self.vector.size)
        if self.slots.size != size:
            self.slots = aligned(size, self.dtype)
            self.optimizer.initial_slots(self.named_slots(), self.vector)

    def named_slots(self) -> dict[str, Array]:
        """The optimizer's vectors by their names: views, each with an element for every weight."""
        names = self.optimizer.slot_names()
        parts = np.split(self.slots, len(names)) if names else []
        return {name: part[: self.vector.size] for name, part in zip(names, parts, strict=True)}

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
            penalties=[(p.buffer, *p.regularizer.factors()) for _, p in trained if p.regularizer is not None],
            constraints=[p.constraint.lower(p.buffer) for _, p in trained if p.constraint is not None],
            vector=self.vector.size,
            of_bytes=of_bytes,
        )

    def lower(self, kind: str, weighted: bool = False, of_bytes: bool = False) -> tuple[Program, int]:
        """The program of one kind, for floats or bytes as data, and how many running sums it keeps; made once.

        Training for "trace" keeps y_pred.
        """
        key = (kind, weighted, of_bytes, *(path for path, _ in self.trained_parameters()))
        if key not in self._programs:
            network = self.network(of_bytes)
            totals = FIRST_METRIC
            if kind == "inference":
                program = inference_program(network)
            else:
                objective = Objective(self.loss, [n.metric for n in self.metrics], weighted)
                if kind in ("training", "trace"):
                    if not network.weights:
                        raise ThalwegError("the model has no weights to train")
                    program = training_program(network, objective, self.optimizer, keep_predictions=kind == "trace")
                else:
                    program = evaluation_program(network, objective)
                totals = objective.totals
            self._programs[key] = (program, totals)
        result: tuple[Program, int] = self._programs[key]
        return result

    def logs(self, totals: NDArray[np.float64]) -> Logs:
        """Loss and metrics from their running sums."""
        assert self.output_shape is not None
        result = {"loss": mean_loss(totals)}
        place = FIRST_METRIC
        for named in self.metrics:
            size = named.metric.sums(self.output_shape)
            result[named.key] = named.metric.result(totals[place : place + size], totals[ROWS], self.output_shape)
            place += size
        return result

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

    def _lower_for(self, kind: str, arrays: Sequence[Array | None]) -> tuple[Program, int]:
        """The program for these x, y and row weights."""
        x, _, weights = arrays
        assert x is not None
        return self.lower(kind, weights is not None, x.dtype == np.uint8)

    def _job(self, kind: str, arrays: Sequence[Array | None], batch: int, lanes: int = 1, **more: Any) -> Job:
        x, y, weights = arrays
        assert x is not None
        assert y is not None
        program, totals = self._lower_for(kind, arrays)
        data = {"X": x, "Y": y} | ({} if weights is None else {"weights": weights})
        return Job(
            program, data, len(x), batch, self.vector, self.slots, totals=totals, seed=self.seed, lanes=lanes, **more
        )

    def _training_job(self, arrays: Sequence[Array | None], batch: int, lanes: int | None, shuffle: bool) -> Job:
        """Training on these arrays in batches; one that is larger than the data is the data."""
        assert arrays[0] is not None
        batch = min(batch, len(arrays[0]))
        program, _ = self._lower_for("training", arrays)
        return self._job(
            "training", arrays, batch, usable_lanes(lanes, program, batch, self.engine), shuffle=bool(shuffle)
        )

    def _evaluator(self, arrays: Sequence[Array | None], batch: int, lanes: int) -> Callable[[], Logs]:
        """A function that evaluates the model on these arrays, as often as asked."""
        x = arrays[0]
        assert x is not None
        # A mean over rows is the same for any batch; one batch of everything is the fastest.
        rows = len(x) if self.loss.reduction != "sum" else batch
        job = self._job("evaluation", arrays, rows, lanes)
        executor = make_executor(self.engine, job)
        steps = -(-len(x) // rows)
        chunk = Chunk(0, 0, steps, 0, np.full(steps, self.optimizer.learning_rate))

        def evaluate() -> Logs:
            outcome = executor.run(chunk)
            if not outcome.finite:
                at = replace(chunk, batch=outcome.steps, steps=1)
                raise DivergedError(
                    f"evaluation stopped in batch {outcome.steps + 1} of {steps}: {diagnose(executor, job, at)}"
                )
            return self.logs(outcome.records[0])

        return evaluate

    # --- training ------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Data | None = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        lanes: int | None = None,
    ) -> History:
        """Trains for `epochs` passes over the rows, in batches.

        Args:
            x: (rows, …) inputs; bytes (uint8), such as images, are not copied to floats but converted batch by batch.
            y: the targets, as the loss takes them.
            batch_size: rows in a step; 32 if None. epochs: the number of the last epoch.
            verbose: 1 or "auto": a live line on a terminal; 2: a line for each epoch; 0: nothing.
            callbacks: see `thalweg.callbacks`.
            validation_split: the share of the *last* rows kept for validation, taken before shuffling.
            validation_data: (x, y) or (x, y, sample_weight) to validate on; goes before `validation_split`.
            shuffle: whether each epoch takes the rows in a new order.
            class_weight: a weight for each class number. sample_weight: a weight for each row.
            initial_epoch: the number of epochs already done, for the count only.
            lanes: cores that work together; by default one for a small network, else as many as there are
                (or THALWEG_LANES). The same seed and the same lanes give the same bits.

        Returns:
            the history; also kept as `model.history`.

        Raises:
            DivergedError: a value stopped being finite; the last finite weights are kept.
        """
        batch = 32 if batch_size is None else whole("batch_size", batch_size)
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        listeners = checked(callbacks)
        self._ready(x)
        arrays = self._arrays(x, y, sample_weight)
        held: list[Array | None] | None = None
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise ArgumentError("validation_data is (x, y) or (x, y, sample_weight)")
            held = self._arrays(*validation_data) if len(validation_data) == 3 else self._arrays(*validation_data, None)
        elif validation_split:
            arrays, held = batches.split_off(arrays, validation_split)
        assert arrays[0] is not None
        assert arrays[1] is not None
        if class_weight is not None:  # as in Keras, for training alone
            arrays[2] = batches.row_weights(arrays[2], class_weight, arrays[1], self.dtype)
        job = self._training_job(arrays, batch, lanes, shuffle)
        fit = Fit(
            self,
            job,
            make_executor(self.engine, job),
            epochs,
            initial_epoch,
            listeners,
            None if held is None else self._evaluator(held, job.batch, job.lanes),
            Progress(verbose, epochs, initial_epoch, job.steps_per_epoch, job.rows),
        )
        return fit.run()

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; returns its loss and metrics, computed before the step."""
        self._ready(x)
        arrays = self._arrays(x, y, sample_weight, class_weight)
        assert arrays[0] is not None
        job = self._job("training", arrays, len(arrays[0]))
        executor = make_executor(self.engine, job)
        chunk = Chunk(0, 0, 1, self.optimizer.iterations, np.array([self.optimizer.learning_rate]))
        before = (self.vector.copy(), self.slots.copy())
        outcome = executor.run(chunk)
        if not sound(job, outcome):
            self.vector[:], self.slots[:] = before
            finding = diagnose(executor, job, chunk)
            self.vector[:], self.slots[:] = before
            raise DivergedError(f"the step was not done: {finding} The last finite weights are kept.")
        self.optimizer.iterations += 1
        return answer(self.logs(outcome.records[0]), return_dict)

    # --- using it ------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[Callback] | None = None,
        return_dict: bool = False,
        lanes: int | None = None,
    ) -> Any:
        """Loss and metrics on these rows: [loss, metric, …], the loss alone if there are no metrics, or a dict."""
        self._ready(x)
        arrays = self._arrays(x, y, sample_weight)
        assert arrays[0] is not None
        batch = 32 if batch_size is None else whole("batch_size", batch_size)
        program, _ = self._lower_for("evaluation", arrays)
        evaluate = self._evaluator(arrays, batch, usable_lanes(lanes, program, len(arrays[0]), self.engine))
        listeners = introduced(callbacks, self, -(-len(arrays[0]) // batch))
        tell(listeners, "on_test_begin", {})
        logs = evaluate()
        tell(listeners, "on_test_end", logs)
        with Progress(verbose, 1, 0, 1, len(arrays[0])) as progress:
            progress.end_epoch(0, logs)
        return answer(logs, return_dict)

    def test_on_batch(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, without a step."""
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict, lanes=1)

    def predict(
        self,
        x: ArrayLike,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | None = None,
        lanes: int | None = None,
    ) -> Array:
        """The network's outputs, (rows, …).

        Args:
            x: (rows, …) inputs.
            batch_size: limits the rows that are in work at once; by default blocks that fit the core's cache.
            verbose: 1 or 2 prints the number of rows and the time; 0 or "auto" nothing.
            callbacks: see `thalweg.callbacks`; they hear on_predict_begin and on_predict_end.
            lanes: cores to use; by default one for a little work, else as many as pay.
        """
        if callbacks is not None or verbose not in (0, "auto"):
            return self._predict_aloud(x, batch_size, verbose, callbacks, lanes)
        predictor = self._predictor or self._prepare(x)
        if not (
            type(x) is np.ndarray
            and x.dtype == self.dtype
            and x.flags.c_contiguous
            and x.shape[1:] == self.input_shape
            and len(x)
        ):
            x = batches.input_rows(x, self.input_shape, self.dtype)
        return predictor(x, None if batch_size is None else whole("batch_size", batch_size), lanes)

    def _prepare(self, x: ArrayLike) -> Predictor:
        self._build_for(x)
        assert self.output_shape is not None
        self._predictor = Predictor(
            lambda of_bytes: self.lower("inference", of_bytes=of_bytes)[0], self.engine, self.vector, self.output_shape
        )
        return self._predictor

    def _predict_aloud(
        self,
        x: ArrayLike,
        batch_size: int | None,
        verbose: int | str,
        callbacks: Sequence[Callback] | None,
        lanes: int | None,
    ) -> Array:
        if verbose not in (0, 1, 2, "auto"):
            raise ArgumentError(f"verbose is 0, 1, 2 or 'auto', got {verbose!r}")
        self._build_for(x)
        listeners = introduced(callbacks, self, 1)
        tell(listeners, "on_predict_begin", {})
        begin = time.perf_counter()
        outputs = self.predict(x, batch_size, 0, lanes=lanes)
        if verbose in (1, 2):
            print(f"{len(outputs):,} rows in {time.perf_counter() - begin:.3f} s")
        tell(listeners, "on_predict_end", {})
        return outputs

    def predict_on_batch(self, x: ArrayLike) -> Array:
        """The network's outputs for one batch."""
        return self.predict(x, verbose=0)

    def __call__(self, x: ArrayLike) -> Array:
        """The network's outputs, as `predict`."""
        return self.predict(x, verbose=0)

    # --- seeing it -----------------------------------------------------------------------------------------------

    def program(self, kind: str = "training", batch_size: int = 32, lanes: int = 1) -> Listing:
        """What the network becomes: every instruction with formula, shape and cost.

        kind: "training" (forward, backward, update), "evaluation" or "inference".
        lanes: with more than one the sum of the lanes' gradients is shown too.
        """
        choose("kind of program", kind, ("training", "evaluation", "inference"))
        if kind == "inference":
            self.build()
        else:
            self._ready()
        seconds = self._profiles.get((kind, batch_size))
        return Listing(self.lower(kind)[0], whole("batch_size", batch_size), seconds, whole("lanes", lanes))

    def profile(self, batch_size: int = 32, repeats: int = 50) -> Listing:
        """Times every instruction of a training step on random inputs, then returns the listing with times.

        The weights stay as they are. Later calls of `program(batch_size=…)` show the times too.
        """
        self._ready()
        assert self.output_shape is not None
        x = np.random.default_rng(0).normal(size=(batch_size, *self.input_shape)).astype(self.dtype)
        y = np.zeros((batch_size, *self.loss.target_shape(self.output_shape)), self.dtype)
        job = self._job("training", [x, y, None], whole("batch_size", batch_size))
        job.parameters, job.slots = self.vector.copy(), self.slots.copy()
        executor = make_executor(self.engine, job)
        chunk = Chunk(0, 0, 1, job.program.every - 1, np.array([0.0]))  # a step that updates
        self._profiles[("training", batch_size)] = executor.measure(chunk, whole("repeats", repeats))
        return self.program("training", batch_size)

    def trace(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> dict[str, Array]:
        """Every value of one training step on these rows, by its name in `program()`; the weights stay as they are.

        h, a, y_pred, their adjoints dh, da, the gradients dW, db, and w, the parameter vector after the step.

        >>> import thalweg
        >>> model = Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, use_bias=False)], seed=0)
        >>> model.compile("sgd", "mse")
        >>> model.set_weights([[[1.0], [2.0]]])
        >>> values = model.trace([[1.0, 1.0], [1.0, 0.0]], [[0.0], [0.0]])
        >>> values["y_pred"].ravel(), values["dW"].ravel()
        (array([3., 1.], dtype=float32), array([4., 3.], dtype=float32))
        """
        self._ready(x)
        arrays = self._arrays(x, y, sample_weight)
        assert arrays[0] is not None
        job = self._job("trace", arrays, len(arrays[0]))
        job.parameters, job.slots = self.vector.copy(), self.slots.copy()
        chunk = Chunk(0, 0, 1, self.optimizer.iterations, np.array([self.optimizer.learning_rate]))
        blocks: dict[str, list[Array]] = {}
        for instruction, memory in make_executor(self.engine, job).trace(chunk):
            for buffer in instruction.outputs:
                if not buffer.per_row:
                    blocks.pop(buffer.name, None)
                blocks.setdefault(buffer.name, []).append(memory[buffer].copy())
        return {name: np.concatenate(values) for name, values in blocks.items()}

    # --- keeping it ----------------------------------------------------------------------------------------------

    def save(self, path: str | Path, overwrite: bool = True) -> None:
        """Writes the whole model to one safetensors file: description, weights, optimizer. See `load_model`."""
        saving.save_model(self, path, overwrite)

    def save_weights(self, path: str | Path, overwrite: bool = True) -> None:
        """Writes the weights alone to a safetensors file."""
        saving.save_weights(self, path, overwrite)

    def load_weights(self, path: str | Path) -> None:
        """Reads weights that `save_weights` or `save` wrote; they have to fit exactly."""
        saving.load_weights(self, path)

    def load_state(self, path: str | Path) -> None:
        """Weights, optimizer and counts of a file that `save` wrote, into this model, which has to be an equal one."""
        self._ready()
        saving.load_state(self, path)


def named_metrics(
    names: Sequence[Any], loss: loss_module.Loss, output: Shape, check: bool = True
) -> list[metric_module.Named]:
    """The metrics for a network's output; an unknown name raises, and so does, with `check`, one that doesn't fit."""
    target = loss.target_shape(output)
    named = [metric_module.get(name, output, target) for name in names]
    for metric in named if check else []:
        metric.metric.check(output, target)
    return named


def answer(logs: Logs, return_dict: bool) -> Any:
    """Keras's form of a score: a dict, a list, or a number if there is only the loss."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
