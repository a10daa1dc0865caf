"""Functions that read a table's cells in a NumPy file: their source is copied, and `MISSING` and `GAPS` are defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.data.reading import GAPS, MISSING_MARKERS

__all__ = ["CELLS", "GAPS", "MISSING"]

MISSING = MISSING_MARKERS


def column(table: Any, name: str) -> Any:
    """The cells of a column of a table: a dict or frame of columns, or a list of rows, each a dict."""
    try:
        return [row[name] for row in table] if isinstance(table, list) else list(table[name])
    except KeyError:
        raise ValueError(f"the table lacks {name!r}, which the model was trained with") from None


def read(table: Any, name: str, what: str, meaning: Any, missing: float, unknown: Any = None) -> Any:
    """What each cell means, as float64.

    meaning: the number of a cell; None if it isn't what it has to be: then it is `unknown`, or an error.
    """
    values = []
    for row, cell in enumerate(column(table, name), 1):
        if cell is None or cell != cell or str(cell).strip() in MISSING:
            value = missing
        else:
            value = meaning(cell)
            if value is None:
                value = missing if str(cell).strip().lower() in GAPS else unknown
        if value is None or abs(value) == float("inf"):
            raise ValueError(f"row {row} of the column {name!r} holds {cell!r}, which is no {what}")
        values.append(value)
    return np.array(values, np.float64)


def number(cell: Any) -> Any:
    """The number that a cell is, or that its text spells."""
    try:
        return None if "_" in str(cell) else float(cell)
    except ValueError:
        return None


def truth(cell: Any) -> Any:
    """1 or 0 for yes or no."""
    text = str(cell).strip().lower()
    if text in ("true", "yes", "y", "t", "1", "1.0"):
        return 1.0
    return 0.0 if text in ("false", "no", "n", "f", "0", "0.0") else None


def category(known: Any) -> Any:
    """The function that finds a cell among categories: by its text, as the same number, or by a word for yes or no."""
    places = {text.strip(): place for place, text in reversed(list(enumerate(known)))}
    numbers = {number(text): place for text, place in places.items() if number(text) is not None}
    truths = {truth(text): place for text, place in places.items()}

    def place(cell: Any) -> Any:
        text = str(cell).strip()
        if text in places:
            return places[text]
        if number(text) in numbers and number(text) % 1 == 0:
            return numbers[number(text)]
        return truths.get(truth(text)) if truths.keys() == {0.0, 1.0} else None

    return place


def moment(cell: Any) -> Any:
    """Seconds since 1970-01-01T00:00 of a date such as 2024-05-31, maybe with a time."""
    try:
        text = str(cell).strip().replace(" ", "T").replace("/", "-")
        return np.datetime64(text, "us").astype(np.int64) / 1e6
    except ValueError:
        return None


CELLS: tuple[Callable[..., Any], ...] = (column, read, number, truth, category, moment)
