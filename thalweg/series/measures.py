"""How good forecasts are: MASE, sMAPE, the pinball loss of quantiles, and how often an interval holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["coverage", "mase", "pinball", "smape"]


def mase(y_true: ArrayLike, y_pred: ArrayLike, history: ArrayLike, season: int = 1) -> float:
    """mean |y − ŷ| / mean |h_t − h_{t−season}|, h the values before the forecast: 1 is as "as last season" was there.

    NaN in y and h is passed over. Infinite for a history that repeats exactly, NaN for one not longer than a season.
    (Hyndman and Koehler, International Journal of Forecasting, 2006)

    >>> mase([5.0, 7.0], [4.0, 8.0], [1.0, 3.0, 5.0, 3.0])
    0.5
    """
    values = np.asarray(history, np.float64)
    steps = np.abs(values[season:] - values[:-season])
    steps = steps[~np.isnan(steps)]
    if not len(steps):
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.asarray(y_true, np.float64) - np.asarray(y_pred, np.float64)
        return float(np.nanmean(np.abs(error)) / np.mean(steps))


def smape(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """mean 200·|y − ŷ|/(|y| + |ŷ|), in percent from 0 to 200; 0 where both are 0. NaN in y is passed over.

    (Makridakis, International Journal of Forecasting, 1993, as in the M4 competition)

    >>> smape([1.0, 0.0], [3.0, 0.0])
    50.0
    """
    y, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    size = np.abs(y) + np.abs(p)
    return float(np.nanmean(200 * np.abs(y - p) / np.where(size == 0, 1, size)))


def pinball(y_true: ArrayLike, y_pred: ArrayLike, quantiles: Sequence[float]) -> float:
    """mean over quantiles q of max(q·e, (q − 1)·e), e = y − ŷ_q; y_pred: (…, quantiles). NaN in y is passed over.

    `losses.Quantile` is the same of one q, as a loss. (Koenker and Bassett, Econometrica, 1978)

    >>> round(pinball([1.0], [[0.0, 1.0, 3.0]], [0.1, 0.5, 0.9]), 12)
    0.1
    """
    q = np.asarray(quantiles, np.float64)
    error = np.asarray(y_true, np.float64)[..., None] - np.asarray(y_pred, np.float64)
    return float(np.nanmean(np.maximum(q * error, (q - 1) * error)))


def coverage(y_true: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """The share of values within an interval; NaN in y is passed over.

    >>> coverage([1.0, 2.0, 3.0, np.nan], 0.0, 2.5)
    0.6666666666666666
    """
    y = np.asarray(y_true, np.float64)
    known = ~np.isnan(y)
    inside = (y >= np.asarray(low)) & (y <= np.asarray(high))
    return float(inside[known].mean())
