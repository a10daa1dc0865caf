"""Cells as they stood in their source: what names a row is written back as it was, not as it was understood."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_DIGITS = 38  # of DuckDB's widest decimals


@dataclass(frozen=True, slots=True)
class Verbatim:
    """The cells of a column as text, and the type that they had, in DuckDB's words: what casts them back.

    >>> verbatim_of(np.array([7, None, 10**18], dtype=object))
    Verbatim(sql_type='BIGINT', texts=array(['7', None, '1000000000000000000'], dtype=object))
    >>> verbatim_of(np.array(["+7", " NA"], dtype=object))
    Verbatim(sql_type='VARCHAR', texts=array(['+7', ' NA'], dtype=object))
    """

    sql_type: str
    texts: Array
    """(rows,) of `str`, and None where there was nothing."""

    def __getitem__(self, rows: Array) -> Verbatim:
        return Verbatim(self.sql_type, self.texts[rows])

    def __len__(self) -> int:
        return len(self.texts)


def verbatim_of(values: Array) -> Verbatim:
    """The cells of an array of any type, (rows,); an object that is no number, truth value or date is its text."""
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")  # nanoseconds would become integers
    cells = [None if is_nothing(cell) else cell for cell in values.tolist()]
    present = [cell for cell in cells if cell is not None]
    sql_type, text = _form(present)
    texts = [None if cell is None else text(cell) for cell in cells]
    return Verbatim(sql_type, np.array(texts, dtype=object))


def _form(cells: list[Any]) -> tuple[str, Callable[[Any], str]]:
    """The type of Python objects, and what writes one."""

    def all_are(*kinds: type) -> bool:
        return bool(cells) and all(isinstance(cell, kinds) for cell in cells)

    if all_are(bool, np.bool_):
        return "BOOLEAN", lambda cell: str(bool(cell)).lower()
    if all_are(numbers.Integral) and not any(isinstance(cell, bool) for cell in cells):
        longest = max(map(abs, cells))
        return ("BIGINT" if longest < 2**63 else "HUGEINT" if longest < 2**127 else "VARCHAR"), lambda c: str(int(c))
    if all_are(float, np.floating):
        return "DOUBLE", str
    if all_are(decimal.Decimal) and all(cell.is_finite() for cell in cells):
        scale = max(0, *(-cell.as_tuple().exponent for cell in cells))
        fits = all(cell.adjusted() + 1 + scale <= _DIGITS for cell in cells) and scale <= _DIGITS
        return f"DECIMAL({_DIGITS},{scale})" if fits else "VARCHAR", lambda cell: format(cell, "f")
    if all_are(datetime.datetime):
        zoned = {cell.tzinfo is not None for cell in cells}
        written = {True: "TIMESTAMP WITH TIME ZONE", False: "TIMESTAMP"}
        return written[zoned.pop()] if len(zoned) == 1 else "VARCHAR", lambda cell: str(cell.isoformat(" "))
    if all_are(datetime.date) and not any(isinstance(cell, datetime.datetime) for cell in cells):
        return "DATE", str
    if all_are(datetime.time) and all(cell.tzinfo is None for cell in cells):
        return "TIME", str
    return "VARCHAR", str


def is_nothing(cell: Any) -> bool:
    """None, NaN, NaT, pandas' NA (known by its type's name: pandas itself may not be installed), a masked cell."""
    if cell is None or cell is np.ma.masked or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return isinstance(cell, numbers.Number) and bool(cell != cell)
