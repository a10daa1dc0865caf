"""Metrics of the estimators for tables: a weight counts a row so many times."""

import numpy as np
import pytest

from thalweg.tabular import scoring

RANDOM = np.random.default_rng(3)
TIMES = RANDOM.integers(0, 4, 60)
SHARES = RANDOM.dirichlet(np.ones(3), 60)
CLASSES = np.where(RANDOM.random(60) < 0.6, SHARES.argmax(axis=1), RANDOM.integers(0, 3, 60))
NUMBERS = RANDOM.normal(5, 2, 60)
GUESSES = NUMBERS + RANDOM.normal(0, 1, 60) * (1 + np.arange(60) / 20)
CASES = [(f, CLASSES, SHARES) for f in scoring.CLASS_METRICS.values()]
CASES += [(f, NUMBERS, GUESSES) for f in scoring.NUMBER_METRICS.values()]


@pytest.mark.parametrize(("metric", "y", "p"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_weight_counts_a_row_so_many_times(metric, y, p):
    weighted = metric(y, p, TIMES.astype(np.float64))
    assert weighted == pytest.approx(metric(np.repeat(y, TIMES), np.repeat(p, TIMES, axis=0), None), rel=1e-9)
    assert weighted != pytest.approx(metric(y, p, None), rel=1e-3)  # a case that can tell
