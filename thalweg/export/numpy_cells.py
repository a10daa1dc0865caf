"""Functions that read a table's cells in a NumPy file: their source is copied, and `MISSING` and `GAPS` are defined."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.data.reading import GAPS, MISSING_MARKERS

__all__ = ["CELLS", "GAPS", "MISSING", "MOMENT"]

MISSING = MISSING_MARKERS
MOMENT = (
    r"([1-9][0-9]{3})([-/])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[ Tt]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]+)?))?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""How a moment is written: year, mark, month, day; hour, minute, second, zone."""


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
        return None if "_" in str(cell) else float(cell.strip() if isinstance(cell, str) else cell)
    except ValueError:
        return None


def decimal_comma(cell: Any) -> Any:
    """The same where training has read 1,5 as one and a half; 1.234 might be a thousand there."""
    text = str(cell)
    return (None if "." in text else number(text.replace(",", "."))) if isinstance(cell, str) else number(cell)


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
    """Seconds since 1970-01-01T00:00 of a date such as 2024-05-31, 2024/5/31 or 20240531, maybe with a time."""
    text = str(cell).strip()
    if re.fullmatch("(1[89]|2[01])[0-9]{6}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    elif re.fullmatch("(1[89]|2[01])[0-9]{2}[-/](0[1-9]|1[0-2])", text):
        text += f"{text[4]}01"
    found = re.fullmatch(MOMENT, text)
    if found is None:
        return None
    year, _, month, day, hour, minute, second, zone = found.groups("0")
    try:
        days = datetime.date(int(year), int(month), int(day)).toordinal() - 719163
    except ValueError:
        return None
    if int(hour) > 23 or int(minute) > 59 or float(second) >= 60:
        return None
    away = 0 if zone in ("0", "Z") else int(zone[0] + "60") * int(zone[1:3]) + int(zone[0] + zone[-2:])
    return 86400 * days + 3600 * int(hour) + 60 * (int(minute) - away) + round(float(second), 6)


CELLS: tuple[Callable[..., Any], ...] = (column, read, number, decimal_comma, truth, category, moment)
