"""The step from one time stamp to the next: found in the stamps of all series, and continued beyond the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError

Array = NDArray[Any]

SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
"""In microseconds, as time stamps are."""
TOLERANCE = 0.02
"""A stamp may lie so far beside its place, as a share of the step: 1958.083 is a twelfth of a year after 1958."""
NAMES = {SECOND: "second", MINUTE: "minute", HOUR: "hour", DAY: "day", 7 * DAY: "week"}
SEASONS = {  # of a step, from the shortest; the longest that counts is a week of hours, or a year
    MINUTE: (60, 1440), 5 * MINUTE: (288, 2016), 10 * MINUTE: (144, 1008), 15 * MINUTE: (96, 672),
    30 * MINUTE: (48, 336), HOUR: (24, 168), 2 * HOUR: (12, 84), 3 * HOUR: (8, 56), 6 * HOUR: (4, 28),
    12 * HOUR: (2, 14), DAY: (7, 365), 7 * DAY: (52,),
}  # fmt: skip


@dataclass(frozen=True)
class Cadence:
    """A step that all series share.

    Attributes:
        unit: "number" of stamps that are numbers, "time" of moments at the same distance, "weekday" of days without
            weekends, "month" of months, quarters and years.
        size: how many of the unit a step is; of "time", microseconds.
    """

    unit: str
    size: float

    @property
    def name(self) -> str:
        """In words: "1 hour", "3 months"."""
        if self.unit == "number":
            return f"{self.size:g}"
        size, noun = self.size, self.unit
        if self.unit == "time":
            unit = next((u for u in reversed(NAMES) if self.size % u == 0), SECOND)
            size, noun = self.size / unit, NAMES[unit]
        return f"{size:g} {noun}{'s' * (size != 1)}"

    @property
    def seasons(self) -> tuple[int, ...]:
        """The periods, in steps, that the calendar suggests, from the shortest."""
        if self.unit == "time":
            return SEASONS.get(int(self.size), ())
        if self.unit == "weekday":
            return (5, 261)
        months = int(self.size) if self.unit == "month" else 12
        return (12 // months,) if 12 % months == 0 and months < 12 else ()

    def places(self, stamps: Array, day: int = 0) -> Array:
        """How many steps each stamp is after the first: float (rows,), whole where the stamp fits.

        `day`: the day of the month, of months.
        """
        if not len(stamps):
            return np.zeros(0)
        if self.unit == "month":
            months = stamps.astype("datetime64[M]")
            found = (months - months[0]).astype(np.float64) / self.size
            fits = (days_of_month(stamps) == np.minimum(day, lengths(months))) & same_clock(stamps)
            return np.asarray(np.where(fits, found, np.floor(found) + 0.5))
        if self.unit == "weekday":
            days = stamps.astype("datetime64[D]")
            found = np.busday_count(days[0], days).astype(np.float64)
            return np.asarray(np.where(np.is_busday(days) & same_clock(stamps), found, found + 0.5))
        return np.asarray((stamps - stamps[0]).astype(np.float64) / self.size)

    def stamps(self, first: Any, places: Array, day: int = 0) -> Array:
        """The stamps so many steps after `first`: (places,)."""
        if self.unit == "number":
            return np.asarray(float(first) + places * self.size)
        if self.unit == "time":
            return np.asarray(first + (places * int(self.size)).astype("timedelta64[us]"))
        whole = first.astype("datetime64[D]")
        clock = first - whole
        if self.unit == "weekday":
            return np.asarray(np.busday_offset(whole, places.astype(np.int64)).astype("datetime64[us]") + clock)
        months = first.astype("datetime64[M]") + (places * int(self.size)).astype("timedelta64[M]")
        days = np.minimum(day or int(days_of_month(first)), lengths(months)) - 1
        return np.asarray((months.astype("datetime64[D]") + days).astype("datetime64[us]") + clock)

    def calendar(self, stamps: Array) -> Array:
        """Where moments are in the day, the week and the year, on circles: float32 (stamps, parts)."""
        if self.unit == "number":
            return np.zeros((len(stamps), 0), np.float32)
        days = stamps.astype("datetime64[D]")
        years = stamps.astype("datetime64[Y]")
        shares = []
        short = self.unit == "time"
        if short and self.size < DAY:
            shares.append((stamps - days).astype(np.float64) / DAY)
        if self.unit == "weekday" or (short and self.size <= DAY):
            shares.append(((days.astype(np.int64) + 3) % 7) / (7 if short else 5))
        if short or self.unit == "weekday" or self.size < 12:
            shares.append((stamps - years).astype("timedelta64[us]").astype(np.float64) / (365.25 * DAY))
        angles = 2 * np.pi * np.stack(shares or [np.zeros(len(stamps))], axis=1)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)[:, : 2 * len(shares)]


def days_of_month(stamps: Array) -> Array:
    """The day of the month, from 1."""
    days = stamps.astype("datetime64[D]")
    return np.asarray((days - stamps.astype("datetime64[M]")).astype(np.int64) + 1)


def lengths(months: Array) -> Array:
    """How many days months have."""
    return np.asarray(((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64))


def same_clock(stamps: Array) -> Array:
    """Which stamps have the first one's time of day."""
    clocks = stamps - stamps.astype("datetime64[D]")
    return np.asarray(clocks == clocks[0])


def month_day(stamps: Array) -> int:
    """The day of the month of stamps by months: 31 stands for the last one."""
    days = days_of_month(stamps)
    ends = days == lengths(stamps.astype("datetime64[M]"))
    return 31 if ends.all() else int(days.max())


def cadence_of(series: Sequence[Array]) -> Cadence:
    """The step of all series, each with its stamps in order and none twice.

    Raises:
        DataError: no series has two stamps.
    """
    several = [stamps for stamps in series if len(stamps) > 1]
    if not several:
        raise DataError("every series has a single value: a step in time is the distance of two")
    own = [own_cadence(stamps) for stamps in several]
    longest = max(range(len(several)), key=lambda k: len(several[k]))
    counts: dict[Cadence, int] = {}
    for found, stamps in zip(own, several, strict=True):
        counts[found] = counts.get(found, 0) + len(stamps)
    best = max(counts, key=lambda c: (counts[c], c == own[longest]))
    if best.unit == "number":  # floats nearly of one size
        near = [c.size for c in counts if abs(c.size - best.size) <= TOLERANCE * best.size]
        best = Cadence("number", float(np.median(near)))
    return best


def own_cadence(stamps: Array) -> Cadence:
    """The step of one series: the most frequent distance of two stamps."""
    steps = np.diff(stamps)
    if stamps.dtype.kind != "M":
        rounded = np.array([float(f"{step:.3g}") for step in steps])
        frequent = most_frequent(rounded)
        size = float(np.median(steps[rounded == frequent]))
        size = float((stamps[-1] - stamps[0]) / max(1.0, np.rint(steps / size).sum()))  # 0.083 is a twelfth, rounded
        return Cadence("number", round(size) if abs(size - round(size)) < 1e-9 * size else size)
    frequent = int(most_frequent(steps.astype("timedelta64[us]").astype(np.int64)))
    if frequent >= 28 * DAY and same_clock(stamps).all():
        months = stamps.astype("datetime64[M]")
        day = month_day(stamps)
        if (days_of_month(stamps) == np.minimum(day, lengths(months))).all():
            return Cadence("month", int(most_frequent(np.diff(months).astype(np.int64))))
    if frequent == DAY and len(stamps) > 5 and same_clock(stamps).all():
        days = stamps.astype("datetime64[D]")
        if (
            np.is_busday(days).all()
            and not np.is_busday(days[0] + np.arange(int((days[-1] - days[0]).astype(int)))).all()
        ):
            return Cadence("weekday", 1)
    return Cadence("time", frequent)


def most_frequent(values: Array) -> Any:
    """The value that is there most often; of several, the least."""
    distinct, counts = np.unique(values, return_counts=True)
    return distinct[np.argmax(counts)]
