"""Numbers as people write them: 1,234.5, 1.234,5, NT$1,234, 45%, (1,234), 1.2k, 72 kg, 約25坪, １２３.

A *notation* is how a column writes its digits, and is named by an example; its *units* are those that its cells have: a
currency, per cent, kilograms. Some cells may lack it, and several may mean the same: NT$ and 元. Per cent and per mille
are fractions, as spreadsheets hold them: 45% is 0.45, and beside it 45 is no number.

All cells of a column decide together how it is written (`numbers_among`); from then on each cell is read alone
(`Style.value`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from thalweg.data.notations.letters import plainly

# DuckDB converts columns that fit such patterns, and reads them as Python does.
INTEGER = "[+-]?(?:0|[1-9][0-9]*)"
NUMBER = rf"(?:{INTEGER}(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf(?:inity)?)"

_WHOLE = "(?:0|[1-9][0-9]*)"


def _grouped(mark: str, decimals: str) -> str:
    """Digits in groups of three, or in none, and decimals."""
    return rf"(?:[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+|{_WHOLE})(?:{decimals}[0-9]*)?"


COMMAS, POINTS, APOSTROPHES, SPACES, SPACES_AND_COMMA = "1,234.5", "1.234,5", "1'234.5", "1 234.5", "1 234,5"
GROUPING = (COMMAS, POINTS, APOSTROPHES, SPACES, SPACES_AND_COMMA)
DECIMAL_COMMA, MULTIPLES, GROUPED_MULTIPLES = "1234,5", "1.2k", "1,234.5k"
MARKED = "~1234.5"
"""Plain digits, and cells in brackets or with a mark that says "about"."""
_BASES = {MULTIPLES: "", GROUPED_MULTIPLES: COMMAS, MARKED: ""}  # how a notation writes the digits themselves
BODIES = {
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
POINT_DECIMAL = ("", COMMAS, APOSTROPHES, SPACES)
PLAIN_OR_TIMES = "1234.5 or 10:30"
"""What columns of plain numbers of runs made before may hold."""
_FRACTION = {notation: re.compile(r"[.eE]" if notation in POINT_DECIMAL else "[,eE]") for notation in BODIES}
_GROUPS = re.compile("0|[1-9][0-9]{0,2}(?:,[0-9]{3})*")
_CODES = "USD|TWD|NTD|EUR|GBP|JPY|CNY|RMB|HKD|KRW|INR|CHF|AUD|CAD|SGD"
CURRENCY = rf"(?:NT|US|HK|AU|CA|SG|NZ|A|C|R|S)?\$|[€£¥₹₩₽₫₺₴₱฿]|(?:{_CODES})\b"
# Units that may follow a digit at once: "12A" might be a code, "12V" or "12 A" is a quantity.
GLUED = {
    "%", "‰", "°", "°C", "°F", "℃", "℉", "mg", "g", "kg", "t", "lb", "lbs", "oz", "nm", "µm", "mm", "cm", "m", "km",
    "in", "ft", "yd", "mi", "ml", "mL", "cl", "dl", "l", "L", "cc", "ms", "s", "sec", "min", "mins", "h", "hr", "hrs",
    "yr", "yrs", "kB", "KB", "MB", "GB", "TB", "Hz", "kHz", "MHz", "GHz", "W", "kW", "MW", "Wh", "kWh", "mV", "V",
    "kV", "mA", "mAh", "Ah", "hp", "HP", "bhp", "rpm", "Nm", "bar", "psi", "Pa", "hPa", "kPa", "px", "pt", "dpi",
    "cal", "kcal", "J", "kJ", "mph", "km/h", "kmh", "kph", "m/s", "kmpl", "m2", "m²", "m3", "m³", "km2", "km²", "ha",
    "sqft", "F", "€", "£", "$", "¥", "kr", "zł", "Kč", "Ft", "bp", "bps", "dB", "x",
}  # fmt: skip
_FOLDED = {unit.casefold() for unit in GLUED}
# Letters that mean one thing in capitals and another in small ones: metre and mega, gram and giga, bit and byte.
CASED = {*"mkgsthb", "mw", "mv", "ma", "mg", "mhz", "mj", "mpa", "mwh", "mah", "mb", "kb", "gb", "tb"}
SAME = {"KB": "kB", "°c": "℃", "°f": "℉", "公斤": "kg", "公克": "g", "公分": "cm", "公尺": "m", "公里": "km"}
POWERS = {"k": 3, "K": 3, "M": 6, "千": 3, "萬": 4, "万": 4, "億": 8, "亿": 8}
SHARES = {"%": -2, "‰": -3}
# What people write for one currency, or one quantity, in the same column.
_MONEY = (
    ("nt$", "ntd", "twd", "元", "圓", "塊", "$"), ("us$", "usd", "美元", "$"), ("hk$", "hkd", "港幣", "$"),
    ("rmb", "cny", "元", "人民幣", "¥"), ("jpy", "円", "日圓", "¥"), ("eur", "€", "euro"), ("gbp", "£"),
)  # fmt: skip
_FAMILIES = (*_MONEY, ("樓", "f", "fl", "層", "階"), ("年", "yr", "year", "y"))
_ABOUT = r"(?:約略?|大約|约|大约|≈|~|～|(?i:about|approx\.?|ca\.) ) ?"
_CELL = re.compile(
    rf"(?P<about>{_ABOUT})?(?P<open>\( ?)?(?P<sign>[+-]?) ?(?P<before>{CURRENCY})? ?(?P<inner>[+-]?)"
    r"(?P<body>[0-9.,](?:[0-9.,' ]*[0-9.])?(?:(?<=[0-9])[eE][+-]?[0-9]+)?)"
    r"(?P<gap> ?)(?P<after>(?:[^\W\d_]|[%‰°℃℉€£¥$₹₩₽₫₺₴₱฿])[^\d()+,;]{0,19}[23²³]?)?(?P<close> ?\))?"
)
EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")  # an IP address may look like 1.234.567.890
LEAST_SHARE = 0.9
"""Of the cells of a column have to be numbers, for the others to be odd ones among them."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """The parts of a cell: ±body · times, and its unit."""

    body: str
    negative: bool
    marked: bool
    """Whether it is in brackets, or said to be about so much."""
    bracketed: bool
    unit: str
    times: str


class Numbers(NamedTuple):
    """What different texts mean, and how they write it."""

    meaning: dict[str, float]
    notation: str
    unit: str
    whole: bool
    """Whether they are integers, written as such."""


@dataclass(frozen=True)
class Style:
    """How a column writes its numbers: a notation, and its units with commas between them.

    >>> Style("1,234.5", "NT$").value("NT$1,234"), Style("1,234.5", "NT$").value("€5")
    (1234.0, None)
    >>> Style("1234,5").value("1,250"), Style("1,234.5").value("1,250"), Style().value("1,250")
    (1.25, 1250.0, None)
    """

    notation: str = ""
    unit: str = ""

    @cached_property
    def base(self) -> str:
        """How it writes the digits themselves."""
        return _BASES.get(self.notation, self.notation)

    @cached_property
    def units(self) -> tuple[str, ...]:
        return tuple(filter(None, self.unit.split(", ")))

    def value(self, text: str) -> float | None:
        """What a text says, read alone; None if this style doesn't write so."""
        cell = _cell(plainly(text))
        if cell is None or not self.writes(cell):
            return None
        if cell.unit in SHARES and cell.unit not in self.units:  # of runs made before, which took 45%. for 45
            cell = replace(cell, unit="")
        return _value(cell, self.base)

    @cached_property
    def bare(self) -> bool:
        """Whether a number may stand without a unit."""
        return not any(unit in SHARES or unit in POWERS for unit in self.units)

    @cached_property
    def takes_plain(self) -> bool:
        """Whether a plain number, 1234.5, says what it says anywhere."""
        return self.base in (*POINT_DECIMAL, PLAIN_OR_TIMES) and self.bare

    def writes(self, cell: _Cell) -> bool:
        """Whether a cell is written so."""
        if cell.unit and spelled(cell.unit) not in map(spelled, self.units):
            return False
        if cell.marked and not (self.notation or self.unit):
            return False
        if cell.times:
            if self.notation not in (MULTIPLES, GROUPED_MULTIPLES) or not BODIES[""].fullmatch(cell.body):
                return False
            if not (cell.unit or may_be_multiple(cell.times, self.units)):
                return False
        if not (cell.unit or cell.body == "0" or self.bare):
            return False
        pattern = BODIES.get(self.base)
        return pattern is not None and pattern.fullmatch(cell.body) is not None


def read_numbers(texts: Collection[str], decimal_comma: bool = False) -> Numbers | None:
    """The meaning of bare, different texts that all are numbers, written in one way; None for other text.

    `decimal_comma`: commas are known to be decimal.

    >>> read_numbers(["NT$1,234", "NT$56"])
    Numbers(meaning={'NT$1,234': 1234.0, 'NT$56': 56.0}, notation='1,234.5', unit='NT$', whole=True)
    >>> read_numbers(["72 kg", "5 lb"]), read_numbers(["22.8坪", "14.9"]).unit
    (None, '坪')
    """
    cells: dict[str, _Cell] = {}
    for text in texts:
        cell = _cell(plainly(text))
        if cell is None:
            return None
        cells[text] = cell
    style = _style(cells.values(), decimal_comma)
    if style is None:
        return None
    meaning = {text: _value(cell, style.base) for text, cell in cells.items()}
    bodies = [cell.body for cell in cells.values()]
    whole = not any(map(_FRACTION[style.base].search, bodies)) and all(map(float.is_integer, meaning.values()))
    return Numbers(meaning, style.notation, style.unit, whole)


def numbers_among(
    counts: Mapping[str, int], decimal_comma: bool = False, least_share: float = LEAST_SHARE
) -> tuple[Style | None, dict[str, float]]:
    """How the numbers among bare texts are written, and what these mean, if such a share of the cells are numbers that
    fit together; otherwise None. `counts`: how many cells hold each text. The other cells are odd ones.

    >>> numbers_among({"22.8坪": 20, "14.9": 20, "call us": 1})
    (Style(notation='', unit='坪'), {'22.8坪': 22.8, '14.9': 14.9})
    >>> numbers_among({"5 kg": 5, "7 lb": 5})
    (None, {})
    """
    cells = {text: cell for text in counts if (cell := _cell(plainly(text))) is not None}
    style = _style_of_most(cells, counts, decimal_comma, least_share * sum(counts.values()))
    if style is None:
        return None, {}
    return style, {text: _value(cell, style.base) for text, cell in cells.items() if style.writes(cell)}


def _style_of_most(
    cells: Mapping[str, _Cell], counts: Mapping[str, int], decimal_comma: bool, least: float
) -> Style | None:
    """How numbers are written that fit together, at least so many cells."""
    total = sum(counts[text] for text in cells)
    if total < least:
        return None
    # Without the cells of rare units and notations, one after the other, until the others fit together.
    kinds = Counter[tuple[str, str]]()
    for text, cell in cells.items():
        kinds[_kind_of(cell)] += counts[text]
    for rarest in sorted(kinds, key=kinds.__getitem__):
        style = _style(cells.values(), decimal_comma)
        if style is not None:
            return style
        total -= kinds[rarest]
        if total < least:
            return None
        cells = {text: cell for text, cell in cells.items() if _kind_of(cell) != rarest}
    return None


def _kind_of(cell: _Cell) -> tuple[str, str]:
    """What sets a cell apart from others: its unit, and the marks between its digits."""
    return spelled(cell.unit), "".join(sorted({*cell.body} - {*"0123456789"}))


def _style(cells: Collection[_Cell], decimal_comma: bool) -> Style | None:
    """How all the cells are written; None if they don't fit together."""
    unit = _joined(cells)
    if unit is None or not cells or all(cell.bracketed for cell in cells):  # (1), (2), (3) number things
        return None
    if all(_ADDRESS.fullmatch(cell.body) for cell in cells):
        return None
    times = [cell for cell in cells if cell.times]
    base = _notation({cell.body for cell in cells}, decimal_comma)
    if base is None or (times and (base not in ("", COMMAS) or not all(BODIES[""].fullmatch(c.body) for c in times))):
        return None
    if times:
        return Style(MULTIPLES if base == "" else GROUPED_MULTIPLES, unit)
    return Style(MARKED if base == "" and not unit and any(cell.marked for cell in cells) else base, unit)


def _joined(cells: Collection[_Cell]) -> str | None:
    """The units of the cells, the most frequent first; None if they don't fit together. 0 needs none."""
    needing = [cell for cell in cells if cell.unit or cell.body != "0"]
    units: dict[str, str] = {}
    for cell in needing:
        if cell.unit:
            unit = spelled(cell.unit)
            units[unit] = min(cell.unit, units.get(unit, cell.unit))
    joined = ", ".join(sorted(units.values()))
    if any(not cell.unit for cell in needing) and not Style("", joined).bare:
        return None
    if any(cell.times and not cell.unit and not may_be_multiple(cell.times, units.values()) for cell in cells):
        return None
    return joined if len(units) < 2 or _one_quantity(units) else None


def _one_quantity(units: Iterable[str]) -> bool:
    """Whether spelled units mean the same: NT$ and 元, 元 and 元/月; not 元/月 and 元/年."""
    parts = [unit.partition("/") for unit in units]
    bases, rates = {base for base, _, _ in parts}, {rate for _, _, rate in parts if rate}
    families = _MONEY if rates else _FAMILIES
    return len(rates) < 2 and any(bases <= {*family} for family in families)


def may_be_multiple(times: str, units: Iterable[str]) -> bool:
    """Whether a multiple may stand without a unit beside these: 5M among dollars, 5 million; not among metres."""
    money = {unit for family in _MONEY for unit in family}
    return not times.isascii() or all(
        unit.casefold().partition("/")[0] in money or re.fullmatch(CURRENCY, unit) for unit in units
    )


def spelled(unit: str) -> str:
    """A unit as it is compared: kg, KG and kg. are one, as are year and years; m and M are two."""
    unit = SAME.get(unit, unit).rstrip(".")
    folded = unit.casefold()
    if folded in CASED:
        return unit
    folded = SAME.get(folded, folded)
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") else folded


def _cell(text: str) -> _Cell | None:
    found = _CELL.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["sign"] and found["inner"]):
        return None
    before, after, times = found["before"] or "", (found["after"] or "").strip(), ""
    multiple = after[:1] if after[:1] in POWERS and after[:1].isalpha() else ""
    if not multiple.isascii() or (multiple == after and not found["gap"]):  # 300 K may be a temperature, 3 萬元 is not
        times, after = multiple, after[len(multiple) :].strip()
    if after and not (found["gap"] or times or may_follow(after) or EAST_ASIAN.match(after)):
        return None
    sign = found["sign"] or found["inner"]
    if found["open"] and (sign or found["about"]):
        return None
    brackets = bool(found["open"])
    marked = brackets or bool(found["about"])
    unit = before + after
    unit = unit.rstrip(".") if unit.rstrip(".") in SHARES else unit  # at the end of a sentence
    return _Cell(found["body"], sign == "-" or brackets, marked, brackets, unit, times)


def may_follow(unit: str) -> bool:
    """Whether a unit may follow a digit at once, in capitals or not."""
    unit = unit.rstrip(".")
    return unit in GLUED or (len(unit) > 1 and unit.casefold() in _FOLDED)


def _notation(bodies: Collection[str], decimal_comma: bool) -> str | None:
    """The notation that fits all, if there is one only; commas that may be either divide thousands."""

    def fit(notation: str) -> bool:
        return all(map(BODIES[notation].fullmatch, bodies))

    if fit(""):
        return ""
    if fit(DECIMAL_COMMA):
        return DECIMAL_COMMA if decimal_comma or not all(map(_GROUPS.fullmatch, bodies)) else COMMAS
    fitting = [notation for notation in GROUPING if fit(notation) and any(notation[1] in body for body in bodies)]
    if fitting == [COMMAS, POINTS]:  # 1.234 and 5,678
        return POINTS if decimal_comma else None
    return fitting[0] if fitting else None


def _value(cell: _Cell, notation: str) -> float:
    body = cell.body.replace(notation[1], "") if notation in GROUPING else cell.body
    power = POWERS.get(cell.times, 0) + SHARES.get(cell.unit, 0)
    body = body.replace(",", ".")
    value = float(f"{body}e{power}") if "e" not in body.lower() else float(body) * 10.0**power
    return -value if cell.negative else value
