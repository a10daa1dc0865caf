"""Trains a forecaster for a run folder, and judges it on the last steps of the series."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs.forecasts.series_run import SeriesRun
from thalweg.series.forecaster import Forecaster, checked_quantiles
from thalweg.series.given_series import read_series
from thalweg.series.global_network import LEAST_BEFORE, Plan, continuation
from thalweg.series.origins import Strip, scores_of
from thalweg.series.panel import Panel
from thalweg.series.simple_methods import simple_forecasts
from thalweg.support.checks import number, whole
from thalweg.support.progress import stage
from thalweg.support.seeds import draw_seed
from thalweg.support.stopwatch import Elapsed
from thalweg.tabular.clock import Clock

Array = NDArray[Any]

SHOWN, SEASONS_SHOWN = 6, 4
"""Series that the report draws, at most, and about how many horizons of their past."""
LEAST_TOLD = 0.005
"""Of a forecast's methods, those with less are left out of the sentence."""
JUDGED = 0.5
"""Of a time limit, the share of the training that is judged; the other learns from all values."""
SAFE = 1.5
"""The machine may become busier while the run is kept."""


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """The options for training on series, with the defaults of `thalweg train`."""

    target: str
    horizon: int
    time: str | None = None
    group: str | None = None
    known: tuple[str, ...] = ()
    season: int | None = None
    interval: float = 0.8
    members: int = 3
    epochs: int | None = None
    time_limit: float | None = None
    seed: int | None = None

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The ends of the interval."""
        share = number("interval", self.interval, 1e-6, 1)
        return (round((1 - share) / 2, 9), round((1 + share) / 2, 9))

    @property
    def limit(self) -> float | None:
        """The time limit, checked."""
        return None if self.time_limit is None else number("time limit", self.time_limit, 1e-9)

    def forecaster(self) -> Forecaster:
        """One with these options."""
        if self.target in (self.time, self.group) or (self.time is not None and self.time == self.group):
            raise ArgumentError(f"--target, --time and --group are three columns, got {self.target!r} for two of them")
        return Forecaster(
            whole("horizon", self.horizon), target=self.target, time=self.time, group=self.group, known=self.known,
            season=self.season, quantiles=self.quantiles, networks=whole("members", self.members), epochs=self.epochs,
            random_state=self.seed,
        )  # fmt: skip


def train(
    table: Table, options: SeriesOptions, announce: Callable[[str], None] | None = None, clock: Clock | None = None
) -> SeriesRun:
    """Trains on all values but those of the last steps, judges on these, and trains again on all values.

    clock: of the time limit, if it began before, as the table was read.
    """
    options = replace(options, seed=draw_seed() if options.seed is None else options.seed)
    assert options.seed is not None
    seed, passed = options.seed % 2**31, Elapsed()
    clock = clock or Clock(options.limit)
    judged, made = options.forecaster(), options.forecaster()
    form, roles = read_series(table, made._roles())
    for each in (judged, made):
        each.roles_ = roles
        _, panel = each._panel(form, None)
    horizon = options.horizon
    lines = [line for line in panel.lines if len(line) > 2 * horizon]
    longest = max(map(len, panel.lines))
    if longest < 2 * horizon + LEAST_BEFORE:
        raise DataError(
            f"the longest series has {longest} values: a horizon of {horizon} needs {2 * horizon + LEAST_BEFORE} or "
            f"more, {horizon} of them to judge by; give a shorter --horizon, or longer series"
        )
    cut = Panel([line.until(len(line) - horizon) for line in lines], panel.cadence)
    quantiles = checked_quantiles(options.quantiles)
    plan = Plan(options.members, epochs=options.epochs, clock=clock, until=clock.passed + JUDGED * clock.left)
    with stage("training, without the last steps"):
        judged._learn(cut, quantiles, plan, seed, None)
    if announce is not None:
        announce(told(panel, judged))
    found = judged.forecasts(cut)
    scores = scores_of(lines, cut.lines, found, quantiles, judged.season_)
    last = scores.pop("MASE as last season")
    others = {}
    with stage("forecasts to compare with"):
        for name, points in simple_forecasts(
            Strip(cut, judged.continuation_.view), seed, clock.limit == math.inf
        ).items():
            said = np.repeat(points[:, :, None], len(quantiles), axis=2)
            beside = scores_of(lines, cut.lines, said, quantiles, judged.season_)
            others[name] = {"MASE": beside["MASE"], "sMAPE": beside["sMAPE"]}
    rows = {"train": sum(map(len, panel.lines)), "test": len(lines) * horizon, "gaps": panel.gaps}
    as_others_say = {"optimizer": "adamw", "loss": None, "id": None, "batch_size": 256, "lanes": None}
    facts = {
        "options": asdict(options) | as_others_say,
        "source": str(table.source), "rows": rows, "seed": options.seed,
        "interrupted": False, "held-out": scores, "baseline": None, "metric": "MASE", "others": others,
        "series": told(panel, judged), "last season": last,
    }  # fmt: skip
    own = [record for record in judged.continuation_.records if record["network"] == 0]
    history = [{k: v for k, v in record.items() if k != "network"} for record in own]
    run = SeriesRun(judged, history, facts, pictured(lines, cut, found, judged.season_))
    if clock.limit < math.inf:
        with tempfile.TemporaryDirectory(prefix="thalweg-trial-") as trial, stage("timing what follows the training"):
            begin = clock.passed
            run.save(Path(trial) / "run", [])
            clock.reserve(SAFE * (clock.passed - begin))
    with stage("training, on all values"):
        made.season_, made.horizon_, made.lags_, made.fh_ = judged.season_, horizon, judged.lags_, None
        made.cadence_, made.panel_ = panel.cadence, panel
        view, plan = judged.continuation_.view, replace(plan, until=clock.passed + clock.left)
        made.continuation_ = continuation(Strip(panel, view), quantiles, plan, seed, None, judged.continuation_)
        made.shares_ = made.continuation_.shares
    if announce is not None and made.continuation_ is judged.continuation_:
        announce("the time limit left none to learn from the last steps: the networks that were judged forecast")
    facts["seconds"] = passed.seconds
    return SeriesRun(made, history, facts, run.held)


def told(panel: Panel, judged: Forecaster) -> str:
    """What was found of the series, in a sentence."""
    count, gaps = len(panel.lines), panel.gaps
    season = f"a season of {judged.season_}" if judged.season_ > 1 else "no season"
    filled = f"; {gaps:,} step{'s' * (gaps > 1)} without a value, filled" if gaps else ""
    counting = sorted(judged.shares_.items(), key=lambda named: -named[1])
    shares = ", ".join(f"{name} {share:.0%}" for name, share in counting if share >= LEAST_TOLD)
    return (
        f"{count:,} series with steps of {panel.cadence.name}, {sum(map(len, panel.lines)):,} values, {season}; each "
        f"network sees {judged.lags_} values{filled}; in the forecast: {shares}"
    )


def pictured(lines: Any, cut: Panel, found: Array, season: int) -> dict[str, Array]:
    """What the report draws: a few series, from the one best forecast to the worst.

    past: (series, steps), NaN before the first value; truth and forecasts: of the steps held out; keys: their names.
    """
    horizon = found.shape[1]
    errors = []
    for line, before, each in zip(lines, cut.lines, found, strict=True):
        truth = line.values[len(before) : len(before) + horizon]
        scale = np.abs(np.diff(before.filled)).mean() or 1.0
        errors.append(float(np.nanmean(np.abs(truth - each[: len(truth), found.shape[2] // 2])) / scale))
    order = np.argsort(errors)
    which = np.unique(order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int)])
    steps = max(SEASONS_SHOWN * horizon, 2 * season)
    past, truths = np.full((len(which), steps), np.nan), np.full((len(which), horizon), np.nan)
    for row, place in enumerate(which):
        before = cut.lines[place]
        kept = before.values[-steps:]
        past[row, steps - len(kept) :] = kept
        later = lines[place].values[len(before) : len(before) + horizon]
        truths[row, : len(later)] = later
    keys = np.array([str(lines[place].key) for place in which])
    return {"keys": keys, "past": past, "truth": truths, "forecasts": found[which]}
