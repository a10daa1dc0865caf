"""The meaning of text. A cell of text reads the same everywhere: in CSV, Parquet or JSON, in a frame, in a query.

White space around a cell doesn't count, and the `MISSING_MARKERS` are missing cells. A column of text holds numbers,
truth values or dates if *all* its cells are; otherwise it holds text.

| kind    | a cell                                                                                        |
|---------|-----------------------------------------------------------------------------------------------|
| integer | 7, -3, +1; with a leading zero, 007, it is a code: text                                       |
| number  | 1.5, .5, 1e-3, inf; 0,5 unless all cells may be thousands, as in 1,250; 10:30 and 10:30:15 are seconds |
| boolean | true and false, in capitals or not; yes and no are text                                       |
| date    | 2024-05-31, 2024-05-31 10:30:15.5, 2024-05-31T10:30Z, 31.5.2024; 31/5/2024 and 5/31/2024 unless |
|         | all cells may be read either way                                                              |
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

MISSING_MARKERS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Text that means "missing", also with white space around it; a database's NULL, None and NaN are always missing."""
WHITE_SPACE = " \t\n\r\f\v"

# DuckDB converts columns that fit one of these three patterns, and reads the patterns as Python does.
INTEGER = "[+-]?(?:0|[1-9][0-9]*)"
NUMBER = rf"(?:{INTEGER}(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)"
MOMENT = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?)?"

_DECIMAL_COMMA = rf"(?:{INTEGER}(?:,[0-9]+)?|[+-]?,[0-9]+)(?:[eE][+-]?[0-9]+)?"
_THOUSANDS = re.compile("[+-]?(?:0|[1-9][0-9]{0,2}(?:,[0-9]{3})*)")
_LENIENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_DAY, _MONTH, _YEAR = "(?P<d>0?[1-9]|[12][0-9]|3[01])", "(?P<m>0?[1-9]|1[0-2])", "(?P<y>[1-9][0-9]{3})"
_TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,6})?)?"
_CLOCK = f"(?:[T ](?P<clock>{_TIME})(?P<zone>Z| ?[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?"
_EPOCH = datetime.date(1970, 1, 1)

Kind = Literal["integer", "number", "boolean", "date"]
Meaning = dict[str, Any]
"""The meaning of each text: a float (0 or 1 for a boolean), or a datetime64 in UTC."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read text."""

    kind: Kind
    pattern: re.Pattern[str]
    convert: Callable[[re.Match[str]], Any]  # ValueError for lookalikes: the 31st of February

    def of(self, texts: Collection[str]) -> Meaning | None:
        """The meaning of the texts, if all of them can be read this way."""
        meaning = {}
        for text in texts:
            found = self.pattern.fullmatch(text)
            if found is None:
                return None
            try:
                meaning[text] = self.convert(found)
            except (ValueError, OverflowError):
                return None
        return meaning


def _number(found: re.Match[str]) -> float:
    return float(found[0].replace(",", "."))


def _truth(found: re.Match[str]) -> float:
    return float(found[0].lower() == "true")


def _seconds(time: str) -> float:
    hours, minutes, *seconds = time.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(*seconds)


def _moment(found: re.Match[str]) -> np.datetime64:
    day = datetime.date(int(found["y"]), int(found["m"]), int(found["d"]))
    seconds = _seconds(found["clock"]) if found["clock"] else 0.0
    zone = (found["zone"] or "Z").strip().replace(":", "")
    if zone != "Z":
        seconds -= int(zone[0] + "1") * (3600 * int(zone[1:3]) + 60 * int(zone[3:] or 0))
    return np.datetime64((day - _EPOCH).days * 86_400_000_000 + round(seconds * 1e6), "us")


def _reading(kind: Kind, pattern: str, convert: Callable[[re.Match[str]], Any]) -> Reading:
    return Reading(kind, re.compile(pattern), convert)


_PLAIN = (
    _reading("integer", INTEGER, _number),
    _reading("number", NUMBER, _number),
    _reading("boolean", "(?i:true|false)", _truth),
    _reading("date", rf"{_YEAR}(?P<s>[-/]){_MONTH}(?P=s){_DAY}{_CLOCK}", _moment),
    _reading("number", _TIME, lambda found: _seconds(found[0])),
)
_COMMA = _reading("number", _DECIMAL_COMMA, _number)
_DAY_FIRST = _reading("date", rf"{_DAY}(?P<s>[-/.]){_MONTH}(?P=s){_YEAR}{_CLOCK}", _moment)
_MONTH_FIRST = _reading("date", rf"{_MONTH}(?P<s>[-/]){_DAY}(?P=s){_YEAR}{_CLOCK}", _moment)


def bare(text: str | None) -> str | None:
    """A cell without the white space around it, None if it is missing."""
    stripped = None if text is None else text.strip(WHITE_SPACE)
    return None if stripped in MISSING_MARKERS else stripped


def read(texts: Collection[str], decimal_comma: bool = False) -> tuple[Kind, Meaning] | None:
    """The meaning of bare, different texts, all read in one way; None if they are text, or could be read in two ways.

    `decimal_comma`: commas are known to be decimal, as in a file with semicolons between cells.

    >>> read(["1,5", "2"])
    ('number', {'1,5': 1.5, '2': 2.0})
    >>> read(["1,250", "2"]), read(["05/06/2024"]), read(["yes", "no"])
    (None, None, None)
    """
    if not texts:
        return None
    for reading in _PLAIN:
        meaning = reading.of(texts)
        if meaning is not None:
            return reading.kind, meaning
    meaning = _COMMA.of(texts)
    if meaning is not None:
        return (_COMMA.kind, meaning) if decimal_comma or not all(map(_THOUSANDS.fullmatch, texts)) else None
    days, months = _DAY_FIRST.of(texts), _MONTH_FIRST.of(texts)
    if days is not None and months is not None and days != months:
        return None
    meaning = months if days is None else days
    return None if meaning is None else ("date", meaning)


def plain_number(text: str) -> float | None:
    """The number that `text` spells, with or without leading zeros, or None. "1_000", "0x10" and "12 kg" are none.

    >>> plain_number(" -1.5e3 "), plain_number("007"), plain_number("3+"), plain_number("1_000")
    (-1500.0, 7.0, None, None)
    """
    text = text.strip()
    return float(text) if _LENIENT.fullmatch(text) else None


def number_in(text: str) -> float | None:
    """The meaning of a text among numbers: a plain number, one with a comma, or a time of day; None for other text."""
    number = plain_number(text)
    if number is None:
        kind, meaning = read([text]) or ("", {})
        number = meaning[text] if kind in ("integer", "number") else None
    return number


def date_in(text: str) -> np.datetime64 | None:
    """The meaning of a text among dates; None if it is no date, or could be two."""
    kind, meaning = read([text]) or ("", {})
    return meaning[text] if kind == "date" else None


def is_code(text: str) -> bool:
    """Whether a number is written like a code, with a leading zero: 007, 01234."""
    digits = text.strip()
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
