"""One column of a table: NumPy arrays of any type become one of six kinds, each with one notation for "missing".

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
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.data.reading import bare, read
from thalweg.data.verbatim import Verbatim, is_nothing

Array = NDArray[Any]
Kind = Literal["number", "integer", "boolean", "text", "date", "other"]

FEW = 20
"""Up to this many different numbers may be names of something; more are measurements."""

_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one column. `values` is a one-dimensional array, as the table in this module's docstring says."""

    kind: Kind
    values: Array
    holds: str = ""  # for "other" only: the type that no network can read, such as LIST
    written: Mapping[float, str] = field(default_factory=dict)
    """How the text spelled the values, if not as this package does: {1.0: "TRUE", 0.0: "FALSE"}."""
    notation: str = ""
    """How text wrote the numbers or dates, if not in the plain way (`thalweg.data.reading`): "1,234.5", "day first"."""
    unit: str = ""
    """The unit that text wrote with every number: "kg", "NT$", "%"."""
    text: Array | None = None
    """The bare text of the cells, objects (rows,), of a column of numbers or dates that could be read otherwise."""
    verbatim: Verbatim | None = None
    """The cells as they stood, if that was asked for; see `read_table`."""

    def missing(self) -> NDArray[np.bool_]:
        """Which cells are missing: (rows,)."""
        if self.kind in ("text", "other"):
            return np.asarray(self.values == None)  # noqa: E711 - cell by cell, in C
        return np.isnat(self.values) if self.kind == "date" else np.isnan(self.values)

    def take(self, rows: Array) -> Column:
        text = None if self.text is None else self.text[rows]
        verbatim = None if self.verbatim is None else self.verbatim[rows]
        return replace(self, values=self.values[rows], text=text, verbatim=verbatim)

    def as_text(self) -> Array:
        """The cells as `str` or None, as they were written; 3, not 3.0: (rows,) of objects."""
        if self.kind in ("text", "other"):
            return self.values
        present = ~self.missing()
        text = np.full(len(self.values), None, dtype=object)
        if self.kind == "date":
            text[present] = np.datetime_as_string(self.values[present], unit="s").astype(object)
            return text
        plain = truth_text if self.kind == "boolean" else number_text
        different, codes = np.unique(self.values[present], return_inverse=True)
        text[present] = objects(self.written.get(value) or plain(value) for value in different.tolist())[codes]
        return text


def number_text(value: float) -> str:
    """A number as a person writes it: 3, not 3.0; otherwise the shortest text that reads back equal."""
    return str(int(value)) if value.is_integer() and abs(value) <= 2**53 else repr(value)


def truth_text(value: float) -> str:
    """ "true" for 1, "false" for 0."""
    return "true" if value else "false"


def magnitude(values: Array) -> float:
    """The power of two at or below the largest absolute value (1 if all are 0). Numbers divided by it lose no bit, and
    their sums and squares don't overflow."""
    _, exponent = np.frexp(np.abs(values).max(initial=0.0))
    return float(np.ldexp(1.0, exponent - 1)) if np.any(values) else 1.0


def objects(cells: Iterable[Any]) -> Array:
    """A one-dimensional object array; `np.array` would make a list of equally long lists two-dimensional."""
    cells = list(cells)
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def column_of(values: Array, missing: Array | None = None, integer: bool = False) -> Column:
    """The column that a one-dimensional array of any type holds.

    `missing` marks further missing cells (a frame's nulls); `integer` says that floats stand for integers, as in a
    frame's integer column with nulls.
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


def category_column(cells: Sequence[str | None]) -> Column:
    """Text that stays text whatever it says, with None for its missing cells.

    >>> category_column(["7", "?", None, " NA"]).values.tolist()
    ['7', None, None, None]
    """
    meaning = {text: bare(text) for text in set(cells)}
    changed = any(text != said for text, said in meaning.items())
    return Column("text", objects(map(meaning.__getitem__, cells) if changed else cells))


def text_column(cells: Sequence[str | None], decimal_comma: bool = False) -> Column:
    """The column that text means: numbers, truth values or dates if all cells are (`thalweg.data.reading`), or text.

    >>> text_column(["7", "?", " 1.5"]).values.tolist(), text_column(["red", " NA"]).values.tolist()
    ([7.0, nan, 1.5], ['red', None])
    """
    return meant(category_column(cells), decimal_comma)


def meant(text: Column, decimal_comma: bool = False) -> Column:
    """The column that a column of bare text means; itself if it is text."""
    found = read(set(text.values.tolist()) - {None}, decimal_comma)
    if found is None:
        return text
    kind, meaning = found.kind, found.meaning
    dtype, missing = ("datetime64[us]", np.datetime64("NaT", "us")) if kind == "date" else ("float64", np.nan)
    written = {} if kind == "date" else spelling(meaning, truth_text if kind == "boolean" else number_text)
    says: dict[str | None, Any] = dict.fromkeys(text.values.tolist(), missing)  # what isn't found is a gap
    says.update(meaning)
    values = np.fromiter(map(says.__getitem__, text.values.tolist()), dtype, len(text.values))
    return Column(kind, values, "", written, found.notation, found.unit, text=text.values if found.open else None)


def spelling(meaning: Mapping[str, float], plain: Callable[[float], str]) -> dict[float, str]:
    """How values are spelled, by value, if text spells any of them differently from us: +1 for 1, TRUE for true.

    Nothing if the values are many, as measurements are, or if one value is spelled in several ways.
    """
    written = {value: text for text, value in meaning.items()}
    ours = all(text in (plain(value), repr(value)) for text, value in meaning.items())
    return {} if ours or len(meaning) > FEW or len(written) < len(meaning) else written


def _hide(values: Array, missing: Array | None, empty: Any) -> Array:
    if missing is not None and missing.any():
        values[missing] = empty  # the caller's array was copied by astype
    return values


def _column_of_objects(values: Array) -> Column:
    """Cells of Python objects. Their types decide; numbers among text become text (and are reported later, by row)."""
    cells = values.tolist()
    if not set(map(type, cells)) <= {str, type(None)}:
        cells = [None if is_nothing(cell) else cell for cell in cells]
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
    return truth_text(float(cell)) if isinstance(cell, bool | np.bool_) else number_text(_float(cell))
