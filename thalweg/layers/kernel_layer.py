"""What layers with a kernel and a bias share: initializers, penalties, constraints, and the activation."""

from __future__ import annotations

from typing import Any

from thalweg import activations, constraints, initializers, regularizers
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.variable import Variable
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer

ActivationLike = str | activations.ActivationFunction | None
RegularizerLike = str | regularizers.Regularizer | None


class KernelLayer(Layer):
    """Base of layers that multiply by a kernel W, add a bias b, and apply an activation."""

    def __init__(
        self,
        activation: ActivationLike,
        use_bias: bool,
        kernel_initializer: initializers.InitializerLike,
        bias_initializer: initializers.InitializerLike,
        kernel_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        activity_regularizer: RegularizerLike,
        kernel_constraint: constraints.ConstraintLike,
        bias_constraint: constraints.ConstraintLike,
        name: str | None,
    ) -> None:
        super().__init__(name)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        if self.activity_regularizer is not None:
            self.activity_regularizer.factors()  # raises for a penalty on matrices only
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    @property
    def kernel(self) -> Variable | None:
        """W, once the input's shape is known."""
        self.build_around()
        return getattr(self, "W", None)

    @property
    def bias(self) -> Variable | None:
        """b, once the input's shape is known; None without a bias."""
        self.build_around()
        return getattr(self, "b", None)

    def add_kernel(self, shape: Shape, key: str = "W") -> Buffer:
        """Declares the kernel."""
        return self.add_weight(
            key, shape, self.kernel_initializer, self.kernel_regularizer, constraint=self.kernel_constraint
        )

    def add_bias(self, units: int) -> Buffer | None:
        """Declares the weights of each unit: the bias, if the layer has one, and the activation's parameters."""
        b = None
        if self.use_bias:
            b = self.add_weight(
                "b", (units,), self.bias_initializer, self.bias_regularizer, constraint=self.bias_constraint
            )
        self.add_activation(self.activation, units)
        return b

    def activate(self, program: Builder, h: Buffer) -> Buffer:
        """a = activation(h), and the penalty on a."""
        a = self.activated(program, self.activation, h)
        if self.activity_regularizer is not None:
            program.penalize(a, *self.activity_regularizer.factors())
        return a

    def kernel_config(self) -> dict[str, Any]:
        """The arguments that this class takes."""
        return {
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "name": self.name,
        }
