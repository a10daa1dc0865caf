"""Pooling. Names, arguments and defaults are Keras's; images are (height, width, channels)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from thalweg import ops
from thalweg.layers import kinds
from thalweg.layers.convolution import image_shape, placed, sequence_shape
from thalweg.layers.kinds import listed, optional, single, sizes
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.masks import mask_of
from thalweg.ops.tensor import Traced
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair, Window
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "MaxPooling1D", "MaxPooling2D",
]  # fmt: skip


class Pooling(Layer):
    """Base of layers that reduce each window to one number, channel by channel."""

    kind: ClassVar[type[MaxPooling] | type[AveragePooling]]
    pool_size: Any
    strides: Any

    def __post_init__(self) -> None:
        if self.strides is None:
            self.strides = self.pool_size


@arguments
class Pooling2D(Pooling):
    """Base of the layers for images."""

    pool_size: kinds.Pair = default((2, 2))
    strides: Annotated[Taken[kinds.Sizes | None, Pair], Checked(optional(sizes(2)), listed)] = default(None)
    padding: kinds.Padding = "valid"
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        what = type(self).__name__
        self.window = placed(what, self.padding, self.pool_size, self.strides, (1, 1), image_shape(what, input_shape))

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.pooling(self.kind, x, self.window)


class MaxPooling2D(Pooling2D):
    """a = the largest element of each window      (rows, height, width, channels) → (rows, height', width', channels)

    Args:
        pool_size: (height, width) of the window, or one number for both.
        strides: how far it moves; None: its own size.
        padding: "valid": only whole windows; "same": ⌈size/strides⌉ of them; pixels outside the image don't count.

    The gradient goes to the first largest element of a window.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((4, 4, 1)), MaxPooling2D()]).predict([[[[1], [2]] * 2, [[3], [4]] * 2] * 2]).ravel()
    array([4., 4., 4., 4.], dtype=float32)
    """

    kind = MaxPooling


class AveragePooling2D(Pooling2D):
    """a = the mean of each window      (rows, height, width, channels) → (rows, height', width', channels)

    Arguments as in `MaxPooling2D`. With padding="same", pixels outside the image don't count.
    """

    kind = AveragePooling


@arguments
class GlobalPooling(Layer):
    """Base of layers that reduce each channel to one number."""

    kind: ClassVar[type[MaxPooling] | type[AveragePooling]]

    keepdims: bool = False
    name: str | None = None


class GlobalPooling2D(GlobalPooling):
    """Base of the layers for images."""

    def build(self, input_shape: Shape) -> None:
        height, width, _ = image_shape(type(self).__name__, input_shape)
        self.window = Window((height, width), (height, width))

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        a = program.pooling(self.kind, x, self.window)
        return a if self.keepdims else program.reshape(a, (x.shape[-1],))


class GlobalAveragePooling2D(GlobalPooling2D):
    """a = the mean of each channel over the image      (rows, height, width, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, 1, channels).
    """

    kind = AveragePooling


class GlobalMaxPooling2D(GlobalPooling2D):
    """a = the largest element of each channel      (rows, height, width, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, 1, channels).
    """

    kind = MaxPooling


@arguments
class Pooling1D(Pooling):
    """Base of the layers for sequences."""

    pool_size: kinds.Single = 2
    strides: Annotated[Taken[int | None, int], Checked(optional(single()))] = default(None)
    padding: kinds.Padding = "valid"
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        what = type(self).__name__
        sizes = (1, self.pool_size), (1, self.strides), (1, 1)
        self.window = placed(what, self.padding, *sizes, (1, *sequence_shape(what, input_shape)))

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        a = program.pooling(self.kind, program.reshape(x, (1, *x.shape)), self.window)
        return program.reshape(a, a.shape[1:])


class MaxPooling1D(Pooling1D):
    """a = the largest element of each window      (rows, steps, channels) → (rows, steps', channels)

    Arguments as in `MaxPooling2D`, each a single number.
    """

    kind = MaxPooling


class AveragePooling1D(Pooling1D):
    """a = the mean of each window      (rows, steps, channels) → (rows, steps', channels)

    Arguments as in `MaxPooling2D`, each a single number.
    """

    kind = AveragePooling


class GlobalPooling1D(GlobalPooling):
    """Base of the layers for sequences."""

    def build(self, input_shape: Shape) -> None:
        steps, _ = sequence_shape(type(self).__name__, input_shape)
        self.window = Window((1, steps), (1, steps))

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        a = program.pooling(self.kind, program.reshape(x, (1, *x.shape)), self.window)
        return program.reshape(a, a.shape[1:] if self.keepdims else (x.shape[-1],))


class GlobalAveragePooling1D(GlobalPooling1D):
    """a = the mean of each channel over the sequence      (rows, steps, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, channels).

    Steps that the mask of x leaves out don't count: the mean is that of the others, and NaN where there are none.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((3, 2)), GlobalAveragePooling1D()]).predict([[[1, 2], [3, 4], [5, 9]]])
    array([[3., 5.]], dtype=float32)
    """

    kind = AveragePooling
    supports_masking = takes_mask = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: there are no steps any more."""
        return None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        mask = mask_of(Traced(program, x))
        if mask is None:
            return super().forward(program, x)
        counts = ops.expand_dims(mask, -1)
        total = ops.sum(ops.where(counts, Traced(program, x), 0.0), axis=1, keepdims=self.keepdims)
        mean: Traced = total / ops.sum(counts, axis=1, keepdims=self.keepdims)
        return mean.buffer


class GlobalMaxPooling1D(GlobalPooling1D):
    """a = the largest element of each channel      (rows, steps, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, channels).
    """

    kind = MaxPooling
