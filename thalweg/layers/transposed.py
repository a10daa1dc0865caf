"""Transposed convolutions, which enlarge their input. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from typing import Any

from thalweg import initializers
from thalweg.constraints import ConstraintLike
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.convolution import Sizes, check_groups, image_shape, pair, sequence_shape, single
from thalweg.layers.kernel_layer import ActivationLike, KernelLayer, RegularizerLike
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair, Window, enlarging
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import whole
from thalweg.support.naming import choose

__all__ = ["Conv1DTranspose", "Conv2DTranspose"]


def check_output_padding(layer: str, output_padding: Pair | None, strides: Pair) -> None:
    """Raises unless it is less than the strides: that many elements would be another position."""
    if output_padding is not None and any(n >= s for n, s in zip(output_padding, strides, strict=True)):
        raise ArgumentError(f"{layer}'s output_padding {output_padding} has to be less than its strides {strides}")


def enlarged(
    layer: str, padding: str, sizes: tuple[Pair, Pair, Pair], output_padding: Pair | None, image: Pair
) -> tuple[Window, Pair]:
    """The window over the result, and the result's size; an empty result raises."""
    window, result = enlarging(*sizes, padding, output_padding, image)
    if min(result) < 1:
        raise ShapeError(f"{layer} has no output for an input of {image}: the padding takes all, {result} is left")
    return window, result


class Conv2DTranspose(KernelLayer):
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

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        output_padding: Sizes | None = None,
        dilation_rate: Sizes = (1, 1),
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
        self.filters = whole("Conv2DTranspose's filters", filters)
        self.kernel_size = pair("Conv2DTranspose's kernel_size", kernel_size)
        self.strides = pair("Conv2DTranspose's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.output_padding = (
            None if output_padding is None else pair("Conv2DTranspose's output_padding", output_padding, least=0)
        )
        self.dilation_rate = pair("Conv2DTranspose's dilation_rate", dilation_rate)
        check_groups("Conv2DTranspose", 1, self.filters, max(self.strides), max(self.dilation_rate))
        check_output_padding("Conv2DTranspose", self.output_padding, self.strides)

    def build(self, input_shape: Shape) -> None:
        height, width, inputs = image_shape("Conv2DTranspose", input_shape)
        sizes = self.kernel_size, self.strides, self.dilation_rate
        self.window, self.image = enlarged("Conv2DTranspose", self.padding, sizes, self.output_padding, (height, width))
        self.W = self.add_kernel((*self.kernel_size, self.filters, inputs))
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        h = program.transposed_convolution(x, self.W, self.b, self.window, self.image, self.filters)
        return self.activate(program, h)

    def get_config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "output_padding": None if self.output_padding is None else list(self.output_padding),
            "dilation_rate": list(self.dilation_rate),
            **self.kernel_config(),
        }


class Conv1DTranspose(KernelLayer):
    """a = activation(x ∗ᵀ W + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `Conv2DTranspose` along one dimension; the arguments are the same, each a single number. W is (kernel_size, filters,
    inputs).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((10, 4)), Conv1DTranspose(8, 5, strides=2)])
    >>> model.build()
    >>> model.output_shape
    (None, 23, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        output_padding: int | None = None,
        dilation_rate: int = 1,
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
        self.filters = whole("Conv1DTranspose's filters", filters)
        self.kernel_size = single("Conv1DTranspose's kernel_size", kernel_size)
        self.strides = single("Conv1DTranspose's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.output_padding = (
            None if output_padding is None else single("Conv1DTranspose's output_padding", output_padding, least=0)
        )
        self.dilation_rate = single("Conv1DTranspose's dilation_rate", dilation_rate)
        check_groups("Conv1DTranspose", 1, self.filters, self.strides, self.dilation_rate)
        more = None if self.output_padding is None else (0, self.output_padding)
        check_output_padding("Conv1DTranspose", more, (1, self.strides))

    def build(self, input_shape: Shape) -> None:
        steps, inputs = sequence_shape("Conv1DTranspose", input_shape)
        sizes = (1, self.kernel_size), (1, self.strides), (1, self.dilation_rate)
        more = None if self.output_padding is None else (0, self.output_padding)
        self.window, self.image = enlarged("Conv1DTranspose", self.padding, sizes, more, (1, steps))
        self.W = self.add_kernel((self.kernel_size, self.filters, inputs))
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        image = program.reshape(x, (1, *x.shape))
        h = program.transposed_convolution(image, self.W, self.b, self.window, self.image, self.filters)
        return self.activate(program, program.reshape(h, h.shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "dilation_rate": self.dilation_rate,
            **self.kernel_config(),
        }
