"""Attention: layers that look at some steps of a sequence more than at others."""

from __future__ import annotations

from thalweg.layers.attention.heads import GroupQueryAttention, MultiHeadAttention
from thalweg.layers.attention.positions import (
    PositionEmbedding,
    RotaryEmbedding,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
)
from thalweg.layers.attention.scored import AdditiveAttention, Attention

__all__ = [
    "AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention", "PositionEmbedding",
    "RotaryEmbedding", "SinePositionEncoding", "TokenAndPositionEmbedding",
]  # fmt: skip
