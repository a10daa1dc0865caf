"""The meaning of text. A cell of text reads the same everywhere: in CSV, Parquet or JSON, in a frame, in a query.

White space around a cell doesn't count, and the `MISSING_MARKERS` are missing cells; among numbers and dates, the
`GAPS` are, too. A column of text holds numbers, truth values or dates if *all* its cells are; otherwise it holds text.

| kind    | a cell                                                                                        |
|---------|-----------------------------------------------------------------------------------------------|
| integer | 7, -3, +1; with a leading zero, 007, it is a code: text                                       |
| number  | 1.5, .5, 1e-3, inf; 10:30 and 10:30:15 are seconds                                            |
|         | 1,234.5, 1.234,5, 1 234,5, 1'234.5; 0,5 if any comma can't divide thousands, 1,234 otherwise   |
|         | (1,234) is negative; 45% is 0.45; 1.2k, 3M, 3萬 and 1.2億 are multiplied; full-width digits       |
|         | with a unit or currency that all cells share: $5, NT$1,234, € 1.234,50, 72 kg, 72公斤           |
| boolean | true and false, in capitals or not; yes and no are text                                       |
| date    | 2024-05-31, 2024/5/31 10:30:15.5, 2024-05-31T10:30Z, 20240531T1030+0800, 2024-05, 2024-W22    |
|         | 31 May 2024, May 31, 2024 3:04 PM, Fri, 31 May 2024, 31-May-24, May 2024, 2024Q2              |
|         | 2024年5月31日 下午 3:04, 2024年5月, 民國113年5月31日; 113/5/31 if a year is above 99 and all are below 200 |
|         | 31/5/2024, 31.5.2024, 5/31/2024: day first or month first, as any number above 12 decides      |

A column of 31/5/2024 without a number above 12 is taken as day first, and says so where it is described. In a file with
semicolons between its cells the comma is decimal. Numbers are not read as codes are written: 12A, 3+, 5th are text, and
so are units that differ, years of two digits in 31/12/99, and months in other languages.

A column remembers how it was written (`notation`), and keeps its text where it could be read otherwise: what was fitted
on day-first dates or decimal commas reads them so in whatever it meets later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import numpy as np

from thalweg.data.notations.calendars import EITHER, MOMENT, TIME, may_be_date, read_dates, read_dates_by
from thalweg.data.notations.letters import plainly
from thalweg.data.notations.quantities import INTEGER, NUMBER, may_be_groups, read_numbers, same_unit

__all__ = ["GAPS", "INTEGER", "MISSING_MARKERS", "MOMENT", "NUMBER", "WHITE_SPACE", "Found", "Kind", "bare", "read"]

MISSING_MARKERS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Text that means "missing", also with white space around it; a database's NULL, None and NaN are always missing."""
GAPS = frozenset(
    [
        *("-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "/"),
        *("na", "n/a", "n.a.", "n.a", "#n/a", "#na", "nil", "none", "missing"),
        *("無", "无", "缺", "缺值", "無資料", "无数据", "不詳", "0000-00-00"),
    ]
)
"""Text, in small letters, that means "missing" where all other cells are numbers or dates."""
WHITE_SPACE = " \t\n\r\f\v"

_LENIENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_SOME = 8  # cells that a reading is tried on before all are read

Kind = Literal["integer", "number", "boolean", "date"]
Meaning = dict[str, Any]
"""The meaning of each text: a float (0 or 1 for a boolean), or a datetime64 in UTC."""


@dataclass(frozen=True, slots=True)
class Found:
    """What texts mean, and how they write it."""

    kind: Kind
    meaning: Meaning
    notation: str = ""
    """How numbers or dates are written, if not in the plain way: "1,234.5", "day first"."""
    unit: str = ""
    """What all numbers are followed or preceded by: "kg", "NT$", "%"."""
    open: bool = False
    """Whether the texts could be read otherwise: by a notation or unit of another column, or as text."""


def _seconds(time: str) -> float:
    hours, minutes, *seconds = time.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(*seconds)


_PLAIN: tuple[tuple[Kind, re.Pattern[str], Callable[[str], float]], ...] = (
    ("integer", re.compile(INTEGER), float),
    ("number", re.compile(NUMBER), float),
    ("boolean", re.compile("(?i:true|false)"), lambda text: float(text.lower() == "true")),
    ("number", re.compile(TIME), _seconds),
)


def bare(text: str | None) -> str | None:
    """A cell without the white space around it, None if it is missing."""
    stripped = None if text is None else text.strip(WHITE_SPACE)
    return None if stripped in MISSING_MARKERS else stripped


def is_gap(text: str) -> bool:
    """Whether a bare text means "missing" among numbers and dates.

    >>> is_gap("—"), is_gap("N.A."), is_gap("無"), is_gap("none of it")
    (True, True, True, False)
    """
    return len(text) < 12 and plainly(text).lower() in GAPS


def read(texts: Collection[str], decimal_comma: bool = False) -> Found | None:
    """The meaning of bare, different texts, all read in one way; None if they are text, or could be read in two ways.

    `decimal_comma`: commas are known to be decimal, as in a file with semicolons between cells.

    >>> read(["1,5", "2"]).meaning, read(["1,250", "2"]).meaning
    ({'1,5': 1.5, '2': 2.0}, {'1,250': 1250.0, '2': 2.0})
    >>> read(["13/06/2024"]).notation, read(["1,234", "5.678"]), read(["yes", "no"])
    ('day first', None, None)
    """
    if not texts:
        return None
    for kind, pattern, value in _PLAIN:
        if all(map(pattern.fullmatch, texts)):
            open_ = kind == "number" and may_be_groups(texts)
            return Found(kind, {text: value(text) for text in texts}, open=open_)
    if not _may_be_read(texts):
        return None
    present = [text for text in texts if not is_gap(text)]
    if len(present) < len(texts):
        found = read(present, decimal_comma)
        # The gaps count as text still, for a column that knows them as categories.
        return None if found is None or found.kind == "boolean" else replace(found, open=True)
    return _read_numbers(texts, decimal_comma) or _read_dates(texts)


def _may_be_read(texts: Collection[str]) -> bool:
    """Whether the first texts are numbers, or dates: most text is neither, and isn't looked through."""
    some = list(islice((text for text in texts if not is_gap(text)), _SOME))
    if not all(any(letter.isdigit() for letter in text) for text in some):
        return False
    return all(map(looks_like_number, some)) or all(map(may_be_date, some))


def _read_numbers(texts: Collection[str], decimal_comma: bool) -> Found | None:
    numbers = read_numbers(texts, decimal_comma)
    if numbers is None:
        return None
    kind: Kind = "integer" if numbers.whole else "number"
    return Found(kind, dict(numbers.meaning), numbers.notation, numbers.unit, open=True)


def _read_dates(texts: Collection[str]) -> Found | None:
    dates = read_dates(texts)
    return None if dates is None else Found("date", dict(dates.meaning), dates.notation, open=bool(dates.notation))


def looks_like_number(text: str) -> bool:
    """Whether a text is a number by itself, in any notation and with any unit: 7, 1,234.5, NT$5, 12%."""
    return plain_number(text) is not None or read_numbers([text, "0"]) is not None  # (5) alone numbers something


def looks_like_date(text: str) -> bool:
    """Whether a text is a date by itself, even if it could be two."""
    return any(letter.isdigit() for letter in text) and read_dates([text]) is not None


def plain_number(text: str) -> float | None:
    """The number that `text` spells, with or without leading zeros, or None. "1_000", "0x10" and "12 kg" are none.

    >>> plain_number(" -1.5e3 "), plain_number("007"), plain_number("3+"), plain_number("1_000")
    (-1500.0, 7.0, None, None)
    """
    text = text.strip()
    return float(text) if _LENIENT.fullmatch(text) else None


def numbers_in(texts: Collection[str], notation: str = "", unit: str = "") -> dict[str, float | None]:
    """The meaning of bare, different texts in a column that is known to hold numbers, written in this way.

    What all texts say in the known notation counts, or what they say by themselves; among others, each text is read
    alone. NaN for a gap, None for what is no number.

    >>> numbers_in(["1,250"], "1234,5"), numbers_in(["1,250"]), numbers_in(["1", "two", "-"])
    ({'1,250': 1.25}, {'1,250': 1250.0}, {'-': nan, '1': 1.0, 'two': None})
    """
    gaps: dict[str, float | None] = {text: float("nan") for text in texts if is_gap(text)}
    present = [text for text in texts if text not in gaps]
    if not present:
        return gaps
    if notation or unit:
        known = read_numbers(present, notation=notation, unit=unit)
        if known is not None:
            return {**gaps, **known.meaning}
    own = read(present)
    if own is not None and own.kind in ("integer", "number") and ("" in (unit, own.unit) or same_unit(own.unit, unit)):
        return {**gaps, **own.meaning}
    return {**gaps, **{text: _number_in(text, notation, unit) for text in present}}


def _number_in(text: str, notation: str, unit: str) -> float | None:
    """The meaning of a text among numbers: a plain number, one in the known notation, or a time of day."""
    number = plain_number(text)
    if number is None:
        found = read_numbers([text, "0"], notation=notation or None, unit=unit or None)
        number = None if found is None else found.meaning[text]
    if number is None and re.fullmatch(TIME, text):
        number = _seconds(text)
    return number


def dates_in(texts: Collection[str], notation: str = "") -> dict[str, Any]:
    """The meaning of bare, different texts in a column that is known to hold dates, written by this rule.

    Without a rule, the texts decide together; what they leave open is None, as is what is no date. NaT for a gap.

    >>> dates_in(["5/6/2024"], "month first")["5/6/2024"], dates_in(["5/6/2024"]), dates_in(["5/6/2024", "May"])
    (np.datetime64('2024-05-06T00:00:00.000000'), {'5/6/2024': None}, {'5/6/2024': None, 'May': None})
    """
    gaps: dict[str, Any] = {text: np.datetime64("NaT", "us") for text in texts if is_gap(text)}
    present = [text for text in texts if text not in gaps]
    if notation:
        return gaps | read_dates_by(present, notation)
    own = read_dates(present)
    if own is not None:
        return gaps | (dict.fromkeys(present) if own.notation == EITHER else own.meaning)
    return gaps | {text: _date_in(text) for text in present}


def _date_in(text: str) -> np.datetime64 | None:
    found = read_dates([text])
    return None if found is None or found.notation == EITHER else found.meaning[text]


def is_code(text: str) -> bool:
    """Whether a number is written like a code, with a leading zero: 007, 01234."""
    digits = text.strip()
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
