"""LSUV: every pre-activation of a deep network starts with variance 1, whatever the activation."""

import numpy as np
import pytest

from thalweg import Sequential, lsuv
from thalweg.errors import ArgumentError
from thalweg.layers import Activation, Dense, Flatten, Input
from thalweg.models.inspection import forward_values

X = np.random.default_rng(0).normal(3.0, 5.0, size=(300, 12)).astype(np.float32)


def deep(activation="relu", **options):
    hidden = [Dense(20, activation, **options) for _ in range(6)]
    return Sequential([Input((12,)), *hidden, Dense(4, "softmax")], seed=1)


def variances(model, x):
    """Of every pre-activation, from the instructions that multiply."""
    return [float(h.var()) for i, h in forward_values(model._compiled, x) if i.name == "affine"]


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu"])
def test_every_pre_activation_has_variance_1(activation):
    model = deep(activation, bias_initializer="ones")
    model.build()
    before = variances(model, X)
    assert max(abs(v - 1) for v in before) > 0.5  # the control: not without it
    found = lsuv(model, X)
    assert list(found) == [f"dense{n}/W" for n in ("", "_1", "_2", "_3", "_4", "_5", "_6")]
    np.testing.assert_allclose(variances(model, X), list(found.values()), rtol=1e-5)
    np.testing.assert_allclose(list(found.values()), 1, atol=0.01)
    W = model.get_weights()[2]
    np.testing.assert_allclose(W.T @ W / (W.T @ W)[0, 0], np.eye(20), atol=1e-5)  # orthogonal up to its factor
    assert (model.get_weights()[1] == 1).all()


def test_a_loose_tolerance_is_kept_and_one_division_may_do():
    model = deep()
    assert all(abs(v - 1) < 0.3 for v in lsuv(model, X, tolerance=0.3, max_iterations=1).values())


def test_seed_and_engine():
    one, two, other = deep(), deep(), deep()
    lsuv(one, X)
    lsuv(two, X)
    lsuv(other, X, seed=9)
    assert (one.vector == two.vector).all()
    assert (one.vector != other.vector).any()
    exact = Sequential([Input((12,)), Dense(5, "tanh"), Dense(2)], seed=1, engine="reference", dtype="float64")
    assert all(abs(v - 1) < 1e-12 for v in lsuv(exact, X, tolerance=1e-12).values())


def test_a_model_without_an_input_layer_is_built():
    model = Sequential([Flatten(), Dense(3)], seed=0)
    assert list(lsuv(model, X.reshape(300, 3, 4))) == ["dense/W"]


def test_what_can_not_be_scaled_is_refused_and_nothing_is_changed():
    model = deep()
    weights = model.get_weights()
    for x in (np.zeros((9, 12)), X):
        if x is X:
            model = Sequential([Input((12,)), Activation("relu")])
        with pytest.raises(ArgumentError, match=r"variance 0 on these rows|needs a layer with a kernel"):
            lsuv(model, x)
    assert all((a == b).all() for a, b in zip(deep().get_weights(), weights, strict=True))
