"""The numbers of a sample: of vectors of weights, gradients and updates, of activations, and of equal units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from thalweg.recordings.recording import BINS, Array

MOST_COUNTED = 1 << 13
"""Values in a histogram: of more, evenly spaced ones are counted."""
SATURATED = 5.0
"""Pre-activations of at least this size are saturated."""
SAME = 1e-5
"""Weights that differ by less than this, relative to the greatest of the unit, are equal."""
LARGE = np.array([SATURATED])
NO_COUNTS = np.zeros(BINS, np.int64)


@dataclass(frozen=True, eq=False)
class Summary:
    """A vector in numbers: √Σv², mean |v|, and a histogram from the least to the greatest value that is finite."""

    norm: float
    mean_abs: float
    counts: Array
    low: float
    high: float


NOTHING = Summary(math.nan, math.nan, NO_COUNTS, math.nan, math.nan)
"""Of a vector that there isn't."""


def summary(values: Array, native: bool = False) -> Summary:
    """The summary of a vector; `native`: of contiguous float32, by compiled code, which takes a fifth of the time.

    >>> of = summary(np.array([3.0, -4.0]))
    >>> of.norm, of.mean_abs, of.low, of.high
    (5.0, 3.5, -4.0, 3.0)
    """
    if not values.size:
        return NOTHING
    if native:
        counts, result = np.zeros(BINS, np.int64), np.zeros(5)
        run("SUMMARISE", values, counts, result, ())
        squares, sizes, low, high, fine = result.tolist()
        if fine:
            return Summary(math.sqrt(squares), sizes / values.size, counts, low, high)
    return Summary(norm(values), mean_abs(values), *histogram(values))


def run(kernel: str, values: Array, counts: Array, result: Array, more: Sequence[int]) -> None:
    """Calls a kernel of `engine/native/runtime/vector_sums.py`."""
    step = -(-values.size // MOST_COUNTED)
    o = np.array(
        [*(values.ctypes.data, values.size, counts.ctypes.data, BINS, step, result.ctypes.data), *more], np.int64
    )
    compiled(kernel)(o.ctypes.data, LARGE.ctypes.data, counts.ctypes.data, result.ctypes.data)


@cache
def compiled(kernel: str) -> Callable[..., Any]:
    """A kernel, callable with four addresses; only here the compiler is loaded."""
    from thalweg.engine.native.compiler.compile import callable_of
    from thalweg.engine.native.kernels import table

    return callable_of(getattr(table, kernel))


def norm(values: Array) -> float:
    """√Σv². In float64 if the squares are too large or too small for the values' own type."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = float(np.dot(values, values))
        if not 1e-30 < squares < 1e30:
            squares = float(np.square(values, dtype=np.float64).sum())
    return math.sqrt(squares) if squares >= 0 else math.nan


def mean_abs(values: Array) -> float:
    """The mean of |v|."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.abs(values).sum(dtype=np.float64)) / values.size


def histogram(values: Array) -> tuple[Array, float, float]:
    """(counts, low, high) of 32 bins of equal width between the extremes; equal values are all in the first.

    Values that aren't finite are left out. Of more than 8,192, evenly spaced ones are counted.

    >>> counts, low, high = histogram(np.arange(64.0))
    >>> counts.tolist() == [2] * 32, low, high
    (True, 0.0, 63.0)
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        values = values[np.isfinite(values)]
        if not values.size:
            return NO_COUNTS, math.nan, math.nan
        low, high = float(values.min()), float(values.max())
    values = values[:: -(-values.size // MOST_COUNTED)]
    width = high - low
    scale = BINS / width if width > 0 and math.isfinite(BINS / width) else 0.0
    places = ((values.astype(np.float64) - low) * scale).astype(np.int64)
    np.minimum(places, BINS - 1, out=places)
    return np.bincount(places, minlength=BINS), low, high


@lru_cache(maxsize=64)
def mixture(size: int) -> Array:
    """Factors by which weights are mixed into one number."""
    return np.random.default_rng(0).normal(size=size)


def equal_units(W: Array, b: Array | None) -> float:
    """The share of units (columns of W, the last axis) that have a twin with the same weights and bias.

    >>> equal_units(np.array([[1.0, 1.0, 2.0], [0.5, 0.5, 2.0]]), None)
    0.6666666666666666
    """
    W = W.reshape(-1, W.shape[-1])
    rows, units = W.shape
    factors = mixture(rows + 1).astype(W.dtype)
    with np.errstate(all="ignore"):
        mixed = factors[:-1] @ W + (0 if b is None else factors[-1] * b)  # twins have neighbouring numbers
    if not np.isfinite(mixed).all():
        return math.nan
    order = np.argsort(mixed, kind="stable")
    near = np.diff(mixed[order]) <= 4 * SAME * np.abs(mixed).max()  # rounding errors of a sum grow no faster than it
    twins = np.zeros(units, bool)
    for k in np.flatnonzero(near):
        one, other = order[k : k + 2]
        columns = W[:, [one, other]] if b is None else np.vstack([W[:, [one, other]], b[[one, other]]])
        if np.abs(columns[:, 0] - columns[:, 1]).max() <= SAME * np.abs(columns).max():
            twins[[one, other]] = True
    return float(twins.mean())


@dataclass(frozen=True, eq=False)
class Activity:
    """What a layer's units did on some rows; see `Recording.statistics`."""

    mean: float
    std: float
    dead: float
    saturated: float
    counts: Array
    low: float
    high: float


NO_ACTIVITY = Activity(math.nan, math.nan, math.nan, math.nan, NO_COUNTS, math.nan, math.nan)


def activity(h: Array, a: Array, dies: bool, saturates: bool, native: bool = False) -> Activity:
    """The activity of a layer; `native`: of contiguous float32, by compiled code.

    Args:
        h: pre-activations (rows, …, units); a: what leaves the layer, of any shape.
        dies: whether the activation is 0 for all h ≤ 0; saturates: whether it is flat where |h| is large.
    """
    flat = a.reshape(-1)
    if native:
        counts, result, units = np.zeros(BINS, np.int64), np.zeros(7), h.shape[-1]
        greatest = np.zeros(units, np.float32)
        run("ACTIVITY", flat, counts, result, (h.ctypes.data, h.size, units, greatest.ctypes.data))
        sums, squares, low, high, fine, dead, saturated = result.tolist()
        if fine:
            mean = sums / flat.size
            std = math.sqrt(max(0.0, squares / flat.size - mean**2))
            rest = (dead / units if dies else math.nan, saturated / h.size if saturates else math.nan)
            return Activity(mean, std, *rest, counts, low, high)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(flat.mean(dtype=np.float64))
        std = float(flat.std(dtype=np.float64))
        dead = float((h.reshape(-1, h.shape[-1]).max(axis=0) <= 0).mean()) if dies else math.nan
        saturated = np.count_nonzero(np.abs(h) >= SATURATED) / h.size if saturates else math.nan
    return Activity(mean, std, dead, saturated, *histogram(flat))
