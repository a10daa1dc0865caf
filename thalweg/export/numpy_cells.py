"""Functions that read a table's cells in a NumPy file: their source is copied, and `MISSING` and `GAPS` are defined."""

from __future__ import annotations

import datetime
import re
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
        if cell is None or cell != cell or spelled(cell) in MISSING:
            value = missing
        else:
            value = meaning(cell)
            if value is None:
                value = missing if gap(spelled(cell)) else unknown
        if value is None or abs(value) == float("inf"):
            raise ValueError(f"row {row} of the column {name!r} holds {cell!r}, which is no {what}")
        values.append(value)
    return np.array(values, np.float64)


def spelled(cell: Any) -> Any:
    """A cell as text without white space around it: 7 for 7.0, true for True."""
    if isinstance(cell, bool | np.bool_):
        return str(cell).lower()
    if isinstance(cell, float | np.floating):
        cell = int(cell) if float(cell).is_integer() and -(2**53) <= float(cell) <= 2**53 else float(cell)
    return str(cell).strip(" \t\n\r\f\v")


def gap(text: str) -> bool:
    """Whether a text says that nothing is there."""
    return len(text) < 12 and plainly(text).lower() in GAPS


def number(cell: Any) -> Any:
    """The number that a cell is, or that its text spells."""
    text = str(cell).strip()
    spelled = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|[+-]?(?i:inf(inity)?)", text)
    return float(text) if spelled else None


def quantity(pattern: str, power: int = 0, group: str = "", plain: bool = True) -> Any:
    """The function that reads numbers as the column has them, such as 1,234.5 or 約25坪.

    power: of ten, by which they are multiplied: -2 for 45%. group: what stands between thousands. plain: whether a
    number may stand without a unit.
    """
    powers = {"": 0, "k": 3, "K": 3, "M": 6, "千": 3, "萬": 4, "万": 4, "億": 8, "亿": 8}

    def value(cell: Any) -> Any:
        if not isinstance(cell, str) or (plain and number(cell) is not None):
            return number(cell)
        found = re.fullmatch(pattern, plainly(spelled(cell)))
        if found is None:
            return None
        has = {name: text for name, text in found.groupdict().items() if text}
        signs = has.get("sign", "") + has.get("inner", "")
        brackets, marked = "open" in has, "about" in has or bool(signs)
        units = len({"before", "after", "of"} & has.keys())
        if len(signs) > 1 or units > 1 or brackets != ("close" in has) or (brackets and marked):
            return None
        digits = has.get("body") or has.get("small") or has["zero"]
        digits = digits.replace(group, "").replace(",", ".")
        times = powers[has.get("letter", "")] + powers[has.get("times", "")] + power
        size = float(digits) * 10.0**times if "e" in digits.lower() else float(f"{digits}e{times}")
        return -size if brackets or signs == "-" else size

    return value


def plainly(text: str) -> str:
    """The text in ASCII letters where these say the same: １２ is 12."""
    if text.isascii():
        return text
    for one, other in zip("\u3000\u00a0\u2007\u2009\u202f−￥￡’‘′", "     -¥£'''", strict=True):
        text = text.replace(one, other)
    return "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text).strip()


def clock(cell: Any) -> Any:
    """Seconds of a time of day such as 10:30."""
    found = re.fullmatch("([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:[.][0-9]{1,6})?))?", spelled(cell))
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3] or 0) if found else None


def category(known: Any, numbers: Any = (), words: Any = (), odd: str = "", other: Any = -1) -> Any:
    """The function that finds the place of a cell among categories, by its text, or by the numbers and words that mean
    one; it is `other` for another one.

    odd: the pattern of what may be a number or a date that only thalweg can read.
    """
    places = {spelled(text): place for place, text in reversed(list(enumerate(known)))}
    numbers, words = dict(numbers), dict(words)

    def place(cell: Any) -> Any:
        text = spelled(cell)
        value = number(text)
        if text in places:
            return places[text]
        if value is not None and abs(value) < 2**53:
            return numbers.get(value, other) if value % 1 == 0 or not isinstance(cell, str) else other
        if text.lower() in words:
            return words[text.lower()]
        return None if gap(text) or text.strip().lower() in words or re.fullmatch(odd, text) else other

    return place


def date(*patterns: str) -> Any:
    """The function that reads dates, maybe with a time: seconds since 1970-01-01T00:00."""

    def moment(cell: Any) -> Any:
        text = plainly(spelled(cell))
        found = next(filter(None, (re.fullmatch(pattern, text, re.ASCII) for pattern in patterns)), None)
        if found is None:
            return None
        has = {name: text for name, text in found.groupdict().items() if text}
        year = int(has["y"]) if "y" in has else 1911 + int(has["roc"].replace("元", "1"))
        try:
            days = datetime.date(year, int(has["m"]), int(has.get("d", 1))).toordinal() - 719163
        except ValueError:  # the 31st of February
            return None
        hours, half = int(has.get("H", 0)), has.get("before", "") + has.get("after", "")
        if half and (not 1 <= hours <= 12 or {"before", "after"} <= has.keys()):
            return None
        minutes = 60 * (hours % 12 + 12 * (half[0] in "Pp下") if half else hours) + int(has.get("M", 0))
        zone = has.get("zone", "").strip().replace(":", "")
        if zone[:1] in ("+", "-"):
            minutes -= int(f"{zone[0]}1") * (60 * int(zone[1:3]) + int(zone[3:] or 0))
        return 86400.0 * days + 60 * minutes + float(has.get("S", "0").replace(",", "."))

    return moment


CELLS: tuple[Callable[..., Any], ...] = (
    *(column, read, spelled, gap, number, quantity, clock, category, date, plainly),
)
