"""Series in time: Forecaster beside last season, a linear model, LightGBM and smoothing, where these are installed."""

from __future__ import annotations

import csv
import gzip
import time
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.series.forecaster import Forecaster
from thalweg.series.measures import mase, smape
from thalweg.series.origins import Strip
from thalweg.series.panel import Panel
from thalweg.series.simple_methods import simple_forecasts

Array = NDArray[Any]

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "series"
MOST_SMOOTHED, STEPS_SMOOTHED = 50, 2000
"""Series that exponential smoothing is fitted to: of more, none; and their latest values, at most."""
ORIGINS = 6
"""Of each set but M4's, whose test is one."""
LATEST = 5000
"""Hours of ETTh1 before an origin."""

Task = tuple[list[Array], list[Array]]
"""The histories and what came."""


def packed_rows(name: str) -> list[list[str]]:
    """The cells of a packed CSV file."""
    with gzip.open(FOLDER / name, "rt") as file:
        return list(csv.reader(file))


def tasks() -> Iterator[tuple[str, list[Task], int]]:
    """A name, the origins and the season of each set that is there."""
    if FOLDER.is_dir():
        rows = [packed_rows(f"m4-hourly-{part}.csv.gz")[1:] for part in ("train", "test")]
        history, truth = ([np.array([float(c) for c in row[1:] if c]) for row in part] for part in rows)
        yield "M4 hourly", [(history, truth)], 24
        oil = np.array([float(row[-1]) for row in packed_rows("etth1.csv.gz")[1:]])
        yield "ETTh1, OT", rolling([oil], 24, 131, LATEST), 24
        rates = np.array(packed_rows("exchange_rate.txt.gz"), float)
        yield "exchange rates", rolling(list(rates.T), 30, 60), 1
    if find_spec("statsmodels") is not None:
        from statsmodels.datasets import co2, elnino, sunspots

        monthly = co2.load().data["co2"].resample("MS").mean().interpolate().to_numpy()
        yield "co2", rolling([monthly], 24, 12), 12
        yield "sunspots", rolling([sunspots.load().data["SUNACTIVITY"].to_numpy(float)], 11, 7), 11
        yield "elnino", rolling([elnino.load().data.set_index("YEAR").to_numpy(float).ravel()], 12, 12), 12


def rolling(values: list[Array], horizon: int, stride: int, most: int | None = None) -> list[Task]:
    """The latest origins, each a stride before the next; before each, so many values at most."""
    ends = [len(values[0]) - horizon - k * stride for k in range(ORIGINS)]
    return [([v[:end][-(most or end) :] for v in values], [v[end : end + horizon] for v in values]) for end in ends]


def series() -> None:
    """Prints a table for each set: the means over its origins."""
    for name, origins, season in tasks():
        seconds, rows = 0.0, []
        for history, truth in origins:
            begin = time.process_time()
            model = Forecaster(len(truth[0]), random_state=0).fit(dict(enumerate(history)))
            found = {"thalweg": list(model.predict().values())}
            seconds += (time.process_time() - begin) / len(origins)
            rows.append({method: scores(truth, points, history, season) for method, points in found.items()})
            rows[-1] |= {
                method: scores(truth, points, history, season)
                for method, points in others(model, history, len(truth[0]), season).items()
            }
        count = f"{len(origins[0][0])} series, {len(origins[0][1][0])} steps, {len(origins)} origins"
        print(f"\n{name}: {count}; thalweg {seconds:.0f} s of processor time for each")
        for method in rows[0]:
            each = np.array([row[method] for row in rows])
            means, by_origin = each.mean(axis=0), " ".join(f"{mase:.2f}" for mase in each[:, 0])
            print(f"  {method:15s} MASE {means[0]:.3f}  sMAPE {means[1]:.2f}  MASE by origin {by_origin}", flush=True)


def others(model: Forecaster, history: list[Array], horizon: int, season: int) -> dict[str, Any]:
    """Forecasts of other methods."""
    panel: Panel = model.panel_
    found: dict[str, Any] = dict(simple_forecasts(Strip(panel, model.continuation_.view), 0))
    if find_spec("statsmodels") is not None and len(history) <= MOST_SMOOTHED:
        found["ETS"] = [smoothed(values[-STEPS_SMOOTHED:], horizon, season) for values in history]
    return found


def scores(
    truth: Sequence[Array], points: Sequence[Array], history: Sequence[Array], season: int
) -> tuple[float, float]:
    """Mean MASE and sMAPE."""
    scaled = [mase(y, p, h, season) for y, p, h in zip(truth, points, history, strict=True)]
    return float(np.mean(scaled)), float(np.mean([smape(y, p) for y, p in zip(truth, points, strict=True)]))


def smoothed(values: Array, horizon: int, season: int) -> Array:
    """Exponential smoothing with an additive damped trend, and a season if there is one."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
        model = ExponentialSmoothing(values, trend="add", damped_trend=True, **kind).fit()
    return np.asarray(model.forecast(horizon))
