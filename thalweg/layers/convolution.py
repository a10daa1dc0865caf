"""Convolutions. Names, arguments and defaults are Keras's; images are (height, width, channels)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.kernel_layer import KernelLayer
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions import convolution
from thalweg.program.instructions.convolution import Pair, Window
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments, default

__all__ = ["Conv1D", "Conv2D"]


def image_shape(layer: str, shape: Shape) -> Shape:
    """The shape of an image; anything else raises."""
    if len(shape) != 3:
        raise ShapeError(f"{layer} takes images of shape (height, width, channels), not {shape}: reshape them first")
    return shape


def sequence_shape(layer: str, shape: Shape) -> Shape:
    """The shape of a sequence; anything else raises."""
    if len(shape) != 2:
        raise ShapeError(f"{layer} takes sequences of shape (steps, channels), not {shape}")
    return shape


def placed(layer: str, padding: str, size: Pair, strides: Pair, dilation: Pair, image: Shape) -> Window:
    """The window with "valid", "same" or "causal" padding; a window larger than the image raises."""
    if padding == "same":
        return convolution.same(size, strides, dilation, (image[0], image[1]))
    window = Window(size, strides, dilation)
    if padding == "causal":
        return replace(window, before=(0, window.span[1] - 1))
    if any(span > n for span, n in zip(window.span, image, strict=False)):
        raise ShapeError(
            f"{layer}'s window spans {window.span}, more than its input of {image[:2]}: "
            "take a smaller one, or padding='same'"
        )
    return window


def across(size: Any) -> Pair:
    """(height, width) of a size: that of a sequence has the height 1."""
    return size if isinstance(size, tuple) else (1, size)


class Sliding(KernelLayer):
    """Base of layers whose kernel slides over an image, or over a sequence, which is an image of height 1."""

    kernel_size: Any  # a number for sequences, one for each dimension otherwise
    strides: Any
    padding: kinds.Padding
    dilation_rate: Any

    def __post_init__(self) -> None:
        _, strides, dilation = self.sizes
        if max(strides) > 1 and max(dilation) > 1:
            raise ArgumentError(f"{type(self).__name__} can't combine strides > 1 with dilation_rate > 1")

    @property
    def sizes(self) -> tuple[Pair, Pair, Pair]:
        """kernel_size, strides and dilation_rate along height and width."""
        return across(self.kernel_size), across(self.strides), across(self.dilation_rate)

    def image_of(self, shape: Shape) -> Shape:
        """The shape of the input as an image; one that the layer doesn't take raises."""
        what = type(self).__name__
        return image_shape(what, shape) if isinstance(self.kernel_size, tuple) else (1, *sequence_shape(what, shape))

    def place(self, shape: Shape) -> int:
        """Finds the kernel's way over the input; returns its number of channels."""
        image = self.image_of(shape)
        self.window = placed(type(self).__name__, self.padding, *self.sizes, image)
        return image[-1]

    def kernel_shape(self, *channels: int) -> Shape:
        """(height, width, channels, …) for images, (steps, channels, …) for sequences."""
        return (*self.kernel_size, *channels) if isinstance(self.kernel_size, tuple) else (self.kernel_size, *channels)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        image = x if len(x.shape) == 3 else program.reshape(x, (1, *x.shape))
        h = self.convolved(program, image)
        return self.activate(program, h if image is x else program.reshape(h, h.shape[1:]))

    def convolved(self, program: Builder, x: Buffer) -> Buffer:
        """h, from an image."""
        raise NotImplementedError


@arguments
class Convolution(Sliding):
    """Base of convolutions; a subclass says what its sizes are."""

    filters: kinds.Count
    kernel_size: Any
    strides: Any = 1
    padding: kinds.Padding = "valid"
    dilation_rate: Any = 1
    groups: kinds.Count = 1
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.filters % self.groups:
            raise ArgumentError(f"{type(self).__name__}'s {self.groups} groups don't divide its {self.filters} filters")

    def build(self, input_shape: Shape) -> None:
        inputs = self.place(input_shape)
        if inputs % self.groups:
            what = type(self).__name__
            raise ShapeError(f"{what}'s {self.groups} groups don't divide the {inputs} channels of its input")
        self.W = self.add_kernel(self.kernel_shape(inputs // self.groups, self.filters))
        self.b = self.add_bias(self.filters)

    def convolved(self, program: Builder, x: Buffer) -> Buffer:
        return program.convolution(x, self.W, self.b, self.window, self.groups)


@arguments
class Conv2D(Convolution):
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

    kernel_size: kinds.Pair
    strides: kinds.Pair = default((1, 1))
    dilation_rate: kinds.Pair = default((1, 1))


@arguments
class Conv1D(Convolution):
    """a = activation(x ∗ W + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `Conv2D` along one dimension; the arguments are the same, each a single number. W is (kernel_size, inputs/groups,
    filters). With padding="causal" there are (kernel_size − 1)·dilation_rate zeros before the sequence and none after
    it: the output at a step depends on no later one.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((100, 4)), Conv1D(8, 5, strides=2)])
    >>> model.build()
    >>> model.output_shape
    (None, 48, 8)
    """

    kernel_size: kinds.Single
    strides: kinds.Single = 1
    padding: kinds.CausalPadding = "valid"
    dilation_rate: kinds.Single = 1
