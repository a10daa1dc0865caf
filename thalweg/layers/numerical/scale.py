"""A trained scale for each column or channel."""

from __future__ import annotations

from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.standardization import ChannelScale
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments, default


@arguments
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

    scale_initializer: kinds.Initializer = default("ones")
    scale_regularizer: kinds.Regularizer = default(None)
    scale_constraint: kinds.Constraint = default(None)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        self.gamma = self.add_weight(
            "γ", input_shape[-1:], self.scale_initializer, self.scale_regularizer, constraint=self.scale_constraint
        )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        program.number = self.gamma.name.lstrip("γ")
        return program.append(ChannelScale(x, self.gamma, None, program.value("n", x.shape)))
