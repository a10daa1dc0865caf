"""Exponential smoothing: level, trend and season of each series, which go along with its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = tuple[Array, Array, Array]

LEVELS, SEASONS = (0.05, 0.1, 0.2, 0.4, 0.7, 0.95), (0.02, 0.1, 0.3)
TRENDS = ((0.0, 0.0), *product((0.01, 0.05, 0.2), (0.9, 0.98, 1.0)))
"""What α and γ may be, and β with φ: the first of these is no trend."""
GRID = np.array([(a, b, d, c) for a, c, (b, d) in product(LEVELS, SEASONS, TRENDS)])
AT_ONCE = 20_000
"""Numbers that are computed side by side: about as many as the caches hold."""
LATEST = 20_000
"""Values of a series that are smoothed, at most."""
LEARNED = 1 / 3
"""Of the values, the share whose errors don't count: the beginning is a guess."""
FIRST = 5
"""Without a season, the trend at the beginning is that over so many steps."""


class Smoothing:
    """Lines smoothed: the state of each after each of its values, and what it says of the next ones.

    e_t = y_t − (l_{t−1} + φ·b_{t−1} + s_{t−m})
    l_t = l_{t−1} + φ·b_{t−1} + α·e_t,  b_t = φ·b_{t−1} + α·β·e_t,  s_t = s_{t−m} + γ·(1 − α)·e_t
    ŷ_{t+h} = l_t + (φ + … + φ^h)·b_t + s_{t+h−m·⌈h/m⌉}

    α, β, φ and γ of a line are those of a grid with the least mean |e|. A line of less than two seasons has no season.
    (Winters, Management Science, 1960; the damped trend: Gardner and McKenzie, Management Science, 1985)

    Args:
        lines: the values of each, without gaps. season: the period, 1 for none.
        until: how many values of each line the parameters are chosen by; by default all.
    """

    def __init__(self, lines: Sequence[Array], season: int, until: Array | None = None) -> None:
        sizes = np.array([len(line) for line in lines])
        self.skipped = np.maximum(0, sizes - LATEST)
        lines, sizes = [line[-LATEST:] for line in lines], sizes - self.skipped
        until = sizes if until is None else np.maximum(until - self.skipped, 1)
        self.m = np.where(sizes >= 2 * season, season, 1)
        self.damping = np.zeros(len(lines))
        self.begins = np.concatenate([[0], np.cumsum(sizes + self.m)[:-1]]) + self.m
        total = int((sizes + self.m).sum())
        self.level, self.trend, self.offsets = np.zeros(total), np.zeros(total), np.zeros(total)
        for m in np.unique(self.m):
            own = np.flatnonzero(self.m == m)
            own = own[np.argsort(sizes[own], kind="stable")]
            grid = GRID if m > 1 else GRID[GRID[:, 3] == SEASONS[0]]
            many = max(1, AT_ONCE // len(grid))
            for place in range(0, len(own), many):
                part = own[place : place + many]
                self._smooth([lines[k] for k in part], part, int(m), grid, until[part])

    def _smooth(self, lines: Sequence[Array], part: Array, m: int, grid: Array, until: Array) -> None:
        """Keeps the states of lines of about one length."""
        sizes = np.array([len(line) for line in lines])
        values = np.zeros((int(sizes.max()), len(lines)))
        for k, line in enumerate(lines):
            values[: len(line), k] = line
            values[len(line) :, k] = line[-1]
        first = beginning(values, m, sizes)
        counts = np.arange(len(values))[:, None] >= np.minimum((until * LEARNED).astype(np.int64), until - 1)
        counts &= np.arange(len(values))[:, None] < until
        parameters = grid.T[:, None, :]
        costs = np.zeros((len(lines), len(grid)))
        for t, (error, _) in enumerate(steps(values[:, :, None], m, tuple(s[..., None] for s in first), parameters)):
            costs += np.abs(error) * counts[t][:, None]
        best = grid[np.argmin(costs, axis=1)]
        self.damping[part] = best[:, 2]
        states = np.array([state for _, state in steps(values, m, first, best.T)])
        for k, line in enumerate(part):
            begin, end = self.begins[line], self.begins[line] + sizes[k]
            self.level[begin:end], self.trend[begin:end], self.offsets[begin:end] = states[: sizes[k], :, k].T
            self.offsets[begin - m : begin] = first[2][:, k]

    def forecast(self, lines: Array, origins: Array, horizon: int) -> Array:
        """What comes after the first `origins` values of lines: (windows, horizon)."""
        m = self.m[lines][:, None]
        last = (self.begins[lines] + origins - self.skipped[lines] - 1)[:, None]
        steps = np.arange(1, horizon + 1)
        ahead = np.cumsum(self.damping[lines][:, None] ** steps, axis=1)
        return np.asarray(self.level[last] + ahead * self.trend[last] + self.offsets[last - m + 1 + (steps - 1) % m])


def beginning(values: Array, m: int, sizes: Array) -> State:
    """Level (lines,), trend (lines,) and seasonal offsets (season, lines) before the first of values (steps, lines).

    Of a line with a season and a straight trend, and nothing else, they are exact.
    """
    if m == 1:
        apart = np.minimum(FIRST, sizes - 1)
        trend = (values[apart, np.arange(len(sizes))] - values[0]) / np.maximum(apart, 1)
        return values[0] - trend, trend, np.zeros((1, len(sizes)))
    first, second = values[:m], values[m : 2 * m]
    trend = (second.mean(axis=0) - first.mean(axis=0)) / m
    course = trend * (np.arange(m)[:, None] - (m - 1) / 2)
    offsets = (first - first.mean(axis=0) + second - second.mean(axis=0)) / 2 - course
    return first.mean(axis=0) - trend * (m + 1) / 2, trend, offsets


def steps(values: Array, m: int, first: tuple[Array, ...], parameters: Array) -> Iterator[tuple[Array, State]]:
    """Step by step, the error of what was said of each value, and the state after it: level, trend, offset.

    `parameters`: α, β, φ, γ, of shapes that go with the values of a step.
    """
    alpha, beta, phi, gamma = parameters
    shape = np.broadcast_shapes(alpha.shape, values.shape[1:])
    level = np.broadcast_to(first[0], shape)
    trend = np.broadcast_to(first[1], shape)
    trend, level = np.where(phi > 0, trend, 0.0), np.where(phi > 0, level, level + trend)
    seasonal = np.array(np.broadcast_to(first[2], (m, *shape)))
    of_trend, of_season = alpha * beta, gamma * (1 - alpha) * (m > 1)
    for t, value in enumerate(values):
        trend = trend * phi
        level = level + trend
        offset = seasonal[t % m]
        error = value - level - offset
        level = level + alpha * error
        trend = trend + of_trend * error
        offset += of_season * error
        yield error, (level, trend, offset.copy())
