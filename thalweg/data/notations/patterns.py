"""Numbers and dates as regular expressions, for files that read cells without thalweg.

A pattern takes what `Style.value` or `date_by` takes, or less: no unit on both sides of a number, no month by name.
What it takes means the same. The language is one that Python and JavaScript share, but for how a group is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thalweg.data.notations.calendars import DAY_FIRST, EITHER, MINGUO, MONTH_FIRST
from thalweg.data.notations.quantities import (
    BODIES,
    CASED,
    CURRENCY,
    EAST_ASIAN,
    GROUPED_MULTIPLES,
    MULTIPLES,
    SAME,
    Style,
    may_be_multiple,
    may_follow,
    spelled,
)

ABOUT = "(?:約略?|大約|约|大约|≈|~|～|(?:[aA][bB][oO][uU][tT]|[aA][pP][pP][rR][oO][xX]\\.?|[cC][aA]\\.) ) ?"
CLOCK = (
    "(?:(?:T|,? |(?<=[日號号]))(?:(?P<before>[AaPp][Mm]|上午|下午) ?)?"
    "(?P<H>[01]?[0-9]|2[0-3])[:時时點点](?P<M>[0-5][0-9])分?(?::?(?P<S>[0-5][0-9](?:[.,][0-9]{1,9})?)秒?)?"
    "(?: ?(?P<after>[AaPp][.]?[Mm][.]?))?(?P<zone> ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
ROC, YEAR, MONTH, DAY = "(?P<roc>[1-9][0-9]{0,2}|元)", "(?P<y>[1-9][0-9]{3})", "(?P<m>0?[1-9]|1[0-2])", (
    "(?P<d>0?[1-9]|[12][0-9]|3[01])"
)  # fmt: skip
MARK, SAME_MARK, OF_MONTH = "(?P<mark>[-/.])", "(?P=mark)", f"(?: ?{DAY} ?[日號号])?"
DIGITS = "(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12][0-9]|3[01])"
ALWAYS = (
    f"{YEAR}{MARK}{MONTH}{SAME_MARK}{DAY}{CLOCK}",
    f"{YEAR} ?年 ?{MONTH} ?月{OF_MONTH}{CLOCK}",
    f"(?:中華|中华)?(?:民國|民国) ?{ROC} ?年 ?{MONTH} ?月{OF_MONTH}{CLOCK}",
    f"(?:民國|民国) ?(?P<roc>[1-9][0-9]{{0,2}}){MARK}{MONTH}{SAME_MARK}{DAY}{CLOCK}",
    f"(?P<roc>1[0-9]{{2}}) ?年 ?{MONTH} ?月{OF_MONTH}{CLOCK}",
    f"(?P<y>1[89][0-9]{{2}}|2[01][0-9]{{2}}){DIGITS}",
)
DAY_THEN_MONTH = f"{DAY}{MARK}{MONTH}{SAME_MARK}{YEAR}{CLOCK}"
BY_RULE = {
    DAY_FIRST: DAY_THEN_MONTH,
    EITHER: DAY_THEN_MONTH,
    MONTH_FIRST: f"{MONTH}(?P<mark>[-/]){DAY}{SAME_MARK}{YEAR}{CLOCK}",
    MINGUO: f"(?P<roc>[1-9][0-9]|1[0-9]{{2}}){MARK}{MONTH}{SAME_MARK}{DAY}{CLOCK}",
}
MINGUO_DIGITS = f"(?P<roc>1[0-9]{{2}}|[1-9][0-9]?){DIGITS}"


def date_patterns(notation: str, minguo_digits: bool = False) -> tuple[str, ...]:
    """The patterns of dates that are written by a rule; see `date_by`.

    Groups: y or roc (民國; 元 is its first year), m and d (the 1st if it is empty), H, M, S and zone; before or after
    them the half of the day, not both.

    >>> bool(re.fullmatch(date_patterns("day first")[-1], "31/5/2024")), len(date_patterns(""))
    (True, 6)
    """
    rule = [BY_RULE[notation]] if notation in BY_RULE else []
    return (*ALWAYS, *rule, *[MINGUO_DIGITS] * minguo_digits)


def number_pattern(style: Style) -> str:
    """The pattern of numbers that are written in a style; see `Style.value`.

    Groups: about, open, sign, before, inner, then body and after, or zero, or small, letter, times and of; close. A
    number is the body, or what is small, times a power; open and close go together, about and signs not with them, a
    sign stands at one place, and a unit, too: before, after or of.

    >>> found = re.fullmatch(number_pattern(Style("1,234.5", "NT$")), "NT$1,234")
    >>> found["before"], found["body"]
    ('NT$', '1,234')
    """
    glued: list[str] = []
    apart: list[str] = []
    for unit in style.units:
        for text, pattern in wordings(unit):
            (glued if may_follow(text) or EAST_ASIAN.match(text) else apart).append(pattern)
    before = "|".join(dict.fromkeys(p for unit in style.units for p in currencies(unit)))
    after = "|".join([f" ?(?:{'|'.join(glued)})"] * bool(glued) + [f" (?:{'|'.join(apart)})"] * bool(apart))
    body = BODIES[style.base].pattern.replace("(?:[eE]", "(?:(?<=[0-9])[eE]")
    needed = "?" if style.bare else ""
    bodies = [f"(?P<body>{body})" + f"(?P<after>(?:{after})\\.*){needed}" * bool(after)]
    if not style.bare:
        bodies.append("(?P<zero>0)")
    if style.notation in (MULTIPLES, GROUPED_MULTIPLES):
        plain = body if style.notation == MULTIPLES else r"(?:0|[1-9][0-9]*)(?:\.[0-9]*)?"
        letters = "(?P<letter>[kKM])|" * may_be_multiple("k", style.units)
        unit = f"(?P<of> ?(?:{'|'.join(glued + apart)})\\.*){needed}" * bool(style.units)
        bodies.append(f"(?P<small>{plain})(?:{letters} ?(?P<times>[千萬万億亿]){unit})")
    return (
        f"(?P<about>{ABOUT})?" * bool(style.notation or style.unit)
        + "(?P<open>\\( ?)?" * bool(style.notation or style.unit)
        + "(?P<sign>[+-]?) ?"
        + f"(?P<before>{before})? ?" * bool(before)
        + f"(?P<inner>[+-]?)(?:{'|'.join(bodies)})"
        + "(?P<close> ?\\))?" * bool(style.notation or style.unit)
    )


def wordings(unit: str) -> Iterator[tuple[str, str]]:
    """How a unit is written: an example, and the pattern of all that differ from it in capitals alone."""
    unit = spelled(unit)
    if unit.casefold() in CASED or len(unit) == 1:
        for text in dict.fromkeys((unit,) if unit.casefold() in CASED else (unit, unit.upper())):
            yield text, re.escape(text)
    else:
        yield unit, any_case(unit)
        if len(unit) > 2:
            yield f"{unit}s", any_case(f"{unit}s")
    for text in SAME:
        if spelled(text) == unit and text != unit:
            yield text, re.escape(text) if text.casefold() in CASED else any_case(text)


def currencies(unit: str) -> Iterator[str]:
    """How a unit is written before a number, if it can be."""
    for text in dict.fromkeys((unit, spelled(unit).upper())):
        if re.fullmatch(CURRENCY, text) and spelled(text) == spelled(unit):
            yield re.escape(text) + r"\b" * text.isalpha()


def any_case(text: str) -> str:
    """The pattern of a text in capitals or not.

    >>> any_case("km²")
    '[kK][mM]²'
    """
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isascii() and c.isalpha() else re.escape(c) for c in text)
