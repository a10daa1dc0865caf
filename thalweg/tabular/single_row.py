"""A row by itself, without a table: what a service is asked for, some thousand times a second.

Each cell means what it means in a table, where it is read alone, too. Numbers and plainly written text are read here; a
category, or a truth value, is read as a table of this one cell, and remembered. Whatever else there may be, all that a
table would refuse or warn of included, is left to the table.
"""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from thalweg.data.cells import Array, column_of, moment_of, objects
from thalweg.data.columns import CategoryColumn, FittedColumn, NumberColumn, TextColumn
from thalweg.data.dates import DateColumn, seconds
from thalweg.data.fitted import fill, scaled
from thalweg.data.notations.quantities import SHARES
from thalweg.data.reading import bare, number_in
from thalweg.data.tables import Table
from thalweg.errors import DataError
from thalweg.support.frames import checked

Row = dict[str, Any]
NUMBERS = frozenset([bool, int, float, np.bool_, np.int32, np.int64, np.float32, np.float64])
MOMENTS = frozenset([datetime.date, datetime.datetime])
CELLS = NUMBERS | MOMENTS | {str, type(None)}
REMEMBERED, LONGEST = 256, 200
"""Different cells that are remembered of each column, and the letters of one."""


def row_of(source: Any) -> Row | None:
    """The cells by column of a source that is a single row: a dict, a list of one, a pandas or Polars frame; None for
    any other source, and for a row with cells of other types than are read here."""
    if type(source) is list and len(source) == 1 and type(source[0]) is dict:
        source = source[0]
    row = source if type(source) is dict else _row_of_frame(source)
    if row is None or set(map(type, row)) != {str} or not CELLS.issuperset(map(type, row.values())):
        return None
    return row


def _row_of_frame(frame: Any) -> Row | None:
    """The cells of a frame of one row, if its columns' types say no more of them than they say themselves."""
    polars = sys.modules.get("polars")
    if polars is not None and type(frame) is polars.DataFrame and frame.height == 1:
        plain = {polars.Int64, polars.Int32, polars.Float64, polars.String, polars.Boolean}
        return dict(zip(frame.columns, frame.row(0), strict=True)) if plain.issuperset(frame.dtypes) else None
    pandas = sys.modules.get("pandas")
    if pandas is None or type(frame) is not pandas.DataFrame or len(frame) != 1:
        return None
    names, types = frame.columns.tolist(), frame.dtypes.tolist()
    if not all(isinstance(kind, np.dtype) or type(kind).__name__ == "StringDtype" for kind in types):
        return None
    # pandas' own way to the array of a column takes a tenth of the time of frame[name]
    array_of = getattr(frame, "_get_column_array", lambda place: frame.iloc[:, place].array)
    row = {name: checked(array_of(place))[0] for place, name in enumerate(names)}
    return row if len(row) == len(names) else None


class SingleRow:
    """Makes the matrix of single rows by the fitted columns of a table, all of which are used.

    familiar: whether cells such as no training row had, missing ones and those of unknown categories, are left to the
        table, too: estimators warn of them.
    """

    def __init__(self, columns: Sequence[FittedColumn], familiar: bool) -> None:
        ends = list(accumulate(len(column.features) for column in columns))
        placed = [(c, slice(end - len(c.features), end)) for c, end in zip(columns, ends, strict=True)]
        self.width = ends[-1] if ends else 0
        numbers = [(c, place.start) for c, place in placed if isinstance(c, NumberColumn)]
        self.numbers = [(c.name, number_reader(c, familiar)) for c, _ in numbers]
        dates = [(c, place) for c, place in placed if isinstance(c, DateColumn)]
        self.dates = [(c, moment_reader(c, familiar), place) for c, place in dates]
        others = [(c, place) for c, place in placed if not isinstance(c, NumberColumn | DateColumn)]
        self.others = [(c.name, reader_of(c, familiar), place) for c, place in others]
        # All numbers are scaled at once: those that vary, by what, and where they and the marks of missing ones go.
        varying = [(k, c.scale, at) for k, (c, at) in enumerate(numbers) if c.scale.scale > 0]
        marked = [(k, at + len(c.features) - 1) for k, (c, at) in enumerate(numbers) if c.missing]
        self.medians = np.array([c.median for c, _ in numbers])
        self.centers, self.scales = (np.array([getattr(v[1], end) for v in varying]) for end in ("center", "scale"))
        self.varying, self.scaled_at = (np.array([v[k] for v in varying], np.intp) for k in (0, 2))
        self.marked, self.marked_at = (np.array([m[k] for m in marked], np.intp) for k in (0, 1))

    def matrix(self, row: Mapping[str, Any]) -> Array | None:
        """The matrix of a row, float32 (1, features), as a table of it makes; None if a table has to read it."""
        out = np.zeros((1, self.width), np.float32)
        numbers = self._read(row, out[0], [])
        if numbers is None:
            return None
        self._write_numbers(np.array(numbers), out[0])
        return out

    def matrix_of(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Array, list[int], dict[int, list[str]]]:
        """The same of several rows, each read by itself: float32 (rows, features); which of them a table has to read,
        whose lines mean nothing; and the columns whose cells say nothing, by row."""
        out = np.zeros((len(rows), self.width), np.float32)
        new: list[list[str]] = [[] for _ in rows]
        read = [self._read(row, out[k], new[k]) for k, row in enumerate(rows)]
        left = [k for k, numbers in enumerate(read) if numbers is None]
        none = [np.nan] * len(self.numbers)
        numbers = np.array([none if numbers is None else numbers for numbers in read])
        self._write_numbers(numbers.reshape(len(rows), len(self.numbers)), out)
        return out, left, {k: names for k, names in enumerate(new) if names and read[k] is not None}

    def _read(self, row: Mapping[str, Any], out: Array, new: list[str]) -> list[float] | None:
        """The numbers of a row, its other cells into its line of the matrix, and the columns of those that say nothing
        into `new`; None if a table has to read it."""
        try:
            numbers = [read(row[name]) for name, read in self.numbers]
            for name, features_of, place in self.others:
                out[place], unknown = features_of(row[name])
                if unknown:
                    new.append(name)
            for column, moment, place in self.dates:
                moments = np.array([moment(row[column.name])], "datetime64[us]")
                fill(out[None, place], column.arranged, seconds(moments))
        except (KeyError, OverflowError, DataError):  # what is wrong, the table says
            return None
        return numbers

    def _write_numbers(self, values: Array, out: Array) -> None:
        """The numbers of one row (numbers,), or of several (rows, numbers), into theirs of the matrix."""
        if self.numbers:
            missing = np.isnan(values)
            present = np.where(missing, self.medians, values)
            out.T[self.scaled_at] = scaled(present.T[self.varying].T, self.centers, self.scales).T
            out.T[self.marked_at] = missing.T[self.marked]


class LeftToTableError(DataError):
    """A cell isn't read here."""


def without_gaps(column: FittedColumn, familiar: bool) -> bool:
    """Whether missing cells of a column are left to the table."""
    return familiar and not column.missing


def number_reader(column: NumberColumn, familiar: bool) -> Callable[[Any], float]:
    """From a cell of a column of numbers to its number, NaN for none."""
    style, gaps = column.style, not without_gaps(column, familiar)
    typed = column.unit not in SHARES  # 45, where text was 45%, may be worth a warning

    def read(cell: Any) -> float:
        number: float | None = None
        if type(cell) is str:
            text = bare(cell)
            number = np.nan if text is None else number_in(text, style)
        elif cell is None:
            number = np.nan
        elif typed and type(cell) in NUMBERS:
            number = float(cell)
        if number is None or math.isinf(number) or (number != number and not gaps):
            raise LeftToTableError
        return number

    return read


def moment_reader(column: DateColumn, familiar: bool) -> Callable[[Any], Any]:
    """From a cell of a column of dates to its moment, datetime64[us], NaT for none."""
    gaps = not without_gaps(column, familiar)

    def read(cell: Any) -> Any:
        moment = None
        if type(cell) is str:
            text = bare(cell)
            moment = moment_of(None) if text is None else column.moment(text)
        elif cell is None or type(cell) in MOMENTS:
            moment = moment_of(cell)
        if moment is None or (np.isnat(moment) and not gaps):
            raise LeftToTableError
        return moment

    return read


def reader_of(column: FittedColumn, familiar: bool) -> Callable[[Any], tuple[Array, bool]]:
    """From a cell of a column of another kind than those above to its part of the matrix, and whether it says nothing
    there because it is unknown."""
    return text_reader(column, familiar) if isinstance(column, TextColumn) else remembering(column, familiar)


def text_reader(column: TextColumn, familiar: bool) -> Callable[[Any], tuple[Array, bool]]:
    """From a cell of a column of free text to its part of the matrix."""
    gaps = not without_gaps(column, familiar)

    def read(cell: Any) -> tuple[Array, bool]:
        text = bare(cell) if type(cell) is str else cell
        if text is None and gaps:
            return features_of(None)
        if type(text) is not str:
            raise LeftToTableError
        return features_of(text)

    def features_of(text: str | None) -> tuple[Array, bool]:
        out = np.zeros((1, len(column.features)), np.float32)
        column.write_texts([text], out)
        return out.reshape(-1), False

    return read


def remembering(column: FittedColumn, familiar: bool) -> Callable[[Any], tuple[Array, bool]]:
    """From a cell of a column to its part of the matrix, as a table of this cell alone gives it."""

    @lru_cache(REMEMBERED, typed=True)
    def known(cell: Any) -> tuple[Array, bool]:
        table = Table({column.name: column_of(objects([cell]))}, "the cell")
        cells = table.column(column.name)
        unknown = isinstance(column, CategoryColumn) and bool(column.unknown(cells).any())
        if familiar and (unknown or (not column.missing and bool(cells.missing().any()))):
            raise LeftToTableError
        out = np.zeros((1, len(column.features)), np.float32)
        column.write(cells, table, out)
        return out.reshape(-1), unknown

    def features_of(cell: Any) -> tuple[Array, bool]:
        if type(cell) not in CELLS or (type(cell) is str and len(cell) > LONGEST):
            raise LeftToTableError
        return known(None if cell != cell else cell)  # one NaN isn't another

    return features_of
