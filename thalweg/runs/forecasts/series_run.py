"""A run on series: a fitted forecaster with what was found of it, in a folder and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table
from thalweg.errors import DataError, ModelFileError
from thalweg.runs.folder import SERIES, read_folder, write_folder
from thalweg.runs.run import load_network
from thalweg.series.cadence import Cadence
from thalweg.series.given_series import Long, Roles, read_series
from thalweg.series.global_network import Continuation
from thalweg.series.origins import View, scores_of
from thalweg.series.panel import Line, Panel, Rows, shown, without_gaps
from thalweg.series.time_index import TimeIndex
from thalweg.support.untrusted import readable
from thalweg.tabular.features import Features

if TYPE_CHECKING:
    from thalweg.series.forecaster import Forecaster

Array = NDArray[Any]

VALUES = "series.npz"
MOST_ORIGINS = 50
"""That `evaluate` forecasts from, the latest of them."""


@dataclass
class SeriesRun:
    """Networks that continue series, with the series.

    Attributes:
        forecaster: fitted. facts: run.json. held: what the report shows of the steps held out: see `series_page`.
    """

    forecaster: Forecaster
    history: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Array] = field(default_factory=dict)

    @property
    def panel(self) -> Panel:
        """The series of the training."""
        panel: Panel = self.forecaster.panel_
        return panel

    @property
    def text_columns(self) -> list[str]:
        """The columns whose cells are kept as they are written, as those of the training were."""
        roles = self.forecaster.roles_
        return [name for name in (roles.time, *(roles.group or ())) if name is not None]

    def with_newer(self, table: Table) -> Panel:
        """The series with the values of a table in place of theirs, and behind them; also new ones.

        Only series that the table has are in it, in its order.
        """
        form, _ = read_series(table, self.forecaster.roles_)
        _, newer = self.forecaster._panel(form, None, self.panel.cadence, empty=True)
        known = {line.key: line for line in self.panel.lines}
        lost = next((n.key for n in newer.lines if not len(n) and n.key not in known), None)
        if lost is not None:
            raise DataError(f"no row of {lost!r} in {table.source} has a value, and the training knew no such series")
        lines = [joined_line(known[n.key], n, newer.cadence) if n.key in known else n for n in newer.lines]
        return Panel(lines, newer.cadence)

    def columns(self, panel: Panel, horizon: int | None = None) -> dict[str, Any]:
        """What `thalweg predict` writes: groups, time stamps, "prediction", and the other quantiles."""
        made, roles = self.forecaster, self.forecaster.roles_
        steps = made._steps(horizon, None)
        if made.features_ is not None:
            panel = made._with_future(panel, None, int(steps[-1]))
        found = made.forecasts(panel)[:, steps - 1]
        columns: dict[str, Any] = {}
        for name, keys in keys_by_column(panel.lines, roles).items():
            columns[name] = np.repeat(np.array(keys, object), len(steps))
        stamps = np.concatenate([panel.future(line, made.horizon_)[steps - 1] for line in panel.lines])
        columns[roles.time or "step"] = as_written(stamps)
        quantiles = made.continuation_.quantiles
        columns["prediction"] = found[:, :, quantiles.index(0.5)].ravel()
        for place, q in enumerate(quantiles):
            if q != 0.5:
                columns[f"quantile {q:g}"] = found[:, :, place].ravel()
        return columns

    def evaluate(self, table: Table) -> tuple[int, dict[str, float]]:
        """Scores over rolling origins, a horizon apart, of the values that a table has after those of the training.

        Returns:
            how many origins, and the mean scores.
        """
        made, panel = self.forecaster, self.with_newer(table)
        known = {line.key: line for line in self.panel.lines}
        ends = [end_of(known.get(line.key), line, panel.cadence) for line in panel.lines]
        scores = []
        longest = max(len(line) - end for line, end in zip(panel.lines, ends, strict=True))
        for back in range(0, min(MOST_ORIGINS, -(-longest // made.horizon_)) * made.horizon_, made.horizon_):
            pairs = [(n, n.until(end + back)) for n, end in zip(panel.lines, ends, strict=True) if len(n) > end + back]
            pairs = [(line, before) for line, before in pairs if len(before) > 1]
            if pairs:
                lines, cut = [line for line, _ in pairs], [before for _, before in pairs]
                found = made.forecasts(Panel(cut, panel.cadence))
                scores.append(scores_of(lines, cut, found, made.continuation_.quantiles, made.season_))
        if not scores:
            raise DataError(
                f"{table.source} has no values after those of the training, which ended before "
                f"{shown(max(self.panel.future(line, 1)[0] for line in self.panel.lines))}: give newer rows"
            )
        return len(scores), {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}

    def save(self, folder: Path, command: Sequence[str]) -> None:
        """Writes the run folder."""
        made = self.forecaster
        continued: Continuation = made.continuation_
        description = {
            "roles": asdict(made.roles_),
            "cadence": asdict(made.cadence_),
            "view": {k: v for k, v in asdict(continued.view).items() if k != "cadence"},
            "quantiles": list(continued.quantiles),
            "shares": continued.shares,
            "shifts": list(continued.shifts),
            "keys": [list(line.key) if isinstance(line.key, tuple) else line.key for line in self.panel.lines],
            "features": None if made.features_ is None else made.features_.to_json(),
        }
        further = {SERIES: description, VALUES: packed(self.panel) | {f"held {k}": v for k, v in self.held.items()}}
        write_folder(folder, command, continued.model, further, self.history, self.facts)


def load(folder: Path) -> SeriesRun:
    """Reads a run from its folder."""
    from thalweg.series.forecaster import Forecaster  # scikit-learn comes with it: not for other runs

    description, history, facts = read_folder(folder, SERIES)
    with readable(ModelFileError, f"{folder / SERIES} is damaged"):
        roles, cadence = description["roles"], Cadence(**description["cadence"])
        view = View(cadence=cadence, **description["view"])
        keys = [tuple(key) if isinstance(key, list) else key for key in description["keys"]]
        features = description["features"] and Features.from_json(description["features"])
        quantiles = tuple(map(float, description["quantiles"]))
        shifts = tuple(map(float, description["shifts"]))
        shares = {str(name): float(share) for name, share in description["shares"].items()}
        roles = Roles(roles["target"], roles["time"], tuple(roles["group"]), tuple(roles["known"]))
        with np.load(folder / VALUES, allow_pickle=False) as arrays:
            stored = dict(arrays)
        panel = Panel(unpacked_lines(stored, keys), cadence)
    outputs: Any = [(view.horizon,)] * len(quantiles)
    model = load_network(folder, ((view.size,), outputs), "the series")
    made = Forecaster(view.horizon, target=roles.target, time=roles.time, group=roles.group, quantiles=quantiles)
    made.roles_, made.cadence_, made.panel_, made.features_ = roles, cadence, panel, features
    table = Table.of(keys_by_column(panel.lines, roles))
    nothing = np.zeros(0)
    rows = Rows(keys, nothing.astype(int), nothing, nothing)
    made.form_ = Long(rows, roles, None, TimeIndex(None), np.arange(len(keys)), table)
    made.season_, made.horizon_, made.lags_, made.fh_ = view.season, view.horizon, view.lags, None
    made.continuation_ = Continuation(model, view, quantiles, shares, shifts)
    made.shares_ = shares
    held = {name.removeprefix("held "): v for name, v in stored.items() if name.startswith("held ")}
    return SeriesRun(made, history, facts, held)


def keys_by_column(lines: Sequence[Line], roles: Roles) -> dict[str, list[Any]]:
    """The cells of the columns of groups, one for each series."""
    group = roles.group or ()
    return {
        name: [line.key[place] if len(group) > 1 else line.key for line in lines] for place, name in enumerate(group)
    }


def packed(panel: Panel) -> dict[str, Array]:
    """The lines as arrays."""
    lines = panel.lines
    arrays = {
        "values": np.concatenate([line.values for line in lines]),
        "sizes": np.array([len(line) for line in lines]),
        "firsts": np.array([line.first for line in lines]),
        "days": np.array([line.day for line in lines]),
    }
    if arrays["firsts"].dtype.kind == "M":
        arrays["firsts"] = arrays["firsts"].astype("datetime64[us]")
    if lines[0].known is not None:
        known = [line.known for line in lines if line.known is not None]
        arrays["known"] = np.concatenate(known)
        arrays["there"] = np.concatenate([line.there for line in lines if line.there is not None])
        arrays["known sizes"] = np.array([len(part) for part in known])
    return arrays


def unpacked_lines(arrays: dict[str, Array], keys: list[Any]) -> list[Line]:
    """The lines of such arrays."""
    parts = np.split(arrays["values"], np.cumsum(arrays["sizes"])[:-1])
    lines = [
        Line(key, first, values, int(day), filled=without_gaps(values))
        for key, first, values, day in zip(keys, arrays["firsts"], parts, arrays["days"], strict=True)
    ]
    if "known" in arrays:
        ends = np.cumsum(arrays["known sizes"])[:-1]
        beside = zip(np.split(arrays["known"], ends), np.split(arrays["there"], ends), strict=True)
        lines = [replace(line, known=k, there=t) for line, (k, t) in zip(lines, beside, strict=True)]
    return lines


def joined_line(old: Line, new: Line, cadence: Cadence) -> Line:
    """A series with newer values in place of its own, and behind them."""
    place = cadence.places(np.array([old.first, new.first]), old.day)[1]
    if place != np.rint(place):
        raise DataError(
            f"the series{' ' + repr(old.key) if old.key is not None else ''} has other steps than in training"
        )
    offset = int(place)
    begin = min(0, offset)
    size = max(len(old), offset + len(new)) - begin
    values = np.full(size, np.nan)
    values[-begin : len(old) - begin] = old.values
    known = ~np.isnan(new.values)
    values[offset - begin : offset - begin + len(new)][known] = new.values[known]
    first = cadence.stamps(old.first, np.array([begin]), old.day)[0]
    made = Line(old.key, first, values, old.day, filled=without_gaps(values))
    if old.known is None or new.known is None or old.there is None or new.there is None:
        return made
    rows = max(len(old.known), offset + len(new.known)) - begin
    columns, there = np.zeros((rows, old.known.shape[1]), np.float32), np.zeros(rows, bool)
    for line, at in ((old, -begin), (new, offset - begin)):
        assert line.known is not None
        assert line.there is not None
        own = np.flatnonzero(line.there)
        columns[at + own], there[at + own] = line.known[own], True
    return replace(made, known=columns, there=there)


def end_of(old: Line | None, now: Line, cadence: Cadence) -> int:
    """How many of a series' steps the training knew; of one that it didn't, half."""
    if old is None:
        return len(now) // 2
    return min(len(now), int(cadence.places(np.array([now.first, old.first]), now.day)[1]) + len(old))


def as_written(stamps: Array) -> Array:
    """Stamps as a file has them: days as text where there is no time of day, whole numbers where all are."""
    if stamps.dtype.kind == "M":
        days = stamps.astype("datetime64[D]")
        return days.astype(str).astype(object) if (days == stamps).all() else stamps
    whole = np.rint(stamps)
    return whole.astype(np.int64) if (whole == stamps).all() else stamps
