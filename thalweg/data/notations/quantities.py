"""Numbers as people write them: 1,234.5, 1.234,5, NT$1,234, 45%, (1,234), 1.2k, 72 kg, １２３.

A *notation* is how all cells of a column write their digits, and is named by an example; a *unit* is what they share:
a currency, per cent, kilograms. Per cent and per mille are fractions, as spreadsheets hold them: 45% is 0.45.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from thalweg.data.notations.letters import plainly

# DuckDB converts columns that fit one of these two, and reads the patterns as Python does.
INTEGER = "[+-]?(?:0|[1-9][0-9]*)"
NUMBER = rf"(?:{INTEGER}(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)"

_WHOLE = "(?:0|[1-9][0-9]*)"


def _grouped(mark: str, decimals: str) -> str:
    """Digits in groups of three, or in none, and decimals."""
    return rf"(?:[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+|{_WHOLE})(?:{decimals}[0-9]*)?"


COMMAS, POINTS, APOSTROPHES, SPACES, SPACES_AND_COMMA = "1,234.5", "1.234,5", "1'234.5", "1 234.5", "1 234,5"
_GROUPING = (COMMAS, POINTS, APOSTROPHES, SPACES, SPACES_AND_COMMA)
DECIMAL_COMMA, MULTIPLES = "1234,5", "1.2k"
_BODIES = {
    notation: re.compile(pattern)
    for notation, pattern in {
        "": rf"(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
        DECIMAL_COMMA: rf"(?:{_WHOLE}(?:,[0-9]+)?|,[0-9]+)(?:[eE][+-]?[0-9]+)?",
        COMMAS: _grouped(",", r"\."),
        POINTS: _grouped(r"\.", ","),
        APOSTROPHES: _grouped("'", r"\."),
        SPACES: _grouped(" ", r"\."),
        SPACES_AND_COMMA: _grouped(" ", ","),
    }.items()
}
_FRACTION = {
    notation: re.compile(r"[.eE]" if notation in ("", COMMAS, APOSTROPHES, SPACES) else "[,eE]") for notation in _BODIES
}
_GROUPS = re.compile("0|[1-9][0-9]{0,2}(?:,[0-9]{3})*")
_POINTED = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,2}(?:\.[0-9]{3})?)")
_CODES = "USD|TWD|NTD|EUR|GBP|JPY|CNY|RMB|HKD|KRW|INR|CHF|AUD|CAD|SGD"
_CURRENCY = rf"(?:NT|US|HK|AU|CA|SG|NZ|A|C|R|S)?\$|[€£¥₹₩₽₫₺₴₱฿]|(?:{_CODES})\b"
# Units that may follow a digit at once: "12A" might be a code, "12V" or "12 A" is a quantity.
_GLUED = {
    "%", "‰", "°", "°C", "°F", "℃", "℉", "mg", "g", "kg", "t", "lb", "lbs", "oz", "nm", "µm", "mm", "cm", "m", "km",
    "in", "ft", "yd", "mi", "ml", "mL", "cl", "dl", "l", "L", "cc", "ms", "s", "sec", "min", "mins", "h", "hr", "hrs",
    "yr", "yrs", "kB", "KB", "MB", "GB", "TB", "Hz", "kHz", "MHz", "GHz", "W", "kW", "MW", "Wh", "kWh", "mV", "V",
    "kV", "mA", "mAh", "Ah", "hp", "HP", "bhp", "rpm", "Nm", "bar", "psi", "Pa", "hPa", "kPa", "px", "pt", "dpi",
    "cal", "kcal", "J", "kJ", "mph", "km/h", "kmh", "kph", "m/s", "kmpl", "m2", "m²", "m3", "m³", "km2", "km²", "ha",
    "sqft", "€", "£", "$", "¥", "kr", "zł", "Kč", "Ft", "bp", "bps", "dB", "x",
}  # fmt: skip
_FOLDED = {unit.casefold() for unit in _GLUED}
_POWERS = {"k": 3, "K": 3, "M": 6, "千": 3, "萬": 4, "万": 4, "億": 8, "亿": 8}
_SHARES = {"%": -2, "‰": -3}
_CELL = re.compile(
    rf"(?P<open>\( ?)?(?P<sign>[+-]?) ?(?P<before>{_CURRENCY})? ?(?P<inner>[+-]?)"
    r"(?P<body>[0-9.,](?:[0-9.,' ]*[0-9.])?(?:(?<=[0-9])[eE][+-]?[0-9]+)?)"
    r"(?P<gap> ?)(?P<after>(?:[^\W\d_]|[%‰°℃℉€£¥$₹₩₽₫₺₴₱฿])[^\d()+,;]{0,19}[23²³]?)?(?P<close> ?\))?"
)
_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


class Numbers(NamedTuple):
    """The meaning of different texts, and how they write it."""

    meaning: dict[str, float]
    notation: str
    unit: str
    whole: bool
    """Whether they are integers, written as such."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """The parts of a cell: ±body · times, and its unit."""

    body: str
    negative: bool
    bracketed: bool
    unit: str
    times: str


def read_numbers(
    texts: Collection[str], decimal_comma: bool = False, notation: str | None = None, unit: str | None = None
) -> Numbers | None:
    """The meaning of bare, different texts that all are numbers, written in one way; None for other text.

    `decimal_comma`: commas are known to be decimal. `notation` and `unit`: how a column is known to write numbers;
    plain numbers are read, too.

    >>> read_numbers(["NT$1,234", "NT$56"])
    Numbers(meaning={'NT$1,234': 1234.0, 'NT$56': 56.0}, notation='1,234.5', unit='NT$', whole=True)
    >>> read_numbers(["72 kg", "5 lb"]), read_numbers(["1,250"], notation="1234,5").meaning
    (None, {'1,250': 1.25})
    """
    cells: dict[str, _Cell] = {}
    for text in texts:
        cell = _cell(plainly(text))
        if cell is None:
            return None
        cells[text] = cell
    shared = _shared_unit(cells.values())
    if shared is None or not cells:
        return None
    if unit is not None and shared and not same_unit(shared, unit):
        return None
    if notation is None and all(cell.bracketed for cell in cells.values()):
        return None  # (1), (2), (3) number things
    bodies = {cell.body for cell in cells.values()}
    written = _notation(bodies, decimal_comma) if notation is None else _as_learned(bodies, notation)
    if written is None:
        return None
    meaning = {text: _value(cell, written) for text, cell in cells.items()}
    times = any(cell.times for cell in cells.values())
    if times and written != "":
        return None
    whole = not any(map(_FRACTION[written].search, bodies)) and all(map(float.is_integer, meaning.values()))
    return Numbers(meaning, MULTIPLES if times else written, shared, whole)


def same_unit(one: str, other: str) -> bool:
    """Whether two units are one: kg, KG and kg. are, as are year and years."""
    return _spelled(one) == _spelled(other)


def _spelled(unit: str) -> str:
    unit = unit.casefold().rstrip(".")
    return unit[:-1] if len(unit) > 3 and unit.endswith("s") else unit


def may_be_groups(texts: Collection[str]) -> bool:
    """Whether all points in plain numbers could divide thousands: 1.234 and 567. They are taken as decimal, unless the
    column is known to be written otherwise."""
    return any("." in text for text in texts) and all(map(_POINTED.fullmatch, texts))


def _cell(text: str) -> _Cell | None:
    found = _CELL.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["sign"] and found["inner"]):
        return None
    before, after, times = found["before"] or "", (found["after"] or "").strip(), ""
    multiple = after[:1] if after[:1] in _POWERS and after[:1].isalpha() else ""
    if not multiple.isascii() or (multiple == after and not found["gap"]):  # 300 K may be a temperature, 3 萬元 is not
        times, after = multiple, after[len(multiple) :].strip()
    if after and not (found["gap"] or times or _known(after) or _EAST_ASIAN.match(after)):
        return None
    sign = found["sign"] or found["inner"]
    if found["open"] and sign:
        return None
    return _Cell(found["body"], sign == "-" or bool(found["open"]), bool(found["open"]), before + after, times)


def _known(unit: str) -> bool:
    """Whether a unit may follow a digit at once, in capitals or not."""
    unit = unit.rstrip(".")
    return unit in _GLUED or (len(unit) > 1 and unit.casefold() in _FOLDED)


def _shared_unit(cells: Iterable[_Cell]) -> str | None:
    """The unit of all cells but those that say 0, which need none; None if they differ."""
    needing = [cell for cell in cells if cell.unit or cell.body != "0"]
    if len({_spelled(cell.unit) for cell in needing}) > 1:
        return None
    return min((cell.unit for cell in needing), default="")


def _notation(bodies: Collection[str], decimal_comma: bool) -> str | None:
    """The notation that fits all, if there is one only; commas that may be either divide thousands."""

    def fit(notation: str) -> bool:
        return all(map(_BODIES[notation].fullmatch, bodies))

    if fit(""):
        return ""
    if fit(DECIMAL_COMMA):
        return DECIMAL_COMMA if decimal_comma or not all(map(_GROUPS.fullmatch, bodies)) else COMMAS
    fitting = [notation for notation in _GROUPING if fit(notation) and any(notation[1] in body for body in bodies)]
    if fitting == [COMMAS, POINTS]:  # 1.234 and 5,678
        return POINTS if decimal_comma else None
    return fitting[0] if fitting else None


def _as_learned(bodies: Collection[str], notation: str) -> str | None:
    learned = "" if notation == MULTIPLES else notation
    return learned if learned in _BODIES and all(map(_BODIES[learned].fullmatch, bodies)) else None


def _value(cell: _Cell, notation: str) -> float:
    body = cell.body.replace(notation[1], "") if notation in _GROUPING else cell.body
    power = _POWERS.get(cell.times, 0) + _SHARES.get(cell.unit, 0)
    body = body.replace(",", ".")
    value = float(f"{body}e{power}") if "e" not in body.lower() else float(body) * 10.0**power
    return -value if cell.negative else value
