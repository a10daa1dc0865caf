"""Dates as people write them: 31/12/2020, Dec 31, 2020, 2020年12月31日, 民國109年12月31日, 2020-12-31T10:30:15.5+08:00.

Most say by themselves which number is the day. Of three numbers with the year at the end, the day comes first or the
month does: one rule for the whole column, decided by any cell with a number above 12.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.data.notations.letters import plainly

# DuckDB converts columns that fit this, and reads the pattern as Python does.
MOMENT = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?)?"
TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,6})?)?"

DAY_FIRST, MONTH_FIRST, EITHER, MINGUO = "day first", "month first", "day or month first", "years of 民國"
ORDERS = (DAY_FIRST, MONTH_FIRST, EITHER)
_ROC = 1911  # 民國1年 is 1912
_EPOCH = datetime.date(1970, 1, 1)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
            "sep sept september", "oct october", "nov november", "dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_D, _M, _Y, _S = "(?P<d>0?[1-9]|[12][0-9]|3[01])", "(?P<m>0?[1-9]|1[0-2])", "(?P<y>[1-9][0-9]{3})", "(?P<s>[-/.])"
_OF_MONTH = rf"(?: ?{_D} ?[日號号])?"
_NAME = rf"(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_CLOCK = (
    r"(?:(?:T|,? |(?<=[日號号]))(?:(?P<part>AM|PM|上午|下午) ?)?"
    r"(?P<H>[01]?[0-9]|2[0-3])(?::|[時时點点])(?P<M>[0-5][0-9])分?"
    r"(?::?(?P<S>[0-5][0-9](?:[.,][0-9]{1,9})?)秒?)?(?: ?(?P<half>[AP]\.?M\.?))?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_BASIC_CLOCK = (
    r"[T ]?(?P<H>[01][0-9]|2[0-3]):?(?P<M>[0-5][0-9])(?::?(?P<S>[0-5][0-9](?:[.,][0-9]{1,9})?))?"
    r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


def _form(pattern: str, clock: str = _CLOCK) -> re.Pattern[str]:
    return re.compile(pattern + clock, re.IGNORECASE | re.ASCII)


_EVIDENT = (
    _form(rf"{_Y}{_S}{_M}(?P=s){_D}"),
    _form(rf"{_Y} ?年 ?{_M} ?月{_OF_MONTH}"),
    _form(rf"(?:中華|中华)?(?:民國|民国) ?(?P<roc>[1-9][0-9]{{0,2}}|元) ?年 ?{_M} ?月{_OF_MONTH}"),
    _form(rf"(?:民國|民国) ?(?P<roc>[1-9][0-9]{{0,2}}){_S}{_M}(?P=s){_D}"),
    _form(rf"(?P<roc>1[0-9]{{2}}) ?年 ?{_M} ?月{_OF_MONTH}"),
    _form(rf"{_D}(?:st|nd|rd|th)?\.?[- /]?(?:of )?{_NAME},?[- /]?(?P<y>[1-9][0-9]{{3}}|[0-9]{{2}})"),
    _form(rf"{_NAME} ?{_D}(?:st|nd|rd|th)?,? {_Y}"),
    _form(rf"{_Y}[- /]{_NAME}[- /]{_D}"),
    _form(rf"{_NAME},?[- /]?{_Y}", ""),
    _form("(?P<y>[12][0-9]{3})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12][0-9]|3[01])", _BASIC_CLOCK),
    _form("(?P<y>(?:1[89]|2[01])[0-9]{2})[-/](?P<m>0[1-9]|1[0-2])", ""),  # 1074-03 is a code
    _form("(?P<m>0[1-9]|1[0-2])[-/](?P<y>(?:19|20)[0-9]{2})", ""),
    _form("(?P<y>[12][0-9]{3})-W(?P<week>[0-5][0-9])(?:-(?P<weekday>[1-7]))?", ""),
    _form("(?P<y>[12][0-9]{3}) ?-?Q(?P<quarter>[1-4])", ""),
)
_DAY_FORM, _MONTH_FORM = _form(rf"{_D}{_S}{_M}(?P=s){_Y}"), _form(rf"{_M}(?P<s>[-/]){_D}(?P=s){_Y}")
_MINGUO_FORM = _form(rf"(?P<roc>[1-9][0-9]|1[0-9]{{2}}){_S}{_M}(?P=s){_D}")
_RULES = {DAY_FIRST: (_DAY_FORM,), EITHER: (_DAY_FORM,), MONTH_FIRST: (_MONTH_FORM,), MINGUO: (_MINGUO_FORM,)}
_WEEKDAY = re.compile(
    r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? |"
    r" ?(?:[(](?:星期|週|周)?[一二三四五六日天][)]|(?:星期|週|周)[一二三四五六日天])(?= |$)",
    re.IGNORECASE,
)


class Dates(NamedTuple):
    """The meaning of different texts, datetime64[us] in UTC, and the rule that they needed."""

    meaning: dict[str, np.datetime64]
    notation: str


def read_dates(texts: Collection[str]) -> Dates | None:
    """The meaning of bare, different texts that all are dates; None for other text.

    >>> [found and found.notation for found in map(read_dates, (["31/12/2020"], ["12/31/2020"], ["1/2/2020"], ["May"]))]
    ['day first', 'month first', 'day or month first', None]
    """
    meaning: dict[str, np.datetime64] = {}
    others: list[str] = []
    for text, moment in zip(texts, _all(texts, _EVIDENT), strict=True):
        if moment is not None:
            meaning[text] = moment
        elif not others and not may_be_date(text):
            return None
        else:
            others.append(text)
    if not others:
        return Dates(meaning, "") if meaning else None
    found = _by_rule(others)
    return None if found is None else Dates(meaning | found.meaning, found.notation)


def may_be_date(text: str) -> bool:
    """Whether a text has the form of a date, by any rule."""
    core = _core(text)
    return any(form.fullmatch(core) for form in (*_EVIDENT, _DAY_FORM, _MONTH_FORM, _MINGUO_FORM))


def _by_rule(texts: Collection[str]) -> Dates | None:
    """The meaning of texts that need a rule, and it."""
    days, months = _whole(texts, DAY_FIRST), _whole(texts, MONTH_FIRST)
    if days is not None:
        return Dates(days, DAY_FIRST if months is None else EITHER)
    if months is not None:
        return Dates(months, MONTH_FIRST)
    years = _whole(texts, MINGUO)
    # 99/12/31 alone may be many things; 109/12/31 is no year, month and day of any other calendar in use
    if years is not None and max(years.values()) >= np.datetime64("2011-01-01"):
        return Dates(years, MINGUO)
    return None


def date_by(text: str, notation: str) -> np.datetime64 | None:
    """What a bare text means among dates that are written by a rule; None for what it can't be.

    >>> date_by("1/2/2020", "day first"), date_by("12/31/2020", "day first"), date_by("12/31/2020", "")
    (np.datetime64('2020-02-01T00:00:00.000000'), None, None)
    """
    (moment,) = _all([text], (*_EVIDENT, *_RULES.get(notation, ())))
    return moment


def _whole(texts: Collection[str], notation: str) -> dict[str, np.datetime64] | None:
    found = dict(zip(texts, _all(texts, _RULES[notation]), strict=True))
    kept = {text: moment for text, moment in found.items() if moment is not None}
    return kept if len(kept) == len(found) else None


def _all(texts: Iterable[str], forms: Collection[re.Pattern[str]]) -> Iterable[np.datetime64 | None]:
    """Each text by the first form that it fits; the form of the text before is tried first."""
    order = list(forms)
    for text in texts:
        core, moment = _core(text), None
        for place, form in enumerate(order):
            found = form.fullmatch(core)
            if found is not None:
                order.insert(0, order.pop(place))
                moment = _moment(found)
                break
        yield moment


def _core(text: str) -> str:
    """The text without the name of the weekday."""
    plain = plainly(text)
    return plain if plain[:1].isdigit() and plain.isascii() else _WEEKDAY.sub("", plain)


def _moment(found: re.Match[str]) -> np.datetime64 | None:
    parts = found.groupdict()
    try:
        day = _day(parts)
        seconds = _seconds_of(parts) if parts.get("H") else 0.0
    except (ValueError, OverflowError):  # lookalikes: the 31st of February, 13 o'clock in the afternoon
        return None
    return np.datetime64((day - _EPOCH).days * 86_400_000_000 + round(seconds * 1e6), "us")


def _day(parts: dict[str, str | None]) -> datetime.date:
    year, month, day = parts.get("y"), parts.get("m"), parts.get("d")
    if parts.get("roc"):
        number = _ROC + (1 if parts["roc"] == "元" else int(parts["roc"] or 0))
    else:
        number = int(year or 0)
        if len(year or "") == 2:  # as POSIX has it: 69 is 1969, 68 is 2068
            number += 1900 if number >= 69 else 2000
    if parts.get("week"):
        return datetime.date.fromisocalendar(number, int(parts["week"] or 0), int(parts["weekday"] or 1))
    if parts.get("quarter"):
        return datetime.date(number, 3 * int(parts["quarter"] or 0) - 2, 1)
    number_of_month = _MONTHS[(parts["name"] or "").lower()] if parts.get("name") else int(month or 0)
    return datetime.date(number, number_of_month, int(day or 1))


def _seconds_of(parts: dict[str, str | None]) -> float:
    """Seconds since midnight in UTC."""
    hours, half = int(parts["H"] or 0), (parts.get("half") or parts.get("part") or "").upper()
    if half:
        if not 1 <= hours <= 12 or (parts.get("half") and parts.get("part")):
            raise ValueError("no hour of half a day")
        hours = hours % 12 + 12 * (half[0] in "P下")
    seconds = 3600 * hours + 60 * int(parts["M"] or 0) + float((parts["S"] or "0").replace(",", "."))
    zone = (parts.get("zone") or "").strip().replace(":", "").upper()
    if zone not in ("", "Z", "UTC", "GMT"):
        seconds -= int(zone[0] + "1") * (3600 * int(zone[1:3]) + 60 * int(zone[3:] or 0))
    return seconds


# --- digits without marks: 20201231 ----------------------------------------------------------------------------------


def dates_of_digits(numbers: NDArray[Any], minguo: bool = False) -> NDArray[Any] | None:
    """The dates that whole numbers such as 20201231 spell, datetime64[us] (rows,), NaT for NaN; None if any is none.

    `minguo`: 1091231 is a date, too, by the years of 民國.

    >>> dates_of_digits(np.array([20201231, np.nan])).astype("M8[D]"), dates_of_digits(np.array([20201331.0]))
    (array(['2020-12-31',        'NaT'], dtype='datetime64[D]'), None)
    """
    different, rows = np.unique(numbers, return_inverse=True)
    moments = np.full(len(different), np.datetime64("NaT", "us"))
    for place, value in enumerate(different.tolist()):
        if value != value:
            continue
        moment = date_of_digits(value, minguo)
        if moment is None:
            return None
        moments[place] = moment
    found: NDArray[Any] = moments[rows]
    return found


def date_of_digits(value: float, minguo: bool = False) -> np.datetime64 | None:
    """The date that a whole number such as 20201231 spells; None if it is none."""
    year, rest = divmod(int(value), 10_000) if abs(value) < 1e8 and value.is_integer() else (0, 0)
    year += _ROC * (minguo and 1 <= year < 200)
    if not 1800 <= year < 2200:
        return None
    try:
        return np.datetime64(datetime.date(year, *divmod(rest, 100)), "us")
    except ValueError:
        return None
