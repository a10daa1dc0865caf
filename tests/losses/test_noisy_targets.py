"""Targets with noise: cross-entropies compute their equation a little beyond 0 to 1, as Keras does."""

import numpy as np
import pytest

from thalweg import Sequential, layers, losses
from thalweg.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
BITS = (X[:, :1] > 0) + RNG.uniform(-0.2, 0.2, (40, 1))
SHARES = np.eye(3)[np.arange(40) % 3] * 1.2 + RNG.uniform(-0.1, 0.1, (40, 3))  # their sum isn't 1


def binary(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


def categorical(y, p):
    return -(y * np.log(p)).sum(axis=-1).mean()


CASES = {
    "binary_crossentropy": (BITS, layers.Dense(1, "sigmoid"), binary),
    "categorical_crossentropy": (SHARES, layers.Dense(3, "softmax"), categorical),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("loss", CASES)
def test_the_equation_holds_beyond_0_to_1(loss, engine):
    y, layer, equation = CASES[loss]
    assert y.min() < -0.05
    assert y.max() > 1.05
    model = Sequential([layers.Input((3,)), type(layer).from_config(layer.get_config())], seed=0, engine=engine)
    model.compile("sgd", loss)
    p = model.predict(X, verbose=0).astype(np.float64)
    assert model.evaluate(X, y, verbose=0) == pytest.approx(equation(y, p), rel=1e-5)
    assert losses.get(loss)(y, p) == pytest.approx(equation(y, p), rel=1e-6)
    model.fit(X, y, epochs=1, batch_size=40, verbose=0)
    gradient = (p - y) if loss == "binary_crossentropy" else p * y.sum(axis=-1, keepdims=True) - y
    assert model.get_weights()[1] == pytest.approx(-0.01 * gradient.mean(axis=0), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("value", [2.0, -1.0, 5.0, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy"])
def test_class_numbers_and_standardised_targets_are_refused(loss, value):
    with pytest.raises(DataError, match=r"between 0 and 1, give or take less than 1, got \[0.0, .*\] in row 1"):
        losses.get(loss)([[1.0, 0.0], [0.0, value]], [[0.5, 0.5], [0.5, 0.5]])


def test_the_focal_loss_takes_probabilities_only():
    with pytest.raises(DataError, match=r"between 0 and 1, got \[1.1\] in row 0"):
        losses.BinaryFocalCrossentropy()([[1.1]], [[0.5]])
    assert losses.BinaryFocalCrossentropy()([[1.0], [0.0]], [[0.5], [0.5]]) == pytest.approx(0.25 * np.log(2))
