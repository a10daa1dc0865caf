"""Transposed convolutions, which enlarge their input. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from typing import Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.convolution import Sliding
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import enlarging
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments, default

__all__ = ["Conv1DTranspose", "Conv2DTranspose"]


@arguments
class TransposedConvolution(Sliding):
    """Base of the gradients of convolutions with respect to their inputs."""

    filters: kinds.Count
    kernel_size: Any
    strides: Any = 1
    padding: kinds.Padding = "valid"
    output_padding: Any = None
    dilation_rate: Any = 1
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
        what, more, strides = type(self).__name__, self.output_padding, self.sizes[1]
        added = (0, 0) if more is None else (0, more) if isinstance(more, int) else more
        if any(n >= s for n, s in zip(added, strides, strict=True)):
            raise ArgumentError(f"{what}'s output_padding {added} has to be less than its strides {strides}")
        self.added = None if more is None else added

    def build(self, input_shape: Shape) -> None:
        height, width, inputs = self.image_of(input_shape)
        self.window, self.image = enlarging(*self.sizes, self.padding, self.added, (height, width))
        if min(self.image) < 1:
            raise ShapeError(
                f"{type(self).__name__} has no output for an input of {(height, width)}: the padding takes all, "
                f"{self.image} is left"
            )
        self.W = self.add_kernel(self.kernel_shape(self.filters, inputs))
        self.b = self.add_bias(self.filters)

    def convolved(self, program: Builder, x: Buffer) -> Buffer:
        return program.transposed_convolution(x, self.W, self.b, self.window, self.image, self.filters)


@arguments
class Conv2DTranspose(TransposedConvolution):
    """a = activation(x ∗ᵀ W + b)      x (rows, height, width, inputs) → a (rows, height', width', filters)

    Every element of x adds the kernel, times itself, to the result: h[i·s + a·d − p, j·s + b·d − p, o] = b[o] +
    Σ x[i, j, c]·W[a, b, o, c] over all i, j, a, b and channels c that meet there, with strides s and dilation d. It is
    the gradient of a `Conv2D` with respect to its input, with input and output shapes swapped (Dumoulin and Visin,
    arXiv 1603.07285).

    Args:
        filters: the number of channels of the result.
        kernel_size: (height, width) of the kernel, or one number for both.
        strides: how far apart neighbouring elements of x put their kernels: about how many times the image grows.
        padding: "valid": (size − 1)·strides + the larger of kernel and strides; "same": size·strides.
        output_padding: the number of elements, fewer than the strides, added after the image: with "valid" the size is
            (size − 1)·strides + kernel + output_padding; with "same" (size − 1)·strides + output_padding, plus one if
            the kernel is odd.
        dilation_rate: the distance between the kernel's elements; more than 1 can't be combined with strides.
        activation, use_bias, kernel_initializer, …: as in `Dense`; W is (height, width, filters, inputs).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((7, 7, 8)), Conv2DTranspose(4, 3, strides=2, padding="same")])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 14, 14, 4), 292)
    """

    kernel_size: kinds.Pair
    strides: kinds.Pair = default((1, 1))
    output_padding: kinds.MaybePair = default(None)
    dilation_rate: kinds.Pair = default((1, 1))


@arguments
class Conv1DTranspose(TransposedConvolution):
    """a = activation(x ∗ᵀ W + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `Conv2DTranspose` along one dimension; the arguments are the same, each a single number. W is (kernel_size, filters,
    inputs).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((10, 4)), Conv1DTranspose(8, 5, strides=2)])
    >>> model.build()
    >>> model.output_shape
    (None, 23, 8)
    """

    kernel_size: kinds.Single
    strides: kinds.Single = 1
    output_padding: kinds.MaybeSingle = None
    dilation_rate: kinds.Single = 1
