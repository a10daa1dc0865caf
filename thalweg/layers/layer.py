"""The base of all layers: shapes, parameters, and a forward pass composed of instructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import activations, initializers
from thalweg.constraints import Constraint
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import PARAMETERS, Buffer
from thalweg.regularizers import Regularizer
from thalweg.support import hooks
from thalweg.support.frames import as_array
from thalweg.support.naming import snake_case

Shape = tuple[int, ...]
Array = NDArray[Any]


@dataclass(eq=False)
class Parameter:
    """One array of weights: its place in the parameter vector, initializer, penalty and constraint."""

    key: str  # "W": its full name is layer/key
    buffer: Buffer
    initializer: initializers.Initializer
    regularizer: Regularizer | None
    trainable: bool = True  # whether the loss has a gradient for it; a moving average is only stored with the weights
    constraint: Constraint | None = None
    array: Array | None = None  # the view of the parameter vector, once the model is built


class Layer(hooks.Hooked):
    """Base of all layers. A subclass declares its parameters in `build` and composes instructions in `forward`.

    A layer never writes a backward pass: the program derives it. `layer.trainable = False` freezes its weights.

    >>> from thalweg.layers import Dense
    >>> class Gate(Layer):
    ...     def build(self, input_shape):
    ...         self.W = self.add_weight("W", (input_shape[-1], input_shape[-1]), "glorot_uniform")
    ...     def forward(self, program, x):
    ...         return program.add(x, program.affine(x, self.W))
    """

    uncalled = hooks.LAYER
    title_zh: ClassVar[str] = ""
    summary_zh: ClassVar[str] = ""

    def __init__(self, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"a layer's name is a word without '/', got {name!r}")
        self.name = name
        self.trainable = True
        self.parameters: list[Parameter] = []
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the parameters declared."""
        return self.input_shape is not None

    @built.setter
    def built(self, value: bool) -> None:
        raise ArgumentError(
            f"{type(self).__name__} sets built, which thalweg does itself: leave out self.built = {value!r}"
        )

    def __repr__(self) -> str:
        shape = "" if self.output_shape is None else f": {self.input_shape} → {self.output_shape}"
        return f"<{type(self).__name__} {self.name or '(unnamed)'}{shape}>"

    @property
    def default_name(self) -> str:
        """The name of a layer that was given none, as in Keras."""
        return snake_case(type(self).__name__)

    def build(self, input_shape: Shape) -> None:
        """Declares the parameters, by `add_weight`, for inputs of shape (rows, *input_shape)."""

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        """Appends the layer's instructions to the program and returns the buffer of its output."""
        raise hooks.unwritten(self, "forward(self, program, x)", hooks.FORWARD)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {"name": self.name}

    def add_weight(
        self,
        key: str = "",
        shape: Shape | None = None,
        initializer: initializers.InitializerLike = "glorot_uniform",
        regularizer: Regularizer | None = None,
        trainable: bool = True,
        constraint: Constraint | None = None,
        **keras: Any,
    ) -> Buffer:
        """Declares an array of weights; returns the buffer that `forward` computes with."""
        if keras or not key or not isinstance(key, str) or shape is None:
            raise ArgumentError(
                f"{type(self).__name__}: add_weight takes a key and a shape, as add_weight('W', (3, 4), 'zeros'), then "
                "regularizer, trainable and constraint"
            )
        buffer = Buffer(key, shape, PARAMETERS, per_row=False)
        start = initializers.get(initializer)
        if regularizer is not None:
            regularizer.check(shape)
        self.parameters.append(Parameter(key, buffer, start, regularizer, trainable, constraint))
        return buffer

    def add_activation(self, activation: activations.ActivationFunction, units: int) -> None:
        """Declares an activation's trained parameters: each in its formula has a number for every unit."""
        self.trained_by_activation = []
        if isinstance(activation, activations.FormulaFunction):
            for key, start in activation.starts:
                if any(p.key == key for p in self.parameters):
                    raise ArgumentError(
                        f"the layer already has weights called {key}: choose another name in the formula"
                    )
                self.trained_by_activation.append(self.add_weight(key, (units,), start))

    def activated(self, program: Builder, activation: activations.ActivationFunction, h: Buffer) -> Buffer:
        """a = activation(h), with what `add_activation` declared."""
        if isinstance(activation, activations.FormulaFunction):
            return activation.forward(program, h, self.trained_by_activation)
        return activation.forward(program, h)

    def check_inputs(self, x: Array) -> None:
        """Raises if rows of the model's input, which this layer reads directly, hold what it can't take."""

    def connect(self, input_shape: Shape) -> Shape:
        """Builds the layer for an input shape and returns the output shape. A layer belongs to one model."""
        self.check_free()
        try:
            self.build(input_shape)
            self.input_shape = input_shape
            probe = Builder(training=False)
            self.output_shape = self.forward(probe, Buffer("x", input_shape)).shape
        except BaseException:
            Layer.release(self)  # not layers inside: one may be another model's, and `build` has released the others
            raise
        return self.output_shape

    def check_free(self) -> None:
        """Raises if the layer belongs to a built model, or its class didn't call `Layer.__init__`."""
        if "parameters" not in vars(self):
            raise ArgumentError(f"{type(self).__name__}.__init__ has to call super().__init__() first")
        if self.built:
            raise ThalwegError(
                f"layer {self.name!r} already belongs to a model; make a new layer (its weights can be "
                "copied with get_weights and set_weights)"
            )

    def release(self) -> None:
        """Undoes `connect` if the model can't be built, so that the layer can be used again."""
        self.parameters = []
        self.input_shape = self.output_shape = None

    def all_parameters(self) -> list[tuple[str, Parameter]]:
        """(path, parameter) of this layer's weights and of those of layers inside it."""
        return [(f"{self.name}/{p.key}", p) for p in self.parameters]

    def live_parameters(self) -> list[tuple[str, Parameter]]:
        """Those of `all_parameters` that training changes, moving averages included; none if `trainable` is False."""
        return self.all_parameters() if self.trainable else []

    def trained_parameters(self) -> list[tuple[str, Parameter]]:
        """Those of `all_parameters` that gradients change."""
        return [(path, p) for path, p in self.live_parameters() if p.trainable]

    @property
    def weighted(self) -> bool:
        """Whether the layer has weights with gradients, trained or frozen."""
        return any(p.trainable for _, p in self.all_parameters())

    def count_params(self) -> int:
        """The number of weights in the layer."""
        return sum(p.buffer.size for _, p in self.all_parameters())

    def get_weights(self) -> list[Array]:
        """Copies of the layer's arrays, kernel before bias."""
        return [np.array(self.bound(p)) for _, p in self.all_parameters()]

    def set_weights(self, weights: list[ArrayLike]) -> None:
        """Replaces the layer's arrays with ones of the same shapes."""
        set_arrays(self.all_parameters(), weights)

    def bound(self, parameter: Parameter) -> Array:
        """The parameter's array in the model."""
        if parameter.array is None:
            raise ThalwegError(f"layer {self.name!r} has no weights yet: build its model first")
        return parameter.array


def serialize(layer: Layer) -> dict[str, Any]:
    """A plain description that `deserialize` turns back into an equal layer, without its weights."""
    frozen = {} if layer.trainable else {"trainable": False}
    return {"class_name": type(layer).__name__, "config": layer.get_config()} | frozen


def last_axis(layer: str, axis: Any) -> int:
    """An axis that may be the last one: −1, or its number, which `check_last_axis` checks once the shape is known."""
    one = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    if isinstance(one, bool) or not isinstance(one, (int, np.integer)) or (one != -1 and one < 1):
        raise ArgumentError(
            f"{layer} works along the last axis: axis is -1 or its number, rows being axis 0, got {axis!r}"
        )
    return int(one)


def check_last_axis(layer: str, axis: int, shape: Shape) -> None:
    """Raises unless the axis is the last one of inputs (rows, *shape)."""
    if axis not in (-1, len(shape)):
        raise ShapeError(
            f"{layer} works along the last axis, which is axis {len(shape)} of inputs {('rows', *shape)}, not {axis}"
        )


def set_arrays(parameters: list[tuple[str, Parameter]], weights: list[ArrayLike]) -> None:
    """Checks every array first, then replaces them all: a wrong one changes nothing."""
    if len(weights) != len(parameters):
        raise ShapeError(f"set_weights got {len(weights)} arrays for {len(parameters)}: {[p for p, _ in parameters]}")
    arrays = [to_numbers(w, path) for (path, _), w in zip(parameters, weights, strict=True)]
    for (path, parameter), array in zip(parameters, arrays, strict=True):
        if array.shape != parameter.buffer.shape:
            raise ShapeError(f"{path} has the shape {parameter.buffer.shape}, the given array {array.shape}")
        if parameter.array is None:
            raise ThalwegError(f"{path} has no memory yet: build the model first")
        if (
            array.dtype.itemsize > parameter.array.itemsize
            and np.abs(array).max() > np.finfo(parameter.array.dtype).max
        ):
            raise DataError(f"the array for {path} holds a number too large for {parameter.array.dtype}")
    for (_, parameter), array in zip(parameters, arrays, strict=True):
        assert parameter.array is not None
        parameter.array[...] = array


def to_numbers(values: ArrayLike, what: str) -> Array:
    """`values` as an array of numbers."""
    try:
        array = as_array(values, what)
    except DataError:
        raise
    except ValueError:  # rows of different lengths
        raise ShapeError(f"the values for {what} don't form an array: their lengths differ") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"the values for {what} have to be numbers, got an array of {array.dtype}")
    return array
