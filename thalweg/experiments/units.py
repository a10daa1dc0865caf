"""Hidden units that do nothing: dead ones and saturated ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import layers
from thalweg.models.sequential import Sequential

FLAT = 0.01  # a unit is saturated if its slope is below this part of the steepest one …
MOSTLY = 0.95  # … on this share of the rows


def look_at_units(model: Sequential, x: NDArray[Any]) -> tuple[float, float]:
    """The shares of dead and of saturated units among the hidden ones, on these rows.

    Dead: the output is the same on every row. Saturated, and not dead: a small change of the pre-activation changes
    the output by less than 1% of the 99th percentile of the layer's slopes, on 95% of rows. An activation over whole
    rows, such as softmax, has no slope of its own: then saturation is unknown.
    """
    dead, saturated, units = 0, 0.0, 0
    a = np.asarray(x, np.float64)
    for layer in model.inside[:-1]:
        assert isinstance(layer, layers.Dense)
        W, b = (np.asarray(w, np.float64) for w in layer.get_weights()[:2])
        h = a @ W + b
        a = np.asarray(layer.activation(h))
        silent = np.ptp(a, axis=0) <= 1e-6 * (1 + np.abs(a).max(axis=0))
        dead += int(silent.sum())
        units += a.shape[1]
        one = np.asarray(layer.activation(h[:, :1])) if a.shape == h.shape else a[:, :0]
        if one.shape == (len(a), 1) and np.allclose(one, a[:, :1], equal_nan=True):
            step = 1e-3
            slope = np.abs(np.asarray(layer.activation(h + step)) - np.asarray(layer.activation(h - step)))
            steep = float(np.quantile(slope, 0.99))  # not the maximum, which is a spike at a jump
            flat = (slope <= FLAT * max(steep, 1e-30)).mean(axis=0) >= MOSTLY
            saturated += int((flat & ~silent).sum())
        else:
            saturated = math.nan
    return (dead / units, saturated / units) if units else (math.nan, math.nan)
