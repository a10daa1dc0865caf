"""A trained scale for each column or channel."""

from __future__ import annotations

from typing import Any

from thalweg import constraints, initializers, regularizers
from thalweg.constraints import ConstraintLike
from thalweg.layers.kernel_layer import RegularizerLike
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.standardization import ChannelScale
from thalweg.program.ir.instruction import Buffer


class ElementwiseScale(Layer):
    """a = γ·x, a trained factor for each column or channel      x, a (rows, …, columns), γ (columns,)

    The diagonal layer in front of RealMLP (Holzmüller, Grinsztajn and Steinwart, NeurIPS 2024), which is trained with
    six times the learning rate: `learning_rate_factors={"elementwise_scale": 6}` of an optimizer.

    Args:
        scale_initializer: the initial γ.
        scale_regularizer: a penalty on γ. scale_constraint: a constraint on γ after every update.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((2,)), ElementwiseScale()])
    >>> model.set_weights([[3.0, 0.5]])
    >>> model.predict([[1.0, 2.0]])
    array([[3., 1.]], dtype=float32)
    """

    def __init__(
        self,
        scale_initializer: initializers.InitializerLike = "ones",
        scale_regularizer: RegularizerLike = None,
        scale_constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.scale_initializer = initializers.get(scale_initializer)
        self.scale_regularizer = regularizers.get(scale_regularizer)
        self.scale_constraint = constraints.get(scale_constraint)

    def build(self, input_shape: Shape) -> None:
        self.gamma = self.add_weight(
            "γ", input_shape[-1:], self.scale_initializer, self.scale_regularizer, constraint=self.scale_constraint
        )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        program.number = self.gamma.name.lstrip("γ")
        return program.append(ChannelScale(x, self.gamma, None, program.value("n", x.shape)))

    def get_config(self) -> dict[str, Any]:
        return {
            "scale_initializer": initializers.serialize(self.scale_initializer),
            "scale_regularizer": regularizers.serialize(self.scale_regularizer),
            "scale_constraint": constraints.serialize(self.scale_constraint),
            "name": self.name,
        }
