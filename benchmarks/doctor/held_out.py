"""Healthy trainings that no threshold of the doctor was chosen by: other data, networks, optimizers, and losses.

What counts as healthy is defined in `healthy`, and was before any of these trainings was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.doctor.healthy import MOST, SHARED, Data, standardised, table
from thalweg import Sequential, layers
from thalweg.callbacks import EarlyStopping
from thalweg.errors import DivergedError
from thalweg.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop
from thalweg.schedules import CosineDecay

Array = NDArray[Any]

SEEDS, FIRST = 12, 100
"""Trainings of each data set, and the first of their seeds: smaller ones were looked at when rules were mended."""
TABLES = ("adult", "bank_marketing", "bike_hour", "diamonds", "kc_house", "letter", "shuttle7", "wine_quality")
"""The tables of the shared folder that `healthy` leaves alone."""
ACTIVATIONS = ("relu", "silu", "softplus", "mish", "softsign", "tanh", "leaky_relu", "hard_tanh", "celu")
HIDDEN = ((8,), (100,), (256,), (24, 24), (48, 48, 48), (40, 20, 10), (32, 32, 32, 32))
INITIALIZERS = ("glorot_normal", "he_normal", "he_uniform", "lecun_uniform", "orthogonal")


def made() -> Iterator[Data]:
    """Rows of scikit-learn's generators that `healthy` leaves alone, or in other shapes."""
    from sklearn import datasets as toy

    yield standardised(toy.make_hastie_10_2(2000, random_state=5), 2, "table", "Hastie's ten", 5)
    rings = toy.make_gaussian_quantiles(n_samples=1500, n_features=5, n_classes=3, random_state=5)
    yield standardised(rings, 3, "table", "quantiles", 5)
    noisy = toy.make_classification(800, 20, n_informative=4, n_redundant=6, flip_y=0.15, random_state=6)
    yield standardised(noisy, 2, "table", "noisy labels", 6)
    five = toy.make_classification(2500, 16, n_informative=10, n_classes=5, class_sep=1.5, random_state=7)
    yield standardised(five, 5, "table", "five classes", 7)
    rare = toy.make_classification(2500, 8, n_informative=6, weights=[0.8, 0.15], n_classes=3, random_state=8)
    yield standardised(rare, 3, "table", "unequal classes", 8)
    yield standardised(
        toy.make_blobs(1500, 10, centers=8, cluster_std=6.0, random_state=9), 8, "table", "eight blobs", 9
    )
    yield standardised(spirals(), 3, "table", "spirals", 10)
    yield standardised(toy.make_friedman2(1200, noise=50.0, random_state=5), 0, "table", "friedman 2", 5)
    yield standardised(toy.make_friedman3(1200, noise=0.1, random_state=6), 0, "table", "friedman 3", 6)
    line = toy.make_regression(1000, 15, n_informative=8, noise=40.0, random_state=7)
    yield standardised(line, 0, "table", "linear", 7)
    sparse = toy.make_sparse_uncorrelated(600, 6, random_state=8)
    yield standardised(sparse, 0, "table", "sparse", 8)
    yield standardised(toy.make_swiss_roll(1200, noise=0.3, random_state=9), 0, "table", "Swiss roll", 9)
    yield standardised(toy.make_s_curve(400, noise=0.1, random_state=10), 0, "table", "S curve", 10)
    yield standardised(tones(), 4, "series", "tones", 11)
    yield standardised(runs(), 2, "series", "runs", 12)


def spirals(rows: int = 1200) -> tuple[Array, Array]:
    """Three arms of a spiral, with noise."""
    random = np.random.default_rng(10)
    y, t = random.integers(0, 3, rows), 0.5 + 3.5 * random.random(rows)
    angle = 1.6 * t + 2 * np.pi * y / 3 + 0.2 * random.normal(size=rows)
    return np.column_stack([t * np.cos(angle), t * np.sin(angle)]), y


def tones(rows: int = 1000, steps: int = 32) -> tuple[Array, Array]:
    """Waves of four frequencies, of any phase, in noise: (rows, steps, 1)."""
    random = np.random.default_rng(11)
    y, phase = random.integers(0, 4, rows), 2 * np.pi * random.random((rows, 1))
    wave = np.sin((0.25 + 0.2 * y[:, None]) * np.arange(steps) + phase) + 0.5 * random.normal(size=(rows, steps))
    return wave[:, :, None], y


def runs(rows: int = 1500, steps: int = 20) -> tuple[Array, Array]:
    """Whether the second half of a walk goes further than the first: (rows, steps, 2), with a column of noise."""
    random = np.random.default_rng(12)
    moves = random.normal(size=(rows, steps, 2))
    half = steps // 2
    return moves, (moves[:, half:, 0].sum(axis=1) > moves[:, :half, 0].sum(axis=1)).astype(int)


def pictures() -> Iterator[Data]:
    """Clothes of 28×28 pixels from the shared folder, as numbers from 0 to 1: all ten kinds, and three of them."""
    path = SHARED / "fashion_mnist.npz"
    if not path.exists():
        return
    with np.load(path) as file:
        x, y = file["X_train"][:10_000, ..., None] / 255, file["y_train"][:10_000].astype(int)
    yield standardised((x[:MOST], y[:MOST]), 10, "images", "fashion_mnist")
    few = np.flatnonzero(y < 3)[:1500]
    yield standardised((x[few], y[few]), 3, "images", "three clothes")


@cache
def everything() -> list[Data]:
    return [*made(), *(data for name in TABLES for data in table(name)), *pictures()]


def optimizer(number: int, steps: int) -> tuple[str, Any]:
    """A usual optimizer, in words too."""
    choices: list[tuple[str, Callable[[], Any]]] = [
        ("Nadam(0.002)", lambda: Nadam(0.002)), ("Adamax(0.005)", lambda: Adamax(0.005)),
        ("Adagrad(0.05)", lambda: Adagrad(0.05)), ("Lion(0.0005)", lambda: Lion(0.0005)),
        ("SGD(0.03, momentum 0.9, nesterov)", lambda: SGD(0.03, momentum=0.9, nesterov=True)),
        ("Adam(cosine from 0.005)", lambda: Adam(CosineDecay(0.005, steps))),
        ("AdamW(0.001, weight decay 0.01)", lambda: AdamW(0.001, weight_decay=0.01)),
        ("RMSprop(0.003)", lambda: RMSprop(0.003)), ("Adam(0.002, clipnorm 1)", lambda: Adam(0.002, clipnorm=1.0)),
    ]  # fmt: skip
    told, make = choices[number % len(choices)]
    return told, make()


def front(data: Data, random: np.random.Generator, activation: str) -> tuple[str, list[Any]]:
    """What comes before the dense layers: convolutions of images and series, or none."""
    kind = int(random.integers(3))
    if data.kind == "images" and kind:
        strides = [layers.Conv2D(12, 5, strides=2, activation=activation), layers.Flatten()]
        pooled = [
            layers.Conv2D(8, 3, padding="same", activation=activation), layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation=activation), layers.GlobalAveragePooling2D(),
        ]  # fmt: skip
        return ("strided convolution, ", strides) if kind == 1 else ("two convolutions, ", pooled)
    if data.kind == "series":
        narrow = layers.Conv1D(16, 5, activation=activation)
        fronts: list[tuple[str, list[Any]]] = [
            ("Conv1D, ", [narrow, layers.GlobalMaxPooling1D()]), ("", [layers.Flatten()]),
            ("two Conv1D, ", [narrow, layers.MaxPooling1D(), layers.Conv1D(16, 3, activation=activation),
                              layers.GlobalAveragePooling1D()]),
        ]  # fmt: skip
        return fronts[kind]
    return ("", [layers.Flatten()]) if data.kind == "images" else ("", [])


def train(data: Data, seed: int) -> tuple[str, Sequential]:
    """A sensible training drawn by the seed, in words, and the model after its recorded fit."""
    (x, y), validation, _ = data.parts
    seed += FIRST
    random = np.random.default_rng([seed, len(x), 17])
    activation = str(random.choice(ACTIVATIONS))
    hidden = HIDDEN[random.integers(len(HIDDEN) if data.kind == "table" else 4)]
    start, norm = str(random.choice(INITIALIZERS)), random.random() < 0.15
    dropout = float(random.choice([0.0, 0.0, 0.0, 0.3]))
    lead, stack = front(data, random, activation)
    for units in hidden:
        stack.append(layers.Dense(units, activation, kernel_initializer=start))
        if norm:
            stack.append(layers.LayerNormalization())
        if dropout:
            stack.append(layers.Dropout(dropout))
    loss: str = random.choice(["mean_squared_error", "huber", "mean_absolute_error"])
    if data.classes:
        many = data.classes > 2
        stack.append(layers.Dense(data.classes if many else 1, "softmax" if many else "sigmoid"))
        loss = "categorical_crossentropy" if many else "binary_crossentropy"
        if many:
            one_hot = np.eye(data.classes, dtype=np.float32)
            y, validation = one_hot[y], (validation[0], one_hot[validation[1]])
    else:
        stack.append(layers.Dense(1))
    batch = int(random.choice([8, 24, 100, 128]))
    steps = int(random.choice([500, 1200, 3000] if data.kind == "table" else [400, 900]))
    epochs = int(np.clip(steps * batch / len(x), 5, 150))
    told, chosen = optimizer(int(random.integers(100)), epochs * -(-len(x) // batch))
    stop = random.random() < 0.25
    model = Sequential([layers.Input(x.shape[1:]), *stack], seed=seed)
    model.compile(chosen, str(loss), metrics=["accuracy"] if data.classes else None)
    with suppress(DivergedError):  # its sentence is in the recording
        model.fit(
            x, y, batch_size=batch, epochs=epochs, lanes=1, verbose=0, validation_data=validation, record=True,
            callbacks=[EarlyStopping(patience=10, restore_best_weights=True)] if stop else [],
        )  # fmt: skip
    more = f"{', LayerNormalization' * norm}{f', dropout {dropout}' if dropout else ''}{', early stopping' * stop}"
    return f"{lead}{hidden} {activation}, {start}, {told}, {loss}, {epochs} epochs in batches of {batch}{more}", model
