"""Sequential: a network as a list of layers, with Keras's methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from thalweg.callbacks import Callback, History
from thalweg.engine.contract import Array
from thalweg.layers import Input, Layer
from thalweg.layers.layer import Shape
from thalweg.losses import Loss
from thalweg.metrics import Metric, Named
from thalweg.models import evaluator, model_file
from thalweg.models.compiled import Compiled
from thalweg.models.graph import Graph
from thalweg.models.inspection import summary
from thalweg.models.predictor import Predictor, predict_aloud
from thalweg.models.trainer import Data, Fit, Trainer
from thalweg.models.weights import Weights
from thalweg.optimizers import Optimizer
from thalweg.support import hooks
from thalweg.support.checks import whole
from thalweg.support.once import making

Given = ParamSpec("Given")
Result = TypeVar("Result")


def held_by(part: str, name: str, doc: str) -> Any:
    """An attribute of one of the model's parts."""
    return property(
        lambda self: getattr(getattr(self, part), name),
        lambda self, value: setattr(getattr(self, part), name, value),
        doc=doc,
    )


def done_by(
    part: str, method: Callable[Concatenate[Any, Given], Result]
) -> Callable[Concatenate[Sequential, Given], Result]:
    """A method of one of the model's parts."""

    @wraps(method)
    def delegate(self: Sequential, /, *arguments: Given.args, **named: Given.kwargs) -> Result:
        return method(getattr(self, part), *arguments, **named)

    return delegate


class Sequential(hooks.Hooked):
    """A network of layers, one after the other.

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

    uncalled = hooks.MODEL

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        name: str | None = None,
        *,
        seed: int | None = None,
        engine: str = "native",
        dtype: str = "float32",
    ) -> None:
        self._graph = Graph(layers, name)
        self._weights = Weights(self._graph, dtype)
        self._compiled = Compiled(self._graph, self._weights, seed, engine)
        self._trainer = Trainer(self._compiled)
        self._predictor: Predictor | None = None  # made when it is needed
        self.history: History | None = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False  # what a callback may set
        self.initial_epoch = 0  # of the last fit

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_predictor": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.built:
            self._weights.bind()  # copied arrays are no longer views of the copied vector

    def __repr__(self) -> str:
        state = "built" if self.built else "not built"
        return f"<{type(self).__name__} {self.name}: {len(self._graph.layers)} layers, {state}>"

    # --- layers and weights --------------------------------------------------------------------------------------

    name: str = held_by("_graph", "name", "The model's name.")
    input: Input | None = held_by("_graph", "input", "The layer that gives the shape of a row, if there is one.")
    input_shape: Shape = held_by("_graph", "input_shape", "The shape of one row.")
    output_shape: Shape | None = held_by("_graph", "output_shape", "The shape of one row's output, once it is built.")
    built: bool = held_by("_graph", "built", "Whether the shapes are known and the weights made.")
    dtype: np.dtype[Any] = held_by("_weights", "dtype", "The type of the weights and of all computed values.")
    vector: Array = held_by("_weights", "vector", "All weights, in one array.")
    seed: int = held_by("_compiled", "seed", "The seed of initial weights, shuffling and dropout.")
    engine: str = held_by("_compiled", "engine", '"native" or "reference".')

    add = done_by("_graph", Graph.add)
    pop = done_by("_graph", Graph.pop)
    named_parameters = done_by("_weights", Weights.named)
    trained_parameters = done_by("_weights", Weights.trained)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without `Input`."""
        return list(self._graph.layers)

    @property
    def trainable(self) -> bool:
        """Whether training changes any layer. Setting it sets `trainable` of every present layer, as in Keras."""
        return any(layer.trainable for layer in self._graph.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._graph.layers:
            layer.trainable = bool(value)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer with this name, or at this index."""
        return self._graph.get(name, index)

    def build(self, input_shape: Sequence[int] | None = None) -> None:
        """Fixes the shapes and makes the initial weights; called automatically if needed. `input_shape` is a row's."""
        self._compiled.build(input_shape)

    def count_params(self) -> int:
        """The number of weights in the model."""
        self.build()
        return self._weights.count()

    def get_weights(self) -> list[Array]:
        """Copies of all arrays of weights: kernel and bias of the first layer, of the second, …"""
        self.build()
        return self._weights.get()

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replaces all arrays of weights; if their number or a shape is wrong, nothing changes."""
        self.build()
        self._weights.set(weights)

    def summary(self, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints every layer with its output shape and number of weights."""
        self.build()
        summary(self._weights, print_fn)

    # --- compiling -----------------------------------------------------------------------------------------------

    compiled: bool = held_by("_compiled", "complete", "Whether `compile` was called.")
    optimizer: Optimizer = held_by("_compiled", "optimizer", "The compiled optimizer.")
    loss: Loss = held_by("_compiled", "loss", "The compiled loss.")
    metrics: list[Named] = held_by("_compiled", "metrics", "The compiled metrics, with their names in the logs.")
    metric_names: list[Any] = held_by("_compiled", "metric_names", "The metrics as given to `compile`.")
    slots: Array = held_by("_compiled", "slots", "The optimizer's vectors and the state of the loss, in one array.")
    epochs_trained: int = held_by("_compiled", "epochs_trained", "The number of epochs of all fits together.")

    training_state = done_by("_compiled", Compiled.training_state)
    use_average = done_by("_compiled", Compiled.use_average)
    lower = done_by("_compiled", Compiled.lower)
    program = done_by("_compiled", Compiled.program)
    profile = done_by("_compiled", Compiled.profile)
    trace = done_by("_compiled", Compiled.trace)

    def compile(
        self,
        optimizer: str | Optimizer,
        loss: str | Loss,
        metrics: Sequence[str | Metric] | str | None = None,
    ) -> None:
        """Sets optimizer, loss and metrics, by name or as objects. The optimizer starts over."""
        with making:
            self._trainer.check("compile it")
            self._compiled.compile(optimizer, loss, metrics)

    # --- training and using it -----------------------------------------------------------------------------------

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
            x: (rows, …) inputs; bytes (uint8), such as images, are converted to floats batch by batch.
            y: the targets, as the loss takes them.
            batch_size: rows per step; 32 if None. epochs: the number of the last epoch.
            verbose: 1 or "auto": on a terminal, a few lines that are redrawn; elsewhere a line for each epoch, after
                the first hundred at most ten a second. 2: a line for each epoch. 0: nothing.
            callbacks: see `thalweg.callbacks`.
            validation_split: the share of the *last* rows kept for validation, taken before shuffling.
            validation_data: (x, y) or (x, y, sample_weight) to validate on; takes precedence over `validation_split`.
            shuffle: whether each epoch takes the rows in a new order.
            class_weight: a weight for each class number. sample_weight: a weight for each row.
            initial_epoch: the number of epochs already done, for numbering only.
            lanes: the number of cores that work together; by default one for a small network, otherwise all of them
                (or THALWEG_LANES). The same seed and number of lanes give the same bits.

        Returns:
            the history; also kept as `model.history`.

        Raises:
            DivergedError: a value stopped being finite; the last finite weights are kept.
            KeyboardInterrupt: Ctrl-C. The steps running in the engine, at most a second's or one, are finished first,
                and `on_train_end` is called; the weights and `model.history` are those of the steps done.
            ThalwegError: another thread is training the model.
        """
        with self._trainer.alone():
            return Fit(
                self, self._compiled, x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data,
                shuffle, class_weight, sample_weight, initial_epoch, lanes,
            ).run()  # fmt: skip

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; returns its loss and metrics, computed before the step."""
        with self._trainer.alone():
            return self._trainer.train_on_batch(x, y, sample_weight, class_weight, return_dict)

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

        If a callback listens to batches, evaluation runs batch by batch, 32 rows each if batch_size is None; the
        callback may set `model.stop_evaluating`. verbose: 1, 2 or "auto" also prints the result; 0 doesn't.
        """
        return evaluator.evaluate(
            self, self._compiled, x, y, batch_size, verbose, sample_weight, callbacks, return_dict, lanes
        )

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
            batch_size: the most rows computed at once; by default, blocks that fit the core's cache.
            verbose: 1 or 2 prints the number of rows and the time; 0 or "auto" nothing.
            callbacks: see `thalweg.callbacks`. If one listens to batches, prediction runs batch by batch, 32 rows each
                if batch_size is None; the callback may set `model.stop_predicting`.
            lanes: the number of cores to use; by default one for little work, otherwise as many as are worthwhile.
        """
        predictor = self._predictor or self._prepare(x)
        if callbacks is not None or verbose not in (0, "auto"):
            return predict_aloud(self, predictor, x, batch_size, verbose, callbacks, lanes)
        if batch_size is None and lanes is None:
            y = predictor.small_batch(x)  # here, because a row takes less time than another call
            if y is not None:
                return y
        x = self._graph.feed(x, self.dtype)
        return predictor(x, None if batch_size is None else whole("batch_size", batch_size), lanes)

    def _prepare(self, x: ArrayLike) -> Predictor:
        self._compiled.build_for(x)
        with making:
            self._predictor = self._predictor or Predictor(self._compiled)
            return self._predictor

    def predict_on_batch(self, x: ArrayLike) -> Array:
        """The network's outputs for one batch."""
        return self.predict(x, verbose=0)

    def __call__(self, x: ArrayLike) -> Array:
        """The network's outputs, as from `predict`."""
        return self.predict(x, verbose=0)

    # --- saving --------------------------------------------------------------------------------------------------

    def save(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the whole model to one safetensors file: description, weights, optimizer. See `load_model`."""
        model_file.save_model(self._compiled, filepath, overwrite)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Writes the weights alone to a safetensors file."""
        model_file.save_weights(self._compiled, filepath, overwrite)

    def load_weights(self, filepath: str | Path) -> None:
        """Reads weights that `save_weights` or `save` wrote; names and shapes have to match."""
        model_file.load_weights(self._compiled, filepath)

    def load_state(self, path: str | Path) -> None:
        """Restores weights, optimizer and counts from a file that `save` wrote for an equal model."""
        self._compiled.ready()
        model_file.load_state(self._compiled, path)
