"""thalweg's graphs: the functional API, and a transformer block written in operations."""

from __future__ import annotations

from typing import Any

import thalweg
from benchmarks.graphs import (
    CATEGORY_WIDTH,
    CLASSES,
    ENCODER,
    FEATURES,
    GPT_BLOCKS,
    GPT_HEADS,
    GPT_TOKENS,
    GPT_WIDTH,
    HEADS,
    HIDDEN,
    LAYER_NORM_EPSILON,
    LENGTH,
    LETTERS,
    MLP,
    NUMBERS,
    RECURRENT,
    TOKENS,
    WIDTH,
    Graph,
)
from thalweg import layers, ops


class TransformerBlock(layers.Layer):
    """x + attention(norm(x)), then x + MLP(norm(x)). The gradient of a bias of the keys would be nothing but rounding
    errors, which Adam would follow; queries, keys and values have none."""

    def __init__(self) -> None:
        super().__init__()
        self.before = layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)
        self.queries, self.keys, self.values = (layers.Dense(FEATURES, use_bias=False) for _ in range(3))
        self.out = layers.Dense(FEATURES)
        self.between = layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)
        self.wide, self.narrow = layers.Dense(MLP, "gelu"), layers.Dense(FEATURES)

    def attention(self, x: Any) -> Any:
        q, k, v = (
            ops.reshape(dense(x), (-1, TOKENS, HEADS, FEATURES // HEADS))
            for dense in (self.queries, self.keys, self.values)
        )
        return self.out(ops.reshape(ops.dot_product_attention(q, k, v), (-1, TOKENS, FEATURES)))

    def call(self, x: Any) -> Any:
        x = x + self.attention(self.before(x))
        return x + self.narrow(self.wide(self.between(x)))


def embedding(work: Graph) -> Any:
    ids = thalweg.Input((LENGTH,), name="ids")
    h = layers.GlobalAveragePooling1D()(layers.Embedding(work.tables[0], WIDTH)(ids))
    return {"ids": ids}, layers.Dense(1, "sigmoid")(h)


def wide_and_deep(work: Graph) -> Any:
    ids, numbers = thalweg.Input((len(work.tables),), name="ids"), thalweg.Input((NUMBERS,), name="numbers")
    columns = [
        layers.Flatten()(layers.Embedding(size, CATEGORY_WIDTH)(ids[:, n : n + 1]))
        for n, size in enumerate(work.tables)
    ]
    deep = layers.Concatenate()([*columns, numbers])
    for units in HIDDEN:
        deep = layers.Dense(units, "relu")(deep)
    return {"ids": ids, "numbers": numbers}, layers.Dense(1, "sigmoid")(layers.Concatenate()([numbers, deep]))


def autoencoder(work: Graph) -> Any:
    x = h = thalweg.Input((ENCODER[0],), name="x")
    for units in ENCODER[1:-1]:
        h = layers.Dense(units, "relu")(h)
    return {"x": x}, layers.Dense(ENCODER[-1], "sigmoid")(h)


def transformer(work: Graph) -> Any:
    x = thalweg.Input((TOKENS, FEATURES), name="x")
    return {"x": x}, layers.Dense(CLASSES, "softmax")(ops.mean(TransformerBlock()(x), axis=1))


class Letters(layers.Layer):
    """The vectors of letters, and of their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(LETTERS, GPT_WIDTH, sparse=False)

    def build(self, input_shape: Any) -> None:
        self.positions = self.add_weight(shape=(GPT_TOKENS, GPT_WIDTH), initializer="normal", name="positions")

    def call(self, ids: Any) -> Any:
        return self.table(ids) + self.positions


class GPTBlock(layers.Layer):
    """x + attention(norm(x)) to letters so far, then x + MLP(norm(x))."""

    def __init__(self) -> None:
        super().__init__()
        norms = [layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON) for _ in range(2)]
        self.before, self.between = norms
        self.attention = layers.MultiHeadAttention(GPT_HEADS, GPT_WIDTH // GPT_HEADS, use_bias=False)
        self.wide, self.narrow = layers.Dense(4 * GPT_WIDTH, "gelu"), layers.Dense(GPT_WIDTH)

    def call(self, x: Any) -> Any:
        h = self.before(x)
        x = x + self.attention(h, h, use_causal_mask=True)
        return x + self.narrow(self.wide(self.between(x)))


def gpt(work: Graph) -> Any:
    ids = thalweg.Input((GPT_TOKENS,), name="ids")
    x = Letters()(ids)
    for _ in range(GPT_BLOCKS):
        x = GPTBlock()(x)
    return {"ids": ids}, layers.Dense(LETTERS, "softmax")(layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)(x))


def recurrent(work: Graph) -> Any:
    kind, steps, width, units = RECURRENT[work.network]
    x = h = thalweg.Input((steps, width), name="x")
    for n, count in enumerate(units, start=1):
        h = getattr(layers, kind)(count, return_sequences=n < len(units))(h)
    return {"x": x}, layers.Dense(1, "sigmoid")(h)


NETWORKS = {
    "embedding": embedding,
    "wide and deep": wide_and_deep,
    "autoencoder": autoencoder,
    "transformer": transformer,
    "gpt": gpt,
    **dict.fromkeys(RECURRENT, recurrent),
}


def network(work: Graph) -> Any:
    """The network, not compiled, always with the same initial weights."""
    model = thalweg.Model(*NETWORKS[work.network](work), seed=1)
    model.build()
    return model
