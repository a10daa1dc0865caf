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
MOST_SMOOTHED = 50
"""Series that exponential smoothing is fitted to; of more, none."""


def packed_rows(name: str) -> list[list[str]]:
    """The cells of a packed CSV file."""
    with gzip.open(FOLDER / name, "rt") as file:
        return list(csv.reader(file))


def tasks() -> Iterator[tuple[str, list[Array], list[Array], int]]:
    """A name, histories, what came, and the season of each set that is there."""
    if FOLDER.is_dir():
        rows = [packed_rows(f"m4-hourly-{part}.csv.gz")[1:] for part in ("train", "test")]
        history, truth = ([np.array([float(c) for c in row[1:] if c]) for row in part] for part in rows)
        yield "M4 hourly", history, truth, 24
        oil = np.array([float(row[-1]) for row in packed_rows("etth1.csv.gz")[1:]])[-5000:]
        yield from one_set("ETTh1, OT", [oil], 24, 24)
        rates = np.array(packed_rows("exchange_rate.txt.gz"), float)
        yield from one_set("exchange rates", list(rates.T), 30, 1)
    if find_spec("statsmodels") is not None:
        from statsmodels.datasets import co2, elnino, sunspots

        monthly = co2.load().data["co2"].resample("MS").mean().interpolate().to_numpy()
        yield from one_set("co2", [monthly], 24, 12)
        yield from one_set("sunspots", [sunspots.load().data["SUNACTIVITY"].to_numpy(float)], 11, 11)
        yield from one_set("elnino", [elnino.load().data.set_index("YEAR").to_numpy(float).ravel()], 12, 12)


def one_set(name: str, values: list[Array], horizon: int, season: int) -> Iterator[Any]:
    """A task of which the last steps are what came."""
    yield name, [v[:-horizon] for v in values], [v[-horizon:] for v in values], season


def series() -> None:
    """Prints a table for each set."""
    for name, history, truth, season in tasks():
        begin = time.process_time()
        model = Forecaster(len(truth[0]), random_state=0).fit(dict(enumerate(history)))
        found = {"thalweg": list(model.predict().values())}
        seconds = time.process_time() - begin
        panel: Panel = model.panel_
        found |= {k: list(v) for k, v in simple_forecasts(Strip(panel, model.continuation_.view), 0).items()}
        if find_spec("statsmodels") is not None and len(history) <= MOST_SMOOTHED:
            found["ETS"] = [smoothed(values, len(truth[0]), season) for values in history]
        print(f"\n{name}: {len(history)} series, {len(truth[0])} steps; thalweg {seconds:.0f} s of processor time")
        for method, points in found.items():
            print(f"  {method:15s} {scores(truth, points, history, season)}", flush=True)


def scores(truth: Sequence[Array], points: Sequence[Array], history: Sequence[Array], season: int) -> str:
    """Mean MASE and sMAPE."""
    scaled = [mase(y, p, h, season) for y, p, h in zip(truth, points, history, strict=True)]
    return f"MASE {np.mean(scaled):.3f}  sMAPE {np.mean([smape(y, p) for y, p in zip(truth, points, strict=True)]):.2f}"


def smoothed(values: Array, horizon: int, season: int) -> Array:
    """Exponential smoothing with an additive damped trend, and a season if there is one."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
        model = ExponentialSmoothing(values, trend="add", damped_trend=True, **kind).fit()
    return np.asarray(model.forecast(horizon))
