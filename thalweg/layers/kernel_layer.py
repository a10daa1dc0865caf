"""What layers with a kernel and a bias share: initializers, penalties, constraints, and the activation."""

from __future__ import annotations

from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.variable import WeightBuffer
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer


class KernelLayer(Layer):
    """Base of layers that multiply by a kernel W, add a bias b, and apply an activation; each declares these."""

    activation: kinds.Activation
    use_bias: bool
    bias_initializer: kinds.Initializer
    bias_regularizer: kinds.Regularizer
    activity_regularizer: kinds.ActivityRegularizer
    bias_constraint: kinds.Constraint

    @property
    def kernel(self) -> WeightBuffer | None:
        """W, once the input's shape is known."""
        self.build_around()
        return getattr(self, "W", None)

    @property
    def bias(self) -> WeightBuffer | None:
        """b, once the input's shape is known; None without a bias."""
        self.build_around()
        return getattr(self, "b", None)

    def add_kernel(self, shape: Shape, key: str = "W", name: str = "kernel") -> Buffer:
        """Declares the kernel, by the arguments name_initializer, name_regularizer and name_constraint."""
        start, penalty, bound = (getattr(self, f"{name}_{k}") for k in ("initializer", "regularizer", "constraint"))
        return self.add_weight(key, shape, start, penalty, constraint=bound)

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
            self.activity_regularizer.penalize(program, a)
        return a
