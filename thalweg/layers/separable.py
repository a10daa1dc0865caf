"""One-dimensional, depthwise and separable convolutions: special cases of the two-dimensional one."""

from __future__ import annotations

from typing import Any

from thalweg import constraints, initializers, regularizers
from thalweg.constraints import ConstraintLike
from thalweg.errors import ShapeError
from thalweg.layers.convolution import Sizes, check_groups, image_shape, pair, placed, sequence_shape, single
from thalweg.layers.kernel_layer import ActivationLike, KernelLayer, RegularizerLike
from thalweg.layers.layer import Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Window
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import whole
from thalweg.support.naming import choose

__all__ = ["Conv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]


class Conv1D(KernelLayer):
    """a = activation(x ∗ W + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `Conv2D` along one dimension; the arguments are the same, each a single number. W is (kernel_size, inputs/groups,
    filters).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((100, 4)), Conv1D(8, 5, strides=2)])
    >>> model.build()
    >>> model.output_shape
    (None, 48, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        dilation_rate: int = 1,
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
        self.filters = whole("Conv1D's filters", filters)
        self.kernel_size = single("Conv1D's kernel_size", kernel_size)
        self.strides = single("Conv1D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.dilation_rate = single("Conv1D's dilation_rate", dilation_rate)
        self.groups = whole("Conv1D's groups", groups)
        check_groups("Conv1D", self.groups, self.filters, self.strides, self.dilation_rate)

    def build(self, input_shape: Shape) -> None:
        steps, inputs = sequence_shape("Conv1D", input_shape)
        if inputs % self.groups:
            raise ShapeError(f"Conv1D's {self.groups} groups don't divide the {inputs} channels of its input")
        sizes = (1, self.kernel_size), (1, self.strides), (1, self.dilation_rate)
        self.window = placed("Conv1D", self.padding, *sizes, (1, steps, inputs))
        self.W = self.add_kernel((self.kernel_size, inputs // self.groups, self.filters))
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        image = program.reshape(x, (1, *x.shape))
        h = program.convolution(image, self.W, self.b, self.window, self.groups)
        return self.activate(program, program.reshape(h, h.shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            **self.kernel_config(),
        }


class DepthwiseConv2D(KernelLayer):
    """a = activation(x ∗ W + b), each channel of x with kernels of its own      → (rows, …, inputs·depth_multiplier)

    A `Conv2D` with a group for each channel. W is (height, width, inputs, depth_multiplier). The arguments are Keras's;
    `depthwise_initializer` and `depthwise_regularizer` are the kernel's.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 3)), DepthwiseConv2D(3, depth_multiplier=2)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6, 6), 60)
    """

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        dilation_rate: Sizes = (1, 1),
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: initializers.InitializerLike = "glorot_uniform",
        bias_initializer: initializers.InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            name,
        )
        self.kernel_size = pair("DepthwiseConv2D's kernel_size", kernel_size)
        self.strides = pair("DepthwiseConv2D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.depth_multiplier = whole("DepthwiseConv2D's depth_multiplier", depth_multiplier)
        self.dilation_rate = pair("DepthwiseConv2D's dilation_rate", dilation_rate)
        check_groups("DepthwiseConv2D", 1, 1, max(self.strides), max(self.dilation_rate))

    def build(self, input_shape: Shape) -> None:
        *_, self.inputs = image_shape("DepthwiseConv2D", input_shape)
        sizes = self.kernel_size, self.strides, self.dilation_rate
        self.window = placed("DepthwiseConv2D", self.padding, *sizes, input_shape)
        self.W = self.add_kernel((*self.kernel_size, self.inputs, self.depth_multiplier))
        self.b = self.add_bias(self.inputs * self.depth_multiplier)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        outputs = self.inputs * self.depth_multiplier
        h = program.convolution(x, self.W, self.b, self.window, self.inputs, outputs)
        return self.activate(program, h)

    def get_config(self) -> dict[str, Any]:
        config = self.kernel_config()
        for key in ("initializer", "regularizer", "constraint"):
            config[f"depthwise_{key}"] = config.pop(f"kernel_{key}")
        return {
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "depth_multiplier": self.depth_multiplier,
            "dilation_rate": list(self.dilation_rate),
            **config,
        }


class SeparableConv1D(KernelLayer):
    """a = activation((x ∗ D) ∗ P + b)      x (rows, steps, inputs) → a (rows, steps', filters)

    `SeparableConv2D` along one dimension; the arguments are the same, each a single number. D is (kernel_size, inputs,
    depth_multiplier), P is (1, inputs·depth_multiplier, filters).

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 3)), SeparableConv1D(16, 3)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 16), 73)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        dilation_rate: int = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: initializers.InitializerLike = "glorot_uniform",
        pointwise_initializer: initializers.InitializerLike = "glorot_uniform",
        bias_initializer: initializers.InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            pointwise_initializer,
            bias_initializer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            pointwise_constraint,
            bias_constraint,
            name,
        )
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.filters = whole("SeparableConv1D's filters", filters)
        self.kernel_size = single("SeparableConv1D's kernel_size", kernel_size)
        self.strides = single("SeparableConv1D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.dilation_rate = single("SeparableConv1D's dilation_rate", dilation_rate)
        self.depth_multiplier = whole("SeparableConv1D's depth_multiplier", depth_multiplier)
        check_groups("SeparableConv1D", 1, 1, self.strides, self.dilation_rate)

    def build(self, input_shape: Shape) -> None:
        steps, self.inputs = sequence_shape("SeparableConv1D", input_shape)
        sizes = (1, self.kernel_size), (1, self.strides), (1, self.dilation_rate)
        self.window = placed("SeparableConv1D", self.padding, *sizes, (1, steps, self.inputs))
        depthwise = (self.kernel_size, self.inputs, self.depth_multiplier)
        start, penalty = self.depthwise_initializer, self.depthwise_regularizer
        self.D = self.add_weight("D", depthwise, start, penalty, constraint=self.depthwise_constraint)
        self.P = self.add_kernel((1, self.inputs * self.depth_multiplier, self.filters), "P")
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        image = program.reshape(x, (1, *x.shape))
        outputs = self.inputs * self.depth_multiplier
        h = program.convolution(image, self.D, None, self.window, self.inputs, outputs)
        h = program.convolution(h, self.P, self.b, Window((1, 1)))
        return self.activate(program, program.reshape(h, h.shape[1:]))

    def get_config(self) -> dict[str, Any]:
        config = self.kernel_config()
        for key in ("initializer", "regularizer", "constraint"):
            config[f"pointwise_{key}"] = config.pop(f"kernel_{key}")
        return {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "depth_multiplier": self.depth_multiplier,
            "depthwise_initializer": initializers.serialize(self.depthwise_initializer),
            "depthwise_regularizer": regularizers.serialize(self.depthwise_regularizer),
            "depthwise_constraint": constraints.serialize(self.depthwise_constraint),
            **config,
        }


class SeparableConv2D(KernelLayer):
    """a = activation((x ∗ D) ∗ P + b): a depthwise convolution, then one of size 1 that mixes the channels

    D is (height, width, inputs, depth_multiplier), P is (1, 1, inputs·depth_multiplier, filters). The arguments are
    Keras's.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 3)), SeparableConv2D(16, 3)])
    >>> model.build()
    >>> model.output_shape, model.count_params()
    ((None, 6, 6, 16), 91)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = (1, 1),
        padding: str = "valid",
        dilation_rate: Sizes = (1, 1),
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: initializers.InitializerLike = "glorot_uniform",
        pointwise_initializer: initializers.InitializerLike = "glorot_uniform",
        bias_initializer: initializers.InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation,
            use_bias,
            pointwise_initializer,
            bias_initializer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            pointwise_constraint,
            bias_constraint,
            name,
        )
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.filters = whole("SeparableConv2D's filters", filters)
        self.kernel_size = pair("SeparableConv2D's kernel_size", kernel_size)
        self.strides = pair("SeparableConv2D's strides", strides)
        self.padding = choose("padding", padding, ("valid", "same"))
        self.dilation_rate = pair("SeparableConv2D's dilation_rate", dilation_rate)
        self.depth_multiplier = whole("SeparableConv2D's depth_multiplier", depth_multiplier)
        check_groups("SeparableConv2D", 1, 1, max(self.strides), max(self.dilation_rate))

    def build(self, input_shape: Shape) -> None:
        *_, self.inputs = image_shape("SeparableConv2D", input_shape)
        sizes = self.kernel_size, self.strides, self.dilation_rate
        self.window = placed("SeparableConv2D", self.padding, *sizes, input_shape)
        depthwise = (*self.kernel_size, self.inputs, self.depth_multiplier)
        start, penalty = self.depthwise_initializer, self.depthwise_regularizer
        self.D = self.add_weight("D", depthwise, start, penalty, constraint=self.depthwise_constraint)
        self.P = self.add_kernel((1, 1, self.inputs * self.depth_multiplier, self.filters), "P")
        self.b = self.add_bias(self.filters)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        h = program.convolution(x, self.D, None, self.window, self.inputs, self.inputs * self.depth_multiplier)
        h = program.convolution(h, self.P, self.b, Window((1, 1)))
        return self.activate(program, h)

    def get_config(self) -> dict[str, Any]:
        config = self.kernel_config()
        for key in ("initializer", "regularizer", "constraint"):
            config[f"pointwise_{key}"] = config.pop(f"kernel_{key}")
        return {
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "depth_multiplier": self.depth_multiplier,
            "depthwise_initializer": initializers.serialize(self.depthwise_initializer),
            "depthwise_regularizer": regularizers.serialize(self.depthwise_regularizer),
            "depthwise_constraint": constraints.serialize(self.depthwise_constraint),
            **config,
        }
