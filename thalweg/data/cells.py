"""One column of a table: NumPy arrays of any type become one of six kinds, each with one notation for "missing".

| kind    | values                                  | a missing cell |
|---------|-----------------------------------------|----------------|
| number  | float64                                 | NaN            |
| integer | float64 (exact up to 2^53)              | NaN            |
| boolean | float64, 0 or 1                         | NaN            |
| text    | object, each a `str`                    | None           |
| date    | datetime64[us]; with a time zone, in UTC | NaT            |
| other   | object, all None; `holds` says what     | None           |

Times of day and durations are numbers, in seconds. Whole numbers from 2^53 on keep their digits as `text`,
and so do numbers of which several become one float64.
"""

from __future__ import annotations

import datetime
import decimal
import numbers
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import ne
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.data.notations.quantities import Style
from thalweg.data.reading import FEW as FEW
from thalweg.data.reading import TIMES, Meanings, bared, forced, is_gap, number_in, read, read_among
from thalweg.data.verbatim import Verbatim, is_nothing
from thalweg.errors import DataError

Array = NDArray[Any]
Kind = Literal["number", "integer", "boolean", "text", "date", "other"]

Origin = Literal["typed", "text", "category"]

EXACT = 2.0**53 - 1
"""Up to here, every whole number is a float64 that no other one becomes: 2^53 is also what 2^53 + 1 becomes."""

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
    """The units that text wrote with numbers: "kg", "NT$", "%"; several with commas between them."""
    text: Array | None = None
    """The bare text of the cells, objects (rows,), of anything but text that came as text; None of many plain numbers
    or moments of a file, which DuckDB converted. Of whole numbers from 2^53 on: their digits."""
    origin: Origin = "typed"
    """What the cells came as: numbers, dates and the like; text; or categories, which stay text."""
    forgiving: bool = False
    """Whether there may be odd cells among the numbers, which count as missing."""
    verbatim: Verbatim | None = None
    """The cells as they stood, if that was asked for; see `read_table`."""

    @property
    def texts(self) -> Array | None:
        """The bare text of the cells, objects (rows,), None for a missing one; None if they didn't come as text, or it
        wasn't kept."""
        if self.kind == "text":
            return self.values
        return None if self.origin == "typed" else self.text

    @property
    def style(self) -> Style:
        """How text wrote the numbers."""
        return Style(self.notation, self.unit)

    @property
    def exact(self) -> bool:
        """Whether no two different whole numbers may have become one float64."""
        return self.kind != "integer" or self.text is None or not bool((np.abs(self.values) > EXACT).any())

    def missing(self) -> NDArray[np.bool_]:
        """Which cells are missing: (rows,)."""
        if self.kind in ("text", "other"):
            return np.asarray(self.values == None)  # noqa: E711 - cell by cell, in C
        return np.isnat(self.values) if self.kind == "date" else np.isnan(self.values)

    def counts(self) -> Counter[str]:
        """How many cells hold each text (`as_text`), in the order of the first ones; missing cells hold none."""
        counts = Counter(self.as_text().tolist())
        del counts[None]
        return counts

    def take(self, rows: Array) -> Column:
        text = None if self.text is None else self.text[rows]
        verbatim = None if self.verbatim is None else self.verbatim[rows]
        return replace(self, values=self.values[rows], text=text, verbatim=verbatim)

    def odd(self) -> int:
        """How many cells are no numbers, and count as missing."""
        if self.text is None or not self.forgiving:
            return 0
        texts = self.text[self.missing()].tolist()
        return sum(text is not None and not is_gap(text) for text in texts)

    def as_text(self) -> Array:
        """The cells as `str` or None, as they were written; 3, not 3.0: (rows,) of objects."""
        if self.kind in ("text", "other"):
            return self.values
        if self.text is not None:
            return self.text
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
    kind = values.dtype.kind if values.dtype != np.longdouble else "O"  # which may hold more than a float64
    if kind in "biuf":
        cells = _hide(values.astype(np.float64), missing, np.nan)
        if kind in "iu" and len(values) and max(abs(int(values.max())), abs(int(values.min()))) > EXACT:
            digits = _hide(values.astype(np.str_).astype(object), missing, None)
            return Column("integer", cells, text=digits)
        return Column("boolean" if kind == "b" else "integer" if kind in "iu" or integer else "number", cells)
    if kind == "M":
        return Column("date", _hide(values.astype("datetime64[us]"), missing, np.datetime64("NaT", "us")))
    if kind == "m":
        seconds = np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))
        return Column("number", _hide(seconds, missing, np.nan), notation=TIMES)
    if kind in "UTO":
        return _column_of_objects(_hide(values.astype(object), missing, None))
    return Column("other", np.full(len(values), None, dtype=object), holds=str(values.dtype))


def bare_column(cells: Sequence[str | None], origin: Origin = "text") -> Column:
    """Text that stays text whatever it says, with None for its missing cells.

    >>> bare_column(["7", "?", None, " NA"]).values.tolist()
    ['7', None, None, None]
    """
    said = bared(set(cells))
    changed = any(map(ne, said, said.values()))
    return Column("text", objects(map(said.__getitem__, cells) if changed else cells), origin=origin)


def text_column(cells: Sequence[str | None], decimal_comma: bool = False) -> Column:
    """The column that text means: numbers, truth values or dates if all cells are (`thalweg.data.reading`), or text.

    >>> text_column(["7", "?", " 1.5"]).values.tolist(), text_column(["red", " NA"]).values.tolist()
    ([7.0, nan, 1.5], ['red', None])
    """
    return meant(bare_column(cells), decimal_comma)


def meant(text: Column, decimal_comma: bool = False, counts: Counter[str] | None = None) -> Column:
    """The column that a column of bare text means; itself if it is text. `counts`: of its texts, if they are known."""
    counts = text.counts() if counts is None else counts
    found = read(counts, decimal_comma) or read_among(counts, decimal_comma)
    if found is None:
        return text
    kind, meaning = found.kind, found.meaning
    dtype, missing = ("datetime64[us]", np.datetime64("NaT", "us")) if kind == "date" else ("float64", np.nan)
    written = {} if kind == "date" else spelling(meaning, truth_text if kind == "boolean" else number_text)
    says = Meanings(lambda gap_or_odd: missing, missing)
    says.update(meaning)
    values = np.fromiter(map(says.__getitem__, text.values.tolist()), dtype, len(text.values))
    return Column(kind, values, "", written, found.notation, found.unit, text.values, "text", found.odd)


def forced_number(name: str, column: Column) -> Column:
    """The column as numbers, whatever it seems to be: cells that are none count as missing.

    Raises:
        DataError: no cell is a number.
    """
    if column.kind in ("number", "integer", "boolean") and column.origin != "category":
        return replace(column, forgiving=True)
    texts = column.texts
    if texts is None:
        held = column.holds or "dates"
        raise DataError(f"the column {name!r} holds {held}, which can't be taken as numbers")
    counts = Counter(texts[~column.missing()].tolist())
    style = forced(counts)
    numbers = Meanings(lambda text: number_in(text, style), missing=np.nan)
    values = np.array(numbers.of(texts), dtype=np.float64)  # an odd cell's None is NaN
    if np.isnan(values).all() and counts:
        raise DataError(f"the column {name!r} can't be taken as numbers: none of its cells is one")
    return Column("number", values, "", {}, style.notation, style.unit, texts, "text", forgiving=True)


def spelling(meaning: Mapping[str, float], plain: Callable[[float], str]) -> dict[float, str]:
    """How values are spelled, by value, if text spells any of them differently from us: +1 for 1, TRUE for true.

    Nothing if the values are many, as measurements are, or if one value is spelled in several ways.
    """
    written = {value: text for text, value in meaning.items()} if len(meaning) <= FEW else {}
    ours = all(text in (plain(value), repr(value)) for value, text in written.items())
    return {} if ours or len(written) < len(meaning) else written


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
    if types <= {str}:
        return text_column(cells)
    if all(issubclass(t, str | uuid.UUID) for t in types):
        return text_column([None if cell is None else str(cell) for cell in cells])
    if all(issubclass(t, bool | np.bool_) for t in types):
        return Column("boolean", _floats(cells))
    if all(_is_number(t) for t in types):
        integer = all(issubclass(t, numbers.Integral | np.bool_) for t in types)
        return _number_column(cells, integer)
    if all(issubclass(t, datetime.date | np.datetime64) for t in types):
        return Column("date", np.array([moment_of(cell) for cell in cells], dtype="datetime64[us]"))
    if all(issubclass(t, datetime.time | datetime.timedelta | np.timedelta64) for t in types):
        seconds = _floats([None if cell is None else _seconds(cell) for cell in cells])
        return Column("number", seconds, notation=TIMES)
    if all(issubclass(t, str | bool | np.bool_) or _is_number(t) for t in types):
        return text_column([cell if cell is None or isinstance(cell, str) else _cell_text(cell) for cell in cells])
    names = " and ".join(sorted({t.__name__ for t in types}))
    return Column("other", np.full(len(cells), None, dtype=object), holds=names)


def _is_number(kind: type) -> bool:
    return issubclass(kind, numbers.Real | decimal.Decimal | np.bool_)


def _number_column(cells: Sequence[Any], integer: bool) -> Column:
    """The column of Python's numbers, with the text of whole ones from 2^53 on, and of what becomes one float64."""
    column, present = Column("integer" if integer else "number", _floats(cells)), {*cells} - {None}
    untyped = not any(isinstance(cell, float | np.floating) for cell in present) and not present & {np.inf, -np.inf}
    if (np.abs(column.values) > EXACT).any() and untyped and all(cell == int(cell) for cell in present):
        return replace(column, kind="integer", text=objects(None if cell is None else str(int(cell)) for cell in cells))
    merged = len(present) > len(np.unique(column.values[~column.missing()]))
    return replace(column, text=objects(None if cell is None else str(cell) for cell in cells)) if merged else column


def _floats(cells: Sequence[Any]) -> Array:
    return np.array([np.nan if cell is None else _float(cell) for cell in cells], dtype=np.float64)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:  # an integer beyond 1.8e308: reported as infinite, with its row, when the column is used
        return np.inf if cell > 0 else -np.inf


def moment_of(cell: Any) -> Any:
    """A date or a moment of Python's or NumPy's as datetime64[us], in UTC; NaT for None."""
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        return np.datetime64(cell.astimezone(datetime.UTC).replace(tzinfo=None), "us")
    return np.datetime64("NaT" if cell is None else cell, "us")


def _seconds(cell: Any) -> float:
    if isinstance(cell, datetime.time):
        moment = datetime.datetime.combine(_EPOCH.date(), cell.replace(tzinfo=None))
        return (moment - _EPOCH).total_seconds()
    return float(np.timedelta64(cell) / np.timedelta64(1, "s"))


def _cell_text(cell: Any) -> str:
    if isinstance(cell, bool | np.bool_):
        return truth_text(float(cell))
    return str(int(cell)) if isinstance(cell, numbers.Integral) else number_text(_float(cell))
