"""The meaning of text. A cell of text reads the same everywhere: in CSV, Parquet or JSON, in a frame, in a query.

White space around a cell doesn't count, and the `MISSING_MARKERS` are missing cells; among numbers and dates, the
`GAPS` are, too. A column of text holds numbers, truth values or dates if *all* its cells are; otherwise it holds text.
Numbers that people wrote, with units or marks between their digits, may have odd cells among them: up to one in ten,
which are taken as missing.

| kind    | a cell                                                                                        |
|---------|-----------------------------------------------------------------------------------------------|
| integer | 7, -3, +1; with a leading zero, 007, it is a code: text                                       |
| number  | 1.5, .5, 1e-3, inf; 10:30 and 10:30:15 are seconds                                            |
|         | 1,234.5, 1.234,5, 1 234,5, 1'234.5; 0,5 if any comma can't divide thousands, 1,234 otherwise   |
|         | (1,234) is negative; 45% is 0.45; 1.2k, 3M, 3萬 and 1.2億 are multiplied; full-width digits       |
|         | with a unit or currency, which some cells may lack: $5, NT$1,234, € 1.234,50, 72 kg, 約25坪     |
| boolean | true and false, in capitals or not; yes and no are text                                       |
| date    | 2024-05-31, 2024/5/31 10:30:15.5, 2024-05-31T10:30Z, 20240531T1030+0800, 2024-05, 2024-W22    |
|         | 31 May 2024, May 31, 2024 3:04 PM, Fri, 31 May 2024, 31-May-24, May 2024, 2024Q2              |
|         | 2024年5月31日 下午 3:04, 2024年5月, 民國113年5月31日; 113/5/31 if a year is above 99 and all are below 200 |
|         | 31/5/2024, 31.5.2024, 5/31/2024: day first or month first, as any number above 12 decides      |

A column of 31/5/2024 without a number above 12 is taken as day first, and says so where it is described. In a file with
semicolons between its cells the comma is decimal. Numbers are not read as codes are written: 12A, 3+, 5th are text, and
so are units that differ, IP addresses, versions (1.1 beside 1.10), years of two digits in 31/12/99, and months in other
languages.

The cells decide together only when a column is fitted. How they were written is stored with the fitted column, and from
then on each text is read alone by that (`number_in`, `date_in`): it is a value, a gap, or an odd cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.data.notations.calendars import MOMENT, TIME, date_by, may_be_date, read_dates
from thalweg.data.notations.letters import plainly
from thalweg.data.notations.quantities import INTEGER, NUMBER, PLAIN_OR_TIMES, Style, numbers_among, read_numbers

__all__ = ["GAPS", "INTEGER", "MISSING_MARKERS", "MOMENT", "NUMBER", "WHITE_SPACE", "Found", "Kind", "bared", "read"]

MISSING_MARKERS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Text that means "missing", also with white space around it; a database's NULL, None and NaN are always missing."""
_MISSING = frozenset(MISSING_MARKERS)
GAPS = frozenset(
    [
        *("-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "/"),
        *("na", "n/a", "n.a.", "n.a", "#n/a", "#na", "nil", "none", "missing"),
        *("無", "无", "缺", "缺值", "無資料", "无数据", "不詳", "0000-00-00"),
    ]
)
"""Text, in small letters, that means "missing" where all other cells are numbers or dates."""
WHITE_SPACE = " \t\n\r\f\v"

TIMES = "10:30"
"""The notation of times of day, in seconds."""
FEW = 20
"""Up to this many different numbers may be names of something; more are measurements."""

_LENIENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?", re.ASCII)
_PHONE = re.compile(r"\+[0-9]{7,}", re.ASCII)
_TIME = re.compile(TIME)
_DIGIT = re.compile("[0-9０-９]")  # no date is without one, and of numbers only inf
PLAIN_SHARE = 0.9
"""Of numbers, from which on those with a unit or another notation are mistakes, if there are odd cells, too."""
_SOME = 8  # cells that a reading is tried on before all are read
_MANY = 50  # cells that say whether a column may be numbers with odd cells among them
_MOST_VERSIONS = 100

Kind = Literal["integer", "number", "boolean", "date"]
_EXACT_DIGITS = "[1-9][0-9]{0,14}"  # of whole numbers that a float64 surely holds
PLAIN: dict[Kind, tuple[str, str]] = {
    "integer": (rf"[+-]?(?:0|{_EXACT_DIGITS})", "DOUBLE"),
    "number": (
        rf"[+-]?(?:(?:0|{_EXACT_DIGITS})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)",
        "DOUBLE",
    ),
    "date": (MOMENT, "TIMESTAMP"),
}
"""Text that DuckDB converts, and to what; `text_column` reads all other text, and would read these in the same way."""
_FEW_NUMBERS = 100
"""Up to so many different numbers with a fraction among the first rows may be names of something."""

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
    """What numbers are followed or preceded by: "kg", "NT$", "%"; several with commas between them."""
    odd: bool = False
    """Whether some texts mean nothing: odd cells among numbers."""


def _seconds(time: str) -> float:
    hours, minutes, *seconds = time.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(*seconds)


_PLAIN: tuple[tuple[Kind, re.Pattern[str], Callable[[str], float], str], ...] = (
    ("integer", re.compile(INTEGER), float, ""),
    ("number", re.compile(NUMBER), float, ""),
    ("boolean", re.compile("(?i:true|false)"), lambda text: float(text.lower() == "true"), ""),
    ("number", _TIME, _seconds, TIMES),
)


class Meanings(dict[str | None, Any]):
    """What the texts of a column mean, each read alone, and once: when it is first asked for.

    >>> Meanings(len, missing=0).of(np.array(["red", None, "red"], dtype=object))
    [3, 0, 3]
    """

    def __init__(self, read: Callable[[str], Any], missing: Any) -> None:
        super().__init__({None: missing})
        self._read = read

    def __missing__(self, text: str) -> Any:
        self[text] = meaning = self._read(text)
        return meaning

    def of(self, texts: NDArray[Any]) -> list[Any]:
        """What each cell means."""
        return list(map(self.__getitem__, texts.tolist()))


def bare(text: str) -> str | None:
    """A text without the white space around it, None if it says "missing"."""
    core = text.strip(WHITE_SPACE)
    return None if core in _MISSING else core


def bared(texts: Iterable[str | None]) -> dict[str | None, str | None]:
    """Each text bare."""
    return {text: None if text is None else bare(text) for text in texts}


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
    if not texts or are_versions(texts) or all(map(_PHONE.fullmatch, texts)):
        return None
    for kind, pattern, value, notation in _PLAIN:
        if all(map(pattern.fullmatch, texts)):
            return Found(kind, dict(zip(texts, map(value, texts), strict=True)), notation)
    if not _may_be_read(texts):
        return None
    present = [text for text in texts if not is_gap(text)]
    if len(present) < len(texts):
        found = read(present, decimal_comma)
        return None if found is None or found.kind == "boolean" else found
    numbers = read_numbers(texts, decimal_comma)
    if numbers is not None:
        return Found("integer" if numbers.whole else "number", numbers.meaning, numbers.notation, numbers.unit)
    dates = read_dates(texts)
    return None if dates is None else Found("date", dict(dates.meaning), dates.notation)


def read_among(counts: Mapping[str, int], decimal_comma: bool = False) -> Found | None:
    """What bare texts mean, of which up to one cell in ten is an odd one among numbers that people wrote.

    None if more are odd, if at most 20 different ones are numbers, or if nine numbers in ten are plain: those come from
    a program, and what is no number among them, or has a unit, is a mistake. `counts`: how many cells hold each text.
    """
    different = [text for text in counts if not is_gap(text)]
    some = different[:: max(1, len(different) // _MANY)]
    if 2 * sum(map(looks_like_number, some)) < len(some):
        return None
    style, meaning = numbers_among({text: counts[text] for text in different}, decimal_comma)
    if style is None or style == Style():
        return None
    plain = sum(counts[text] for text in meaning if plain_number(text) is not None)
    if plain > PLAIN_SHARE * sum(counts[text] for text in meaning):
        return None
    return Found("number", meaning, style.notation, style.unit, odd=True) if len(meaning) > FEW else None


def forced(counts: Mapping[str, int]) -> Style:
    """How the numbers among bare texts are written, however few they are."""
    present = {text: count for text, count in counts.items() if not is_gap(text)}
    if all(map(_TIME.fullmatch, present)):
        return Style(TIMES)
    return numbers_among(present, least_share=0)[0] or Style()


def are_versions(texts: Collection[str]) -> bool:
    """Whether texts seem to be versions or sections: 1.1 and 1.10 are among them, and not many differ.

    >>> are_versions(["1.1", "1.2", "1.10"]), are_versions(["1.10", "1.20", "1.15"]), are_versions(["1", "1.0"])
    (True, False, False)
    """
    if len(texts) > _MOST_VERSIONS or not all(map(_VERSION.fullmatch, texts)):
        return False
    fractions = [text for text in texts if float(text) % 1]
    return len(set(map(float, fractions))) < len(fractions)


def _may_be_read(texts: Collection[str]) -> bool:
    """Whether the first texts are numbers, or dates: most text is neither, and isn't looked through."""
    some = list(islice((text for text in texts if not is_gap(text)), _SOME))
    if not all(map(_DIGIT.search, some)):
        return False
    return all(map(looks_like_number, some)) or all(map(may_be_date, some))


def looks_like_number(text: str) -> bool:
    """Whether a text is a number by itself, in any notation and with any unit: 7, 1,234.5, NT$5, 12%."""
    # Beside 0, since (5) alone numbers something.
    return plain_number(text) is not None or bool(_DIGIT.search(text) and read_numbers([text, "0"]))


def looks_like_date(text: str) -> bool:
    """Whether a text is a date by itself, even if it could be two."""
    return _DIGIT.search(text) is not None and read_dates([text]) is not None


def plain_number(text: str) -> float | None:
    """The number that `text` spells, with or without leading zeros, or None. "1_000", "0x10" and "12 kg" are none.

    >>> plain_number(" -1.5e3 "), plain_number("007"), plain_number("3+"), plain_number("1_000")
    (-1500.0, 7.0, None, None)
    """
    text = text.strip()
    return float(text) if _LENIENT.fullmatch(text) else None


def number_in(text: str, style: Style) -> float | None:
    """What a bare text says in a column of numbers of this style; NaN for a gap, None for an odd cell.

    >>> [number_in(text, Style("1234,5")) for text in ("1,250", "-", "1.250")]
    [1.25, nan, None]
    >>> [number_in(text, Style()) for text in ("007", "1,250", "5 kg", "10:30")]
    [7.0, None, None, None]
    """
    number = plain_number(text) if style.takes_plain else None
    if number is not None:
        return number
    if is_gap(text):
        return float("nan")
    if style.notation in (TIMES, PLAIN_OR_TIMES) and _TIME.fullmatch(text):
        return _seconds(text)
    return None if style.notation == TIMES else style.value(text)


def date_in(text: str, notation: str = "") -> Any:
    """What a bare text says in a column of dates written by this rule: datetime64, NaT for a gap, None for an odd cell.

    >>> date_in("5/6/2024", "month first"), date_in("5/6/2024"), date_in("2024-05-06", "month first")
    (np.datetime64('2024-05-06T00:00:00.000000'), None, np.datetime64('2024-05-06T00:00:00.000000'))
    """
    return np.datetime64("NaT", "us") if is_gap(text) else date_by(text, notation)


def is_code(text: str) -> bool:
    """Whether a number is written like a code, with a leading zero: 007, 01234."""
    digits = text.strip()
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def bare_text(text: str) -> str:
    """`bared` in SQL. Most cells have no white space to strip, as their first and last characters show."""
    markers = ", ".join(f"'{marker}'" for marker in MISSING_MARKERS)
    stripped = f"trim({text}, '{WHITE_SPACE}')"
    return (
        f"CASE WHEN {text}[1] > ' ' AND {text}[-1] > ' ' AND {text} NOT IN ({markers}) THEN {text} "
        f"WHEN {stripped} NOT IN ({markers}) THEN {stripped} END"
    )


def plain_kinds(sample: set[str], names: bool) -> list[Kind]:
    """What a column may be, by some of its cells, if all are plain. `names`: not so few numbers that they may name
    something.

    Integers come first, since they are numbers too.
    """
    cells = {cell for cell in bared(sample).values() if cell is not None}
    fitting = [kind for kind, (pattern, _) in PLAIN.items() if all(re.fullmatch(pattern, cell) for cell in cells)]
    if (len(sample) <= _FEW_NUMBERS and names) or are_versions(
        cells
    ):  # 1.1 and 1.10 may be two things, as may 1 and +1
        spelled = any(cell[0] == "+" or cell == "-0" for cell in cells)
        fitting = [kind for kind in fitting if kind == "date" or (kind == "integer" and not (spelled and names))]
    return fitting
