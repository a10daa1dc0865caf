"""The season of series: the period after which their values are alike, found in their autocorrelation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.series.panel import Panel

Array = NDArray[Any]

LEAST, UNKNOWN = 0.2, 0.3
"""Autocorrelations that make a season: of the calendar, and of any other length."""
REPEATED = 0.07
"""An autocorrelation of the steps that makes a season, if it comes again at two and three times the lag."""
SURE = 4.0
"""It has to be so many times what it would be by chance, 1/√values."""
NEARLY = 0.8
"""A shorter period is taken if its autocorrelation is so large a share of the largest."""
LONGEST, SERIES, CYCLES = 1000, 50, 3
"""Steps of the longest season that is looked for; how many series are looked at; how often it has to be there."""


@dataclass(frozen=True)
class Season:
    """The period, in steps; 1 without a season.

    Attributes:
        short: the shortest. long: a multiple of it after which values are more alike yet, such as a week of hours; or
            the same.
    """

    short: int
    long: int


def season_of(panel: Panel) -> Season:
    """The season of a panel: the first high peak of the autocorrelation, of those of the calendar if one is high.

    r(k) = mean of z_t·z_{t+k}/mean of z², z: the values without what a straight line, or a slow course, explains
    """
    lines = sorted(panel.lines, key=len, reverse=True)[:SERIES]
    longest = int(np.median([len(line) for line in lines])) // CYCLES
    lags = min(LONGEST, longest)
    if lags < 2:
        return Season(1, 1)
    sizes = [line.filled for line in lines if len(line) >= CYCLES * 2]
    r = np.mean([autocorrelation(values, lags) for values in sizes], axis=0)
    calendar = [k for k in panel.cadence.seasons if k <= lags]
    chance = SURE / np.sqrt(sum(map(len, sizes)))
    high = [k for k in calendar if r[k] >= max(LEAST, chance) and r[k] >= r[k - 1 : k + 2].max() - 0.02]
    found = peaks(r, max(UNKNOWN, chance))
    short = high[0] if high else first_peak(r, found)
    if short == 1:
        short = repeated_peak(
            np.mean([autocorrelation(np.diff(v), lags) for v in sizes], axis=0), max(REPEATED, chance)
        )
    better = [k for k in calendar if k > short > 1 and k % short == 0 and r[k] > r[short] + 0.02]
    return Season(short, better[0] if better else short)


def autocorrelation(values: Array, lags: int) -> Array:
    """r(0), …, r(lags) of a series, by its spectrum; 0 beyond its length, and of one that is constant."""
    n = len(values)
    t = np.linspace(-1, 1, n)
    z = values - np.polynomial.Polynomial.fit(t, values, min(3, n - 1))(t)
    spread = float(z @ z)
    if spread <= 1e-12 * max(1e-300, float(values @ values)):
        return np.zeros(lags + 1)
    size = 1 << (2 * n - 1).bit_length()
    products = np.fft.irfft(np.abs(np.fft.rfft(z, size)) ** 2, size)[: lags + 1]
    counts = n - np.arange(len(products))
    found = np.where(counts > 0, products / np.maximum(counts, 1) * n / spread, 0.0)
    return np.concatenate([found, np.zeros(lags + 1 - len(found))])


def peaks(r: Array, least: float) -> list[int]:
    """The lags, from 2 on, that are higher than both neighbours and high enough, beyond where r has first been low."""
    low = np.flatnonzero(r < least)
    start = max(2, int(low[0]) if len(low) else len(r))
    return [k for k in range(start, len(r) - 1) if r[k] >= least and r[k] > r[k - 1] and r[k] >= r[k + 1]]


def first_peak(r: Array, found: Sequence[int]) -> int:
    """The first peak that is nearly as high as the highest; 1 if there is none."""
    highest = max((r[k] for k in found), default=0.0)
    return next((k for k in found if r[k] >= NEARLY * highest), 1)


def repeated_peak(r: Array, least: float) -> int:
    """The first lag that is a peak with another at two and at three times the lag; 1 if there is none.

    Of the steps from value to value: a season of series that wander shows there alone.
    """
    found = peaks(r, least)
    return next(
        (k for k in found if 3 * k + 1 < len(r) and all(r[m * k - 1 : m * k + 2].max() >= least for m in (2, 3))), 1
    )
