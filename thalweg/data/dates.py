"""Columns of dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from thalweg.data.cells import Array, Column
from thalweg.data.fitted import LeftOut, Scale, indicator, kind_changed
from thalweg.data.reading import date_in
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY, _YEAR = np.timedelta64(1, "D"), np.timedelta64(1, "Y")


@dataclass(frozen=True, slots=True)
class DateColumn:
    """A date or a moment: the day as a scaled number, its place in the year on a circle (sin, cos), the day of the week
    one-hot, the time of day on a circle. A part that does not vary in the training rows is left out; all parts of a
    missing date are 0."""

    name: str
    first: str
    last: str
    scale: Scale  # of days since 1970-01-01
    season: bool
    weekday: bool
    clock: bool
    missing: int = 0

    def __post_init__(self) -> None:
        np.datetime64(self.first, "us")  # a ValueError if a file holds something else

    @classmethod
    def fit(cls, name: str, column: Column, table: Table) -> Self | LeftOut:
        values = _dates(name, column, table)
        present = values[~np.isnat(values)]
        missing = len(values) - len(present)
        if not len(present):
            return LeftOut(name, "no values in the training rows", missing)
        first, last = (str(np.datetime_as_string(end, unit="s")) for end in (present.min(), present.max()))
        if first == last and not missing:
            return LeftOut(name, f"one date, {_shown(first)}, in all training rows")
        days, months = present.astype("datetime64[D]"), present.astype("datetime64[M]").astype(np.int64) % 12
        return cls(
            name,
            first,
            last,
            Scale.of(_days(present)),
            season=bool(np.ptp(months)),
            weekday=bool(np.ptp(_weekday(days))),
            clock=bool(np.ptp((present - days).astype(np.int64))),
            missing=missing,
        )

    @property
    def features(self) -> list[str]:
        name = self.name
        circles = [f"{name} season sin", f"{name} season cos"] * self.season
        circles += [f"{name} time sin", f"{name} time cos"] * self.clock
        weekdays = [f"{name} is a {day}" for day in _WEEKDAYS] * self.weekday
        return [f"{name} day"] * (self.scale.scale > 0) + circles + weekdays + indicator(self.name, self.missing)

    @property
    def understood(self) -> str:
        varying = {"day": self.scale.scale > 0, "season": self.season, "weekday": self.weekday, "time": self.clock}
        parts = ", ".join(part for part, varies in varying.items() if varies)
        first, last = _shown(self.first), _shown(self.last)
        return f"{first} to {last}: {parts}" if parts else f"{first} or missing"

    def write(self, column: Column, table: Table, out: Array) -> None:
        values = _dates(self.name, column, table)
        missing = np.isnat(values)
        moments = np.where(missing, np.datetime64(self.first, "us"), values)
        days, years = moments.astype("datetime64[D]"), moments.astype("datetime64[Y]")
        parts: list[Array] = []
        if self.scale.scale > 0:
            parts.append(self.scale.apply(_days(moments)))
        if self.season:
            length = (years + _YEAR).astype("datetime64[D]") - years.astype("datetime64[D]")
            parts += _circle((moments - years) / length)
        if self.clock:
            parts += _circle((moments - days) / _DAY)
        if self.weekday:
            parts += list(np.eye(7)[_weekday(days)].T)
        for position, part in enumerate(parts):
            out[:, position] = np.where(missing, 0.0, part)
        if self.missing:
            out[:, -1] = missing


def dates_in_text(column: Column) -> Array | None:
    """The dates of a text column whose cells are all dates, datetime64[us] (rows,); otherwise None."""
    cells = column.values.tolist()
    meaning = {text: date_in(text) for text in set(cells) - {None}}
    if not meaning or any(moment is None for moment in meaning.values()):
        return None
    return np.array([meaning.get(text) for text in cells], dtype="datetime64[us]")


def _dates(name: str, column: Column, table: Table) -> Array:
    """Datetime64[us] (rows,) of a column that held dates in training."""
    if column.kind == "date":
        return column.values
    if column.missing().all() and column.kind != "other":
        return np.full(len(column.values), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    dates = dates_in_text(column) if column.kind == "text" else None
    if dates is None and column.kind == "text":
        moments = {text: date_in(text) for text in set(column.values.tolist()) - {None}}
        cells = {
            table.row_number(row): text
            for row, text in enumerate(column.values.tolist())
            if text is not None and moments[text] is None
        }
        raise BadRowsError(
            {row: f"row {row} of the column {name!r} holds the text {text!r}" for row, text in cells.items()},
            ", and in training it held dates; write them as 2024-05-31",
        )
    if dates is None:
        raise kind_changed(name, column, "dates", table)
    return dates


def _shown(moment: str) -> str:
    """The moment, without the time if that is midnight."""
    return moment.removesuffix("T00:00:00").replace("T", " ")


def _days(moments: Array) -> Array:
    return moments.astype(np.int64) / 86_400e6


def _weekday(days: Array) -> Array:
    """0 for Monday; 1970-01-01 was a Thursday."""
    return (days.astype(np.int64) + 3) % 7


def _circle(turns: Array) -> list[Array]:
    return [np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)]
