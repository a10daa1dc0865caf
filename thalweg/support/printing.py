"""Printing where the encoding lacks our signs: a Taiwanese Windows console (cp950) has no −, a C locale no σ.

Signs that can't be encoded are written in ASCII: - for −, ^2 for ², sigma for σ, ? for those without a spelling.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import Any

HANDLER = "thalweg-ascii"
SPELLINGS = {
    "−": "-", "–": "-", "—": "-", "×": "x", "·": "*", "…": "...", "→": "->", "←": "<-", "≤": "<=", "≥": ">=",
    "≠": "!=", "≈": "~", "±": "+-", "√": "sqrt", "∑": "sum", "∏": "prod", "∂": "d", "∇": "grad", "∞": "inf",
    "∈": "in", "µ": "u", "‖": "||", "⌊": "floor(", "⌋": ")", "′": "'", "“": '"', "”": '"', "‘": "'", "’": "'",
    "│": "|", "┃": "|", "█": "#", "ß": "ss", "°": "deg", "↔": "<->", "∗": "*", "⊙": "*", "∪": "or", "∫": "integral",
    "⌈": "ceil(", "⌉": ")", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₫": "VND",
    "₺": "TRY", "₴": "UAH", "₱": "PHP", "฿": "THB", "‰": "per mille", "ł": "l", "⋮": ":", "⁄": "/",  # ½ is 1⁄2
}  # fmt: skip


def spelled(sign: str) -> str:
    """A sign in ASCII.

    >>> "".join(map(spelled, "ŷ = σ(W·x − b)² µs")), spelled("水")
    ('y = sigma(W*x - b)^2 us', '?')
    """
    if sign.isascii():
        return sign
    if sign in SPELLINGS:
        return SPELLINGS[sign]
    if unicodedata.combining(sign):  # the letter before it loses its accent
        return ""
    name = unicodedata.name(sign, "")
    if name.startswith("GREEK "):
        letter = name.rpartition("LETTER ")[2].partition(" ")[0].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    if name.startswith("BOX DRAWINGS"):
        return "+" if " AND " in name else "-"
    raised = "^" if name.startswith(("SUPERSCRIPT", "MODIFIER LETTER")) else ""
    parts = unicodedata.normalize("NFKD", sign)
    return raised + "".join(map(spelled, parts)) if parts != sign else "?"


def spell_error(error: UnicodeError) -> tuple[str, int]:
    """The handler of an encoding error: the signs in question in ASCII, and where to continue."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(spelled, error.object[error.start : error.end])), error.end


codecs.register_error(HANDLER, spell_error)


def tolerate(stream: Any) -> None:
    """Makes a stream spell out what it can't encode instead of raising; for the command line's own streams."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=HANDLER)


def out(text: str) -> None:
    """`print` for a library: spells out what sys.stdout can't encode, without changing sys.stdout."""
    encoding = getattr(sys.stdout, "encoding", None)
    print(text.encode(encoding, HANDLER).decode(encoding) if encoding else text, flush=True)
