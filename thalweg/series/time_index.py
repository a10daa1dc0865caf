"""Time stamps as they are given, in pandas' indices and in columns: read, and given back with type, zone and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.series.cadence import same_clock

Array = NDArray[Any]


@dataclass(frozen=True)
class TimeIndex:
    """What is known of time stamps besides their values.

    Attributes:
        given: the index, or the column, they came in; of pandas, Polars or Arrow (through narwhals), or None.
        local: whether moments with a zone are counted by its clock, as days are; otherwise in UTC, as hours.
    """

    given: Any
    local: bool = False

    @classmethod
    def of_index(cls, index: Any) -> tuple[TimeIndex, Array]:
        """Of a pandas index, and its stamps: float64 or datetime64[us]."""
        import pandas as pd

        if isinstance(index, pd.PeriodIndex):
            return cls(index), index.to_timestamp().to_numpy().astype("datetime64[us]")
        if isinstance(index, pd.DatetimeIndex):
            if index.tz is None:
                return cls(index), index.to_numpy().astype("datetime64[us]")
            wall = index.tz_localize(None).to_numpy().astype("datetime64[us]")
            if is_daily(wall):
                return cls(index, local=True), wall
            return cls(index), index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
        if pd.api.types.is_bool_dtype(index.dtype) or not pd.api.types.is_numeric_dtype(index.dtype):
            try:
                return cls.of_index(pd.DatetimeIndex(index))
            except (ValueError, TypeError):
                raise DataError(
                    f"the time stamps are of type {index.dtype}, such as {index[0]!r}: give dates, periods or numbers"
                ) from None
        return cls(index), index.to_numpy().astype(np.float64)

    def index(self, stamps: Array) -> Any:
        """Stamps as a pandas index as the one given."""
        import pandas as pd

        given = self.given
        if isinstance(given, pd.PeriodIndex):
            return pd.PeriodIndex(pd.DatetimeIndex(stamps), freq=given.freq, name=given.name)
        if isinstance(given, pd.DatetimeIndex):
            made = pd.DatetimeIndex(stamps, name=given.name).as_unit(given.unit)
            if given.tz is not None and self.local:
                made = made.tz_localize(given.tz, ambiguous=np.ones(len(made), bool), nonexistent="shift_forward")
            elif given.tz is not None:
                made = made.tz_localize("UTC").tz_convert(given.tz)
            if given.freq is not None and len(made):
                try:
                    made.freq = given.freq
                except ValueError:  # a zone's clock was turned
                    return made
            return made
        if pd.api.types.is_integer_dtype(given.dtype) and (stamps == np.rint(stamps)).all():
            return pd.Index(np.rint(stamps).astype(np.int64), name=given.name).astype(given.dtype)
        return pd.Index(stamps.astype(np.float64), name=given.name)

    @classmethod
    def of_series(cls, series: Any) -> tuple[TimeIndex, Array]:
        """Of a column through narwhals that isn't pandas'."""
        import narwhals as nw

        kind = series.dtype
        if kind == nw.Datetime and getattr(kind, "time_zone", None) is not None:
            wall = series.dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
            if is_daily(wall):
                return cls(series, local=True), wall
            utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            return cls(series), utc.to_numpy().astype("datetime64[us]")
        if kind in (nw.Datetime, nw.Date):
            return cls(series), series.to_numpy().astype("datetime64[us]")
        if kind.is_numeric():
            return cls(series), series.to_numpy().astype(np.float64)
        raise DataError(f"the time stamps in {series.name!r} are of type {kind}: give dates or numbers")

    def series(self, stamps: Array) -> Any:
        """Stamps as a column as the one given."""
        import narwhals as nw

        given = self.given
        kind, space = given.dtype, given.__native_namespace__()
        values = stamps if stamps.dtype.kind == "M" else stamps.astype(np.float64)
        made = nw.new_series(name=given.name, values=values, backend=space)
        zone = getattr(kind, "time_zone", None) if kind == nw.Datetime else None
        if zone is None:
            return made.cast(kind)
        made = made.cast(nw.Datetime(kind.time_unit))
        if self.local:
            return made.dt.replace_time_zone(zone)
        return made.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)


def is_daily(wall: Array) -> bool:
    """Whether moments all have one time of day."""
    present = wall[~np.isnat(wall)]
    return bool(len(present)) and bool(same_clock(present).all())
