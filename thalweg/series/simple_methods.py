"""Forecasts to compare with: as last season, exponential smoothing, a linear model of the lags, LightGBM on them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.series.global_network import least_before
from thalweg.series.linear_start import linear_model, scaled_targets
from thalweg.series.origins import Strip

Array = NDArray[Any]

ROWS, TREES = 200_000, 200
"""Rows that LightGBM learns from, at most, and its trees."""


def last_season(values: Array, season: int, horizon: int) -> Array:
    """The last season again and again: (horizon,); of fewer values, all of them.

    >>> last_season(np.array([9.0, 1.0, 2.0]), 2, 3)
    array([1., 2., 1.])
    """
    season = min(season, len(values))
    return np.asarray(values[len(values) - season + np.arange(horizon) % season])


def simple_forecasts(strip: Strip, seed: int, boosted: bool = True) -> dict[str, Array]:
    """By name, the forecasts from the end of each line, (lines, horizon); LightGBM's where it is installed and wanted.

    All see what the networks see.
    """
    view, every = strip.view, np.arange(len(strip.lines))
    found = {
        "as last season": np.stack([last_season(line.filled, view.season, view.horizon) for line in strip.lines]),
        "smoothing": strip.limited(strip.base("smoothing", every, strip.sizes), every, strip.sizes),
        "linear model": linear_forecasts(strip, seed),
    }
    if boosted and find_spec("lightgbm") is not None:
        found["LightGBM"] = boosted_forecasts(strip, seed)
    return found


def linear_forecasts(strip: Strip, seed: int) -> Array:
    """By the linear model in which the networks begin."""
    weights, bias, _ = linear_model(strip, *strip.origins(least_before(strip.view)), seed)
    now, base, scale = strip.at(np.arange(len(strip.lines)), strip.sizes)
    return strip.limited(base + scale * (now @ weights + bias), np.arange(len(strip.lines)), strip.sizes)


def boosted_forecasts(strip: Strip, seed: int) -> Array:
    """LightGBM's trees for the absolute error, all steps by one model, which gets the step as an input."""
    import lightgbm

    horizon = strip.view.horizon
    lines, origins = strip.origins(least_before(strip.view))
    chosen = np.random.default_rng(seed).permutation(len(lines))[: max(1, ROWS // horizon)]
    x, y, _ = scaled_targets(strip, lines[chosen], origins[chosen])
    steps = np.arange(horizon, dtype=np.float64)
    rows = np.column_stack([np.repeat(x, horizon, axis=0), np.tile(steps, len(x))])
    model = lightgbm.LGBMRegressor(objective="l1", n_estimators=TREES, random_state=seed, n_jobs=1, verbosity=-1)
    model.fit(rows, y.ravel())
    now, base, scale = strip.at(np.arange(len(strip.lines)), strip.sizes)
    later = np.column_stack([np.repeat(now, horizon, axis=0), np.tile(steps, len(now))])
    said = np.asarray(model.booster_.predict(later), np.float64).reshape(len(now), horizon)
    return strip.limited(base + scale * said, np.arange(len(strip.lines)), strip.sizes)
