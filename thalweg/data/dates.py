"""Columns of dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from thalweg import words
from thalweg.data.cells import FEW, Array, Column
from thalweg.data.fitted import LeftOut, Scale, fill, indicator, kind_changed
from thalweg.data.notations.calendars import EITHER, ORDERS, date_of_digits, dates_of_digits
from thalweg.data.numerals import odd_cells
from thalweg.data.reading import Meanings, date_in, plain_number
from thalweg.data.tables import Table
from thalweg.errors import BadRowsError

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DIGITS = "digits"  # 20201231
_SAYS_DATE = re.compile(r"date|datum|fecha|日|(?:^|[^a-z])(?:day|dt|dob|ymd)(?:$|[^a-z])", re.IGNORECASE)
DAY = 86_400.0
"""Seconds of a day."""


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
            weekday=bool(np.ptp(_weekday(days.astype(np.int64)))),
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

    @property
    def by_digits_of_minguo(self) -> bool:
        """Whether 1091231 is a date, too."""
        return _minguo(self.name, self.notation)

    def _written(self) -> str:
        """How text wrote the dates, for people."""
        if self.notation == EITHER:
            return "; taken as day first, no number is above 12"
        return {"": "", _DIGITS: "; written in digits"}.get(self.notation, f"; {self.notation}")

    def write(self, column: Column, table: Table, out: Array) -> None:
        fill(out, self.arranged, seconds(self.moments(column, table)))

    def moments(self, column: Column, table: Table) -> Array:
        """The moments of these rows, datetime64[us] (rows,), NaT for a missing one."""
        return _dates(self.name, column, table, self.notation)

    def moment(self, text: str) -> np.datetime64 | None:
        """What a bare text says here, read alone; NaT for a gap, None for an odd cell."""
        return _date(text, self.notation, self.by_digits_of_minguo)

    def arranged(self, xp: Any, moments: Array) -> Iterator[Array]:
        """Its matrix columns, each (rows,), of seconds since 1970-01-01T00:00 (rows,), NaN for a missing date."""
        missing = xp.isnan(moments)
        moments = xp.where(missing, float(seconds(np.datetime64(self.first, "us"))), moments)
        day = xp.floor(moments / DAY)
        parts = [self.scale.apply(moments / DAY)] if self.scale.scale > 0 else []
        if self.season:
            first, length = year_of(xp, day)
            parts += _circle(xp, (moments / DAY - first) / length)
        if self.clock:
            parts += _circle(xp, (moments - day * DAY) / DAY)
        if self.weekday:
            weekday = _weekday(day)
            parts += [weekday == k for k in range(7)]
        yield from (xp.where(missing, 0.0, part) for part in parts)
        if self.missing:
            yield missing


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
    minguo = _minguo(name, notation)
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
            odd_cells(table, name, column, odd), f", and in training it held dates{rule}; write them as 2024-05-31"
        )
    return np.array(cells, dtype="datetime64[us]")


def _minguo(name: str, notation: str) -> bool:
    """Whether seven digits may be a date of 民國 in a column."""
    return notation == _DIGITS and _SAYS_DATE.search(name) is not None


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


def seconds(moments: Any) -> Any:
    """Seconds since 1970-01-01T00:00, float64, of datetime64[us]; NaN for none."""
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 1e6)


def _days(moments: Array) -> Array:
    return moments.astype(np.int64) / (DAY * 1e6)


def _weekday(days: Array) -> Array:
    """0 for Monday, of days since 1970-01-01, which was a Thursday."""
    result: Array = (days + 3) % 7
    return result


def year_of(xp: Any, day: Array) -> tuple[Array, Array]:
    """The first day of a day's year, both counted from 1970-01-01, and the year's length.

    Whole numbers as floats, in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
    Algorithms").
    """
    shifted = day + 719_468  # days since 0000-03-01
    era = xp.floor(shifted / 146_097)  # of 400 years
    of_era = shifted - era * 146_097
    leaps = xp.floor(of_era / 1460) - xp.floor(of_era / 36_524) + xp.floor(of_era / 146_096)
    year = xp.floor((of_era - leaps) / 365)
    of_year = of_era - (365 * year + xp.floor(year / 4) - xp.floor(year / 100))
    number = year + era * 400 + xp.where(of_year >= 306, 1.0, 0.0)  # January is 306 days after March
    first = _first_day(xp, number)
    return first, _first_day(xp, number + 1) - first


def _first_day(xp: Any, year: Array) -> Array:
    """Days from 1970-01-01 to the first of a year."""
    before = year - 1
    result: Array = 365 * before + xp.floor(before / 4) - xp.floor(before / 100) + xp.floor(before / 400) - 719_162
    return result


def _circle(xp: Any, turns: Array) -> list[Array]:
    """sin and cos of parts of a turn."""
    return [xp.sin(2 * np.pi * turns), xp.cos(2 * np.pi * turns)]
