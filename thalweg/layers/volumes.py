"""Layers for volumes of shape (depth, height, width, channels). Names, arguments and defaults are Keras's.

They are made of the instructions for images: the axes of a volume are one after the other in memory, so two of them can
be seen as one.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg.errors import ShapeError
from thalweg.layers import kinds
from thalweg.layers.convolution import Convolution
from thalweg.layers.kinds import listed, optional, sizes
from thalweg.layers.layer import Shape
from thalweg.layers.pooling import GlobalPooling, Pooling
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Window, same
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default

__all__ = ["AveragePooling3D", "Conv3D", "GlobalAveragePooling3D", "GlobalMaxPooling3D", "MaxPooling3D"]

Triple = tuple[int, int, int]


def volume_shape(layer: str, shape: Shape) -> Shape:
    """The shape of a volume; anything else raises."""
    if len(shape) != 4:
        raise ShapeError(f"{layer} takes volumes of shape (depth, height, width, channels), not {shape}")
    return shape


def along_axes(
    layer: str, padding: str, size: Triple, strides: Triple, dilation: Triple, volume: Shape
) -> tuple[Window, Window, Window]:
    """How a window moves along each axis, which is seen as an image of height 1; one that doesn't fit raises."""
    windows = []
    for k, s, d, n in zip(size, strides, dilation, volume, strict=False):
        sizes = (1, k), (1, s), (1, d)
        windows.append(same(*sizes, (1, n)) if padding == "same" else Window(*sizes))
    if any(w.outputs(1, n)[1] < 1 for w, n in zip(windows, volume, strict=False)):
        raise ShapeError(
            f"{layer}'s window spans {tuple(w.span[1] for w in windows)}, more than its input of {volume[:3]}: "
            "take a smaller one, or padding='same'"
        )
    return windows[0], windows[1], windows[2]


def reached(window: Window, n: int) -> Any:
    """The places along an axis, with the zeros before and after it, that each output sees: (outputs, taps)."""
    _, outputs = window.outputs(1, n)
    return window.strides[1] * np.arange(outputs)[:, None] + window.dilation[1] * np.arange(window.size[1])


@arguments
class Conv3D(Convolution):
    """a = activation(x ∗ W + b)      x (rows, depth, height, width, inputs) → a (rows, depth', …, filters)

    `Conv2D` in three dimensions: a kernel slides through the volume. The arguments are the same, each a number or three
    of them; W is (depth, height, width, inputs/groups, filters).

    The product is that of `Conv2D`. What each output sees along the width is laid out as channels, which multiplies the
    volume's memory by the kernel's width; along height and width, seen as one axis, the kernel is then dilated. With
    strides along the height, that axis is laid out, too.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 8, 1)), Conv3D(16, 3, activation="relu")])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6, 6, 16), 448)
    """

    kernel_size: kinds.Triple
    strides: kinds.Triple = default((1, 1, 1))
    dilation_rate: kinds.Triple = default((1, 1, 1))

    def place(self, shape: Shape) -> int:
        sizes = self.kernel_size, self.strides, self.dilation_rate
        self.windows = along_axes("Conv3D", self.padding, *sizes, volume_shape("Conv3D", shape))
        return shape[-1]

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return self.activate(program, convolved_volume(program, x, self.W, self.b, self.windows, self.groups))


def convolved_volume(
    program: Builder, x: Buffer, W: Buffer, b: Buffer | None, windows: tuple[Window, Window, Window], groups: int = 1
) -> Buffer:
    """x ∗ W + b, by a convolution of images."""
    outputs = [w.outputs(1, n)[1] for w, n in zip(windows, x.shape, strict=False)]
    deep, tall, _ = windows
    x = program.pad(x, (*((w.before[1], w.after[1]) for w in windows), (0, 0)))
    x, taps = laid_out(program, x, windows, groups)
    dilation = tall.dilation[1] * outputs[2]  # from a row of an output's window to the next
    size = (deep.size[1], tall.size[1] // taps)
    window = Window(size, (deep.strides[1], 1), (deep.dilation[1], dilation))
    h = program.convolution(x, W, b, window, groups)
    return program.reshape(h, (*outputs, h.shape[-1]))


def laid_out(program: Builder, x: Buffer, windows: tuple[Window, Window, Window], groups: int) -> tuple[Buffer, int]:
    """x as an image (depth, height and width, channels), its channels in groups: what an output sees along the width
    and, with strides, the height; and how many elements of the height these are."""
    depth, height, width, inputs = x.shape
    _, tall, wide = (Window(w.size, w.strides, w.dilation) for w in windows)  # x has its zeros
    rows, taps = range(height), 1
    x = program.take(x, reached(wide, width), axis=2)
    if tall.strides[1] > 1:
        rows, taps = reached(tall, height), tall.size[1]
        x = program.take(x, rows, axis=1)
    places, kernel = wide.outputs(1, width)[1], wide.size[1]
    x = program.reshape(x, (depth, len(rows), taps, places, kernel, groups, inputs // groups))
    if taps > 1 or groups > 1:
        x = program.permute(x, (0, 1, 3, 5, 2, 4, 6))
    return program.reshape(x, (depth, len(rows) * places, taps * kernel * inputs)), taps


def joined(first: Window, second: Window) -> Window:
    """The window that moves along two axes as these along each."""
    sizes = ("size", "strides", "dilation", "before", "after")
    return Window(*((getattr(first, k)[1], getattr(second, k)[1]) for k in sizes))


@arguments
class Pooling3D(Pooling):
    """Base of layers that reduce each window of a volume to one number, channel by channel: along the width, then along
    depth and height."""

    pool_size: kinds.Triple = default((2, 2, 2))
    strides: Annotated[Taken[kinds.Sizes | None, Triple], Checked(optional(sizes(3)), listed)] = default(None)
    padding: kinds.Padding = "valid"
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        what = type(self).__name__
        volume = volume_shape(what, input_shape)
        self.windows = along_axes(what, self.padding, self.pool_size, self.strides, (1, 1, 1), volume)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        depth, height, width, channels = x.shape
        deep, tall, wide = self.windows
        a = program.pooling(self.kind, program.reshape(x, (depth * height, width, channels)), wide)
        places = a.shape[1]
        slices = program.reshape(a, (depth, height, places * channels))
        a = program.pooling(self.kind, slices, joined(deep, tall))
        return program.reshape(a, (*a.shape[:2], places, channels))


class MaxPooling3D(Pooling3D):
    """a = the largest element of each window      (rows, depth, height, width, channels) → (rows, depth', height', …)

    Arguments as in `MaxPooling2D`, each a number or three of them.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((4, 6, 8, 3)), MaxPooling3D()])
    >>> model.build()
    >>> model.output_shape
    (None, 2, 3, 4, 3)
    """

    kind = MaxPooling


class AveragePooling3D(Pooling3D):
    """a = the mean of each window      (rows, depth, height, width, channels) → (rows, depth', height', …)

    Arguments as in `MaxPooling2D`, each a number or three of them.
    """

    kind = AveragePooling


class GlobalPooling3D(GlobalPooling):
    """Base of layers that reduce each channel of a volume to one number."""

    def build(self, input_shape: Shape) -> None:
        volume_shape(type(self).__name__, input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        depth, height, width, channels = x.shape
        image = program.reshape(x, (depth * height, width, channels))
        a = program.pooling(self.kind, image, Window((depth * height, width)))
        return program.reshape(a, (1, 1, 1, channels) if self.keepdims else (channels,))


class GlobalAveragePooling3D(GlobalPooling3D):
    """a = the mean of each channel over the volume      (rows, depth, height, width, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, 1, 1, channels).
    """

    kind = AveragePooling


class GlobalMaxPooling3D(GlobalPooling3D):
    """a = the largest element of each channel      (rows, depth, height, width, channels) → (rows, channels)

    Args:
        keepdims: whether the result is (rows, 1, 1, 1, channels).
    """

    kind = MaxPooling
