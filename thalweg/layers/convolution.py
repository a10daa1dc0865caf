"""Convolutions. Names, arguments and defaults are Keras's; images are (height, width, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg import initializers
from thalweg.constraints import ConstraintLike
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.kernel_layer import ActivationLike, KernelLayer, RegularizerLike
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions import convolution
from thalweg.program.instructions.convolution import Pair, Window
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import whole
from thalweg.support.naming import choose

__all__ = ["Conv2D"]

Sizes = int | Sequence[int]


def pair(what: str, value: Sizes, least: int = 1) -> Pair:
    """A whole number for both dimensions, or one for each: (height, width)."""
    values = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(values) != 2:
        raise ArgumentError(f"{what} is a whole number or two of them, got {value!r}")
    return whole(what, values[0], least), whole(what, values[1], least)


def image_shape(layer: str, shape: Shape) -> Shape:
    """The shape of an image; anything else raises."""
    if len(shape) != 3:
        raise ShapeError(f"{layer} takes images of shape (height, width, channels), not {shape}: reshape them first")
    return shape


def channels_last(layer: str, data_format: str | None) -> None:
    """Raises for images whose channels come first."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(
            f"{layer} takes images as (height, width, channels): data_format='channels_last', not {data_format!r}"
        )


def sequence_shape(layer: str, shape: Shape) -> Shape:
    """The shape of a sequence; anything else raises."""
    if len(shape) != 2:
        raise ShapeError(f"{layer} takes sequences of shape (steps, channels), not {shape}")
    return shape


def single(what: str, value: int | Sequence[int], least: int = 1) -> int:
    """A whole number, or a list with just one."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return whole(what, value, least)


def check_groups(layer: str, groups: int, filters: int, stride: int, dilation: int) -> None:
    """Raises for arguments that are wrong for every input."""
    if stride > 1 and dilation > 1:
        raise ArgumentError(f"{layer} can't combine strides > 1 with dilation_rate > 1")
    if filters % groups:
        raise ArgumentError(f"{layer}'s {groups} groups don't divide its {filters} filters")


def placed(layer: str, padding: str, size: Pair, strides: Pair, dilation: Pair, image: Shape) -> Window:
    """The window with "valid" or "same" padding; a window larger than the image raises."""
    if padding == "same":
        return convolution.same(size, strides, dilation, (image[0], image[1]))
    window = Window(size, strides, dilation)
    if any(span > n for span, n in zip(window.span, image, strict=False)):
        raise ShapeError(
            f"{layer}'s window spans {window.span}, more than its input of {image[:2]}: "
            "take a smaller one, or padding='same'"
        )
    return window


class Conv2D(KernelLayer):
    """a = activation(x ∗ W + b)      x (rows, height, width, inputs) → a (rows, height', width', filters)

    A kernel slides over the image: h[i, j, o] = b[o] + Σ x[i·s + a·d − p, j·s + b·d − p, c]·W[a, b, c, o] over the
    kernel's rows a and columns b and the channels c, with strides s, dilation d, and p zeros before the image.

    Args:
        filters: the number of outputs at each position.
        kernel_size: (height, width) of the kernel, or one number for both.
        strides: how far the kernel moves from output to output.
        padding: "valid": only positions inside the image; "same": ⌈size/strides⌉ outputs, with zeros around the image.
        dilation_rate: the distance between the kernel's elements; more than 1 can't be combined with strides.
        groups: the number of parts the channels are divided into; each part of the filters sees one.
        activation, use_bias, kernel_initializer, …: as in `Dense`; W is (height, width, inputs/groups, filters).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((28, 28, 1)), Conv2D(32, 3, activation="relu")])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 26, 26, 32), 320)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        dilation_rate: Sizes = (1, 1),
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
        self.filters = whole("Conv2D's filters", filters)
        self.kernel_size = pair("Conv2D's kernel_size", kernel_size)
        self.strides = pair("Conv2D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.dilation_rate = pair("Conv2D's dilation_rate", dilation_rate)
        self.groups = whole("Conv2D's groups", groups)
        check_groups("Conv2D", self.groups, self.filters, max(self.strides), max(self.dilation_rate))

    def build(self, input_shape: Shape) -> None:
        *_, inputs = image_shape("Conv2D", input_shape)
        if inputs % self.groups:
            raise ShapeError(f"Conv2D's {self.groups} groups don't divide the {inputs} channels of its input")
        self.window = placed("Conv2D", self.padding, self.kernel_size, self.strides, self.dilation_rate, input_shape)
        self.W = self.add_kernel((*self.kernel_size, inputs // self.groups, self.filters))
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        h = program.convolution(x, self.W, self.b, self.window, self.groups)
        return self.activate(program, h)

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
