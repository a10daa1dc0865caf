"""The numbers of vectors and layers: compiled code against NumPy, and both at their limits."""

import numpy as np
import pytest

from thalweg.recordings.datafacts import twins
from thalweg.recordings.measuring import MOST_COUNTED, activity, equal_units, histogram, summary


@pytest.mark.parametrize("size", [1, 2, 31, 1000, MOST_COUNTED + 1, 3 * MOST_COUNTED])
def test_compiled_summaries_equal_numpys(size):
    values = np.random.default_rng(size).normal(0.1, 2, size).astype(np.float32)
    ours, numpys = summary(values, native=True), summary(values)
    np.testing.assert_allclose([ours.norm, ours.mean_abs], [numpys.norm, numpys.mean_abs], 1e-5)
    np.testing.assert_allclose(numpys.norm, np.linalg.norm(values.astype(float)), 1e-5)
    assert (ours.low, ours.high) == (numpys.low, numpys.high) == (values.min(), values.max())
    assert ours.counts.sum() == numpys.counts.sum() == len(values[:: -(-size // MOST_COUNTED)])
    assert abs(ours.counts - numpys.counts).sum() <= 2  # at the edge of a bin


@pytest.mark.parametrize(
    "values", [[0.0, 0.0], [-0.0, 0.0], [2.5], [-1e-40, 1e-40], [3e38, -3e38], [-1, -2, -3], [1e-30, 2e-30]]
)
def test_compiled_summaries_of_odd_values(values):
    values = np.array(values, np.float32)
    ours, numpys = summary(values, native=True), summary(values)
    assert ours.counts.tolist() == numpys.counts.tolist()
    assert (ours.low, ours.high) == (numpys.low, numpys.high)
    np.testing.assert_allclose([ours.norm, ours.mean_abs], [numpys.norm, numpys.mean_abs], 1e-5)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_left_out_of_histograms(native, bad):
    of = summary(np.array([1, bad, 3, 2], np.float32), native)
    assert (of.low, of.high, of.counts.sum()) == (1, 3, 3)
    assert not np.isfinite(of.norm)
    none = summary(np.full(3, bad, np.float32), native)
    assert np.isnan([none.low, none.high]).all()
    assert none.counts.sum() == 0


def test_the_histogram_is_numpys():
    values = np.random.default_rng(0).normal(size=5000)
    counts, low, high = histogram(values)
    assert counts.tolist() == np.histogram(values, 32, (low, high))[0].tolist()


@pytest.mark.parametrize("native", [False, True])
def test_dead_and_saturated_units(native):
    h = np.full((3, 2, 4), 1, np.float32)  # rows, positions, units
    h[..., 1] = -1
    h[..., 2] = 0
    h[..., 3] = -6
    h[2, 1, 3] = 0.5  # alive in one place
    of = activity(h, np.maximum(h, 0), True, True, native)
    assert of.dead == 0.5
    assert of.saturated == 5 / 24
    np.testing.assert_allclose([of.mean, of.std], [np.maximum(h, 0).mean(), np.maximum(h, 0).std()], 1e-6)
    assert (of.low, of.high, of.counts.sum()) == (0, 1, 24)
    other = activity(h, h, False, False, native)
    assert np.isnan([other.dead, other.saturated]).all()


def test_units_are_equal_only_if_all_weights_and_the_bias_are():
    draw = np.random.default_rng(0)
    W, b = draw.normal(size=(3, 3, 2, 8)), draw.normal(size=8)
    assert equal_units(W, b) == 0
    W[..., 5] = W[..., 2]
    assert equal_units(W, b) == 0
    b[5] = b[2]
    assert equal_units(W, b) == 0.25
    W[..., 5] *= 1 + 1e-7  # rounding
    assert equal_units(W, b) == 0.25
    W[0, 0, 0, 5] += 0.01
    assert equal_units(W, b) == 0
    assert equal_units(np.zeros((4, 3)), None) == 1
    assert equal_units(np.zeros((4, 1)), None) == 0
    assert np.isnan(equal_units(np.array([[np.nan, 1.0]]), None))


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_twins_are_those_found_row_by_row(kind):
    draw = np.random.default_rng(0)
    x = draw.integers(0, 3, (300, 3)).astype(kind)
    held = draw.integers(0, 4, (60, 3)).astype(kind)
    expected = sum(any((row == other).all() for other in x) for row in held)
    assert 0 < expected < 60
    assert twins(x, held) == {"equal": expected, "looked_at": 60}
    assert twins(x, held + 100)["equal"] == 0


def test_zero_and_minus_zero_are_twins():
    assert twins(np.array([[0.0, 1.0]]), np.array([[-0.0, 1.0], [0.0, -1.0]])) == {"equal": 1, "looked_at": 2}


def test_minus_0_is_the_same_number():
    assert twins(np.array([[0.0, 1.0]]), np.array([[-0.0, 1.0]])) == {"equal": 1, "looked_at": 1}
