"""Windows of series: what a network sees at an origin, and what it has to say of the steps after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.series.cadence import Cadence
from thalweg.series.measures import coverage, mase, pinball, smape
from thalweg.series.panel import Line, Panel
from thalweg.series.smoothing import Smoothing

Array = NDArray[Any]
Base = Literal["last season", "last value", "smoothing"]

FAR = 15.0
"""Inputs lie within so many scales."""
MOST_KNOWN = 2000
"""Inputs of columns known in advance: of more, those of the lags are left out."""


@dataclass(frozen=True)
class View:
    """What networks see, the same for all series.

    x = clip((y_{o−lags} … y_{o−1} − level)/scale), extremes so far, sizes, the calendar at o, known columns around o
    target_h = (y_{o+h} − base_h)/scale,  base_h = a simple forecast

    level: the mean of the last season. scale: mean |y_t − y_{t−season}| of the series.

    Attributes:
        lags, horizon, season: in steps. known: how many columns are known in advance.
        base: the simple forecast that is the base.
        floor: whether forecasts stay within what the series has shown: 2 above its least value, 1 above 0 if all are,
            0 for no limit.
    """

    lags: int
    horizon: int
    season: int
    cadence: Cadence
    known: int = 0
    base: Base = "last season"
    floor: int = 0

    @property
    def bases(self) -> tuple[Base, ...]:
        """The simple forecasts that there are."""
        return (
            ("last season", "last value", "smoothing") if 1 < self.season <= self.lags else ("last value", "smoothing")
        )

    @property
    def back(self) -> int:
        """Before the origin, so many steps of known columns are seen."""
        back = min(self.lags, max(self.season, self.horizon))
        return back if self.known * (back + self.horizon) <= MOST_KNOWN else 0

    @property
    def size(self) -> int:
        """The number of inputs."""
        calendar: int = self.cadence.calendar(np.zeros(1, "datetime64[us]")).shape[1]
        return self.lags + 5 + calendar + self.known * (self.back + self.horizon)


class Strip:
    """All lines of a panel one behind the other, each with room for a window before it and after it.

    Attributes:
        begins: (lines,) where a line's first value is. sizes: (lines,) how many it has. scales: (lines,).
    """

    def __init__(self, panel: Panel, view: View, scales: Array | None = None) -> None:
        self.view, self.lines = view, panel.lines
        self.sizes = np.array([len(line) for line in self.lines])
        rooms = view.lags + self.sizes + view.horizon + 1
        self.begins = np.concatenate([[0], np.cumsum(rooms)[:-1]]) + view.lags
        self.scales = scales_of(self.lines, view.season) if scales is None else scales
        self.judged = 0
        self._smoothing: Smoothing | None = None
        total = int(rooms.sum())
        self.values = np.zeros(total)
        self.seen = np.zeros(total, bool)
        self.low, self.high = np.zeros(total), np.zeros(total)
        self.known = np.zeros((total, view.known), np.float32)
        self.calendar = np.zeros((total, view.cadence.calendar(np.zeros(1, "datetime64[us]")).shape[1]), np.float32)
        for line, begin, size in zip(self.lines, self.begins, self.sizes, strict=True):
            end = begin + size
            self.values[begin - view.lags : begin] = line.filled[0]
            self.values[begin:end] = line.filled
            self.seen[begin:end] = ~np.isnan(line.values)
            self.low[begin] = self.high[begin] = line.filled[0]
            self.low[begin + 1 : end + 1] = np.minimum.accumulate(line.filled)
            self.high[begin + 1 : end + 1] = np.maximum.accumulate(line.filled)
            if self.calendar.shape[1]:
                stamps = view.cadence.stamps(line.first, np.arange(size + 1), line.day)
                self.calendar[begin : end + 1] = view.cadence.calendar(stamps)
            if line.known is not None:
                most = min(len(line.known), size + view.horizon)
                self.known[begin : begin + most] = line.known[:most]

    def origins(self, least: int, held: int = 0) -> tuple[Array, Array]:
        """Line numbers and origins of all windows with `least` values before them and `horizon` known after them, the
        last of a line ending `held` steps before it does."""
        lasts = self.sizes - self.view.horizon - held
        counts = np.maximum(0, lasts - least + 1)
        lines = np.repeat(np.arange(len(counts)), counts)
        return lines, np.arange(len(lines)) - np.repeat(np.cumsum(counts) - counts, counts) + least

    def at(self, lines: Array, origins: Array) -> tuple[Array, Array, Array]:
        """Inputs float32 (windows, size), the base (windows, horizon) and the scale (windows, 1)."""
        view, places = self.view, self.begins[lines] + origins
        lags = self.values[places[:, None] + np.arange(-view.lags, 0)]
        scale = self.scales[lines][:, None]
        level = lags[:, -min(view.season, view.lags) :].mean(axis=1, keepdims=True)
        spread = np.abs(np.diff(lags, axis=1)).sum(axis=1, keepdims=True) / max(1, view.lags - 1)
        parts = [
            clipped((lags - level) / scale),
            clipped((self.low[places][:, None] - level) / scale),
            clipped((self.high[places][:, None] - level) / scale),
            np.log1p(spread / scale),
            np.log1p(np.abs(level) / scale) / 3,
            np.minimum(1.0, origins / view.lags)[:, None],
            self.calendar[places],
        ]
        if view.known:
            around = self.known[places[:, None] + np.arange(-view.back, view.horizon)]
            parts.append(around.reshape(len(places), -1))
        return np.concatenate(parts, axis=1, dtype=np.float32), self.base(view.base, lines, origins), scale

    def base(self, base: Base, lines: Array, origins: Array) -> Array:
        """A simple forecast: (windows, horizon)."""
        season, horizon = self.view.season if base == "last season" else 1, self.view.horizon
        if base == "smoothing":
            return self.smoothing.forecast(lines, origins, horizon)
        places = (self.begins[lines] + origins)[:, None]
        return np.asarray(self.values[places - season + np.arange(horizon) % season])

    @property
    def smoothing(self) -> Smoothing:
        """The lines smoothed, by parameters that `judged` steps at the end of each had no part in."""
        if self._smoothing is None:
            filled = [line.filled for line in self.lines]
            self._smoothing = Smoothing(filled, self.view.season, self.sizes - self.judged)
        return self._smoothing

    def judge(self, steps: int) -> None:
        """From now on, so many steps at the end of each line judge what has been found without them."""
        self.judged, self._smoothing = steps, None

    def targets(self, lines: Array, origins: Array) -> tuple[Array, Array]:
        """The values after the origins (windows, horizon), gaps filled, and which of them are known."""
        after = (self.begins[lines] + origins)[:, None] + np.arange(self.view.horizon)
        return self.values[after], self.seen[after]

    def limited(self, values: Array, lines: Array, origins: Array) -> Array:
        """Forecasts, (windows, …), no lower than `floor` has it."""
        if not self.view.floor:
            return values
        low = self.low[self.begins[lines] + origins]
        least = low if self.view.floor == 2 else np.where(low >= 0, 0.0, -np.inf)
        return np.maximum(values, least.reshape(-1, *[1] * (values.ndim - 1)))


def clipped(x: Array) -> Array:
    """Within ±FAR."""
    return np.clip(x, -FAR, FAR)


def scales_of(lines: Sequence[Line], season: int) -> Array:
    """The scale of each series, (lines,): the mean of |y_t − y_{t−season}|.

    Where that is 0 or the series is shorter, the mean difference of neighbours, or the spread; 1 of a constant.
    """
    return np.array([scale_of(line.filled, season) for line in lines])


def scale_of(values: Array, season: int) -> float:
    """The scale of a series; see `scales_of`."""
    tiny = 1e-9 * float(np.abs(values).max())
    for lag in dict.fromkeys((season, 1)):
        scale = float(np.abs(values[lag:] - values[:-lag]).mean()) if len(values) > lag else 0.0
        if scale > tiny:
            return scale
    spread = float(values.std())
    return spread if spread > tiny else 1.0


def scores_of(
    lines: Sequence[Line], cut: Sequence[Line], found: Array, quantiles: Sequence[float], season: int
) -> dict[str, float]:
    """The mean scores of forecasts (lines, horizon, quantiles) of what comes after the cut lines."""
    rows = []
    horizon = found.shape[1]
    middle = list(quantiles).index(0.5)
    for line, before, each in zip(lines, cut, found, strict=True):
        truth = np.full(horizon, np.nan)
        later = line.values[len(before) : len(before) + horizon]
        truth[: len(later)] = later
        if np.isnan(truth).all():
            continue
        history = before.filled
        last = history[len(history) - min(season, len(history)) + np.arange(horizon) % min(season, len(history))]
        usual = season if len(history) > season else 1
        rows.append(
            {
                "MASE": mase(truth, each[:, middle], before.values, usual),
                "sMAPE": smape(truth, each[:, middle]),
                "pinball": pinball(truth, each, quantiles) / scale_of(history, season),
                "coverage": coverage(truth, each[:, 0], each[:, -1]),
                "MASE as last season": mase(truth, last, before.values, usual),
            }
        )
    if not rows:
        raise DataError("no series has values after the origin")
    finite = {name: [row[name] for row in rows if np.isfinite(row[name])] for name in rows[0]}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in finite.items()}
