"""Denormal numbers, with which processors compute a hundred times more slowly, become 0; outside, nothing changes."""

from __future__ import annotations

import numpy as np

import thalweg
from thalweg import Input, Sequential
from thalweg.layers import Dense

LEAST = np.finfo(np.float32).tiny


def product(weight: float) -> thalweg.Sequential:
    """ŷ = weight · x."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False)])
    model.compile(thalweg.optimizers.SGD(0.0), "mse")
    model.set_weights([np.full((1, 1), weight, np.float32)])
    return model


def test_denormal_results_become_zero_in_every_way_into_the_machine():
    model, x = product(1e-20), np.full((4, 1), 1e-20, np.float32)
    y = np.zeros((4, 1), np.float32)
    assert not model.predict(x, verbose=0).any()
    assert not model.predict(x, batch_size=2, verbose=0).any()
    assert not model.predict_on_batch(x).any()
    assert not model.trace(x, y)["y_pred"].any()
    normal = model.predict(x * np.float32(1e5), verbose=0)  # the control
    assert np.all(normal >= LEAST)


def test_the_caller_keeps_denormal_numbers():
    model, x = product(1e-20), np.full((4, 1), 1e-20, np.float32)
    for run in (
        lambda: model.predict(x, verbose=0),
        lambda: model.fit(x, x, 2, 2, verbose=0),
        lambda: model.trace(x, x),
        lambda: model.profile(4, repeats=2),
    ):
        run()
        assert 0 < x[0, 0] * x[0, 0] < LEAST


def test_moments_of_a_weight_without_gradient_end_at_zero():
    """Without it, m would remain at some multiple of 1.4e-45 for ever, and every update would be slow."""
    model = Sequential([Input((2,)), Dense(1, use_bias=False)], seed=0)
    model.compile("adam", "mse")
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    model.fit(x, y, 4, 1, verbose=0)
    x[:, 1] = 0
    model.fit(x, y, 4, 1000, verbose=0)
    slots = np.abs(model.slots)
    assert np.any(slots == 0)
    assert np.all((slots == 0) | (slots >= LEAST))
