"""The table of all layers: how each is made, and the shapes that it takes and makes.

A new layer needs a row here or in a table that this one holds: `test_layers.py` fails where a row is missing."""

from typing import Any

import numpy as np
import pytest
from activation_layers import ACTIVATION_LAYERS, CUSTOM_OBJECTS
from attention_layers import ATTENTION_LAYERS, called
from image_layers import IMAGE_LAYERS
from lookup_rows import LOOKUPS
from numerical_layers import NUMERICAL_LAYERS
from recurrent_layers import RECURRENT_LAYERS

from thalweg import Model, Sequential, activations, ops
from thalweg.layers import (
    Add,
    Average,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    EinsumDense,
    Embedding,
    Flatten,
    Identity,
    Input,
    Lambda,
    Layer,
    LeakyReLU,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    Normalization,
    PositionEmbedding,
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Residual,
    SinePositionEncoding,
    Subtract,
    TokenAndPositionEmbedding,
)
from thalweg.layers.augmentation import Augmentation
from thalweg.optimizers import SGD


class Tied(Layer):
    """A user's layer: h = tanh(x·W)·W + x, its square kernel used twice."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.W = self.add_weight("W", (input_shape[-1], input_shape[-1]))

    def forward(self, program: Any, x: Any) -> Any:
        h = activations.tanh.forward(program, program.affine(x, self.W))
        return program.add(program.affine(h, self.W), x)


def halves(x: Any, factor: float = 2.0) -> Any:
    """A user's function: the first half of the last axis times the second."""
    one, other = ops.split(x, 2, axis=-1)
    return factor * one * other


Shape = tuple[int, ...]
PLACES = PositionEmbedding | SinePositionEncoding | TokenAndPositionEmbedding  # nothing flows back to what is before
# class → (how it is made, the shape of a row or a list of those of several inputs, the shape it makes, parameters)
ROWS: dict[type[Layer], list[tuple[Any, Shape | list[Shape], Shape, int]]] = {
    Dense: [
        (lambda: Dense(4), (3,), (4,), 16),
        (lambda: Dense(4, use_bias=False), (3,), (4,), 12),
        (lambda: Dense(1, "sigmoid", kernel_initializer="he_normal", bias_initializer="ones"), (3,), (1,), 4),
        (lambda: Dense(2, "relu", kernel_regularizer="l2", bias_regularizer="l1"), (5, 4, 3), (5, 4, 2), 8),
    ],
    EinsumDense: [
        (lambda: EinsumDense("ab,bc->ac", 4, "tanh", "c"), (3,), (4,), 16),
        (lambda: EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", kernel_regularizer="l2"), (2, 3), (2, 4), 16),
        (lambda: EinsumDense("abc,cde->abde", (2, 4, 3), "relu", "de"), (2, 3), (2, 4, 3), 48),
        (lambda: EinsumDense("abcd,cde->abe", (None, 5), bias_axes="e"), (2, 3, 2), (2, 5), 35),
        (lambda: EinsumDense("...x,xy->...y", 4, bias_axes="y", activity_regularizer="l1"), (2, 2, 3), (2, 2, 4), 16),
        (lambda: EinsumDense("ab...,bc->ac...", 4, bias_axes="c"), (3, 2), (4, 2), 16),
        (lambda: EinsumDense("abc,bcd->acd", (3, 4), bias_axes="c", kernel_initializer="ones"), (2, 3), (3, 4), 27),
    ],
    Identity: [(lambda: Identity(), (3, 2), (3, 2), 0), (lambda: Identity(), (3,), (3,), 0)],
    LeakyReLU: [(lambda: LeakyReLU(), (3,), (3,), 0), (lambda: LeakyReLU(0.0), (2, 3), (2, 3), 0)],
    Dropout: [
        (lambda: Dropout(0.4), (3,), (3,), 0),
        (lambda: Dropout(0.4, seed=7), (2, 3), (2, 3), 0),
        (lambda: Dropout(0.4, (None, 1, None)), (4, 3), (4, 3), 0),
    ],
    Rescaling: [(lambda: Rescaling(0.5, -1), (3, 2), (3, 2), 0)],
    Embedding: [
        (lambda: Embedding(5, 3), (4,), (4, 3), 15),
        (lambda: Embedding(5, 2, mask_zero=True), (4,), (4, 2), 10),
        (lambda: Embedding(4, 2, "normal", "l2", "non_neg", sparse=False), (2, 3), (2, 3, 2), 8),
    ],
    Masking: [(lambda: Masking(), (4, 3), (4, 3), 0), (lambda: Masking(1.5), (5, 2), (5, 2), 0)],
    Flatten: [(lambda: Flatten(), (3, 2, 4), (24,), 0), (lambda: Flatten(), (3,), (3,), 0)],
    Residual: [
        (lambda: Residual([Dense(5, "tanh"), Dense(3)]), (3,), (3,), 38),
        (lambda: Residual([Dense(3), Residual([Dense(3, "relu")]), LeakyReLU()]), (2, 3), (2, 3), 24),
        (lambda: Residual([Dense(5, "tanh")], [Dense(5)]), (2, 3), (2, 5), 40),
    ],
    RandomFlip: [(lambda: RandomFlip(), (4, 3, 2), (4, 3, 2), 0)],
    RandomTranslation: [(lambda: RandomTranslation(0.2, (0, 0.3), "wrap", seed=3), (4, 3, 2), (4, 3, 2), 0)],
    RandomRotation: [(lambda: RandomRotation(0.1, "constant", fill_value=2.0), (4, 3, 2), (4, 3, 2), 0)],
    RandomZoom: [
        (lambda: RandomZoom(0.3, interpolation="nearest"), (4, 3, 2), (4, 3, 2), 0),
        (lambda: RandomZoom((-0.3, 0.1), 0.2, "nearest"), (4, 3, 2), (4, 3, 2), 0),
    ],
    RandomContrast: [(lambda: RandomContrast((0.2, 0.4), (-2, 2)), (4, 3, 2), (4, 3, 2), 0)],
    Tied: [(lambda: Tied(), (3,), (3,), 9)],
    Lambda: [
        (lambda: Lambda(halves), (4,), (2,), 0),
        (lambda: Lambda(halves, arguments={"factor": 0.5}), (2, 4), (2, 2), 0),
    ],
    Add: [(lambda: Add(), [(3,), (3,)], (3,), 0), (lambda: Add(), [(2, 3), (1, 3), (2, 1)], (2, 3), 0)],
    Subtract: [(lambda: Subtract(), [(3,), (3,)], (3,), 0), (lambda: Subtract(), [(2, 1), (1, 3)], (2, 3), 0)],
    Multiply: [(lambda: Multiply(), [(3,), (1,)], (3,), 0), (lambda: Multiply(), [(2, 3)] * 3, (2, 3), 0)],
    Average: [(lambda: Average(), [(3,), (3,)], (3,), 0), (lambda: Average(), [(2, 3)] * 3, (2, 3), 0)],
    Maximum: [(lambda: Maximum(), [(3,), (3,)], (3,), 0), (lambda: Maximum(), [(2, 3)] * 3, (2, 3), 0)],
    Minimum: [(lambda: Minimum(), [(3,), (3,)], (3,), 0), (lambda: Minimum(), [(2, 3)] * 3, (2, 3), 0)],
    Concatenate: [
        (lambda: Concatenate(), [(3,), (4,), (1,)], (8,), 0),
        (lambda: Concatenate(1), [(2, 3), (4, 3)], (6, 3), 0),
    ],
    Dot: [
        (lambda: Dot(1), [(3,), (3,)], (1,), 0),
        (lambda: Dot(-1, normalize=True), [(3,), (3,)], (1,), 0),
        (lambda: Dot((2, 1)), [(4, 3), (3, 2)], (4, 2), 0),
    ],
    **IMAGE_LAYERS,
    **ACTIVATION_LAYERS,
    **ATTENTION_LAYERS,
    **NUMERICAL_LAYERS,
    **RECURRENT_LAYERS,
    **{kind: [] for kind in LOOKUPS},  # at a model's entry: see test_lookup.py
}
OWN = {"Tied": Tied, "halves": halves, **CUSTOM_OBJECTS}
CASES = [pytest.param(*case, id=f"{kind.__name__}{n}") for kind, cases in ROWS.items() for n, case in enumerate(cases)]


def alone(layer: Layer, shape: Shape | list[Shape], **options: Any) -> Model:
    """A model of this layer."""
    if isinstance(shape, tuple):
        return Sequential([Input(shape), layer], **options)
    inputs = [Input(s) for s in shape]
    return Model(inputs, called(layer, inputs), **options)


def weighted(layer: Layer, shape: Shape | list[Shape]) -> Model:
    """A model of this layer, with random weights; of a Normalization its own, which fit each other."""
    model = alone(layer, shape, seed=3)
    model.build()
    draw = np.random.default_rng(4)
    if not isinstance(layer, Normalization):
        model.set_weights([draw.uniform(0.1, 1, w.shape).astype("f") for w in model.get_weights()])
    return model


def network(make: Any, shape: Shape | list[Shape], **options: Any) -> Model:
    """The layer between dense ones, whose gradients come through it, and the output; without, where none can."""
    layer = make()
    if isinstance(shape, list):
        inputs = [Input(s) for s in shape]
        joined = called(layer, [Dense(s[-1])(x) for s, x in zip(shape, inputs, strict=True)])
        model = Model(inputs, Dense(2)(Flatten()(joined)), seed=3, **options)
    else:
        ends = isinstance(layer, Augmentation | Embedding | PLACES) or getattr(layer, "steps", False)
        front = [layer] if ends else [Dense(shape[-1]), layer]
        model = Sequential([Input(shape), *front, Flatten(), Dense(2)], seed=3, **options)
    model.compile(SGD(0.02), "mse", metrics=["mae"])
    return model


def data(make: Any, shape: Shape | list[Shape], rows: int = 40) -> tuple[Any, Any]:
    if isinstance(shape, list):
        draw = np.random.default_rng(0)
        several = [draw.normal(size=(rows, *s)) for s in shape]
        return several, np.stack([x.reshape(rows, -1)[:, 0] for x in several[:2]], axis=1)
    x = np.random.default_rng(0).normal(size=(rows, *shape))
    if isinstance(layer := make(), Embedding):
        x = np.random.default_rng(0).integers(0, layer.input_dim, x.shape)
    if isinstance(layer, TokenAndPositionEmbedding):
        x = np.random.default_rng(0).integers(0, layer.vocabulary_size, x.shape)
    return x, np.stack([x.reshape(rows, -1).sum(axis=1), x.reshape(rows, -1)[:, 0]], axis=1)
