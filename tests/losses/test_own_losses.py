"""Losses of one's own, functions in `thalweg.ops`, are the built-in ones that they say in other words."""

import numpy as np
import pytest

from thalweg import Sequential, losses, ops
from thalweg.layers import Dense, Input
from thalweg.optimizers import SGD

X = np.random.default_rng(0).normal(size=(30, 4))
Y = np.random.default_rng(1).normal(size=(30, 2))
W = np.arange(30) % 4 / 2


def squared(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def test_on_arrays():
    assert losses.FunctionLoss(squared)(Y, X[:, :2]) == pytest.approx(losses.get("mse")(Y, X[:, :2]))


@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_in_training(reduction, engine, weights):
    ends = []
    for kind in (losses.FunctionLoss(squared, reduction=reduction), losses.MeanSquaredError(reduction=reduction)):
        model = Sequential([Input((4,)), Dense(2)], seed=1, engine=engine)
        model.compile(SGD(0.01), kind)
        history = model.fit(X, Y, batch_size=8, epochs=2, sample_weight=weights, verbose=0).history["loss"]
        ends.append((history, *model.get_weights()))
    for own, built_in in zip(*ends, strict=True):
        np.testing.assert_allclose(own, built_in, rtol=1e-4, atol=1e-5)
