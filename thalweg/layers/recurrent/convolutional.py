"""ConvLSTM: an LSTM whose products are convolutions, for sequences of images, of volumes, or of sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.convolution import placed
from thalweg.layers.layer import Shape
from thalweg.layers.recurrent.cell import Gate, Masks, Product
from thalweg.layers.recurrent.gated import Remembering
from thalweg.layers.recurrent.rnn import Recurrent
from thalweg.layers.recurrent.sequences import SeedOfDropout, Sequence, SequenceArguments
from thalweg.layers.volumes import along_axes, convolved_volume
from thalweg.ops.tensor import Traced
from thalweg.support.arguments import Before, arguments, default

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"]

Sizes = tuple[int, ...]
AXES = {1: "(rows, steps, width, channels)", 2: "(rows, steps, height, width, channels)"}
AXES[3] = "(rows, steps, depth, height, width, channels)"


@arguments
class ConvolutionArguments:
    """Base of `ConvLSTM` and its cell: what arguments they begin with, in Keras's order."""

    filters: kinds.Count
    kernel_size: Any
    strides: Any = 1
    padding: kinds.Padding = "valid"
    dilation_rate: Any = 1
    activation: Gate = default("tanh")
    recurrent_activation: Gate = default("sigmoid")
    use_bias: bool = True
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    recurrent_initializer: kinds.Initializer = default("orthogonal")
    bias_initializer: kinds.Initializer = default("zeros")
    unit_forget_bias: bool = True
    kernel_regularizer: kinds.Regularizer = default(None)
    recurrent_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    recurrent_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    dropout: kinds.Share = 0.0
    recurrent_dropout: kinds.Share = 0.0


@arguments
class ConvLSTMCell(ConvolutionArguments, Remembering):
    """One step of `ConvLSTM1D`, `ConvLSTM2D` or `ConvLSTM3D`, whose arguments these are."""

    seed: kinds.Seed = None
    name: str | None = None

    implementation = 1  # a mask of dropout for each gate

    @property
    def state_size(self) -> list[int]:
        """The number of channels of h and c."""
        return [self.filters, self.filters]

    @property
    def output_size(self) -> int:
        """The number of channels of the output."""
        return self.filters

    @property
    def state_shape(self) -> Shape:
        return (*self.image, self.filters)

    def build(self, input_shape: Shape) -> None:
        _, *image, channels = input_shape
        size = sizes(self.kernel_size)
        self.image = convolution_shape(self, tuple(image))
        self.kernel = self.part("kernel", (*size, channels, 4 * self.filters))
        self.recurrent_kernel = self.part("recurrent_kernel", (*size, self.filters, 4 * self.filters))
        self.bias: Any = self.part("bias", (4 * self.filters,), self.first_bias()) if self.use_bias else None

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros, for so many rows."""
        shape = (1 if batch_size is None else batch_size, *self.state_shape)
        return [ops.zeros(shape), ops.zeros(shape)]

    def products(self, x: Any, training: bool) -> Any:
        """x ∗ W + b of a step, or of all steps (rows, steps, …)."""
        every = len(x.shape) == len(self.image) + 3
        masks = self.masks(x.program, tuple(x.shape[1 + every :]), self.dropout, training)
        if every:
            masks = [None if m is None else ops.expand_dims(m, 1) for m in masks]
        how = self.padding, sizes(self.strides), sizes(self.dilation_rate)
        return by_gates(lambda v, W, b: convolved(self, v, W, b, *how), self.kernel, masks, self.bias)(x)

    def recurrent(self, masks: Masks) -> list[Product]:
        """The convolution of h, which keeps its size."""
        ones = (1,) * len(self.image)
        return [by_gates(lambda h, R, _: convolved(self, h, R, None, "same", ones, ones), self.recurrent_kernel, masks)]


def sizes(value: Any) -> Sizes:
    """A size along each axis."""
    return value if isinstance(value, tuple) else (value,)


def convolution_shape(cell: ConvLSTMCell, image: Shape) -> Shape:
    """The places of what the cell's convolution makes of an input without channels; one that doesn't fit raises."""
    rank, how = len(image), (sizes(cell.kernel_size), sizes(cell.strides), sizes(cell.dilation_rate))
    if rank == 3:
        windows = along_axes("ConvLSTM3D", cell.padding, *how, (*image, 1))  # type: ignore[arg-type]
        return tuple(w.outputs(1, n)[1] for w, n in zip(windows, image, strict=True))
    size, strides, dilation = how if rank == 2 else ((1, *n) for n in how)
    whole = image if rank == 2 else (1, *image)
    window = placed(f"ConvLSTM{rank}D", cell.padding, size, strides, dilation, whole)  # type: ignore[arg-type]
    return window.outputs(*whole)[2 - rank :]


def by_gates(convolution: Callable[[Any, Any, Any], Any], W: Any, masks: Masks, b: Any = None) -> Product:
    """The function (x·mask) ∗ W + b of x, each gate's part of W with its own mask if there are several."""
    if len(masks) == 1:
        return lambda x: convolution(x, W, b)
    parts = list(zip(masks, ops.split(W, len(masks), -1), strict=True))

    def of_each(x: Any) -> Any:
        h = ops.concatenate([convolution(x * mask, part, None) for mask, part in parts], -1)
        return h if b is None else h + b

    return of_each


def convolved(cell: ConvLSTMCell, x: Any, W: Any, b: Any, padding: str, strides: Sizes, dilation: Sizes) -> Any:
    """x ∗ W + b of each row: of one step, or of all steps at once, which are an axis along which the kernel has the
    size 1. (All steps of volumes would need four axes: they are convolved one after the other.)"""
    size, rank, program = sizes(cell.kernel_size), len(strides), x.program
    axes = len(x.shape) - 2
    if axes == 4:
        steps = [convolved(cell, x[:, k], W, b, padding, strides, dilation) for k in range(x.shape[1])]
        return ops.stack(steps, 1)
    ones = (1,) * (max(axes, 2) - rank)
    how = (*ones, *size), (*ones, *strides), (*ones, *dilation)
    v, W, b = (getattr(part, "buffer", part) for part in (x, W, b))
    v = program.reshape(v, (1, *v.shape)) if axes == 1 else v
    layer = f"ConvLSTM{rank}D"
    if axes == 3:
        h = convolved_volume(program, v, W, b, along_axes(layer, padding, *how, v.shape))  # type: ignore[arg-type]
    else:
        h = program.convolution(v, W, b, placed(layer, padding, *how, v.shape))  # type: ignore[arg-type]
    return Traced(program, program.reshape(h, h.shape[1:]) if axes == 1 else h)


@arguments
class ConvLSTM(SequenceArguments, ConvolutionArguments, Sequence):
    """Base of layers that go through sequences of images; a subclass says of which."""

    data_format: Annotated[kinds.DataFormat, Before("dilation_rate")] = None
    seed: SeedOfDropout = None
    name: str | None = None
    _: KW_ONLY
    unroll: bool = False
    zero_output_for_mask: bool = False

    cell_class = ConvLSTMCell
    rank: ClassVar[int]

    def __post_init__(self) -> None:
        if max(sizes(self.strides)) > 1 and max(sizes(self.dilation_rate)) > 1:
            raise ArgumentError(f"{type(self).__name__} can't combine strides > 1 with dilation_rate > 1")
        super().__post_init__()

    def build(self, sequences_shape: Any) -> None:
        if len(sequences_shape) != self.rank + 3:
            raise ShapeError(
                f"{type(self).__name__} {self.shown_name} takes sequences {AXES[self.rank]}, got rows of shape "
                f"{tuple(sequences_shape[1:])}"
            )
        Recurrent.build(self, sequences_shape)


@arguments
class ConvLSTM2D(ConvLSTM):
    """`LSTM` with convolutions in place of its products, for sequences of images: of each step,

        i, f, o = sigmoid(x_t ∗ W_ifo + h_{t−1} ∗ R_ifo + b_ifo)
        c_t = f·c_{t−1} + i·tanh(x_t ∗ W_c + h_{t−1} ∗ R_c + b_c)
        h_t = o·tanh(c_t)

    x (rows, steps, height, width, channels) → h of the last step (rows, height', width', filters), or of all. Shi et
    al., "Convolutional LSTM Network", NeurIPS 2015. Those of x are as `Conv2D`'s, those of h keep its size.

    Args:
        filters: the number of channels of the output, and of the states h and c.
        kernel_size: that of W and of R, (height, width) or one number.
        strides, padding, dilation_rate: of x ∗ W, as in `Conv2D`.
        data_format: None or "channels_last".
        activation, …, recurrent_dropout, seed: as in `LSTM`; W is (height, width, channels, 4·filters), in the order i,
            f, c, o, and R (height, width, filters, 4·filters). In dropout, each gate has a mask of its own.
        return_sequences: whether to return h of all steps.
        return_state: whether to return the last h and c behind that, too.
        go_backwards: whether to begin with the last step; the outputs come in the order in which they are computed.
        stateful: whether row i of a batch begins with the states that row i of the last one has left: see `RNN`.
        unroll: Keras's, which changes no number.
        zero_output_for_mask: whether the output of a step that is left out is 0, rather than the one before.

    Called as layer(x, initial_state=None, mask=None, training=None). The convolutions of x are one of all steps.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5, 8, 8, 1)), ConvLSTM2D(4, 3, padding="same")])
    >>> model.output_shape, [w.shape for w in model.weights]
    ((None, 8, 8, 4), [(3, 3, 1, 16), (3, 3, 4, 16), (16,)])
    """

    kernel_size: kinds.Pair
    strides: kinds.Pair = default((1, 1))
    dilation_rate: kinds.Pair = default((1, 1))

    rank = 2


@arguments
class ConvLSTM1D(ConvLSTM):
    """`ConvLSTM2D` of sequences of sequences:  x (rows, steps, width, channels) → (rows, width', filters)

    The arguments are the same, with a single number for each size; W is (kernel_size, channels, 4·filters).

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((5, 8, 2)), ConvLSTM1D(4, 3, return_sequences=True)]).output_shape
    (None, 5, 6, 4)
    """

    kernel_size: kinds.Single
    strides: kinds.Single = 1
    dilation_rate: kinds.Single = 1

    rank = 1


@arguments
class ConvLSTM3D(ConvLSTM):
    """`ConvLSTM2D` of sequences of volumes:  x (rows, steps, depth, height, width, channels) → (rows, depth', …)

    The arguments are the same, with a number or three of them for each size.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((2, 4, 4, 4, 1)), ConvLSTM3D(2, 3)]).output_shape
    (None, 2, 2, 2, 2)
    """

    kernel_size: kinds.Triple
    strides: kinds.Triple = default((1, 1, 1))
    dilation_rate: kinds.Triple = default((1, 1, 1))

    rank = 3
