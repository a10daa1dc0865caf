"""The layers that draw random numbers draw as they say: mean, variance, and what is dropped."""

import numpy as np
import pytest

from thalweg import layers

X = np.full((4000, 3, 3, 4), 2.0)
RATE = 0.2


def called(layer):
    return np.asarray(layer(X, training=True), np.float64)


@pytest.mark.parametrize(
    ("layer", "deviation"),
    [
        (layers.GaussianNoise(0.5, seed=1), 0.5),
        (layers.GaussianDropout(RATE, seed=1), 2 * np.sqrt(RATE / (1 - RATE))),
        (layers.Dropout(RATE, seed=1), 2 * np.sqrt(RATE / (1 - RATE))),
        (layers.SpatialDropout2D(RATE, seed=1), 2 * np.sqrt(RATE / (1 - RATE))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_mean_stays_and_the_deviation_is_as_written(layer, deviation):
    a = called(layer)
    assert abs(a.mean() - 2) < 0.05
    assert abs(a.std() / deviation - 1) < 0.05
    assert np.array_equal(layer(X), X.astype(np.float32))  # outside of training nothing happens


@pytest.mark.parametrize("layer", [layers.Dropout(RATE, seed=1), layers.SpatialDropout2D(RATE, seed=1)])
def test_dropped_elements_are_0_and_the_others_larger(layer):
    a = called(layer)
    assert set(np.unique(a.round(5)).tolist()) == {0.0, 2.5}
    whole_channels = (a == a[:, :1, :1]).all()
    assert whole_channels == isinstance(layer, layers.SpatialDropout2D)


def test_alpha_dropout_keeps_mean_and_variance():
    z = np.random.default_rng(0).normal(size=(4000, 30))
    a = np.asarray(layers.AlphaDropout(RATE, seed=1)(z, training=True), np.float64)
    assert abs(a.mean()) < 0.02
    assert abs(a.var() - 1) < 0.02
