"""Depthwise and separable convolutions. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from typing import Any

from thalweg.layers import kinds
from thalweg.layers.convolution import Sliding
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Window
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments, default

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]


@arguments
class DepthwiseConvolution(Sliding):
    """Base of convolutions of each channel by itself."""

    kernel_size: Any
    strides: Any = 1
    padding: kinds.Padding = "valid"
    depth_multiplier: kinds.Count = 1
    dilation_rate: Any = 1
    activation: kinds.Activation = default(None)
    use_bias: bool = True
    depthwise_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    depthwise_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    depthwise_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        self.inputs = self.place(input_shape)
        self.W = self.add_kernel(self.kernel_shape(self.inputs, self.depth_multiplier), "W", "depthwise")
        self.b = self.add_bias(self.inputs * self.depth_multiplier)

    def convolved(self, program: Builder, x: Buffer) -> Buffer:
        outputs = self.inputs * self.depth_multiplier
        return program.convolution(x, self.W, self.b, self.window, self.inputs, outputs)


@arguments
class DepthwiseConv1D(DepthwiseConvolution):
    """a = activation(x ∗ W + b), each channel of x with kernels of its own      → (rows, …, inputs·depth_multiplier)

    `DepthwiseConv2D` along one dimension; the arguments are the same, each a single number. W is (kernel_size, inputs,
    depth_multiplier).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 3)), DepthwiseConv1D(3, depth_multiplier=2)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6), 24)
    """

    kernel_size: kinds.Single
    strides: kinds.Single = 1
    dilation_rate: kinds.Single = 1


@arguments
class DepthwiseConv2D(DepthwiseConvolution):
    """a = activation(x ∗ W + b), each channel of x with kernels of its own      → (rows, …, inputs·depth_multiplier)

    A `Conv2D` with a group for each channel. W is (height, width, inputs, depth_multiplier). The arguments are Keras's;
    `depthwise_initializer` and `depthwise_regularizer` are the kernel's.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 3)), DepthwiseConv2D(3, depth_multiplier=2)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6, 6), 60)
    """

    kernel_size: kinds.Pair
    strides: kinds.Pair = default((1, 1))
    dilation_rate: kinds.Pair = default((1, 1))


@arguments
class SeparableConvolution(Sliding):
    """Base of a depthwise convolution with one of size 1 behind it, which mixes the channels."""

    filters: kinds.Count
    kernel_size: Any
    strides: Any = 1
    padding: kinds.Padding = "valid"
    dilation_rate: Any = 1
    depth_multiplier: kinds.Count = 1
    activation: kinds.Activation = default(None)
    use_bias: bool = True
    depthwise_initializer: kinds.Initializer = default("glorot_uniform")
    pointwise_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    depthwise_regularizer: kinds.Regularizer = default(None)
    pointwise_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    depthwise_constraint: kinds.Constraint = default(None)
    pointwise_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        self.inputs = self.place(input_shape)
        self.D = self.add_kernel(self.kernel_shape(self.inputs, self.depth_multiplier), "D", "depthwise")
        ones = (1,) * (len(input_shape) - 1)
        self.P = self.add_kernel((*ones, self.inputs * self.depth_multiplier, self.filters), "P", "pointwise")
        self.b = self.add_bias(self.filters)

    def convolved(self, program: Builder, x: Buffer) -> Buffer:
        h = program.convolution(x, self.D, None, self.window, self.inputs, self.inputs * self.depth_multiplier)
        return program.convolution(h, self.P, self.b, Window((1, 1)))


@arguments
class SeparableConv1D(SeparableConvolution):
    """a = activation((x ∗ D) ∗ P + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `SeparableConv2D` along one dimension; the arguments are the same, each a single number. D is (kernel_size, inputs,
    depth_multiplier), P is (1, inputs·depth_multiplier, filters).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 3)), SeparableConv1D(16, 3)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 16), 73)
    """

    kernel_size: kinds.Single
    strides: kinds.Single = 1
    dilation_rate: kinds.Single = 1


@arguments
class SeparableConv2D(SeparableConvolution):
    """a = activation((x ∗ D) ∗ P + b): a depthwise convolution, then one of size 1 that mixes the channels

    D is (height, width, inputs, depth_multiplier), P is (1, 1, inputs·depth_multiplier, filters). The arguments are
    Keras's.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 3)), SeparableConv2D(16, 3)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6, 16), 91)
    """

    kernel_size: kinds.Pair
    strides: kinds.Pair = default((1, 1))
    dilation_rate: kinds.Pair = default((1, 1))
