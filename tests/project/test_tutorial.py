"""The tutorial's loops, written in plain NumPy as it writes them: the engine gives the same weights.

    del_w += error_term * x                     over the rows of an epoch
    weights += learnrate * del_w / len(x)       once an epoch

In thalweg's words: one sigmoid unit without bias, ½ the sum of squared errors, gradient descent on all rows at once.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from thalweg import Sequential
from thalweg.layers import Dense, Input
from thalweg.losses import SumSquaredError
from thalweg.optimizers import SGD

LEARN_RATE = 0.5
RANDOM = np.random.default_rng(3)
FEATURES = RANDOM.normal(size=(40, 5))
ENGINES = {"reference": ({"engine": "reference", "dtype": "float64"}, 1e-12), "native": ({}, 1e-5)}
ENGINE = pytest.mark.parametrize(("options", "tolerance"), ENGINES.values(), ids=ENGINES)
EPOCHS = pytest.mark.parametrize("epochs", [1, 10, 1000])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_prime(x):
    return sigmoid(x) * (1 - sigmoid(x))


def one_unit(features, targets, weights, epochs):
    """The tutorial's loop over rows for one output unit."""
    for _ in range(epochs):
        del_w = np.zeros(weights.shape)
        for x, y in zip(features, targets, strict=True):
            h = np.dot(x, weights)
            y_predict = sigmoid(h)
            error = y - y_predict
            error_term = error * sigmoid_prime(h)
            del_w += error_term * x
        weights = weights + LEARN_RATE * del_w / len(features)
    return weights


def several_units(features, targets, weights, epochs):
    """The same for several output units: every unit has its own error term."""
    for _ in range(epochs):
        del_w = np.zeros(weights.shape)
        for x, y in zip(features, targets, strict=True):
            h = np.dot(x, weights)
            error_term = (y - sigmoid(h)) * sigmoid_prime(h)
            del_w += np.outer(x, error_term)
        weights = weights + LEARN_RATE * del_w / len(features)
    return weights


def trained(weights, targets, epochs, features=FEATURES, **options):
    model = Sequential([Input((5,)), Dense(weights.shape[1], "sigmoid", use_bias=False)], **options)
    model.compile(SGD(LEARN_RATE), SumSquaredError(half=True))
    model.set_weights([weights])
    model.fit(features, targets, batch_size=len(features), epochs=epochs, verbose=0)
    return model.get_weights()[0]


def exact(values):
    """Rounded to float32: both engines start from the same numbers."""
    return np.float32(values).astype(np.float64)


def close(got, want, tolerance):
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@ENGINE
@EPOCHS
def test_many_rows_and_one_unit(options, tolerance, epochs):
    start = exact(RANDOM.normal(scale=0.5, size=(5, 1)))
    targets = (FEATURES @ [1.0, -2.0, 0.5, 0.0, 1.5] > 0).astype(float)
    want = one_unit(FEATURES, targets, start[:, 0], epochs)
    close(trained(start, targets, epochs, **options)[:, 0], want, tolerance)
    assert abs(want - start[:, 0]).max() > 1e-3  # it has learnt something


@ENGINE
@EPOCHS
def test_many_rows_and_several_units(options, tolerance, epochs):
    start = exact(RANDOM.normal(scale=0.5, size=(5, 3)))
    targets = np.eye(3)[np.digitize(FEATURES[:, 0], [-0.5, 0.5])]
    want = several_units(FEATURES, targets, start, epochs)
    close(trained(start, targets, epochs, **options), want, tolerance)
    assert abs(want - start).max() > 1e-3


@ENGINE
@EPOCHS
def test_one_row_and_one_unit(options, tolerance, epochs):
    """The tutorial's first example, step after step: w += learn_rate · error_term · x."""
    x, y = exact([1.0, 2.0, -0.5, 0.25, -1.0]), 0.8
    start = exact(RANDOM.normal(scale=0.5, size=(5, 1)))
    w = start[:, 0].copy()
    for _ in range(epochs):
        h = np.dot(x, w)
        error = y - sigmoid(h)
        error_term = error * sigmoid_prime(h)
        delta_w = LEARN_RATE * error_term * x
        w += delta_w
    close(trained(start, [y], epochs, x[None], **options)[:, 0], w, tolerance)


@ENGINE
def test_shuffling_changes_nothing_where_the_batch_is_all_rows(options, tolerance):
    start = exact(RANDOM.normal(scale=0.5, size=(5, 1)))
    targets = RANDOM.uniform(size=40)
    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], **options)
    model.compile(SGD(LEARN_RATE), SumSquaredError(half=True))
    for shuffle in (True, False):
        model.set_weights([start])
        model.fit(FEATURES, targets, batch_size=40, epochs=10, shuffle=shuffle, verbose=0)
        close(model.get_weights()[0][:, 0], one_unit(FEATURES, targets, start[:, 0], 10), tolerance)


@ENGINE
def test_mean_over_rows_and_sum_over_rows_differ_by_their_number(options, tolerance):
    """With reduction="sum" a learning rate of learnrate / rows gives the tutorial's step."""
    start = exact(RANDOM.normal(scale=0.5, size=(5, 1)))
    targets = RANDOM.uniform(size=40)
    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], **options)
    model.compile(SGD(LEARN_RATE / 40), SumSquaredError(half=True, reduction="sum"))
    model.set_weights([start])
    model.fit(FEATURES, targets, batch_size=40, epochs=10, verbose=0)
    close(model.get_weights()[0][:, 0], one_unit(FEATURES, targets, start[:, 0], 10), tolerance)


@ENGINE
def test_every_number_of_the_first_step_can_be_seen(options, tolerance):
    """h, y_predict, the error term and the gradient, by the names in the listing."""
    start = exact(RANDOM.normal(scale=0.5, size=(5, 1)))
    targets = RANDOM.uniform(size=40)
    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], **options)
    model.compile(SGD(LEARN_RATE), SumSquaredError(half=True))
    model.set_weights([start])
    values = model.trace(FEATURES, targets)
    h = FEATURES @ start[:, 0]
    error_term = (targets - sigmoid(h)) * sigmoid_prime(h)
    close(values["h"].ravel(), h, tolerance)
    close(values["y_pred"].ravel(), sigmoid(h), tolerance)
    close(values["dh"].ravel() * 40, -error_term, tolerance)
    close(values["dW"].ravel() * 40, -FEATURES.T @ error_term, tolerance)
    close(values["w"].ravel()[:5], start[:, 0] + LEARN_RATE * FEATURES.T @ error_term / 40, tolerance)
    assert np.array_equal(model.get_weights()[0], start.astype(model.dtype))  # the weights stay as they were


ROW = re.compile(r"^\| `(\w+)` \| `([^`]+)` \|$", re.MULTILINE)


@pytest.mark.parametrize("name", ["docs/tour.md", "docs/tour.zh.md"])
def test_the_tours_table_of_both_names(name):
    """Each line: the tutorial's name, and what is equal to it, written with the names of the listing."""
    rows = ROW.findall((Path(__file__).parents[2] / name).read_text(encoding="utf-8"))
    x, y, w = exact([1.0, 2.0, -0.5, 0.25, -1.0]), 0.8, exact([0.1, 0.3, -0.2, 0.4, 0.2])
    hand = {"h": np.dot(x, w)}
    hand["y_predict"] = sigmoid(hand["h"])
    hand["error"] = y - hand["y_predict"]
    hand["error_term"] = hand["error"] * sigmoid_prime(hand["h"])
    hand["delta_w"] = LEARN_RATE * hand["error_term"] * x
    assert [name for name, _ in rows] == list(hand)

    model = Sequential([Input((5,)), Dense(1, "sigmoid", use_bias=False)], engine="reference", dtype="float64")
    model.compile(SGD(LEARN_RATE), SumSquaredError(half=True))
    model.set_weights([w[:, None]])
    values = model.trace(x[None], [y]) | {"learning_rate": LEARN_RATE}
    listing = str(model.program(batch_size=1))
    for name, formula in rows:
        close(np.ravel(eval(formula, {}, values)), np.ravel(hand[name]), 1e-12)
        assert re.search(rf"\b{re.findall(r'[A-Za-z_]+', formula)[-1]}\b", listing)

    many = model.trace(np.stack([x, x]), [y, y])
    close(many["dh"].ravel() * 2, [-hand["error_term"]] * 2, 1e-12)  # of several rows, divided by their number
