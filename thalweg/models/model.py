"""What every model has: Keras's methods, done by its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.batches.ordering import Ordering
from thalweg.batches.streams import collected, is_stream
from thalweg.callbacks import Callback, History
from thalweg.engine.contract import Array
from thalweg.errors import ArgumentError, ShapeError
from thalweg.exchange.exporting import Exporting
from thalweg.layers import CustomObjects, Input, Layer
from thalweg.layers.keywords import config_of
from thalweg.metrics import Named
from thalweg.models import model_file
from thalweg.models.compiled import Compiled
from thalweg.models.description import describe, settings
from thalweg.models.drawing import Drawn, Own
from thalweg.models.evaluator import Trainer, Validation, evaluate
from thalweg.models.goals import spread, warn_of_meaningless
from thalweg.models.graph import Graph
from thalweg.models.inspection import Inspected
from thalweg.models.predictor import QUIET, predict_all, predict_stream, predictor_for
from thalweg.models.steps.stepping import Stepping
from thalweg.models.trainer import Fit
from thalweg.models.weights import Weights
from thalweg.ops.arrangement import of_every_row
from thalweg.ops.masks import with_masks
from thalweg.ops.tensor import Tensor, caller, traced
from thalweg.ops.variable import WeightBuffer, variables_of
from thalweg.ops.with_numpy import ArrayResult
from thalweg.optimizers import Optimizer
from thalweg.program.builder import Builder
from thalweg.support import hooks
from thalweg.support.naming import snake_case, suggesting
from thalweg.support.nested import for_json, leaves, mapped
from thalweg.support.once import making
from thalweg.support.parts import done_by, held_by


def drawn_class() -> Any:
    """The class that `Model(inputs, outputs)` makes, which derives from it: imported when it is asked for."""
    return import_module("thalweg.models.functional").Functional


class Model(Inspected, Exporting, Stepping, Layer):
    """Base of all networks of layers: `Model(inputs, outputs)` from tensors, or a subclass with a `call`.

    From tensors, it is everything between them: any number of inputs and outputs, alone, in lists or in dicts; layers
    and models called several times share their weights; what other models learn with the same layers, this one knows.

    A subclass makes its layers in `__init__`, as attributes, and computes its outputs by them in `call(self, inputs)`;
    `training` is passed if it takes it. It learns its shapes from the first data, or by `build(input_shape)`.

    Args:
        inputs, outputs: tensors, made by `Input` and by calling layers.
        name: the model's name.
        seed: fixes initial weights, shuffling and dropout; drawn from `utils.set_random_seed`'s generator if None.
        engine: "native" (compiled, float32), "reference" (NumPy, float32 or float64), or "jax" (JAX, float32 or
            float64: for GPUs, TPUs and several hosts).
        dtype: "float32", or "float64" with the reference and the jax engine.

    Raises:
        ThalwegError: an output needs a tensor that isn't among the inputs.

    >>> from thalweg.layers import Dense, Input
    >>> x = Input((4,))
    >>> h = Dense(8, activation="relu")(x)
    >>> model = Model(x, [Dense(1, name="price")(h), Dense(3, activation="softmax", name="kind")(h)])
    >>> model.output_shape
    [(None, 1), (None, 3)]
    >>> model.compile("adam", {"price": "mse", "kind": "sparse_categorical_crossentropy"}, loss_weights={"price": 0.1})
    """

    uncalled, lacking, masks_inside, keeps_variables = hooks.MODEL, hooks.MODEL_LACKS, True, False
    of_all = ("trainable",)

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        if cls is Model and (arguments or "inputs" in named):
            return object.__new__(drawn_class())
        return object.__new__(cls)

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        *,
        seed: int | None = None,
        engine: str = "native",
        dtype: str = "float32",
    ) -> None:
        if (inputs is None) != (outputs is None):
            raise ArgumentError("a model is Model(inputs, outputs), or a class with a call")
        drawn = inputs is not None
        if drawn and hasattr(self, "call"):
            raise ArgumentError(f"{type(self).__name__}.call would never be called: it is a model of its tensors")
        self._assemble(Drawn(inputs, outputs, name) if drawn else Own(self, name), seed, engine, dtype)
        if drawn:
            self.build()

    def _assemble(self, graph: Graph, seed: int | None, engine: str, dtype: str) -> None:
        """Makes the parts of a model around its graph."""
        self._graph = graph
        if not isinstance(graph, Own):
            vars(self).pop("made_with", None)  # its graph tells what it is
        if type(self).compute_loss is not Model.compute_loss:
            graph.own_loss = self
        graph.own_step = self._own_step()
        self.named_by_us = graph.named_by_us
        self._weights = Weights(self._graph, dtype)
        self._compiled = Compiled(self._graph, self._weights, seed, engine)
        self._trainer = Trainer(self._compiled)
        self._predictor: Any = None  # made when it is needed
        self._weights.listeners.append(self._moved)
        self.parameters = []  # none besides those of its layers
        self.history: History | None = None
        self.stop_training = self.stop_evaluating = self.stop_predicting = False  # what a callback may set
        self.initial_epoch = 0  # of the last fit

    def _moved(self, old: dict[int, int]) -> None:
        self._predictor = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_predictor": None, "recording": None, "called_on": None}

    def __repr__(self) -> str:
        state = "built" if self.built else "not built"
        return f"<{type(self).__name__} {self.name}: {len(self._graph.layers)} layers, {state}>"

    # --- layers and weights --------------------------------------------------------------------------------------

    name: str = held_by("_graph", "name", "The model's name.")
    input: Any = held_by("_graph", "input", "The input, or the list of them; None while it is unknown.")
    inputs: list[Input] = held_by("_graph", "inputs", "The inputs.")
    output_names: list[str] = held_by("_graph", "output_names", "The names of the outputs.")
    connected: bool = held_by("_weights", "placed", "Whether the shapes are known and the weights made.")
    dtype: np.dtype[Any] = held_by("_weights", "dtype", "The type of the weights and of all computed values.")
    vector: Array = held_by("_weights", "vector", "All weights, in one array.")
    seed: int = held_by("_compiled", "seed", "The seed of initial weights, shuffling and dropout.")
    engine: str = held_by("_compiled", "engine", '"native", "reference" or "jax".')

    named_parameters = done_by("_weights", Weights.listed)
    listed: list[Layer] = held_by("_graph", "listed", "The layers as Keras counts them.")
    trained_parameters = done_by("_weights", Weights.trained)

    @property
    def inside(self) -> list[Layer]:
        """The layers without those of the inputs; of a class with `call`, the ones that are attributes."""
        return Layer.inside.fget(self) if isinstance(self._graph, Own) else list(self._graph.layers)  # type: ignore[attr-defined]

    row_in: Any = held_by("_graph", "input_shape", "The shape of a row of the input, or a list of those of all.")
    row_out: Any = held_by("_graph", "output_shape", "The shape of a row of the output, or a list; None if unknown.")

    def get_config(self) -> dict[str, Any]:
        """What makes an equal model, without its weights; of a class with `call`, only its name."""
        return {"name": self.name} | (
            {} if isinstance(self._graph, Own) else describe(self._graph) | settings(self._compiled)
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: CustomObjects | None = None) -> Any:
        """The model whose `get_config` returned this, with new weights; `custom_objects` has classes of one's own."""
        return drawn_class().from_config(config, custom_objects) if "calls" in config else cls(**config)

    # --- as a layer of another model ------------------------------------------------------------------------------

    @property
    def default_name(self) -> str:
        """The name of a model that was given none."""
        return snake_case(type(self).__name__)

    @property
    def composes(self) -> bool:
        return False

    def check_free(self) -> None:
        """A model may be a layer of any number of others."""
        self.check_made()

    def release(self) -> None:
        """Nothing to undo: a model stays built."""

    def connect(self, input_shape: Any) -> Any:
        """Builds the model for an input shape, unless it is built, and returns its output shape."""
        self.build(input_shape)
        if not self._graph.takes(shapes := input_shape if isinstance(input_shape, list) else [input_shape]):
            raise ShapeError(f"model {self.name!r} takes rows of shape {self.row_in}, got {input_shape}")
        return self._graph.output_shape_for(shapes)

    def build_for(self, input_shape: Any) -> None:
        self.build(input_shape)

    def called(self, program: Builder, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs of its layers for the values of a program, in the structure in which it returns them."""
        if len(arguments) != 1:
            raise ArgumentError(f"{caller()}: model {self.name!r} takes one tensor, or one list or dict of them")
        for feed in self._graph.feeds:
            if feed.lookups:
                raise feed.lookups[0].misplaced()
        given = arguments[0]
        if isinstance(given, dict):
            given = spread(given, self._graph.input_names, f"the call of {self.name!r}", [True] * len(self.inputs))
        values = with_masks([traced(v, program) for v in leaves(given)], named.get("mask"))
        if not self._graph.takes(shapes := [v.buffer.shape for v in values]):
            values = [of_every_row(v) for v in values]
            shapes = [v.buffer.shape for v in values]
        if not self._graph.takes(shapes) and not self._graph.widened(shapes):
            raise ShapeError(
                f"{caller()}: model {self.name!r} takes rows of shape {self.row_in}, got "
                f"{shapes[0] if len(shapes) == 1 else shapes}"
            )
        outputs = iter(self._graph.run(program, values))
        return mapped(self._graph.structure, lambda _: next(outputs))

    # --- layers and weights --------------------------------------------------------------------------------------

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

    def build(self, input_shape: Any = None) -> None:
        """Fixes the shapes and makes the initial weights; called automatically if needed.

        input_shape: that of a row, (4,), or Keras's, (None, 4).
        """
        if self.building:
            return
        batch = isinstance(input_shape, (tuple, list)) and len(input_shape) > 1 and input_shape[0] is None
        self._compiled.build(input_shape[1:] if batch and not isinstance(self._graph, Own) else input_shape)

    @property
    def weights(self) -> list[WeightBuffer]:
        """All weights, kernel before bias of the first layer, of the second, …; none while the shapes are unknown."""
        if self.inputs:
            self.build()
        return variables_of(self._weights.listed())

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

    # --- compiling -----------------------------------------------------------------------------------------------

    compiled: bool = held_by("_compiled", "complete", "Whether `compile` was called.")
    loss: Any = held_by("_compiled", "loss", "The compiled loss, or the list or dict of them.")
    metrics: list[Named] = held_by("_compiled", "metrics", "The compiled metrics, with their names in the logs.")
    metrics_names: list[str] = held_by("_compiled", "metrics_names", "The names of what `evaluate` returns.")
    metric_names: list[Any] = held_by("_compiled", "metric_names", "The metrics as given to `compile`.")
    slots: Array = held_by("_compiled", "slots", "The optimizer's vectors and the state of the loss, in one array.")
    epochs_trained: int = held_by("_compiled", "epochs_trained", "The number of epochs of all fits together.")

    training_state = done_by("_compiled", Compiled.training_state)
    use_average = done_by("_compiled", Compiled.use_average)
    reset_states = done_by("_compiled", Compiled.reset_states)
    lower = done_by("_compiled", Compiled.lower)

    def compile(
        self,
        optimizer: str | Optimizer | None = None,
        loss: Any = None,
        metrics: Any = None,
        *,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Sets optimizer, loss and metrics. The optimizer starts over.

        Args:
            optimizer: a name, or one of `thalweg.optimizers`; needed unless a `train_step` names others.
            loss: a name, one of `thalweg.losses`, a formula, or a function of `y_true` and `y_pred` written in
                `thalweg.ops`; for several outputs a list in their order, or a dict by their names, with None for an
                output that isn't trained. None: the loss is what layers gave to `add_loss`.
            metrics: a name, one of `thalweg.metrics`, or a list; for several outputs a list of lists or a dict.
            loss_weights: the factor of each output's loss in the sum, a list or a dict.
            weighted_metrics: must be empty: metrics count every row the same.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: they choose how Keras runs a step, and mean
                nothing here: every program is compiled, and runs as many steps at once as it can.
        """
        warn_of_meaningless(run_eagerly, steps_per_execution, jit_compile, auto_scale_loss)
        with making:
            self._trainer.check("compile it")
            self._compiled.compile(self._optimizing(optimizer), loss, metrics, loss_weights, weighted_metrics)

    # --- training and using it -----------------------------------------------------------------------------------

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | Ordering = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        lanes: int | None = None,
        record: bool | float = False,
    ) -> History:
        """Trains for `epochs` passes over the rows, in batches.

        Args:
            x: (rows, …) inputs; bytes (uint8), such as images, are converted to floats batch by batch. For several
                inputs a list in their order, or a dict by their names. A `utils.PyDataset`, a generator of batches
                (x, y), or a `data.OnDisk`: of these, some 10 MB are in memory at a time.
            y: the targets, as the loss takes them; for several outputs a list or a dict.
            batch_size: rows per step; 32 if None. epochs: the number of the last epoch.
            verbose: 1 or "auto": on a terminal, a few lines that are redrawn; elsewhere a line for each epoch, after
                the first hundred at most ten a second. 2: a line for each epoch. 0: nothing.
            callbacks: see `thalweg.callbacks`.
            validation_split: the share of the *last* rows kept for validation, taken before shuffling.
            validation_data: (x, y) or (x, y, sample_weight) to validate on; takes precedence over `validation_split`.
            shuffle: whether each epoch takes the rows in a new order, or a `batches.ordering.Ordering`, which says how.
            class_weight: a weight for each class number. sample_weight: a weight for each row.
            initial_epoch: the number of epochs already done, for numbering only.
            steps_per_epoch: the batches of a generator that are an epoch. Of arrays an epoch is all; another number
                raises.
            validation_steps: validates on so many batches from the start. validation_batch_size: their rows.
            validation_freq: validates after every so many epochs, or after the epochs in a list, counted from 1.
            lanes: the number of cores that work together; by default one for a small network, otherwise all of them
                (or THALWEG_LANES). The same seed and number of lanes give the same bits.
            record: whether to measure layers, gradients and updates on the way, as `model.recording` (see
                `recordings.Recording`), for about 3 % more time or some milliseconds. A number: the seconds that this
                may take in any case, so that a short fit has more samples. The weights become the same bits.

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
                Validation(validation_steps, validation_batch_size, validation_freq), steps_per_epoch, record,
            ).run()  # fmt: skip

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:  # fmt: skip
        """One step on one batch; returns its loss and metrics, computed before the step."""
        with self._trainer.alone():
            return self._trainer.train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | None = None,
        return_dict: bool = False,
        lanes: int | None = None,
    ) -> Any:
        """Loss and metrics on these rows: [loss, metric, …], the loss alone if there are no metrics, or a dict.

        If a callback listens to batches, evaluation runs batch by batch, 32 rows each if batch_size is None; the
        callback may set `model.stop_evaluating`. verbose: 1, 2 or "auto" also prints the result; 0 doesn't. steps:
        evaluates so many batches from the start.
        """
        return evaluate(
            self, self._compiled, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, lanes
        )

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch, without a step."""
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict, lanes=1)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        callbacks: Sequence[Callback] | None = None, lanes: int | None = None,
    ) -> Any:  # fmt: skip
        """The network's outputs, (rows, …); several in the list or dict in which the model returns them.

        Args:
            x: (rows, …) inputs; for several a list in their order, or a dict by their names.
            batch_size: the most rows computed at once; by default, blocks that fit the core's cache.
            verbose: 1 or 2 prints the number of rows and the time; 0 or "auto" nothing.
            steps: predicts so many batches from the start, 32 rows each if batch_size is None.
            callbacks: see `thalweg.callbacks`. If one listens to batches, prediction runs batch by batch, 32 rows each
                if batch_size is None; the callback may set `model.stop_predicting`.
            lanes: the number of cores to use; by default one for little work, otherwise as many as are worthwhile.
        """
        predictor = self._predictor
        plain = batch_size is None and steps is None and callbacks is None and lanes is None
        if plain and predictor is not None and verbose in QUIET:
            y = predictor.small_batch(x)  # here, because a row takes less time than another call
            if y is not None:
                return y
        if is_stream(x) and callbacks is None:
            return predict_stream(self, x, batch_size, verbose, steps, lanes)
        epoch = collected(x, None, None, steps, "steps")
        if epoch is not None:
            x, steps = epoch.x, None
        predictor = predictor or self._prepare(x)
        return predict_all(self, predictor, x, batch_size, verbose, steps, callbacks, lanes)

    def _prepare(self, x: Any) -> Any:
        self._compiled.build_for(x)
        with making:
            self._predictor = self._predictor or predictor_for(self._compiled)
            return self._predictor

    def predict_on_batch(self, x: Any) -> Any:
        """The network's outputs for one batch."""
        return self.predict(x, verbose=0)

    def __call__(self, x: Any, *more: Any, **named: Any) -> Any:
        """On arrays: the network's outputs, as from `predict`. On tensors, it is a layer of another network.

        With training=True, the layers act as in training: dropout and noise draw new numbers at every call. Unless it
        is False, layers that change images at random do, as in Keras.
        """
        if any(isinstance(leaf, Tensor) for leaf in leaves([x, more, named])):
            return Layer.__call__(self, x, *more, **named)
        if more or set(named) - {"training", "mask"}:
            raise ArgumentError(f"{caller()}: on arrays a model is called as model(x), or model(x, training=True)")
        training = named.get("training")
        if training or (training is None and self.trains_unasked) or named.get("mask") is not None:
            self._compiled.build_for(x)
            return self.on_arrays((x,), named)
        self.called_on = x if self.adds_loss_terms else None
        return mapped(self.predict(x, verbose=0), ArrayResult.of)

    def to_json(self, **kwargs: Any) -> str:
        """The model without its weights as JSON, for `models.model_from_json`; kwargs are those of json.dumps."""
        return json.dumps(for_json({"class_name": type(self).__name__, "config": config_of(self)}), **kwargs)

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


_NAMED = """compile evaluate fit get_layer load_weights predict_on_batch profile report save save_weights summary
            test_on_batch train_on_batch"""  # not predict, of which a row takes microseconds
for _name in _NAMED.split():
    setattr(Model, _name, suggesting(getattr(Model, _name)))
