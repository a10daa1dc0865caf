"""How texts write a column's categories: what a file takes them for, and which texts only thalweg itself can read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from thalweg.data.cells import EXACT, bare_column
from thalweg.data.labels import WORDS, Labels, label_codes
from thalweg.data.notations.letters import SAME
from thalweg.data.reading import GAPS, MISSING_MARKERS, WHITE_SPACE

Key = TypeVar("Key", float, str)
LETTERS = "[aA][bB][oO][uU][tT]|[aA][pP][pP][rR][oO][xX]|[cC][aA]"  # about, approx., ca.
BLANKS = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space by Python's rules."""
MARKS = f"{BLANKS}！-／：-～.,:'’‘′()+\u2212≈~約略大约eEkKM千萬万億亿\\-"
NUMBERS = f"(?:[{BLANKS}]*(?:{LETTERS}))?[{MARKS}]*[0-9０-９][{MARKS}0-9０-９]*"
"""What may be a number without a unit, in any notation."""
DATES = r"[^0-9０-９]*[0-9０-９](?:.|\s)*"
"""What may be a date, or a number."""
ANY = r"(?:.|\s)*"
SURE = r"0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,5}[1-9]"
"""Numbers in the plain notation, of which each category's is listed; a fraction is one only as it is spelled."""


@dataclass(frozen=True)
class Spellings:
    """The place of the category that a text is, without white space around it.

    Attributes:
        texts: by the text itself.
        numbers: by the whole number that a text spells, or the number that a cell is.
        words: by a word for yes or no, in small letters.
        odd: the pattern of other texts that may be one of them, which takes more than a number's digits to tell; "" if
            none may be.
    """

    texts: dict[str, int]
    numbers: dict[float, int]
    words: dict[str, int]
    odd: str


def spellings(categories: Sequence[str]) -> Spellings:
    """How a column's categories are written, as `label_codes` reads them."""
    labels = Labels(categories)
    kinds = {kind for kind, _ in labels.places}
    values = {float(value) for kind, value in labels.places if kind == "number" and abs(value) <= EXACT}
    if labels.truths is not None:
        kinds, values = kinds | {"number"}, values | {0.0, 1.0}
    numbers = {value: labels.by_meaning("", [("number", value)]) for value in sorted(values)}
    words = {w: labels.by_meaning(w, [("boolean", float(w == "true"))] * (w in ("true", "false"))) for w in WORDS}
    odd = DATES if "date" in kinds else NUMBERS if "number" in kinds else ""
    return Spellings(labels.spelled, known(numbers), known(words), odd)


def known(places: dict[Key, int]) -> dict[Key, int]:
    """Those that there are."""
    return {key: place for key, place in places.items() if place >= 0}


class Listed(NamedTuple):
    """The same for a file that can do no more than look texts up and compare them with a pattern.

    numbers: by text the place of its category, −2 for a missing cell. odd: see `Spellings`; sure: what is none of them
    although it is odd.
    """

    numbers: dict[str, float]
    odd: str
    sure: str


def listed(categories: Sequence[str]) -> Listed:
    """How a column's categories are written: what people and programs write most, by what it is for the run."""
    found = spellings(categories)
    whole = [int(value) for value in found.numbers if value.is_integer()]
    texts = [
        *found.texts,
        *(form.format(n) for n in whole for form in ("{}", "{}.0", "{}.00", "{}.", "{:+}", "0{}", "{:,}")),
    ]
    texts = [*texts, *in_letters(found.words)]
    texts = [form.format(text) for form in ("{}", " {}", "{} ", " {} ") for text in (*texts, "")]
    texts = [*dict.fromkeys([*texts, *MISSING_MARKERS, *in_letters(sorted(GAPS))])]
    codes = label_codes(categories, bare_column(texts))
    odd = [f"[{WHITE_SPACE}]{ANY}", f"{ANY}[{WHITE_SPACE}]", *map(disguised, (*sorted(GAPS), *found.words))]
    numbers = {text: float(code) for text, code in zip(texts, codes, strict=True) if code != -1}
    return Listed(numbers, "|".join([*odd, *[found.odd] * bool(found.odd)]), SURE if found.odd else "")


def in_letters(words: Iterable[str]) -> list[str]:
    """Words in small letters, in capitals, and with one first."""
    return [form(word) for form in (str, str.upper, str.capitalize) for word in words]


def disguised(word: str) -> str:
    """The pattern of a word in any letters, also wide ones, with white space around it."""
    letters = [{c, c.upper(), *(chr(k) for k, same in SAME.items() if chr(same).lower() == c)} for c in word]
    signs = "".join(f"[{''.join(map(re.escape, sorted(one)))}]" for one in letters)
    return f"[{BLANKS}]*{signs}[{BLANKS}]*"
