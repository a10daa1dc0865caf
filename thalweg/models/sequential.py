"""Sequential: a network as a list of layers, with Keras's methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.callbacks import Callback, History, Logs
from thalweg.callbacks.callback import checked, introduced
from thalweg.data import arrays as batches
from thalweg.engine import make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk
from thalweg.errors import ArgumentError, DivergedError
from thalweg.layers import Layer
from thalweg.models import saving
from thalweg.models.compiled import CompiledStack, trains
from thalweg.models.diagnosis import diagnose
from thalweg.models.evaluator import Evaluation
from thalweg.models.predictor import Predictor, predict_aloud
from thalweg.models.trainer import Fit, sound
from thalweg.program.passes.draft import Request
from thalweg.support import hooks
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.once import making
from thalweg.support.printing import out
from thalweg.support.progress import Progress, level, shown

Data = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]


class Sequential(CompiledStack):
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

    unheard = hooks.MODEL

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
        self.stop_training = self.stop_evaluating = self.stop_predicting = False  # what a callback may set
        self.initial_epoch = 0  # of the last fit
        self.epochs_trained = 0
        self._predictor: Predictor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes along: not what is made again when it is needed."""
        return self.__dict__ | {"_predictor": None, "_programs": {}, "_profiles": {}, "_trainer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.built:
            self._bind_parameters()  # copied arrays are no longer views of the copied vector

    # --- training ------------------------------------------------------------------------------------------------

    @trains
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
            verbose: 1 or "auto": on a terminal a few lines that are drawn anew; elsewhere a line for each epoch, after
                the first hundred at most ten a second. 2: a line for each epoch. 0: nothing.
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
            KeyboardInterrupt: Ctrl-C. What is running in the engine, for a second at most or a step, is finished first,
                and the callbacks hear `on_train_end`; the weights and `model.history` are those of the steps done.
            ThalwegError: another thread is training the model.
        """
        if not isinstance(shuffle, (bool, np.bool_)):
            raise ArgumentError(f"shuffle is True or False, got {shuffle!r}")
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
            None if held is None else Evaluation(self, held, job.batch, job.lanes),
            Progress(verbose, epochs, initial_epoch, job.steps_per_epoch, job.rows),
        )
        return fit.run()

    @trains
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
        with Held():  # the step is either counted or not done
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
        """Loss and metrics on these rows: [loss, metric, …], the loss alone if there are no metrics, or a dict.

        A callback that listens to batches makes it go batch by batch, 32 rows each if batch_size is None; it may set
        `model.stop_evaluating`. With verbose 1, 2 or "auto" they are printed too, in a line; with 0 they are not.
        """
        aloud = level(verbose) > 0
        batch = 32 if batch_size is None else whole("batch_size", batch_size)
        with making:  # no other thread compiles the model
            self._ready(x)
            arrays = self._arrays(x, y, sample_weight)
            assert arrays[0] is not None
            program, _ = self._lower_for("evaluation", arrays, len(arrays[0]))
            evaluate = Evaluation(self, arrays, batch, usable_lanes(lanes, program, len(arrays[0]), self.engine))
            listeners = introduced(callbacks, self, -(-len(arrays[0]) // batch))
            evaluate.prepare(listeners)
        logs = evaluate(listeners)
        if aloud:
            out(f"{len(arrays[0]):,} rows  {shown(logs)}")
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
            callbacks: see `thalweg.callbacks`. One that listens to batches makes it go batch by batch, 32 rows each if
                batch_size is None; it may set `model.stop_predicting`.
            lanes: cores to use; by default one for a little work, else as many as pay.
        """
        if callbacks is not None or verbose not in (0, "auto"):
            return predict_aloud(self, x, batch_size, verbose, callbacks, lanes)
        predictor = self._predictor or self._prepare(x)
        if batch_size is None and lanes is None:
            y = predictor.few(x)
            if y is not None:
                return y
        x = batches.input_rows(x, self.input_shape, self.dtype)
        return predictor(x, None if batch_size is None else whole("batch_size", batch_size), lanes)

    def _prepare(self, x: ArrayLike) -> Predictor:
        self._build_for(x)
        assert self.output_shape is not None
        with making:
            if self._predictor is None:
                self._predictor = Predictor(
                    lambda of_bytes: self.lower(Request("inference", of_bytes=of_bytes))[0],
                    self.engine,
                    self.vector,
                    self.input_shape,
                    self.output_shape,
                )
            return self._predictor

    def predict_on_batch(self, x: ArrayLike) -> Array:
        """The network's outputs for one batch."""
        return self.predict(x, verbose=0)

    def __call__(self, x: ArrayLike) -> Array:
        """The network's outputs, as `predict`."""
        return self.predict(x, verbose=0)

    # --- keeping it ----------------------------------------------------------------------------------------------

    def save(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the whole model to one safetensors file: description, weights, optimizer. See `load_model`."""
        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the weights alone to a safetensors file."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: str | Path) -> None:
        """Reads weights that `save_weights` or `save` wrote; they have to fit exactly."""
        saving.load_weights(self, filepath)

    def load_state(self, path: str | Path) -> None:
        """Weights, optimizer and counts of a file that `save` wrote, into this model, which has to be an equal one."""
        self._ready()
        saving.load_state(self, path)


def answer(logs: Logs, return_dict: bool) -> Any:
    """Keras's form of a score: a dict, a list, or a number if there is only the loss."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
