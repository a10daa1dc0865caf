"""Random networks of every kind of instruction: layers and operations between values that are read again and again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg import Input, Model, layers, ops
from thalweg.activations import custom, formula
from thalweg.initializers import RandomNormal

Block = Callable[[Any, np.random.Generator], Any]  # a value → another one
INPUTS = {"vector": (6,), "sequence": (5, 4), "image": (6, 6, 3), "ids": (6,)}
STEPS = (9, 15)  # blocks of a network
ACTIVATIONS = ("tanh", "relu", "silu", "softplus", "softmax", "log_softmax", "sparsemax")
EDGES = [-1.0, -0.3, 0.2, 0.9]


def layer(make: Callable[[], layers.Layer]) -> Block:
    return lambda value, draw: make()(value)


def one(function: Callable[[Any], Any]) -> Block:
    return lambda value, draw: function(value)


def encoded(value: Any, draw: np.random.Generator) -> Any:
    """Codes of columns, some of them without any."""
    edges = [EDGES if draw.random() < 0.7 else [] for _ in range(value.shape[-1] - 1)]
    return layers.PiecewiseLinearEncoding([EDGES, *edges], steps=bool(draw.integers(2)))(value)


class Sorted(layers.Layer):
    """The elements along the last axis in their order."""

    def forward(self, program: Any, x: Any) -> Any:
        return program.sort(x)


class Noisy(layers.Layer):
    """Random numbers are added: normal ones, and of another kind."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, program: Any, x: Any) -> Any:
        x = program.add(x, program.random("normal", x.shape, 5, 0.3, 0.6))
        return program.add(x, program.random(self.kind, x.shape, 6, 0.3, 0.6))


def cube(x: float) -> float:
    return x * x * x / (1 + x * x)


def slope_of_cube(x: float) -> float:
    return (3 * x * x + x * x * x * x) / (1 + x * x) ** 2


def normal() -> RandomNormal:
    return RandomNormal(stddev=0.5)


def same(kind: type[layers.Layer], **options: Any) -> Block:
    return layer(lambda: kind(**options))


ANY: list[Block] = [  # of values of any shape
    *(same(layers.Activation, activation=name) for name in ACTIVATIONS),
    layer(lambda: layers.Activation(formula("max(x, 0) + a * min(x, 0)", parameters={"a": 0.25}))),
    layer(lambda: layers.Activation(custom("cube", cube, slope_of_cube))),
    same(layers.PReLU),
    same(layers.Dropout, rate=0.3),
    same(layers.GaussianNoise, stddev=0.2),
    same(layers.GaussianDropout, rate=0.2),
    same(layers.AlphaDropout, rate=0.2),
    same(layers.BatchNormalization),
    lambda value, draw: layers.ReLU()(layers.BatchNormalization()(value)),
    same(layers.LayerNormalization),
    same(layers.RMSNormalization),
    same(layers.Dense, units=4, activation="relu"),
    same(layers.Dense, units=4, kernel_regularizer="l2", kernel_constraint="max_norm"),
    same(layers.Dense, units=3, activation="sigmoid", activity_regularizer="l1"),
    same(layers.Dense, units=4, kernel_regularizer="orthogonal_regularizer"),
    same(layers.Rescaling, scale=1.7, offset=-0.2),
    same(layers.ElementwiseScale),
    one(lambda v: ops.exp(ops.negative(ops.square(v)))),
    one(lambda v: ops.multiply(ops.sin(v), ops.stop_gradient(ops.sigmoid(v)))),
    one(lambda v: ops.cumsum(ops.tanh(v), axis=-1)),
    one(lambda v: ops.cumprod(ops.tanh(v), axis=-1)),
    lambda value, draw: Sorted()(value),
    one(lambda v: ops.add(v, ops.mean(v, axis=-1, keepdims=True))),
    one(lambda v: ops.subtract(v, ops.max(ops.tanh(v), axis=-1, keepdims=True))),
    one(lambda v: ops.multiply(ops.one_hot(ops.argmax(v, axis=-1), 3)[..., :1], ops.sin(v))),
    one(lambda v: ops.where(ops.greater(v, 0.1), ops.square(v), ops.sin(v))),
    one(lambda v: ops.take(v, [0, -1, 0], axis=-1)),
    one(lambda v: ops.concatenate([v, ops.flip(v, axis=-1)], axis=-1)),
    one(lambda v: v[..., ::2]),
    one(lambda v: ops.pad(v, [[0, 0]] * (len(v.shape) - 1) + [[1, 2]])),
]
OF_RANK: dict[int, list[Block]] = {
    1: [
        lambda value, draw: layers.PiecewiseLinearEncoding([EDGES] * value.shape[-1], steps=bool(draw.integers(2)))(
            value
        ),
        lambda value, draw: layers.Activation("glu")(layers.Dense(6)(value)),
        lambda value, draw: Noisy(pick(draw, ("uniform", "bernoulli")))(value),
        layer(lambda: layers.PeriodicEmbedding(3, 2)),
        layer(lambda: layers.Dense(6, "tanh")),
        lambda value, draw: layers.Dense(4)(layers.Dropout(0.3)(value)),
        one(lambda v: ops.matmul(ops.expand_dims(v, 2), ops.expand_dims(ops.tanh(v), 1))),
        one(lambda v: ops.prod(ops.sigmoid(v), axis=-1, keepdims=True)),
        one(lambda v: ops.logsumexp(v, axis=-1, keepdims=True)),
    ],
    2: [
        same(layers.Conv1D, filters=3, kernel_size=2, padding="same"),
        same(layers.AveragePooling1D, pool_size=2, padding="same"),
        same(layers.MaxPooling1D, pool_size=2, padding="same"),
        same(layers.GlobalAveragePooling1D),
        same(layers.UpSampling1D, size=2),
        layer(lambda: layers.Permute((2, 1))),
        one(lambda v: ops.matmul(ops.softmax(ops.matmul(v, ops.transpose(v, (0, 2, 1)))), v)),
    ],
    3: [
        same(layers.Conv2D, filters=4, kernel_size=3, padding="same", activation="relu"),
        same(layers.Conv2D, filters=3, kernel_size=2, strides=2, padding="same", use_bias=False),
        same(layers.Conv2DTranspose, filters=3, kernel_size=3, padding="same"),
        same(layers.DepthwiseConv2D, kernel_size=2, padding="same"),
        same(layers.GroupNormalization, groups=1),
        same(layers.SpatialDropout2D, rate=0.3),
        same(layers.MaxPooling2D, pool_size=2, padding="same"),
        lambda value, draw: layers.MaxPooling2D(2, padding="same")(layers.ReLU()(value)),
        same(layers.AveragePooling2D, pool_size=2, padding="same"),
        same(layers.UpSampling2D, size=2),
        same(layers.ZeroPadding2D, padding=1),
        same(layers.Resizing, height=4, width=5),
        same(layers.GlobalAveragePooling2D),
        same(layers.GlobalMaxPooling2D),
        same(layers.Flatten),
    ],
}
FIRST: dict[str, list[Block]] = {  # before anything has weights: they have no derivatives
    "image": [
        same(layers.RandomFlip, seed=1),
        same(layers.RandomRotation, factor=0.1, seed=1),
        same(layers.RandomContrast, factor=0.3, seed=1),
        same(layers.RandomBrightness, factor=0.2, value_range=(-2, 2), seed=1),
        same(layers.RandomErasing, factor=0.5, value_range=(-2, 2), seed=1),
        same(layers.RandomCrop, height=5, width=6, seed=1),
    ],
    "vector": [lambda value, draw: encoded(value, draw)],
    "ids": [layer(lambda: layers.Embedding(9, 4, normal())), layer(lambda: layers.Embedding(9, 3, normal()))],
}
PAIRS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: layers.Add()([a, b]),
    ops.multiply,
    ops.maximum,
    ops.subtract,
    lambda a, b: layers.Concatenate()([a, b]),
]
OUTPUTS: list[tuple[str | None, str]] = [
    (None, "mse"), ("sigmoid", "mse"), ("tanh", "mae"), ("sigmoid", "binary_crossentropy"),
    ("softmax", "categorical_crossentropy"), ("softplus", "poisson"), ("tanh", "cosine_similarity"), (None, "huber"),
    ("softmax", "categorical_focal_crossentropy"), ("sigmoid", "binary_focal_crossentropy"), ("sigmoid", "dice"),
    ("sigmoid", "tversky"), (None, "categorical_hinge"), ("softmax", "kl_divergence"), ("softmax", "mse"),
]  # fmt: skip


def random_network(seed: int, **options: Any) -> tuple[Model, list[str]]:
    """A network and the losses of its outputs."""
    draw = np.random.default_rng(seed)
    kind = str(draw.choice(list(INPUTS)))
    x = Input(INPUTS[kind])
    values = [x] if kind != "ids" else []
    values += [pick(draw, FIRST[kind])(x, draw)] if kind in FIRST else []
    for _ in range(draw.integers(*STEPS)):
        value = values[-1 - min(int(draw.geometric(0.5)) - 1, len(values) - 1)]  # recent ones, again and again
        mates = [v for v in values if v.shape == value.shape and v is not value]
        if mates and draw.random() < 0.4:
            values.append(pick(draw, PAIRS)(value, pick(draw, mates)))
        else:
            bounded = ops.tanh(value) if draw.random() < 0.3 else value
            values.append(pick(draw, ANY + OF_RANK[len(value.shape) - 1])(bounded, draw))
    flat = [layers.Flatten()(v) for v in values[-4:]]
    whole = layers.Dense(5, "tanh")(layers.Concatenate()(flat))
    ends = [OUTPUTS[i] for i in draw.integers(0, len(OUTPUTS), 1 + seed % 2)]
    outputs = [layers.Dense(3, activation)(whole) for activation, _ in ends]
    if seed % 10 == 9:  # the same value twice
        outputs, ends = [*outputs, outputs[0]], [*ends, ends[0]]
    return Model(x, outputs, seed=seed, **options), [loss for _, loss in ends]


def pick(draw: np.random.Generator, of: Sequence[Any]) -> Any:
    return of[int(draw.integers(len(of)))]
