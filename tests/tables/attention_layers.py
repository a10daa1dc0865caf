"""Rows of the layers' table: attention, and what gives steps a position."""

from typing import Any

from thalweg.layers import (
    AdditiveAttention,
    Attention,
    GroupQueryAttention,
    Layer,
    MultiHeadAttention,
    PositionEmbedding,
    RotaryEmbedding,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
)
from thalweg.layers.attention.heads import Heads


def called(layer: Layer, inputs: list[Any]) -> Any:
    """The layer on several tensors: attention with projections takes them one by one, others as a list."""
    return layer(*inputs) if isinstance(layer, Heads) else layer(inputs)


ATTENTION_LAYERS: dict[type[Layer], list] = {
    MultiHeadAttention: [
        (lambda: MultiHeadAttention(2, 3), [(4, 6), (5, 6)], (4, 6), 3 * (6 * 6 + 6) + 6 * 6 + 6),
        (
            lambda: MultiHeadAttention(
                1,
                2,
                4,
                0.2,
                False,
                3,
                1,
                kernel_initializer="he_normal",
                kernel_regularizer="l2",
                kernel_constraint="non_neg",
                seed=5,
            ),
            [(4, 3), (5, 2), (5, 6)],
            (4, 3),
            3 * 2 + 6 * 2 + 2 * 4 + 4 * 3,
        ),
        (
            lambda: MultiHeadAttention(
                2, 3, use_gate=True, sliding_window=2, bias_regularizer="l1", activity_regularizer="l2"
            ),
            [(4, 6), (4, 6)],
            (4, 6),
            4 * (6 * 6 + 6) + 6 * 6 + 6,
        ),
    ],
    GroupQueryAttention: [
        (lambda: GroupQueryAttention(3, 4, 2), [(4, 6), (5, 6)], (4, 6), 6 * 12 + 12 + 2 * (6 * 6 + 6) + 12 * 6 + 6),
        (
            lambda: GroupQueryAttention(2, 2, 1, 0.2, False, 3, use_gate=True),
            [(4, 3), (4, 2)],
            (4, 3),
            2 * 3 * 4 + 2 * 2 * 2 + 4 * 3,
        ),
    ],
    Attention: [
        (lambda: Attention(), [(4, 3), (5, 3)], (4, 3), 0),
        (lambda: Attention(True, "concat", 0.2, 3), [(4, 3), (5, 2), (5, 3)], (4, 2), 2),
        (lambda: Attention(True), [(4, 3), (5, 3)], (4, 3), 1),
    ],
    PositionEmbedding: [(lambda: PositionEmbedding(7), (5, 4), (5, 4), 28)],
    TokenAndPositionEmbedding: [(lambda: TokenAndPositionEmbedding(9, 7, 4), (5,), (5, 4), 64)],
    SinePositionEncoding: [(lambda: SinePositionEncoding(50.0), (5, 4), (5, 4), 0)],
    RotaryEmbedding: [
        (lambda: RotaryEmbedding(), (5, 4), (5, 4), 0),
        (lambda: RotaryEmbedding(100.0, 2.0), (5, 3, 4), (5, 3, 4), 0),
    ],
    AdditiveAttention: [
        (lambda: AdditiveAttention(), [(4, 3), (5, 3)], (4, 3), 3),
        (lambda: AdditiveAttention(False, 0.3), [(4, 3), (5, 2), (5, 3)], (4, 2), 0),
    ],
}
