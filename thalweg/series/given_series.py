"""Series in the forms in which people have them: arrays, dicts, pandas' indexed series and frames, tables of rows.

Each form is read into `Rows`, and gives forecasts back as itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.reading import looks_like_date, looks_like_number
from thalweg.data.tables import Table, is_rows, read_table
from thalweg.errors import ArgumentError, DataError
from thalweg.series.panel import Rows
from thalweg.series.time_index import TimeIndex
from thalweg.support.frames import checked

Array = NDArray[Any]
Stamps = Sequence[Array]
IDS, TIME, TARGET = "unique_id", "ds", "y"
"""Nixtla's names of columns."""


@dataclass(frozen=True)
class Roles:
    """Which columns are what; None: to be found."""

    target: Any = None
    time: Any = None
    group: tuple[Any, ...] | None = None
    known: tuple[Any, ...] = ()


class Form(ABC):
    """Base of the forms. `rows` is what was read, `table` the columns known in advance, a row for each of `rows`."""

    rows: Rows
    table: Table | None = None

    @abstractmethod
    def give(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Sequence[float]) -> Any:
        """Forecasts of the lines `which`: values (steps, quantiles) each; no quantiles: points (steps, 1)."""


@dataclass(frozen=True)
class OneArray(Form):
    """An array or a list: one series."""

    rows: Rows
    table: Table | None = None

    def give(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Sequence[float]) -> Any:
        return values[0] if quantiles else values[0][:, 0]


@dataclass(frozen=True)
class NamedArrays(Form):
    """A dict of arrays: a series each."""

    rows: Rows
    table: Table | None = None

    def give(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Sequence[float]) -> Any:
        found = values if quantiles else [part[:, 0] for part in values]
        return {self.rows.keys[k]: part for k, part in zip(which, found, strict=True)}


@dataclass(frozen=True)
class Indexed(Form):
    """A pandas series, or a frame whose index has the time stamps: its last level, if it has several.

    wide: whether each column is a series. firsts: of each series, the place of its first row in the index.
    """

    rows: Rows
    given: Any
    times: TimeIndex
    firsts: Array
    wide: bool
    name: Any
    table: Table | None = None

    def give(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Sequence[float]) -> Any:
        import pandas as pd

        if self.wide:
            return self.side_by_side(which, stamps, values, quantiles)
        index = self.times.index(np.concatenate(stamps))
        if self.given.index.nlevels > 1:
            rows = np.repeat(self.firsts[list(which)], [len(s) for s in stamps])
            levels = [self.given.index.get_level_values(k)[rows] for k in range(self.given.index.nlevels - 1)]
            index = pd.MultiIndex.from_arrays([*levels, index], names=self.given.index.names)
        found = np.concatenate(values)
        if quantiles:
            name = 0 if self.name is None else self.name
            columns = pd.MultiIndex.from_product([[name], list(quantiles)])
            return pd.DataFrame(found, index=index, columns=columns)
        if isinstance(self.given, pd.Series):
            return pd.Series(found[:, 0], index=index, name=self.name)
        return pd.DataFrame({self.name: found[:, 0]}, index=index)

    def side_by_side(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Any) -> Any:
        """A frame with a column for each series, or for each of its quantiles."""
        import pandas as pd

        keys = [self.rows.keys[k] for k in which]
        names = pd.MultiIndex.from_product([keys, list(quantiles)]) if quantiles else self.given.columns[list(which)]
        found = []
        for part, own in zip(values, stamps, strict=True):
            found.append(pd.DataFrame(part, index=self.times.index(own)))
        made = pd.concat(found, axis=1)
        made.columns = names
        return made


@dataclass(frozen=True)
class Long(Form):
    """A table with a row for each value: pandas', Polars' or Arrow's, or any that `read_table` reads.

    frame: through narwhals, None of others, which get a dict of columns back. firsts: as of `Indexed`.
    """

    rows: Rows
    roles: Roles
    frame: Any
    times: TimeIndex
    firsts: Array
    table: Table | None = None

    def give(self, which: Sequence[int], stamps: Stamps, values: Sequence[Array], quantiles: Sequence[float]) -> Any:
        target = self.roles.target
        names = [f"{target} {q:g}" for q in quantiles] if quantiles else [target]
        numbers = dict(zip(names, np.concatenate(values).T, strict=True))
        rows = np.repeat(self.firsts[list(which)], [len(s) for s in stamps])
        moments = np.concatenate(stamps)
        time = {} if self.roles.time is None else {self.roles.time: moments}
        if self.frame is None:
            groups = {g: self.rows_of(g)[rows] for g in self.roles.group or ()}
            return {**groups, **time, **numbers}
        import narwhals as nw

        space = self.frame.__native_namespace__()
        if space.__name__ == "pandas":
            native = nw.to_native(self.frame)
            groups = {g: native[g].iloc[rows].reset_index(drop=True) for g in self.roles.group or ()}
            time = {} if self.roles.time is None else {self.roles.time: self.times.index(moments)}
            return space.DataFrame({**groups, **time, **numbers})
        columns = [self.frame[g][rows.tolist()] for g in self.roles.group or ()]
        columns += [] if self.roles.time is None else [self.times.series(moments)]
        columns += [nw.new_series(name=n, values=v, backend=space) for n, v in numbers.items()]
        return nw.to_native(nw.from_dict({c.name: c for c in columns}, backend=space))

    def rows_of(self, group: Any) -> Array:
        """The cells of a group's column."""
        assert self.table is not None
        return self.table[group]


def read_series(y: Any, roles: Roles, X: Any = None) -> tuple[Form, Roles]:
    """Reads series, and says which columns have which role.

    Raises:
        DataError, ArgumentError: what is given can't be read as series, or a column that is named isn't there.
    """
    family = type(y).__module__.partition(".")[0]
    checked(y, "y")
    checked(X, "X")
    if family == "pandas" and not is_long(y, roles):
        return read_indexed(y, roles, X)
    if X is not None:
        raise ArgumentError(
            "X goes with a pandas series or frame that has its time stamps in the index; of a table, name the columns "
            "that are known in advance: Forecaster(known=[…])"
        )
    if isinstance(y, Mapping) and not hasattr(y, "toarray") and not is_columns(y, roles):
        return named_arrays(y, roles), roles
    if family in ("pandas", "polars", "pyarrow") and not is_one_column(y):
        return read_long(y, roles)
    if isinstance(y, str | Path | Mapping | Table) or is_rows(y) or hasattr(y, "to_table"):
        return read_long(y, roles)
    return one_array(y, roles), roles


def is_one_column(y: Any) -> bool:
    """Whether it is one of Polars' series or Arrow's arrays."""
    return len(getattr(y, "shape", (0, 0))) == 1 or not (hasattr(y, "columns") or hasattr(y, "to_table"))


def is_long(y: Any, roles: Roles) -> bool:
    """Whether a pandas object has its time stamps, or its groups, in columns."""
    if not hasattr(y, "columns"):
        return False
    names = set(y.columns)
    return (roles.time is not None and roles.time in names) or {TIME, TARGET} <= names


def is_columns(y: Mapping[Any, Any], roles: Roles) -> bool:
    """Whether a dict holds the columns of a table, not a series each."""
    named = [roles.target, roles.time, *(roles.group or ())]
    return any(name is not None and name in y for name in named) or {TIME, TARGET} <= set(y)


def no_columns(roles: Roles, what: str) -> None:
    """Raises if columns are named of what has none."""
    for name in ("target", "time", "group", "known"):
        if getattr(roles, name):
            raise ArgumentError(f"{name}={getattr(roles, name)!r} names columns, and {what} has none")


def numbers_in(values: Any, what: str) -> Array:
    """float64 (values,), NaN for what is missing."""
    checked(values, what)
    try:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        if array.dtype.kind == "O":
            array = np.array([np.nan if v is None else v for v in array.ravel().tolist()]).reshape(array.shape)
        if array.dtype.kind not in "biuf":
            raise TypeError
        found = array.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} has to hold numbers, got {type(values).__name__} of other things") from None
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise DataError(
            f"{what} has to be one series, got the shape {found.shape}: give several as a dict of arrays, or as a "
            "frame with a column each"
        )
    return found


def one_array(y: Any, roles: Roles) -> OneArray:
    """Reads an array or a list."""
    no_columns(roles, "an array")
    values = numbers_in(y, "y")
    return OneArray(Rows([None], np.zeros(len(values), int), np.arange(len(values), dtype=np.float64), values))


def named_arrays(y: Mapping[Any, Any], roles: Roles) -> NamedArrays:
    """Reads a dict of arrays."""
    no_columns(roles, "a dict of series")
    for key, value in y.items():
        if hasattr(value, "index") and not callable(value.index):
            raise DataError(
                f"the series {key!r} has an index, which a dict of arrays loses: join them, pandas.concat(y)"
            )
    parts = [numbers_in(value, f"the series {key!r}") for key, value in y.items()]
    sizes = [len(part) for part in parts]
    codes = np.repeat(np.arange(len(parts)), sizes)
    stamps = np.concatenate([np.arange(n, dtype=np.float64) for n in sizes] or [np.zeros(0)])
    numbers = stamps.astype(np.int64) + 1
    return NamedArrays(Rows(list(y), codes, stamps, np.concatenate(parts or [np.zeros(0)]), None, numbers))


def read_indexed(y: Any, roles: Roles, X: Any) -> tuple[Form, Roles]:
    """Reads a pandas series or frame by its index."""
    frame = hasattr(y, "columns")
    for name in ("time", "group"):
        if getattr(roles, name):
            raise ArgumentError(
                f"{name}={getattr(roles, name)!r} names a column that y lacks; its index has {y.index.names}"
            )
    several = y.index.nlevels > 1
    if roles.target is not None and not (roles.target in y.columns if frame else roles.target == y.name):
        raise DataError(f"y has no column {roles.target!r}")
    wide = frame and roles.target is None and not several
    if frame and several and roles.target is None and len(y.columns) != 1:
        raise ArgumentError(f"y has the columns {', '.join(map(str, y.columns))}: which one is the target? target=…")
    times, stamps = TimeIndex.of_index(y.index.get_level_values(-1))
    if wide:
        if not len(y.columns):
            raise DataError("y has no columns")
        keys: list[Any] = list(y.columns) if len(y.columns) > 1 else [None]
        values = np.concatenate([numbers_in(y.iloc[:, k], f"the column {c!r}") for k, c in enumerate(y.columns)])
        codes = np.repeat(np.arange(len(y.columns)), len(y))
        numbers = np.tile(np.arange(1, len(y) + 1), len(y.columns))
        rows = Rows(keys, codes, np.tile(stamps, len(y.columns)), values, None, numbers)
        firsts, name = np.zeros(len(keys), int), y.columns[0]
    else:
        column = y if not frame else y[roles.target] if roles.target is not None else y.iloc[:, 0]
        codes, firsts = np.zeros(len(y), int), np.zeros(1, int)
        keys = [None]
        if several:
            codes, distinct = y.index.droplevel(-1).factorize()
            keys, firsts = list(distinct), first_rows(codes, len(distinct))
        name = column.name
        rows = Rows(keys, codes, stamps, numbers_in(column, "y"), target=str(name))
    table = known_beside(y, roles, X, wide)
    return Indexed(rows, y, times, firsts, wide, name, table), roles


def known_beside(y: Any, roles: Roles, X: Any, wide: bool) -> Table | None:
    """The columns known in advance: of X, with y's index, or those that are named in y."""
    if X is None and not roles.known:
        return None
    if wide and X is not None and len(y.columns) > 1:
        raise ArgumentError("X goes with one series, or with series in an index of two levels; y has a column each")
    if X is None:
        lost = [name for name in roles.known if name not in getattr(y, "columns", ())]
        if lost:
            raise DataError(f"y has no column {lost[0]!r} that could be known in advance")
        return read_table(y[list(roles.known)].reset_index(drop=True))
    if not hasattr(X, "index") or not y.index.isin(X.index).all():
        raise DataError("X has to be a pandas frame with a row for each time stamp of y's index")
    chosen = X.loc[~X.index.duplicated()].reindex(y.index)
    return read_table((chosen[list(roles.known)] if roles.known else chosen).reset_index(drop=True))


def first_rows(codes: Array, count: int) -> Array:
    """The first row of each code."""
    firsts = np.zeros(count, int)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return firsts


def read_long(y: Any, roles: Roles) -> tuple[Form, Roles]:
    """Reads a table with a row for each value."""
    frame = framed(y)
    table = read_table(y, least_rows=1)
    roles = found_roles(table, roles)
    assert roles.group is not None
    for name in (roles.target, roles.time, *roles.group, *roles.known):
        if name is not None:
            table.column(name)
    values = table.column(roles.target)
    if values.kind not in ("number", "integer", "boolean") and not values.missing().all():
        odd = first_unlike(table, roles.target, looks_like_number)
        raise DataError(f"{odd}: the target {roles.target!r} of a series has numbers")
    codes, keys = np.zeros(table.rows, int), [None]
    if roles.group:
        codes, keys = coded(table, roles.group, frame)
    firsts = first_rows(codes, len(keys))
    times, stamps = stamps_in(table, roles.time, frame, codes, len(keys))
    numbers = np.array([table.row_number(k) for k in range(table.rows)])
    rows = Rows(
        keys,
        codes,
        stamps,
        np.full(table.rows, np.nan) if values.missing().all() else values.values.astype(np.float64),
        None,
        numbers,
        str(table.source),
        roles.target,
    )
    return Long(rows, roles, frame, times, firsts, table), roles


def framed(y: Any) -> Any:
    """A frame through narwhals; None of what isn't one."""
    if type(y).__module__.partition(".")[0] not in ("pandas", "polars", "pyarrow"):
        return None
    import narwhals as nw

    frame = nw.from_native(y, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    return frame if isinstance(frame, nw.DataFrame) else None


def found_roles(table: Table, roles: Roles) -> Roles:
    """The roles, with those that weren't named: by Nixtla's names, or the only column of dates."""
    target, time, group = roles.target, roles.time, roles.group
    if target is None:
        if TARGET not in table:
            raise ArgumentError(
                f"{table.source} has the columns {', '.join(table.names)}: which is the target? target=…"
            )
        target = TARGET
    if time is None:
        dates = [n for n in table.names if n != target and table.column(n).kind == "date"]
        if TIME in table:
            time = TIME
        elif len(dates) > 1:
            raise ArgumentError(f"{table.source} has several columns of dates, {', '.join(dates)}: which is it? time=…")
        else:
            time = dates[0] if dates else None
    if group is None:
        group = (IDS,) if IDS in table and IDS not in (target, time) else ()
    return Roles(target, time, group, roles.known)


def coded(table: Table, group: tuple[Any, ...], frame: Any) -> tuple[Array, list[Any]]:
    """The number of each row's series, and their names: the cells of a column, or tuples of those of several."""
    cells = [frame[name].to_list() if frame is not None else plain(table[name]) for name in group]
    found: dict[Any, int] = {}
    codes = np.zeros(table.rows, int)
    for row, key in enumerate(zip(*cells, strict=True)):
        for name, cell in zip(group, key, strict=True):
            if cell is None or cell != cell:
                raise DataError(f"row {table.row_number(row):,} of {table.source} has no value in the group {name!r}")
        codes[row] = found.setdefault(key[0] if len(key) == 1 else key, len(found))
    return codes, list(found)


def plain(cells: Array) -> list[Any]:
    """Cells as Python's values: whole numbers as such."""
    if cells.dtype.kind == "f" and (cells[~np.isnan(cells)] == np.rint(cells[~np.isnan(cells)])).all():
        return [None if np.isnan(cell) else int(cell) for cell in cells]
    return [None if cell is None else cell for cell in cells.tolist()]


def first_unlike(table: Table, name: str, fits: Callable[[str], bool]) -> str:
    """The first cell of a column that isn't what was expected, with its row; if each is by itself, what all are."""
    column = table.column(name)
    if column.kind == "text":
        for row, text in enumerate(column.values):
            if text is not None and not fits(text):
                return f"row {table.row_number(row)} of {table.source} has {text!r} in {name!r}"
    return f"the column {name!r} of {table.source} holds {column.holds or column.kind} values"


def stamps_in(table: Table, time: Any, frame: Any, codes: Array, count: int) -> tuple[TimeIndex, Array]:
    """The stamps of a table's rows; without a column of them, the rows of each series in their order."""
    if time is None:
        stamps = np.zeros(table.rows)
        for code in range(count):
            own = codes == code
            stamps[own] = np.arange(int(own.sum()))
        return TimeIndex(None), stamps
    column = table.column(time)
    dates = column.values.astype("datetime64[us]") if column.kind == "date" else None
    if frame is not None and frame.__native_namespace__().__name__ == "pandas":
        import narwhals as nw
        import pandas as pd

        index = pd.Index(nw.to_native(frame)[time])
        text = dates is not None and index.dtype.kind not in "Mi" and not isinstance(index, pd.PeriodIndex)
        return TimeIndex.of_index(pd.DatetimeIndex(dates, name=time) if text else index)
    if column.kind not in ("date", "number", "integer"):
        odd = first_unlike(table, time, lambda text: looks_like_date(text) or looks_like_number(text))
        raise DataError(f"{odd}: the time {time!r} is dates, or numbers that count steps")
    if frame is None:
        return TimeIndex(None), column.values.astype(np.float64) if dates is None else dates
    import narwhals as nw

    if dates is not None and frame[time].dtype not in (nw.Datetime, nw.Date):  # dates that were text
        return TimeIndex(nw.new_series(name=time, values=dates, backend=frame.__native_namespace__())), dates
    return TimeIndex.of_series(frame[time])
