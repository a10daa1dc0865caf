"""One column of a table: NumPy arrays of any sort become one of six kinds, each with one way to say "missing".

| kind    | values                                  | a missing cell |
|---------|-----------------------------------------|----------------|
| number  | float64                                 | NaN            |
| integer | float64 (exact up to 2^53)              | NaN            |
| boolean | float64, 0 or 1                         | NaN            |
| text    | object, each a `str`                    | None           |
| date    | datetime64[us]; with a time zone, in UTC | NaT            |
| other   | object, all None; `holds` says what     | None           |

Times of day and durations are numbers, in seconds.
"""

from __future__ import annotations

import datetime
import decimal
import numbers
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kind = Literal["number", "integer", "boolean", "text", "date", "other"]

MISSING_MARKERS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Text that means "missing", also with white space around it; a database's NULL, None and NaN are always missing."""

_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one column. `values` is a one-dimensional array, as the table in this module's docstring says."""

    kind: Kind
    values: Array
    holds: str = ""  # only for "other": the type that no network can read, such as LIST

    def missing(self) -> NDArray[np.bool_]:
        """Which cells hold nothing: (rows,)."""
        if self.kind in ("text", "other"):
            return np.asarray(self.values == None)  # noqa: E711 - cell by cell, in C
        return np.isnat(self.values) if self.kind == "date" else np.isnan(self.values)

    def take(self, rows: Array) -> Column:
        return Column(self.kind, self.values[rows], self.holds)

    def as_text(self) -> Array:
        """The cells as `str` or None, an integral number without its point: (rows,) of objects."""
        if self.kind in ("text", "other"):
            return self.values
        present = ~self.missing()
        text = np.full(len(self.values), None, dtype=object)
        if self.kind == "date":
            text[present] = np.datetime_as_string(self.values[present], unit="s").astype(object)
        elif self.kind == "boolean":
            text[present] = np.where(self.values[present] == 1, "true", "false").astype(object)
        else:
            different, codes = np.unique(self.values[present], return_inverse=True)
            text[present] = objects(map(number_text, different.tolist()))[codes]
        return text


def number_text(value: float) -> str:
    """A number as a person writes it: 3 and not 3.0, otherwise the shortest text that reads back equal."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def plain_number(text: str) -> float | None:
    """The number that `text` writes, or None. "1_000", "0x10" and "12 kg" are no numbers.

    >>> plain_number(" -1.5e3 "), plain_number("3+"), plain_number("1_000")
    (-1500.0, None, None)
    """
    text = text.strip()
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else None


def magnitude(values: Array) -> float:
    """The power of two at or below the largest absolute value (1 where all are 0): numbers divided by it have sums and
    squares that don't overflow, and lose no bit."""
    _, exponent = np.frexp(np.abs(values).max(initial=0.0))
    return float(np.ldexp(1.0, exponent - 1)) if np.any(values) else 1.0


def objects(cells: Iterable[Any]) -> Array:
    """A one-dimensional object array: `np.array` would make two dimensions of a list of equally long lists."""
    cells = list(cells)
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def column_of(values: Array, missing: Array | None = None, integer: bool = False) -> Column:
    """The column that a one-dimensional array of any type holds.

    `missing` marks further missing cells (a frame's nulls); `integer` says that floats stand for integers, as where a
    frame's integer column has nulls.
    """
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        missing = mask if missing is None else mask | missing
        values = np.asarray(values.data)
    kind = values.dtype.kind
    if kind in "biuf":
        cells = _hide(values.astype(np.float64), missing, np.nan)
        return Column("boolean" if kind == "b" else "integer" if kind in "iu" or integer else "number", cells)
    if kind == "M":
        return Column("date", _hide(values.astype("datetime64[us]"), missing, np.datetime64("NaT", "us")))
    if kind == "m":
        seconds = np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))
        return Column("number", _hide(seconds, missing, np.nan))
    if kind in "UTO":
        return _column_of_objects(_hide(values.astype(object), missing, None))
    return Column("other", np.full(len(values), None, dtype=object), holds=str(values.dtype))


def text_column(cells: Sequence[str | None], strip: bool = False) -> Column:
    """Text, with the usual markers of a missing cell replaced by None; `strip` takes white space off the others.

    >>> text_column(["red", "?", None, " NA"]).values.tolist()
    ['red', None, None, None]
    """
    meaning: dict[str | None, str | None] = {}
    changed = False
    for text in set(cells):
        bare = text.strip() if text is not None else None
        meaning[text] = None if bare in MISSING_MARKERS else bare if strip else text
        changed = changed or meaning[text] != text
    return Column("text", objects(map(meaning.__getitem__, cells) if changed else cells))


def numbers_if_all(column: Column, decimal_comma: bool = False) -> Column:
    """A text column that holds nothing but numbers, as a number column; every other column as it is.

    Numbers with a leading zero, such as 01234, are codes and stay text. With `decimal_comma`, "0,5" is a number too.
    """
    if column.kind != "text":
        return column
    meaning: dict[str | None, float] = {None: np.nan}
    for text in set(column.values.tolist()) - {None}:
        number = plain_number(text.replace(",", ".", 1) if decimal_comma else text)
        if number is None or is_code(text):
            return column
        meaning[text] = number
    if len(meaning) == 1:
        return column
    values = np.fromiter(map(meaning.__getitem__, column.values.tolist()), np.float64, len(column.values))
    integer = all(number.is_integer() for number in meaning.values() if number == number)
    return Column("integer" if integer else "number", values)


def is_code(text: str) -> bool:
    """Whether a number is written as codes are, with a leading zero: 007, 01234."""
    digits = text.strip()
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _hide(values: Array, missing: Array | None, empty: Any) -> Array:
    if missing is not None and missing.any():
        values[missing] = empty  # the caller's array was copied by astype
    return values


def _column_of_objects(values: Array) -> Column:
    """Cells of Python objects. Their types decide; numbers among text become text (and are reported later, by row)."""
    cells = values.tolist()
    if not set(map(type, cells)) <= {str, type(None)}:
        cells = [None if _is_nothing(cell) else cell for cell in cells]
    types = set(map(type, cells)) - {type(None)}
    if not types or all(issubclass(t, str | uuid.UUID) for t in types):
        return text_column([None if cell is None else str(cell) for cell in cells])
    if all(issubclass(t, bool | np.bool_) for t in types):
        return Column("boolean", _floats(cells))
    if all(_is_number(t) for t in types):
        integer = all(issubclass(t, numbers.Integral | np.bool_) for t in types)
        return Column("integer" if integer else "number", _floats(cells))
    if all(issubclass(t, datetime.date | np.datetime64) for t in types):
        return Column("date", np.array([_moment(cell) for cell in cells], dtype="datetime64[us]"))
    if all(issubclass(t, datetime.time | datetime.timedelta | np.timedelta64) for t in types):
        return Column("number", _floats([None if cell is None else _seconds(cell) for cell in cells]))
    if all(issubclass(t, str | bool | np.bool_) or _is_number(t) for t in types):
        return text_column([cell if cell is None or isinstance(cell, str) else _cell_text(cell) for cell in cells])
    names = " and ".join(sorted({t.__name__ for t in types}))
    return Column("other", np.full(len(cells), None, dtype=object), holds=names)


def _is_nothing(cell: Any) -> bool:
    """None, NaN, NaT, pandas' NA (known by its type's name: pandas itself may not be installed), a masked cell."""
    if cell is None or cell is np.ma.masked or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return isinstance(cell, numbers.Number) and bool(cell != cell)


def _is_number(kind: type) -> bool:
    return issubclass(kind, numbers.Real | decimal.Decimal | np.bool_)


def _floats(cells: Sequence[Any]) -> Array:
    return np.array([np.nan if cell is None else _float(cell) for cell in cells], dtype=np.float64)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:  # an integer beyond 1.8e308: reported as infinite, with its row, when the column is used
        return np.inf if cell > 0 else -np.inf


def _moment(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        return np.datetime64(cell.astimezone(datetime.UTC).replace(tzinfo=None), "us")
    return np.datetime64("NaT" if cell is None else cell, "us")


def _seconds(cell: Any) -> float:
    if isinstance(cell, datetime.time):
        moment = datetime.datetime.combine(_EPOCH.date(), cell.replace(tzinfo=None))
        return (moment - _EPOCH).total_seconds()
    return float(np.timedelta64(cell) / np.timedelta64(1, "s"))


def _cell_text(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else number_text(_float(cell))
