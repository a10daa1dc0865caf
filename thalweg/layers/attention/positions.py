"""Where a step stands: trained positions, waves, rotations. Names and arguments are keras_hub's, not Keras's."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, arguments, default

NO_MASK = kinds.only(False, ": mask_zero has to be False: give attention a mask instead")


def check_length(layer: Layer, steps: int, most: int) -> None:
    """Raises for a sequence that is longer than the layer's table."""
    if steps > most:
        raise ShapeError(f"layer {layer.shown_name} has {most} positions, but its input {steps} steps: sequence_length")


@arguments
class PositionEmbedding(Layer):
    """z = W[0 … steps − 1], a trained vector for each position      x (rows, steps, n) → the same

    To be added to x. keras_hub's; `start_index` and `positions` of its call aren't taken.

    Args:
        sequence_length: the most steps that an input may have.
        initializer: of W, (sequence_length, n).

    >>> from thalweg import Input
    >>> x = Input((5, 8))
    >>> (x + PositionEmbedding(sequence_length=10)(x)).shape
    (None, 5, 8)
    """

    supports_masking = True

    sequence_length: kinds.Count
    initializer: kinds.Initializer = default("glorot_uniform")
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2:
            raise ShapeError(f"PositionEmbedding takes (rows, steps, size), got {('rows', *input_shape)}")
        check_length(self, input_shape[0], self.sequence_length)
        self.W = self.add_weight("W", (self.sequence_length, input_shape[-1]), self.initializer)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        rows = program.slice(self.W, (0, 0), x.shape, (1, 1))
        return program.broadcast_to(rows, x.shape, per_row=True)


@arguments
class TokenAndPositionEmbedding(Layer):
    """h = T[ids] + P[0 … steps − 1]      ids (rows, steps) → (rows, steps, embedding_dim)

    The first layer of a transformer: a trained vector for each token and one for each position. keras_hub's, but the
    tokens' vectors can't be used backwards (its tie_weights).

    Args:
        vocabulary_size: the number of tokens. sequence_length: the most steps that an input may have.
        embedding_dim: the length of the vectors.
        embeddings_initializer: of both tables.
        mask_zero: False.

    >>> from thalweg import Input
    >>> TokenAndPositionEmbedding(vocabulary_size=50, sequence_length=10, embedding_dim=8)(Input((5,))).shape
    (None, 5, 8)
    """

    vocabulary_size: kinds.Count
    sequence_length: kinds.Count
    embedding_dim: kinds.Count
    embeddings_initializer: kinds.Initializer = default("uniform")
    mask_zero: Annotated[bool, Checked(NO_MASK, kept=False)] = False
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 1:
            raise ShapeError(f"TokenAndPositionEmbedding takes ids (rows, steps), got {('rows', *input_shape)}")
        check_length(self, input_shape[0], self.sequence_length)
        width, start = self.embedding_dim, self.embeddings_initializer
        self.W = self.add_weight("token_embedding/W", (self.vocabulary_size, width), start)
        self.P = self.add_weight("position_embedding/P", (self.sequence_length, width), start)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        h = program.embedding(x, self.W)
        rows = program.slice(self.P, (0, 0), h.shape, (1, 1))
        return program.binary("add", h, rows)


@arguments
class SinePositionEncoding(Layer):
    """z = sin(position·w), cos(position·w) alternating, w = max_wavelength^(−2i/n)      x (rows, steps, n) → the same

    To be added to x. Vaswani et al., NIPS 2017; keras_hub's, without `start_index` and `positions` of its call.

    Args:
        max_wavelength: the longest wave, over 2π.

    >>> from thalweg import Input
    >>> x = Input((5, 8))
    >>> (x + SinePositionEncoding()(x)).shape
    (None, 5, 8)
    """

    supports_masking = True

    max_wavelength: kinds.Positive = 10000.0
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if len(x.shape) != 2:
            raise ShapeError(f"SinePositionEncoding takes (rows, steps, size), got {('rows', *x.shape)}")
        steps, n = x.shape
        places = np.arange(n)
        angles = np.arange(steps)[:, None] * self.max_wavelength ** (-2.0 * (places // 2) / n)
        waves = np.where(places % 2, np.cos(angles), np.sin(angles))
        return program.broadcast_to(program.constant(waves), x.shape, per_row=True)


@arguments
class RotaryEmbedding(Layer):
    """z = x·cos θ + (−x₂, x₁)·sin θ, θ = position·max_wavelength^(−2i/n)/scaling_factor, x₁ and x₂ the halves of x

    So products of a query and a key depend on how far apart they are. x (rows, steps, n), or (rows, steps, heads, n),
    n even → the same. Su et al., RoFormer, arXiv 2104.09864; keras_hub's, without `start_index` and `positions` of its
    call, for steps along axis 1 and numbers along the last.

    Args:
        max_wavelength: the longest wave, over 2π. scaling_factor: positions are divided by it.
        sequence_axis: 1. feature_axis: -1.

    >>> from thalweg import Input
    >>> RotaryEmbedding()(Input((5, 2, 8))).shape
    (None, 5, 2, 8)
    """

    supports_masking = True

    max_wavelength: kinds.Positive = 10000.0
    scaling_factor: kinds.Positive = 1.0
    sequence_axis: int = 1
    feature_axis: int = -1
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.sequence_axis, self.feature_axis) != (1, -1):
            raise ArgumentError(
                "RotaryEmbedding turns along the last axis, by the steps of axis 1: sequence_axis=1, feature_axis=-1, "
                f"not {self.sequence_axis} and {self.feature_axis}"
            )

    def call(self, x: Any) -> Any:
        """The turned tensor."""
        if len(x.shape) not in (3, 4) or x.shape[-1] % 2:
            raise ShapeError(
                f"layer {self.shown_name} takes (rows, steps, size) or (rows, steps, heads, size), the size even, "
                f"got {x.shape}"
            )
        steps, n = x.shape[1], x.shape[-1]
        waves = self.max_wavelength ** (-np.arange(0, n, 2) / n) / self.scaling_factor
        angles = np.tile(np.arange(steps)[:, None] * waves, 2).reshape(1, steps, *[1] * (len(x.shape) - 3), n)
        one, other = ops.split(x, 2, axis=-1)
        return x * np.cos(angles) + ops.concatenate([-other, one], axis=-1) * np.sin(angles)
