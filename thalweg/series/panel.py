"""Series on a common step: rows of a table sorted into lines, with a place for every step, also a missing one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.series.cadence import TOLERANCE, Cadence, cadence_of, month_day

Array = NDArray[Any]

MOST_GAPS = 50
"""Times as many steps as values: more are no gaps, but stamps that have no common step."""


@dataclass(frozen=True)
class Rows:
    """What was given, a row for each value, in any order.

    Attributes:
        keys: the names of the series; codes: (rows,) which of them a row belongs to.
        stamps: (rows,) float64 or datetime64[us]. values: float64 (rows,), NaN where there is none.
        known: float32 (rows, columns), or None. numbers: (rows,) how messages call the rows; source: and the whole.
    """

    keys: list[Any]
    codes: Array
    stamps: Array
    values: Array
    known: Array | None = None
    numbers: Array | None = None
    source: str = "y"
    target: str = "y"

    def row(self, place: int) -> str:
        """A row's name in messages."""
        return f"row {place + 1 if self.numbers is None else int(self.numbers[place]):,} of {self.source}"

    def of(self, code: int) -> str:
        """A series' name behind a word: "", or " of 'A'"."""
        return "" if len(self.keys) == 1 and self.keys[0] is None else f" of {self.keys[code]!r}"


@dataclass(frozen=True)
class Line:
    """One series with a value for each step.

    Attributes:
        key: its name. first: its first stamp. day: of the month, of stamps by months.
        values: float64 (steps,), NaN in gaps; the last is known. known: float32 (steps and maybe more, columns).
        there: (known's rows,) which steps have known columns.
    """

    key: Any
    first: Any
    values: Array
    day: int = 0
    known: Array | None = None
    there: Array | None = None
    filled: Array = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.values)

    def until(self, steps: int) -> Line:
        """The first steps of it."""
        kept = self.values[:steps]
        seen = np.flatnonzero(~np.isnan(kept))
        end = int(seen[-1]) + 1 if len(seen) else 0
        return replace(self, values=kept[:end], filled=self.filled[:end])


@dataclass(frozen=True)
class Panel:
    """Series with one step."""

    lines: list[Line]
    cadence: Cadence

    @property
    def gaps(self) -> int:
        """How many steps have no value."""
        return int(sum(np.isnan(line.values).sum() for line in self.lines))

    def future(self, line: Line, horizon: int) -> Array:
        """The stamps of the next steps: (horizon,)."""
        return self.cadence.stamps(line.first, len(line) + np.arange(horizon), line.day)


def panel_of(rows: Rows, cadence: Cadence | None = None, empty: bool = False) -> Panel:
    """The series of rows, in the order in which their names come; `empty`: even of those without a value.

    Raises:
        DataError: with the row: a stamp is missing, or there twice; it doesn't fit the step; a value is infinite; or
            there are no rows, or a series without a value.
    """
    check_cells(rows)
    order = np.lexsort((rows.stamps, rows.codes))
    ends = np.searchsorted(rows.codes[order], np.arange(len(rows.keys) + 1))
    parts = [order[begin:end] for begin, end in pairwise(ends)]
    for code, part in enumerate(parts):
        twice = np.flatnonzero(rows.stamps[part][1:] == rows.stamps[part][:-1])
        if len(twice):
            first, second = sorted((int(part[twice[0]]), int(part[twice[0] + 1])))
            raise DataError(
                f"{rows.row(second)} has the time stamp of row {number(rows, first)}, "
                f"{shown(rows.stamps[first])}{rows.of(code)}: give one value for each, such as their sum"
            )
    found = cadence or cadence_of([rows.stamps[part] for part in parts])
    if cadence is None:
        check_mixed(rows, parts, found)
    return Panel([line_of(rows, code, part, found, empty) for code, part in enumerate(parts)], found)


def check_cells(rows: Rows) -> None:
    """Raises unless stamps and values can be used."""
    if not len(rows.codes):
        raise DataError(f"{rows.source} has no rows: there is no series to continue")
    lost = np.flatnonzero(np.isnat(rows.stamps) if rows.stamps.dtype.kind == "M" else ~np.isfinite(rows.stamps))
    if len(lost):
        raise DataError(f"{rows.row(int(lost[0]))} has no time stamp")
    infinite = np.flatnonzero(np.isinf(rows.values))
    if len(infinite):
        raise DataError(f"{rows.row(int(infinite[0]))} has an infinite value in {rows.target!r}")


def check_mixed(rows: Rows, parts: Sequence[Array], found: Cadence) -> None:
    """Raises if a series has mostly another step than the others."""
    for code, part in enumerate(parts):
        if len(part) < 4:
            continue
        places = found.places(rows.stamps[part], day_of(rows.stamps[part], found))
        steps = np.diff(places)
        usual = float(np.median(steps))
        if abs(usual - 1) > TOLERANCE and usual > 0:
            raise DataError(
                f"the series{rows.of(code)} mostly has {usual:.4g} steps of {found.name} from one row to the next, as "
                f"from {rows.row(int(part[0]))}, and others have one: use a forecaster for each frequency, or bring "
                "all to the same"
            )


def line_of(rows: Rows, code: int, part: Array, cadence: Cadence, empty: bool = False) -> Line:
    """A series, its values at their places."""
    stamps = rows.stamps[part]
    day = day_of(stamps, cadence)
    places = cadence.places(stamps, day)
    whole = np.rint(places).astype(np.int64)
    beside = np.flatnonzero((np.abs(places - whole) > TOLERANCE) | (np.diff(whole, prepend=-1) < 1))
    if len(beside):
        place = int(beside[0])
        raise DataError(
            f"{rows.row(int(part[place]))}, {shown(stamps[place])}{rows.of(code)}, doesn't lie on steps of "
            f"{cadence.name} from {shown(stamps[0])}: bring the series to one step, such as sums by day"
        )
    if whole[-1] + 1 > MOST_GAPS * len(part) + 1000:
        raise DataError(
            f"the series{rows.of(code)} has {len(part):,} rows within {int(whole[-1]) + 1:,} steps of {cadence.name}: "
            "it has no common step; bring it to one, such as sums by day"
        )
    values = np.full(int(whole[-1]) + 1, np.nan)
    values[whole] = rows.values[part]
    seen = np.flatnonzero(~np.isnan(values))
    if not len(seen) and not empty:
        raise DataError(f"no row{rows.of(code)} of {rows.source} has a value in {rows.target!r}")
    begin, end = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
    known = there = None
    if rows.known is not None:
        known = np.zeros((len(values), rows.known.shape[1]), np.float32)
        known[whole] = rows.known[part]
        there = np.zeros(len(values), bool)
        there[whole] = True
        known, there = known[begin:], there[begin:]
    first = cadence.stamps(stamps[0], np.array([begin]), day)[0]
    kept = values[begin:end]
    return Line(rows.keys[code], first, kept, day, known, there, without_gaps(kept))


def day_of(stamps: Array, cadence: Cadence) -> int:
    """The day of the month of stamps by months, 0 of others."""
    return month_day(stamps) if cadence.unit == "month" and len(stamps) else 0


def without_gaps(values: Array) -> Array:
    """The values, with what is missing on the straight line between its neighbours."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    filled = values.copy()
    filled[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), values[~gaps])
    return filled


def number(rows: Rows, place: int) -> str:
    """A row's number in messages."""
    return f"{place + 1 if rows.numbers is None else int(rows.numbers[place]):,}"


def shown(stamp: Any) -> str:
    """A stamp for people.

    >>> shown(np.datetime64("2020-01-03T00:00:00.000000")), shown(np.float64(1958.25))
    ('2020-01-03', '1958.25')
    """
    if not isinstance(stamp, np.datetime64):
        return f"{float(stamp):.10g}"
    text = str(np.datetime_as_string(stamp, unit="s"))
    return text.removesuffix("T00:00:00").replace("T", " ")
