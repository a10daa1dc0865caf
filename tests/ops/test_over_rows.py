"""Means and sums over the rows of a batch, in a loss: what may be done with them, and that it is right."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers, ops
from thalweg.errors import ArgumentError, ThalwegError

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
M = X.mean(axis=0, dtype=np.float64)
FACTORS = np.array([1.0, -2.0, 3.0])


class Own(layers.Layer):
    """Adds what a function computes to the loss."""

    def __init__(self, term):
        super().__init__()
        self.term = term

    def call(self, x):
        self.add_loss(self.term(x))
        return x


def added(term, drawn=False):
    """What the term adds to the loss of a network that predicts 0."""
    zeros = layers.Dense(1, kernel_initializer="zeros")
    if drawn:
        x = Input((3,))
        model = Model(x, zeros(Own(term)(x)))
    else:
        model = Sequential([Input((3,)), Own(term), zeros])
    model.compile("sgd", "mse")
    return model.evaluate(X, np.zeros(24), batch_size=10, verbose=0)


LINEAR = {
    "a stack": (lambda x: ops.sum(ops.stack([ops.mean(x), 2 * ops.mean(x)])), 3 * M.mean()),
    "a stack by its last axis": (lambda x: ops.mean(ops.stack([ops.mean(x), 3 * ops.mean(x)], axis=-1)), 2 * M.mean()),
    "a mean over axis 0": (lambda x: ops.sum(ops.mean(x, axis=0)), M.sum()),
    "factors": (lambda x: ops.sum(ops.mean(x, axis=0) * FACTORS), (M * FACTORS).sum()),
    "parts": (lambda x: ops.mean(FACTORS - ops.mean(x, axis=0) / 2), (FACTORS - M / 2).mean()),
    "joined": (lambda x: ops.sum(ops.concatenate([ops.mean(x, axis=0), 3 * ops.mean(x, 0)])), 4 * M.sum()),
}  # fmt: skip


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_linear_functions_of_means_are_right(name, drawn):
    term, expected = LINEAR[name]
    assert added(term, drawn) == pytest.approx(expected, rel=1e-5)


REFUSED = {
    "a quotient of two": lambda x: ops.mean(x) / ops.mean(ops.abs(x)),
    "a product of two": lambda x: ops.mean(x) * ops.mean(x),
    "a square": lambda x: ops.square(ops.mean(x)),
    "rows less their mean": lambda x: x - ops.mean(x, axis=0),
    "a sum and a mean": lambda x: ops.sum(ops.stack([ops.mean(x), ops.sum(x)])),
    "a sum and a number": lambda x: ops.sum(x) + 1,
    "numbers that need more axes": lambda x: ops.sum(ops.mean(x) * FACTORS),
    "other shapes": lambda x: ops.mean(x) + ops.mean(x, axis=0),
    "an axis that isn't there": lambda x: ops.sum(ops.mean(x, axis=0), axis=1),
    "a stack with a number": lambda x: ops.sum(ops.stack([ops.mean(x), 1.0])),
    "several numbers": lambda x: ops.mean(x, axis=0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_the_mean_itself_is_refused(name):
    with pytest.raises((ThalwegError, ArgumentError), match="over the rows"):
        added(REFUSED[name])
