"""For each of the doctor's rules a training that provokes it, and its healthy twin, which differs in one thing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import Sequential, layers
from thalweg.errors import DivergedError
from thalweg.initializers import Constant, RandomNormal
from thalweg.optimizers import SGD, Adam

Array = NDArray[Any]
Rows = tuple[Array, Array]


@dataclass(frozen=True)
class Pair:
    """Two trainings.

    Attributes:
        rule: the name of the rule that the first one provokes.
        provoked, twin: the difference between them, in a few words.
        train: trains one of them (True: the first) and returns the model.
    """

    rule: str
    provoked: str
    twin: str
    train: Callable[[bool], Sequential]


def moons(rows: int = 400, noise: float = 0.15, seed: int = 0) -> Rows:
    """Two half circles; classes (rows, 1)."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 2, rows)
    angle = np.pi * random.random(rows)
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    x[kind == 1] = [1.0, 0.5] - x[kind == 1]
    x = (x + noise * random.normal(size=x.shape) - [0.5, 0.25]) * [1.2, 2.0]
    return x.astype(np.float32), kind[:, None].astype(np.float32)


def circles(rows: int = 400, seed: int = 0) -> Rows:
    """A ring around a disc; classes (rows, 1)."""
    random = np.random.default_rng(seed)
    kind, angle = random.integers(0, 2, rows), 2 * np.pi * random.random(rows)
    radius = np.where(kind == 1, 0.5, 1.4) + 0.12 * random.normal(size=rows)
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return x.astype(np.float32), kind[:, None].astype(np.float32)


def four_corners(rows: int = 400, seed: int = 0) -> Rows:
    """The exclusive or of the signs of two numbers; classes (rows, 1)."""
    random = np.random.default_rng(seed)
    x = random.choice([-1.0, 1.0], (rows, 2)) + 0.25 * random.normal(size=(rows, 2))
    return x.astype(np.float32), (x[:, :1] * x[:, 1:] > 0).astype(np.float32)


def waves(rows: int = 400, columns: int = 4, noise: float = 0.1, seed: int = 0) -> Rows:
    """A smooth function of some numbers, (rows, 1), of mean about 0 and deviation about 1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns))
    y = x[:, 0] + np.sin(2 * x[:, -1]) + 0.5 * x[:, columns // 2] * x[:, 0] + noise * random.normal(size=rows)
    return x.astype(np.float32), (y[:, None] / 1.4).astype(np.float32)


def dense(*hidden: int, activation: Any = "relu", out: str = "sigmoid", seed: int = 1, **arguments: Any) -> Sequential:
    """A chain of dense layers with one output; the arguments are those of the hidden layers."""
    stack = [layers.Dense(units, activation, **arguments) for units in hidden]
    return Sequential([*stack, layers.Dense(1, out)], seed=seed)


def trained(
    model: Sequential, data: Rows, optimizer: Any, epochs: int, loss: str | None = None, **arguments: Any
) -> Sequential:
    """The model after a fit that is recorded, even if it ends in a DivergedError."""
    x, y = data
    classes = set(np.unique(y)) <= {0.0, 1.0}
    loss = loss or ("binary_crossentropy" if classes else "mean_squared_error")
    model.compile(optimizer, loss, metrics=["accuracy"] if classes else None)
    arguments = {"validation_split": 0.25, "batch_size": 32, "lanes": 1} | arguments
    with suppress(DivergedError):  # its sentence is in the recording
        model.fit(x, y, epochs=epochs, verbose=0, record=True, **arguments)
    return model


def steep(provoked: bool) -> Sequential:
    return trained(dense(16, 16, out="linear"), waves(), SGD(1e4 if provoked else 0.02), 60)


def far_off(provoked: bool) -> Sequential:
    x, y = waves()
    return trained(dense(16, out="linear"), (x, y + 50 if provoked else y), Adam(0.01), 40)


def growing(provoked: bool) -> Sequential:
    x, _ = waves()
    model = Sequential([layers.Dense(1, kernel_initializer="zeros")], seed=1)
    return trained(model, (x, x.mean(axis=1, keepdims=True)), SGD(1.1 if provoked else 0.1), 40, batch_size=300)


def too_high(provoked: bool) -> Sequential:
    return trained(dense(16, 16), moons(), Adam(3.0 if provoked else 0.01), 60)


def too_low(provoked: bool) -> Sequential:
    return trained(dense(16, 16), moons(), Adam(1e-7 if provoked else 0.01), 40)


def swinging(provoked: bool) -> Sequential:
    x, _ = waves(columns=1)
    model = Sequential([layers.Dense(1, kernel_initializer="zeros")], seed=1)
    return trained(model, (x, x), SGD(1.4 if provoked else 0.1, clipnorm=1.0), 60, batch_size=300)


def stuck(provoked: bool) -> Sequential:
    model = dense(2, activation="tanh", seed=2 if provoked else 1)
    return trained(model, four_corners(), SGD(0.5), 300, batch_size=300)


def dead(provoked: bool) -> Sequential:
    bias = Constant(-20.0 if provoked else 0.0)
    return trained(dense(16, 16, bias_initializer=bias), moons(), SGD(0.1, momentum=0.9), 40)


def saturated(provoked: bool) -> Sequential:
    start = RandomNormal(stddev=100.0 if provoked else 0.5)
    return trained(dense(4, 4, activation="tanh", kernel_initializer=start), circles(), SGD(0.1, momentum=0.9), 60)


def vanishing(provoked: bool) -> Sequential:
    return trained(dense(*[16] * (8 if provoked else 1), activation="sigmoid"), moons(), SGD(0.5, momentum=0.9), 100)


def exploding(provoked: bool) -> Sequential:
    start = RandomNormal(stddev=(3.0 if provoked else 1.4) / np.sqrt(24))
    model = dense(*[24] * 12, kernel_initializer=start)
    return trained(model, circles(), SGD(0.001 if provoked else 0.01), 60)


def equal(provoked: bool) -> Sequential:
    return trained(dense(16, kernel_initializer="zeros" if provoked else "glorot_uniform"), circles(), Adam(0.01), 100)


def by_heart(provoked: bool) -> Sequential:
    x, y = moons(120 if provoked else 2000, noise=0.5)
    return trained(dense(64, 64), (x, y), Adam(0.01), 150 if provoked else 30)


def few(provoked: bool) -> Sequential:
    return trained(dense(16), moons(40 if provoked else 400), Adam(0.01), 40)


def one_answer(provoked: bool) -> Sequential:
    x, y = circles(1500)
    keep = (y[:, 0] == 0) | (np.arange(len(y)) % 9 == 0)
    return trained(dense(16, activation="linear" if provoked else "relu"), (x[keep], y[keep]), Adam(0.01), 40)


def overlooked(provoked: bool) -> Sequential:
    random = np.random.default_rng(0)
    y = (random.random(4000) < (0.04 if provoked else 0.5)).astype(np.float32)[:, None]
    x = random.normal(size=(4000, 4)).astype(np.float32) + 0.9 * y * np.array([1, 1, 0, 0], np.float32)
    return trained(dense(16), (x, y), Adam(0.003), 15)


def unscaled(provoked: bool) -> Sequential:
    x, y = circles()
    return trained(dense(16), (x * 100 if provoked else x, y), SGD(0.1), 60)


def leaking(provoked: bool) -> Sequential:
    x, y = moons(600, noise=0.45)
    told = (y if provoked else 0 * y) + 0.05 * np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
    return trained(dense(16), (np.hstack([x, told]), y), Adam(0.01), 60)


def shared(provoked: bool) -> Sequential:
    x, y = moons(400, noise=0.4)
    train, held = np.arange(200), np.arange(200, 400)
    if provoked:
        held[:120] = train[:120]
    return trained(
        dense(64, 64), (x[train], y[train]), Adam(0.01), 60, validation_data=(x[held], y[held]), validation_split=0.0
    )


def unfitting(provoked: bool) -> Sequential:
    return trained(dense(16, out="relu" if provoked else "linear"), waves(), Adam(0.01), 60)


def too_short(provoked: bool) -> Sequential:
    return trained(dense(16), circles(), Adam(0.003), 25 if provoked else 200)


def linear(provoked: bool) -> Sequential:
    return trained(dense(16, activation="linear" if provoked else "relu"), circles(), Adam(0.01), 60)


PAIRS = [
    Pair("not finite", "SGD(1e4) on a smooth function", "SGD(0.02)", steep),
    Pair("bad start", "a target of mean 50 and deviation 1", "of mean 0", far_off),
    Pair("diverging", "a linear unit, SGD(1.1) with all rows", "SGD(0.1)", growing),
    Pair("learning rate too high", "Adam(3) on two moons", "Adam(0.01)", too_high),
    Pair("learning rate too low", "Adam(1e-7) on two moons", "Adam(0.01)", too_low),
    Pair("oscillation", "a linear unit, SGD(1.4, clipnorm=1) with all rows", "SGD(0.1, clipnorm=1)", swinging),
    Pair("stalled", "two units on four corners (XOR), in a local valley", "another seed", stuck),
    Pair("dead units", "two moons; biases of −20 under relu", "biases of 0", dead),
    Pair("saturated units", "a ring; weights of deviation 100 under tanh", "of deviation 0.5", saturated),
    Pair("vanishing gradients", "eight layers of sigmoid on two moons", "one layer", vanishing),
    Pair("exploding gradients", "12 layers of relu, weights of deviation 3/√24", "1.4/√24", exploding),
    Pair("symmetry", "a ring; initial weights of 0", "glorot_uniform", equal),
    Pair("overfitting", "90 noisy rows, 64 + 64 units, 150 epochs", "1,500 rows, 30 epochs", by_heart),
    Pair("too few rows", "two moons of 30 rows, 10 to validate by", "of 300, and 100", few),
    Pair("answers the majority", "a ring nine times its disc; units without activation", "relu", one_answer),
    Pair("imbalance", "a class with 4 % of the rows, overlapping", "with 50 %", overlooked),
    Pair("unscaled inputs", "a ring times 100, SGD(0.1)", "of radius 1", unscaled),
    Pair("leaking column", "noisy moons and a column that is the target", "a column of noise", leaking),
    Pair("shared rows", "noisy moons; 60 % of the validation rows are trained on", "none", shared),
    Pair("loss that doesn't fit", "targets on both sides of 0, relu at the end", "linear", unfitting),
    Pair("still falling", "a ring, 25 epochs", "200 epochs", too_short),
    Pair("no better than a linear model", "a ring; hidden units without activation", "relu", linear),
]  # fmt: skip
