"""Columns of dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from thalweg import words
from thalweg.data.cells import FEW, Array, Column
from thalweg.data.fitted import LeftOut, Scale, indicator, kind_changed
from thalweg.data.notations.calendars import EITHER, ORDERS, date_of_digits, dates_of_digits
from thalweg.data.numerals import odd_cells
from thalweg.data.reading import Meanings, date_in, plain_number
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DIGITS = "digits"  # 20201231
_SAYS_DATE = re.compile(r"date|datum|fecha|日|(?:^|[^a-z])(?:day|dt|dob|ymd)(?:$|[^a-z])", re.IGNORECASE)
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
    notation: str = ""  # the rule that the training rows' text needed, such as "day first"

    def __post_init__(self) -> None:
        np.datetime64(self.first, "us")  # a ValueError if a file holds something else

    @classmethod
    def fit(cls, name: str, column: Column, table: Table) -> Self | LeftOut:
        notation = _DIGITS if column.kind in ("integer", "number") else column.notation
        values = _dates(name, column, table, notation)
        present = values[~np.isnat(values)]
        missing = len(values) - len(present)
        if not len(present):
            return LeftOut.empty(name, missing)
        first, last = (str(np.datetime_as_string(end, unit="s")) for end in (present.min(), present.max()))
        if first == last and not missing:
            return LeftOut(name, words.Said("one date, {date}, in all training rows", date=_shown(first)))
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
            notation=notation,
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
        return (f"{first} to {last}: {parts}" if parts else f"{first} or missing") + self._written()

    def _written(self) -> str:
        """How text wrote the dates, for people."""
        if self.notation == EITHER:
            return "; taken as day first, no number is above 12"
        return {"": "", _DIGITS: "; written in digits"}.get(self.notation, f"; {self.notation}")

    def write(self, column: Column, table: Table, out: Array) -> None:
        values = _dates(self.name, column, table, self.notation)
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


def written_in_digits(name: str, column: Column) -> bool:
    """Whether numbers are meant as dates, 20201231: all can be, and the name says so or more than 20 differ. With such
    a name, years of 民國 count, too: 1091231."""
    numbers = column.values[~column.missing()]
    if column.kind not in ("integer", "number") or not len(numbers) or numbers.min() < 1e5 or numbers.max() > 22e6:
        return False
    named = _SAYS_DATE.search(name) is not None
    if not named and (numbers.min() < 18e6 or len(np.unique(numbers)) <= FEW):
        return False
    return dates_of_digits(numbers, minguo=named) is not None


def _dates(name: str, column: Column, table: Table, notation: str) -> Array:
    """Datetime64[us] (rows,) of a column that held dates in training, written by this rule. Each cell is read alone; a
    column that was read by the same rule, and has no number that would be read as digits here, has been."""
    minguo = notation == _DIGITS and _SAYS_DATE.search(name) is not None
    if column.texts is None:
        if column.kind == "date":
            return column.values
        if column.kind in ("integer", "number"):
            dates = dates_of_digits(column.values, minguo)
            if dates is not None:
                return dates
        raise kind_changed(name, column, "dates", table)
    known = column.kind == "date" and column.notation == notation
    if known and all(text is None or plain_number(text) is None for text in set(column.texts.tolist())):
        return column.values
    moments = Meanings(lambda text: _date(text, notation, minguo), missing=np.datetime64("NaT", "us"))
    cells = moments.of(column.texts)
    odd = {text for text, moment in moments.items() if moment is None and text is not None}
    if odd:
        rule = f", {notation}" if notation in ORDERS else ""
        raise BadRowsError(
            odd_cells(table, name, column, odd),
            f", and in training it held dates{rule}; write them as 2024-05-31",
        )
    return np.array(cells, dtype="datetime64[us]")


def _date(text: str, notation: str, minguo: bool) -> np.datetime64 | None:
    """What a text says in a column of dates; 20201231 by itself is one, too."""
    number = plain_number(text)
    if number is not None:
        return date_of_digits(number, minguo)
    moment: np.datetime64 | None = date_in(text, "" if notation == _DIGITS else notation)
    return moment


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
