"""Keras's graphs: the functional API."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

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


def embedding(work: Graph) -> Any:
    ids = keras.Input((LENGTH,), name="ids", dtype="int32")
    return {"ids": ids}, layers.Dense(1)(layers.GlobalAveragePooling1D()(layers.Embedding(work.tables[0], WIDTH)(ids)))


def wide_and_deep(work: Graph) -> Any:
    ids, numbers = keras.Input((len(work.tables),), name="ids", dtype="int32"), keras.Input((NUMBERS,), name="numbers")
    columns = [layers.Embedding(size, CATEGORY_WIDTH)(ids[:, n]) for n, size in enumerate(work.tables)]
    deep = layers.Concatenate()([*columns, numbers])
    for units in HIDDEN:
        deep = layers.Dense(units, "relu")(deep)
    return {"ids": ids, "numbers": numbers}, layers.Dense(1)(layers.Concatenate()([numbers, deep]))


def autoencoder(work: Graph) -> Any:
    x = h = keras.Input((ENCODER[0],), name="x")
    for units in ENCODER[1:-1]:
        h = layers.Dense(units, "relu")(h)
    return {"x": x}, layers.Dense(ENCODER[-1])(h)


def transformer(work: Graph) -> Any:
    def heads(h: Any, order: tuple[int, ...] = (0, 2, 1, 3)) -> Any:
        return ops.transpose(ops.reshape(h, (-1, TOKENS, HEADS, FEATURES // HEADS)), order)

    x = keras.Input((TOKENS, FEATURES), name="x")
    h = layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)(x)
    q, k, v = (layers.Dense(FEATURES, use_bias=False)(h) for _ in range(3))
    # Keras orders weights by the distance of their layers from the output: here it has to be that of thalweg.
    scores = ops.matmul(heads(q), heads(k, (0, 2, 3, 1))) / (FEATURES // HEADS) ** 0.5
    mixed = ops.reshape(ops.transpose(ops.matmul(ops.softmax(scores), heads(v)), (0, 2, 1, 3)), (-1, TOKENS, FEATURES))
    h = x + layers.Dense(FEATURES)(mixed)
    inner = layers.Dense(MLP, "gelu")(layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)(h))
    return {"x": x}, layers.Dense(CLASSES)(ops.mean(h + layers.Dense(FEATURES)(inner), axis=1))


class Letters(layers.Layer):
    """The vectors of letters, and of their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(LETTERS, GPT_WIDTH)

    def build(self, input_shape: Any) -> None:
        self.positions = self.add_weight(shape=(GPT_TOKENS, GPT_WIDTH), initializer="normal", name="positions")
        self.table.build(input_shape)

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
    ids = keras.Input((GPT_TOKENS,), name="ids", dtype="int32")
    x = Letters()(ids)
    for _ in range(GPT_BLOCKS):
        x = GPTBlock()(x)
    return {"ids": ids}, layers.Dense(LETTERS)(layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON)(x))


def recurrent(work: Graph) -> Any:
    kind, steps, width, units = RECURRENT[work.network]
    x = h = keras.Input((steps, width), name="x")
    for n, count in enumerate(units, start=1):
        h = getattr(layers, kind)(count, return_sequences=n < len(units))(h)
    return {"x": x}, layers.Dense(1)(h)


NETWORKS = {
    "embedding": embedding,
    "wide and deep": wide_and_deep,
    "autoencoder": autoencoder,
    "transformer": transformer,
    "gpt": gpt,
    **dict.fromkeys(RECURRENT, recurrent),
}


def network(work: Graph) -> Any:
    """The network with its initial weights, without the last activation, which is left to the loss."""
    model = keras.Model(*NETWORKS[work.network](work))
    model.set_weights(work.weights())
    return model
