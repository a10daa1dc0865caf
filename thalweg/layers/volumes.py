"""Layers for volumes of shape (depth, height, width, channels). Names, arguments and defaults are Keras's.

They are made of the instructions for images: the axes of a volume are one after the other in memory, so two of them can
be seen as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg import initializers
from thalweg.constraints import ConstraintLike
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.convolution import check_groups
from thalweg.layers.kernel_layer import ActivationLike, KernelLayer, RegularizerLike
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Window, same
from thalweg.program.instructions.images.pooling import AveragePooling, MaxPooling
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import whole
from thalweg.support.naming import choose

__all__ = ["AveragePooling3D", "Conv3D", "GlobalAveragePooling3D", "GlobalMaxPooling3D", "MaxPooling3D"]

Triple = tuple[int, int, int]
Sizes = int | Sequence[int]


def triple(what: str, value: Sizes) -> Triple:
    """A whole number for all three dimensions, or one for each: (depth, height, width)."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * 3
    if len(values) != 3:
        raise ArgumentError(f"{what} is a whole number or three of them, got {value!r}")
    return whole(what, values[0]), whole(what, values[1]), whole(what, values[2])


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


class Conv3D(KernelLayer):
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

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1, 1),
        padding: str = "valid",
        dilation_rate: Sizes = (1, 1, 1),
        groups: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: initializers.InitializerLike = "glorot_uniform",
        bias_initializer: initializers.InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            name,
        )
        self.filters = whole("Conv3D's filters", filters)
        self.kernel_size = triple("Conv3D's kernel_size", kernel_size)
        self.strides = triple("Conv3D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.dilation_rate = triple("Conv3D's dilation_rate", dilation_rate)
        self.groups = whole("Conv3D's groups", groups)
        check_groups("Conv3D", self.groups, self.filters, max(self.strides), max(self.dilation_rate))

    def build(self, input_shape: Shape) -> None:
        *_, inputs = volume_shape("Conv3D", input_shape)
        if inputs % self.groups:
            raise ShapeError(f"Conv3D's {self.groups} groups don't divide the {inputs} channels of its input")
        sizes = self.kernel_size, self.strides, self.dilation_rate
        self.windows = along_axes("Conv3D", self.padding, *sizes, input_shape)
        self.W = self.add_kernel((*self.kernel_size, inputs // self.groups, self.filters))
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        outputs = [w.outputs(1, n)[1] for w, n in zip(self.windows, x.shape, strict=False)]
        deep, tall, _ = self.windows
        x = program.pad(x, (*((w.before[1], w.after[1]) for w in self.windows), (0, 0)))
        x, taps = self.laid_out(program, x)
        dilation = tall.dilation[1] * outputs[2]  # from a row of an output's window to the next
        size = (deep.size[1], tall.size[1] // taps)
        window = Window(size, (deep.strides[1], 1), (deep.dilation[1], dilation))
        h = program.convolution(x, self.W, self.b, window, self.groups)
        return self.activate(program, program.reshape(h, (*outputs, self.filters)))

    def laid_out(self, program: Builder, x: Buffer) -> tuple[Buffer, int]:
        """x as an image (depth, height and width, channels), its channels in groups: what an output sees along the
        width and, with strides, the height; and how many elements of the height these are."""
        depth, height, width, inputs = x.shape
        _, tall, wide = (Window(w.size, w.strides, w.dilation) for w in self.windows)  # x has its zeros
        rows, taps = range(height), 1
        x = program.take(x, reached(wide, width), axis=2)
        if tall.strides[1] > 1:
            rows, taps = reached(tall, height), tall.size[1]
            x = program.take(x, rows, axis=1)
        places, kernel = wide.outputs(1, width)[1], wide.size[1]
        x = program.reshape(x, (depth, len(rows), taps, places, kernel, self.groups, inputs // self.groups))
        if taps > 1 or self.groups > 1:
            x = program.permute(x, (0, 1, 3, 5, 2, 4, 6))
        return program.reshape(x, (depth, len(rows) * places, taps * kernel * inputs)), taps

    def get_config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            **self.kernel_config(),
        }


def joined(first: Window, second: Window) -> Window:
    """The window that moves along two axes as these along each."""
    sizes = ("size", "strides", "dilation", "before", "after")
    return Window(*((getattr(first, k)[1], getattr(second, k)[1]) for k in sizes))


class Pooling3D(Layer):
    """Base of layers that reduce each window of a volume to one number, channel by channel: along the width, then along
    depth and height."""

    kind: ClassVar[type[MaxPooling] | type[AveragePooling]]

    def __init__(
        self,
        pool_size: Sizes = (2, 2, 2),
        strides: Sizes | None = None,
        padding: str = "valid",
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        what = type(self).__name__
        self.pool_size = triple(f"{what}'s pool_size", pool_size)
        self.strides = self.pool_size if strides is None else triple(f"{what}'s strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))

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

    def get_config(self) -> dict[str, Any]:
        return {
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "name": self.name,
        }


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


class GlobalPooling3D(Layer):
    """Base of layers that reduce each channel of a volume to one number."""

    kind: ClassVar[type[MaxPooling] | type[AveragePooling]]

    def __init__(self, keepdims: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.keepdims = bool(keepdims)

    def build(self, input_shape: Shape) -> None:
        volume_shape(type(self).__name__, input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        depth, height, width, channels = x.shape
        image = program.reshape(x, (depth * height, width, channels))
        a = program.pooling(self.kind, image, Window((depth * height, width)))
        return program.reshape(a, (1, 1, 1, channels) if self.keepdims else (channels,))

    def get_config(self) -> dict[str, Any]:
        return {"keepdims": self.keepdims, "name": self.name}


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
