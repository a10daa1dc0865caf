"""A table in memory, and how it gets there: from files and SQL queries through DuckDB, from frames through narwhals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from thalweg import words
from thalweg.data.cells import Array, Column, bare_column, column_of, objects
from thalweg.data.formats import arrow_files, workbooks
from thalweg.data.formats.arrow_files import as_cells, read_arrow
from thalweg.data.formats.workbooks import read_sheet
from thalweg.data.queries import read_query
from thalweg.data.sources import (
    QUOTE,
    checked_kind,
    for_files_alone,
    is_query,
    named_files,
    nearest,
    read_files,
    write_file,
)
from thalweg.data.verbatim import Verbatim, verbatim_of
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.support.extras import need
from thalweg.support.frames import checked
from thalweg.support.naming import suggesting
from thalweg.support.untrusted import readable

__all__ = ["Column", "Table", "read_table", "write_table"]

A_DICT = words.Said("a dict of columns")
READ_ALONE = (*workbooks.ENDINGS, *arrow_files.ENDINGS)


class Table:
    """Named columns of equal length. `read_table` makes one; don't write to its arrays.

    >>> table = Table.of({"age": [31, None], "town": ["Ulm", "?"]})
    >>> table
    <Table of 2 rows: age (integer), town (text)>
    >>> table["age"], table["town"]
    (array([31., nan]), array(['Ulm', None], dtype=object))

    Attributes:
        names: the columns' names, in order.
        rows: the number of rows.
        source: where the table came from, for messages: a path, a query, "a pandas frame".
    """

    __slots__ = ("_columns", "_numbers", "names", "rows", "source")

    def __init__(self, columns: Mapping[str, Column], source: str, numbers: Array | None = None) -> None:
        self._columns = dict(columns)
        self.names = list(columns)
        self.rows = len(next(iter(columns.values())).values) if columns else 0
        self.source = source
        self._numbers = numbers  # each row's number in the source, if rows were taken from a larger table
        uneven = next((name for name, column in columns.items() if len(column.values) != self.rows), None)
        if uneven is not None:
            raise DataError(
                f"the columns of {source} differ in length: {self.names[0]!r} has {self.rows} rows, "
                f"{uneven!r} has {len(columns[uneven].values)}"
            )

    @classmethod
    def of(cls, columns: Mapping[str, Any], source: str = A_DICT, verbatim: Collection[str] = ()) -> Table:
        """A table of arrays or lists by name; unlike `read_table` it may have no rows. `verbatim`: as there."""
        repeated = [name for name, count in Counter(map(str, columns)).items() if count > 1]
        if repeated:  # 1 and "1" are two keys and one name
            raise DataError(f"{source} has several columns of one name: {', '.join(repeated)}")
        arrays = {str(name): _array_of(str(name), values) for name, values in columns.items()}
        read = {name: column_of(array) for name, array in arrays.items()}
        return cls(read | {name: _keeping(read[name], arrays[name]) for name in verbatim if name in read}, source)

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]], verbatim: Collection[str] = ()) -> Table:
        """A table of rows, each a dict; what one of them lacks is missing there.

        >>> Table.of_rows([{"age": 31, "town": "Ulm"}, {"age": 40}])
        <Table of 2 rows: age (integer), town (text)>
        """
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [_scalar(row.get(name)) for row in rows] for name in names}
        return cls.of(columns, words.Said("the list of rows"), verbatim)

    def column(self, name: str) -> Column:
        """A column with its kind; DataError, with the nearest names, if there is none of that name."""
        if name not in self._columns:
            hint = nearest(name, self.names) or f"; it has {_listed(self.names)}"
            raise NotFoundError(f"{self.source} has no column {name!r}{hint}")
        return self._columns[name]

    def __getitem__(self, name: str) -> Array:
        """The values of a column: float64 (rows,) for numbers, integers and booleans, with NaN for a missing cell;
        objects, `str` or None, for text; datetime64[us] for dates."""
        return self.column(name).values

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({column.kind})" for name, column in self._columns.items())
        return f"<Table of {self.rows} rows: {held}>"

    def take(self, rows: Array | Sequence[int]) -> Table:
        """The table of these rows, in their order; messages still name them by their number in the source."""
        chosen = np.asarray(rows, dtype=np.intp)
        numbers = chosen if self._numbers is None else self._numbers[chosen]
        return Table({name: column.take(chosen) for name, column in self._columns.items()}, self.source, numbers)

    def with_columns(self, columns: Mapping[str, Column]) -> Table:
        """The table with these columns in place of its own of the same names."""
        return Table({**self._columns, **columns}, self.source, self._numbers)

    def only(self, names: Sequence[str]) -> Table:
        """The table of these columns, as far as they are there, in this order."""
        return Table({name: self._columns[name] for name in names if name in self}, self.source, self._numbers)

    def row_number(self, row: int) -> int:
        """The row's number for users: in the source, counted from 1, without the header."""
        return int(row if self._numbers is None else self._numbers[row]) + 1


@suggesting
def read_table(
    source: object,
    *,
    encoding: str | None = None,
    sheet: str | int | None = None,
    quote: str = QUOTE,
    text: Collection[str] = (),
    verbatim: Collection[str] = (),
    least_rows: int = 1,
) -> Table:
    """Reads a table.

    Args:
        source: a path, or a glob of several files (.csv, .tsv, .txt, .parquet, .json, .jsonl; text also with .gz);
            a workbook (.xlsx, .xls) or an Arrow file (.arrow, .feather, .ipc); a SQL query, which is a string that
            starts with SELECT, FROM or WITH and names no file; a pandas, Polars or Arrow frame; a dict of columns; a
            row as a dict, or a list of such rows; or a Table, which is returned.
        encoding: of text files that aren't UTF-8; any that Python knows, such as "cp950" (Big5), "utf-16", "gb18030".
        sheet: of a workbook, the sheet's name or its number, from 1; by default the first.
        quote: what may stand around the cells of a CSV or TSV file; "" if quotes are text like any other. In a cell
            that doesn't begin with one they are, anyway.
        text: columns of a file or query whose cells are kept as they are written, beside what they mean. Otherwise
            those of a column with more than about 1,000 different plain numbers aren't; as a category, or to read
            them by a decimal comma, it has to be named here. Names that the source lacks don't matter.
        verbatim: columns whose cells are kept as they stood, too, with their type (`Column.verbatim`): `write_table`
            writes them back unchanged. Names that the source lacks are passed over.
        least_rows: how many rows there have to be; 0 takes a table without rows.

    Row order is kept. The first line of a CSV or TSV file names the columns, as written; its delimiter is a comma,
    semicolon, tab or bar. A cell of text means the same in every format (`thalweg.data.reading`): a column whose
    cells are all numbers, true and false, dates or times of day becomes that, in CSV as in Parquet, JSON or a
    frame, also as people write them: NT$1,234, 45%, 72 kg, 31/12/2020, 民國109年12月31日. Other text, such as yes and
    no, or codes with leading zeros, stays text. Empty cells, NA, N/A, NaN, nan, null, NULL, None and ? are missing,
    and -, — or 無 among numbers and dates. A column of categories (pandas, Polars, Arrow, DuckDB's ENUM) stays one
    whatever it says. A column of lists or structs can be read but not used.

    A query is one SELECT, which DuckDB runs in memory. It reads the local files that it names, in FROM 'rows.parquet'
    or in read_csv, read_parquet or read_json, and no others; it can't write, reach the network, load extensions or
    change settings.

    Raises:
        DataError: there is no such file, it is empty or unreadable, the query fails or is more than a SELECT of files
            it names, there are too few rows, or two columns of a frame share a name. For a text file that isn't UTF-8,
            the message says in which encoding it seems to be.
        ArgumentError: an unknown encoding; an encoding, a sheet or a quote for a source that has none; a Table that
            was read without the verbatim columns.
        MissingPackageError: a workbook needs fastexcel, an Arrow file needs pyarrow.

    >>> read_table("SELECT sex, body_mass_g FROM 'examples/penguins.csv' WHERE island = 'Dream'")
    <Table of 124 rows: sex (text), body_mass_g (number)>
    """
    query = isinstance(source, str) and is_query(source)
    if query or not isinstance(source, str | Path):
        for_files_alone("a query" if query else f"a {type(source).__name__}", encoding, sheet, quote)
    if isinstance(source, Table):
        lost = next((name for name in verbatim if name in source and source.column(name).verbatim is None), None)
        if lost is not None:
            raise ArgumentError(f"the table was read without verbatim={[lost]}: give its source, or read it with that")
        return source
    if isinstance(source, str) and query:
        table = Table(read_query(source, verbatim, text), words.Said("the query's result"))
    elif isinstance(source, str | Path):
        table = _read_path(source, encoding, sheet, quote, verbatim, text)
    elif isinstance(source, Mapping):
        one_row = source and all(map(_is_cell, source.values()))
        table = Table.of_rows([source], verbatim) if one_row else Table.of(source, verbatim=verbatim)
    elif is_rows(source):
        table = Table.of_rows(source, verbatim)
    else:
        table = _read_frame(source, verbatim=verbatim)
    if not table.names and (least_rows or not isinstance(source, list)):
        raise DataError(f"{table.source} has no columns")
    if table.rows < least_rows:
        held = f"{table.rows} row{'s' * (table.rows > 1)}, and {least_rows} are needed" if table.rows else "no rows"
        raise DataError(f"{table.source} has {_listed(table.names)} but {held}")
    return table


def is_rows(source: object) -> TypeGuard[list[Mapping[str, Any]]]:
    """Whether `source` is a list of rows, each a dict."""
    return isinstance(source, list) and all(isinstance(row, Mapping) for row in source)


@suggesting
def write_table(path: str | Path, columns: Mapping[str, Array | Verbatim]) -> None:
    """Writes columns as a file: .csv, .tsv, .parquet, .json (one array) or .jsonl (one line per row).

    Args:
        path: a name that does not exist yet.
        columns: one-dimensional arrays of equal length: booleans, integers, floats, dates or text (objects); or cells
            that were read verbatim. NaN, NaT and None are written as missing.

    Raises:
        ArgumentError: the path exists, or its ending is unknown.
        DataError: the folder does not exist, or the columns differ in length.
    """
    write_file(path, columns)


def _read_path(
    path: str | Path,
    encoding: str | None,
    sheet: str | int | None,
    quote: str,
    verbatim: Collection[str],
    text: Collection[str],
) -> Table:
    files = named_files(path)
    kind = checked_kind(files[0], encoding, sheet, quote)
    if kind not in ("workbook", "arrow"):
        return Table(read_files(path, encoding, quote, verbatim, text), str(path))
    if len(files) > 1:
        raise DataError(f"{path} matches {len(files)} files; of {', '.join(READ_ALONE)} one at a time is read")
    frame = read_sheet(files[0], sheet) if kind == "workbook" else read_arrow(files[0])
    table = _read_frame(frame, str(path), verbatim)
    if kind == "arrow":
        return table
    # In a workbook all numbers are floats, as 5 is in a cell.
    return Table({name: _whole(table.column(name)) for name in table.names}, str(path))


def _whole(column: Column) -> Column:
    """A column of whole numbers as integers."""
    present = column.values[~column.missing()]
    if column.kind != "number" or column.text is not None or not (present == np.rint(present)).all():
        return column
    verbatim = column.verbatim and verbatim_of(objects(None if cell != cell else int(cell) for cell in column.values))
    return replace(column, kind="integer", verbatim=verbatim)


def _read_frame(frame: Any, name: str = "", verbatim: Collection[str] = ()) -> Table:
    need("narwhals", "", "a pandas, Polars or Arrow frame")
    import narwhals as nw

    kind = type(frame)
    source = name or words.Said("the {package} frame", package=kind.__module__.partition(".")[0])
    with readable(DataError, f"can't read {source}"):  # names that aren't text, for example, or a year beyond 9999
        repeated = _repeated(frame)
        if repeated:
            raise DataError(f"{source} has several columns of one name: {repeated}")
        try:
            wrapped = nw.from_native(frame)
            if isinstance(wrapped, nw.LazyFrame):
                wrapped = wrapped.collect()
        except ModuleNotFoundError as error:
            raise DataError(f"{source} is lazy, and collecting it needs the package {error.name}") from None
        except TypeError:
            raise DataError(
                f"can't read a table from {kind.__module__}.{kind.__qualname__}: give a path, a glob, a SQL query, "
                "a pandas, Polars or Arrow frame, a dict of columns, or a list of rows, each a dict"
            ) from None
        checked(wrapped.to_native(), source)
        columns = {str(name): _column_of_series(wrapped.get_column(name), verbatim) for name in wrapped.columns}
    return Table(columns, source)


def _keeping(column: Column, cells: Array) -> Column:
    """The column with its cells as they stand, unless they are lists and the like."""
    return column if column.kind == "other" else replace(column, verbatim=verbatim_of(cells))


def _column_of_series(series: Any, verbatim: Collection[str]) -> Column:
    """The column of a frame's checked one."""
    import narwhals as nw

    name, native = str(series.name), series.to_native()
    if type(native).__module__.startswith("pyarrow"):
        cells = as_cells(native)
        if cells is None:
            return Column("other", np.full(len(native), None, dtype=object), str(native.type).partition("<")[0])
        series = nw.from_native(cells, series_only=True)
    missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
    named, whole = series.dtype in (nw.Categorical, nw.Enum), str(series.dtype).startswith(("Int", "UInt"))
    if str(series.dtype).endswith("Int128") or (named and missing.any()):
        values = objects(series.to_list())
    else:  # NumPy has no missing integers, and none of 128 bits: with one, to_numpy makes floats of all, or raises
        values = np.array((series.fill_null(0) if whole and missing.any() else series).to_numpy())
    if named:  # categories stay categories, even where numbers name them
        texts = column_of(values, missing).as_text()
        column = bare_column([None if lost else text for text, lost in zip(texts, missing, strict=True)], "category")
    else:
        column = column_of(values, missing, integer=whole)
    return _keeping(column, objects(series.to_list())) if name in verbatim else column


def _is_cell(value: Any) -> bool:
    """Whether a value is one cell, not a column of them."""
    return isinstance(value, str | bytes) or not hasattr(value, "__len__") or getattr(value, "shape", None) == ()


def _scalar(cell: Any) -> Any:
    return cell[()] if isinstance(cell, np.ndarray) and cell.ndim == 0 else cell


def _array_of(name: str, values: Any) -> Array:
    """A column's values as an array (rows,)."""
    checked(values, f"the column {name!r}")
    if _is_cell(values):
        raise DataError(f"the column {name!r} is a single {type(values).__name__}; give an array or a list")
    array = values if isinstance(values, np.ndarray) else None
    if array is None and hasattr(values, "__array__"):
        array = np.asarray(values)
    elif array is None:
        array = objects(values)
    if array.ndim != 1:
        raise DataError(f"the column {name!r} has shape {array.shape}; a column has one axis")
    return array


def _repeated(frame: Any) -> str:
    """The names that several columns of a pandas or Arrow frame share; 1 and "1" are one name here."""
    if hasattr(frame, "collect"):  # a lazy frame, which would have to run first
        return ""
    held: Any = getattr(frame, "column_names", None)  # Arrow's; its `columns` are the data
    held = getattr(frame, "columns", None) if held is None else held
    counts = Counter(map(str, () if held is None else held))
    return ", ".join(sorted(name for name, count in counts.items() if count > 1))


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most]) + (", …" if len(names) > most else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"
