"""Input, Dense, Identity, Activation, Dropout, Flatten. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar
from typing import Annotated, Any

import numpy as np

from thalweg import activations, initializers, ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.kernel_layer import KernelLayer
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.masks import passed
from thalweg.ops.tensor import Symbol
from thalweg.program.builder import Builder
from thalweg.program.instructions.elementwise import Rescale
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole
from thalweg.support.naming import choose, suggesting
from thalweg.support.nested import leaves, mapped
from thalweg.support.registry import REGISTERED

__all__ = [
    "Activation", "Dense", "Dropout", "Flatten", "Identity", "Input", "InputLayer", "Lambda", "Rescaling",
]  # fmt: skip


KINDS = ("float32", "int32", "int64", "uint8", "bool", "string")


class Input(Symbol):
    """The input of a network: the shape of one row, without the batch, and a tensor to call layers on.

    Args:
        shape: `Input((5,))` for five columns, `Input((28, 28))` for small images, `Input(())` for one number a row,
            such as an id. `Input((None, 8))` and `Input((None,))` are sequences of any length.
        name: by default input, input_1, …
        dtype: what the caller's arrays hold: float32, int32, int64, uint8, bool or string. The network computes in
            floats; text is for a layer that takes it, such as `StringLookup`.
        batch_size: of batches, for recurrent layers with stateful=True; others take any number of rows.
        batch_shape: the shape with a first axis for the rows, in place of `shape`.

    >>> from thalweg.layers import Dense
    >>> x = Input((4,))
    >>> x.shape, Dense(2)(x).shape
    ((None, 4), (None, 2))
    """

    __slots__ = ("batch_size", "kind", "layer")

    @suggesting
    def __init__(
        self,
        shape: Sequence[int] | int | None = None,
        name: str | None = None,
        *,
        dtype: str | None = "float32",
        batch_size: int | None = None,
        batch_shape: Sequence[int | None] | None = None,
    ) -> None:
        if (shape is None) == (batch_shape is None):
            raise ArgumentError("Input takes a shape, (5,), or a batch_shape, (None, 5)")
        if batch_shape is not None and (not isinstance(batch_shape, (Sequence, np.ndarray)) or not len(batch_shape)):
            raise ArgumentError(
                "Input's batch_shape has the rows first, of which there may be any number, None, and a size for every "
                f"other axis, as in (None, 5, 8), got {batch_shape!r}"
            )
        given: Any = shape if batch_shape is None else batch_shape[1:]
        rows = batch_size if batch_shape is None else batch_shape[0]
        self.batch_size = None if rows is None else whole("Input's batch_size", rows)
        sizes = kinds.row_shape("Input's shape", given if isinstance(given, (Sequence, np.ndarray)) else (given,))
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"an input's name is a word without '/', got {name!r}")
        super().__init__(None, 0, (None, *sizes), name or "", False, lengths=standing(sizes))
        kind = "float32" if dtype is None else getattr(dtype, "__name__", None) or str(dtype)
        self.kind = choose("dtype of an input", kind, KINDS)
        self.layer = InputLayer(input_tensor=self)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal input."""
        kind = {} if self.kind == "float32" else {"dtype": self.kind}
        rows = {} if self.batch_size is None else {"batch_size": self.batch_size}
        return {"shape": list(self.shape[1:]), "name": self.name or None} | rows | kind

    def sized(self, length: int) -> Input:
        """The same for sequences of one length."""
        kind: Any = self.kind
        return Input((length, *self.shape[2:]), self.name or None, dtype=kind, batch_size=self.batch_size)


def standing(shape: tuple[int | None, ...]) -> dict[int, tuple[Shape, Shape | None]]:
    """The lengths that stand for all of those of a sequence of any length, with the shape of a row of each.

    Long ones that convolutions leave something of, and short ones for layers that take no more.
    """
    return {n: ((n, *(size or 0 for size in shape[1:])), None) for n in (130, 194, 11, 6) if None in shape}


class InputLayer(Layer):
    """An input as Keras counts it among the layers of `Model(inputs, outputs)`; `output` is its tensor.

    Args:
        shape, batch_size, dtype, batch_shape, name: those of `Input`. input_shape: an older name of `shape`.
        input_tensor: in place of all these, the tensor itself.

    >>> import thalweg
    >>> x = thalweg.Input((4,), name="columns")
    >>> thalweg.Model(x, Dense(1, name="price")(x)).layers
    [<InputLayer columns: (4,) → (4,)>, <Dense price: (4,) → (1,)>]
    """

    tensor: Symbol

    def __init__(
        self,
        shape: Sequence[int] | int | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: Symbol | None = None,
        name: str | None = None,
        *,
        input_shape: Sequence[int] | int | None = None,
    ) -> None:
        shape = input_shape if shape is None else shape
        if input_tensor is None:
            input_tensor = Input(shape, name, dtype=dtype, batch_size=batch_size, batch_shape=batch_shape)
            input_tensor.layer = self
        elif any(v is not None for v in (shape, batch_size, dtype, batch_shape, name)):
            raise ArgumentError("InputLayer takes an input_tensor, or the shape of one: not both")
        self.tensor = input_tensor
        super().__init__(input_tensor.name or None)
        self.input_shape = self.output_shape = input_tensor.shape[1:]

    @property
    def name(self) -> str | None:
        """The name of the input, None while it has none."""
        return self.tensor.name or None

    @name.setter
    def name(self, value: str | None) -> None:
        self.tensor.name = value or ""

    @property
    def output(self) -> Symbol:
        """The tensor."""
        return self.tensor

    input = output

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """Its shape; first the rows of a batch, None for any number."""
        return (getattr(self.tensor, "batch_size", None), *self.tensor.shape[1:])

    def forward(self, program: Builder, x: Any) -> Any:
        raise ArgumentError(f"the InputLayer {self.name!r} is a beginning: call a layer on its output")

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": self.batch_shape, "dtype": getattr(self.tensor, "kind", "float32"), "name": self.name}


@arguments
class Dense(KernelLayer):
    """a = activation(x·W + b)      x (rows, …, inputs) → a (rows, …, units)

    Args:
        units: the number of outputs.
        activation: a name or one of `thalweg.activations`; None is linear.
        use_bias: whether to add b.
        kernel_initializer: the initial W, of shape (inputs, units); by default Glorot's uniform, as in Keras. A name,
            one of `thalweg.initializers`, a NumPy array, or a function f(shape, generator).
        bias_initializer: the initial b, of shape (units,).
        kernel_regularizer: a penalty on W, see `thalweg.regularizers`.
        bias_regularizer: a penalty on b.
        activity_regularizer: a penalty on a, divided by the rows of the batch; L1, L2 or L1L2.
        kernel_constraint: a constraint on W after every update, see `thalweg.constraints`. bias_constraint: one on b.

    >>> from thalweg import Sequential
    >>> model = Sequential([Input((3,)), Dense(2, activation="relu")])
    >>> model.count_params()
    8
    """

    supports_masking = True

    units: kinds.Count
    activation: kinds.Activation = default(None)
    use_bias: bool = True
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    kernel_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        self.W = self.add_kernel((input_shape[-1], self.units))
        self.b = self.add_bias(self.units)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return self.activate(program, program.affine(x, self.W, self.b))


@arguments
class Activation(Layer):
    """a = activation(x), element by element (softmax and its relatives: over the last axis).

    Args:
        activation: a name, one of `thalweg.activations`, or a formula in x (see `activations.formula`).
        constants: the formula's named numbers.
        parameters: the formula's trainable parameters: name → initial value, a number or an initializer. Each has a
            value for every unit (every channel of an image), and is trained with the weights.

    >>> from thalweg import Sequential
    >>> own = Activation("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25})
    >>> model = Sequential([Input((3,)), Dense(2), own])
    >>> model.count_params()
    10
    >>> own.get_weights()
    [array([0.25, 0.25], dtype=float32)]
    """

    supports_masking = True

    activation: Annotated[
        Taken[str | activations.ActivationFunction, activations.ActivationFunction],
        Checked(lambda what, value: value, activations.serialize),
    ]
    name: str | None = None
    _: KW_ONLY
    constants: InitVar[Mapping[str, float] | None] = None
    parameters: InitVar[Mapping[str, float | initializers.InitializerLike] | None] = None

    def __post_init__(self, constants: Any, parameters: Any) -> None:
        given: Any = self.activation
        if constants or parameters:
            if not isinstance(given, str) or given in activations.NAMES:
                raise ArgumentError("constants and parameters belong to an activation that is given as a formula")
            self.activation = activations.formula(given, constants, parameters)
        else:
            self.activation = activations.get(given)

    def build(self, input_shape: Shape) -> None:
        self.add_activation(self.activation, input_shape[-1])

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return self.activated(program, self.activation, x)


def together(what: str, value: Any) -> tuple[int | None, ...] | None:
    """A shape that begins with None for the rows: 1 along the axes whose elements are dropped together."""
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, (tuple, list)) else ()
    if not sizes or sizes[0] is not None:
        raise ArgumentError(
            f"{what} is a tuple that begins with None, as each row is drawn by itself: (None, 1, 1, 1), got {value!r}"
        )
    return tuple(n if n is None else whole(what, n) for n in sizes)


@arguments
class Dropout(Layer):
    """In training, every element becomes 0 with probability `rate`, and the others are divided by 1 − rate.

    Srivastava et al., JMLR 2014. In evaluation and prediction nothing happens. The random numbers come from a counter
    (seed, step, element), so no mask is stored and a run can be repeated exactly. `seed` shifts the layer's
    counter; the model's seed sets all of them.

    noise_shape: the shape that is drawn, None for the rows and where an axis is as long as the input's; elements along
    an axis of size 1 are dropped together: (None, 1, 1, 1) drops whole images.
    """

    supports_masking = True

    rate: kinds.Share
    noise_shape: Annotated[Sequence[int | None] | None, Checked(together, lambda kept: kept and list(kept))] = None
    seed: kinds.Seed = None
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.noise_shape is None or not program.training or self.rate == 0:
            return program.dropout(x, self.rate, self.seed)
        drawn = self.noise_shape[1:]
        if len(drawn) != len(x.shape) or any(n not in (None, 1, m) for n, m in zip(drawn, x.shape, strict=True)):
            raise ShapeError(f"Dropout's noise_shape {self.noise_shape} doesn't fit inputs {('rows', *x.shape)}")
        shape = tuple(m if n is None else n for n, m in zip(drawn, x.shape, strict=True))
        ones = program.broadcast_to(program.constant(np.ones(shape)), shape, per_row=True)
        return program.binary("multiply", x, program.dropout(ones, self.rate, self.seed))


@arguments
class Rescaling(Layer):
    """z = scale·x + offset: `Rescaling(1 / 255)` brings the bytes of images to 0 … 1."""

    supports_masking = True

    scale: kinds.Real
    offset: kinds.Real = 0.0
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.append(Rescale(x, program.value("z", x.shape), self.scale, self.offset))


class Flatten(Layer):
    """(rows, height, width, …) → (rows, height·width·…), the last axis fastest."""

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return x if len(x.shape) == 1 else program.reshape(x, (x.size,))


class Identity(Layer):
    """a = x: its input as it is, of any shape

    >>> Identity()(Input((5, 3))).shape
    (None, 5, 3)
    """

    supports_masking = True
    takes_numbers = True

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return x


def function_of(what: str, function: Any) -> Any:
    """A function of tensors, given by its name if it is registered."""
    if isinstance(function, str):
        function = choose("function of a Lambda layer", function, REGISTERED)
    if not callable(function):
        raise ArgumentError(f"Lambda takes a function of tensors, got {function!r}")
    return function


def mask_function(what: str, value: Any) -> Any:
    """A function of the input and its mask, or None."""
    if value is not None and not callable(value):
        raise ArgumentError(f"Lambda's mask is a function f(x, mask), got {value!r}")
    return value


def given(what: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """Arguments by name."""
    return dict(arguments or {})


@arguments
class Lambda(Layer):
    """z = function(x), a Python function of tensors written in `thalweg.ops`, without weights.

    Args:
        function: of a tensor, or of a list of them; `training` and `mask` are passed if it takes them.
        output_shape: the shape of a row of what the function returns, or a function of the input's shape that gives it
            with the rows; not needed, but if it is given, it is checked.
        mask: a function f(x, mask) of the mask of the output; None: there is none, as in Keras.
        arguments: further arguments of the function, by name.

    A file holds the function's name: to load it, register it by `saving.register_keras_serializable` or give it in
    `custom_objects`. A lambda has no name, so a model with one can't be saved.

    >>> from thalweg import ops
    >>> from thalweg.layers import Input
    >>> Lambda(lambda x: ops.mean(x, axis=1))(Input((5, 3))).shape
    (None, 3)
    """

    function: Annotated[Taken[Callable[..., Any] | str, Callable[..., Any]], Checked(function_of)]
    output_shape: InitVar[Any] = None
    mask: Annotated[Callable[..., Any] | None, Checked(mask_function)] = None
    arguments: Annotated[Taken[Mapping[str, Any] | None, dict[str, Any]], Checked(given)] = default(None)
    name: str | None = None

    def __post_init__(self, output_shape: Any) -> None:
        if not callable(output_shape) and output_shape is not None:
            sizes = output_shape if isinstance(output_shape, (tuple, list)) else (output_shape,)
            output_shape = tuple(whole("Lambda's output_shape", n) for n in sizes)
        self.promised = output_shape

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        """Whether the output has a mask."""
        return self.mask is not None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What `mask` returns."""
        return None if self.mask is None else self.mask(inputs, previous_mask)

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the function returns."""
        code = getattr(self.function, "__code__", None)
        takes = () if code is None else code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        told = {name: value for name, value in (("training", training), ("mask", mask)) if name in takes}
        result = self.function(x, **self.arguments, **told)
        if self.promised is not None:
            self.check_shape(x, result)
        return result

    def check_shape(self, x: Any, result: Any) -> None:
        """Raises if the result of the function has another shape than was promised."""
        told: Any = self.promised
        want = tuple(told(mapped(x, ops.shape)))[1:] if callable(told) else told
        got = [tuple(ops.shape(r))[1:] for r in leaves(result)]
        if got != [want]:
            raise ShapeError(
                f"Lambda: output_shape promises rows of shape {want}, its function returns "
                f"{', '.join(map(str, got))}: leave output_shape out, or give that of what is returned"
            )

    def get_config(self) -> dict[str, Any]:
        name = getattr(self.function, "__name__", "")
        if not name.isidentifier():
            raise ArgumentError(
                f"layer {self.shown_name}: a lambda has no name under which it could be found again; make it a function"
            )
        shape = {} if self.promised is None else {"output_shape": self.promised}
        if callable(self.promised):
            raise ArgumentError(
                f"layer {self.name!r}: a file can't hold an output_shape that is a function; leave it out"
            )
        return super().get_config() | {"function": name} | shape


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape of a row of what a built layer makes of rows of this shape."""
    result: Shape = passed(layer, Builder(training=False), Buffer("x", shape)).shape
    return result


def connect_all(layers: Sequence[Layer], shape: Shape, shared: bool = False) -> Shape:
    """Builds layer after layer and returns the last output shape; if one can't be built, none is.

    shared: whether they may be built already, with weights of the same shapes.
    """
    made: list[Layer] = []
    for layer in layers:
        try:
            if shared and layer.connected:
                shape = layer.row_out if shape == layer.row_in else shape_after(layer, shape)
                continue
            after = layer.connect(shape)
            made.append(layer)
            if any(not isinstance(n, (int, np.integer)) for n in after):
                raise ShapeError(
                    f"it returns {len(after)} tensors, and a chain hands on one: call layers on tensors, "
                    "Model(inputs, outputs)"
                )
            shape = after
        except BaseException as error:
            for other in made:
                other.release()
            if isinstance(error, ShapeError):
                raise ShapeError(f"layer {layer.shown_name} with inputs of shape {shape}: {error}") from None
            raise
    return shape
