"""Free text: what is sentences, and its words and pieces of words as numbers of a fixed width.

A text has three sorts of terms: its words, pairs of words that follow one another, and pieces of three to five letters,
which are alike where words are misspelled or inflected. In scripts without spaces between words, as Chinese and Thai,
each character counts as a word. Case and width of letters don't count, and each digit is 0.

The weight of a term in a text is (1 + ln(how often it occurs))·(1 + ln((1 + rows) / (1 + rows with the term))), the
latter of the training rows; a term that too few of them have weighs nothing. By a hash, each term has a place among the
sort's matrix columns, where its weight is added or subtracted, by a sign that the hash gives (Weinberger et al. 2009).
What a text then has there is brought to one length for each sort, so that long texts count as much as short ones.
"""

from __future__ import annotations

import base64
import re
import unicodedata
import zlib
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Sort(NamedTuple):
    """A sort of terms: how many units they have, the matrix columns for it, and the length of a row's part there.

    Lengths near the square root of the columns' number are those of as many standardised numbers. Measured on 5,574
    messages (docs/tables.md): twice the columns gain nothing, half of them cost 6 % of the log-loss.
    """

    name: str
    shortest: int
    longest: int
    width: int
    length: float
    rare: int
    """So many training rows have to have a term, of enough rows (see `least`)."""


SORTS = (Sort("words", 1, 1, 1024, 22.0, 2), Sort("pairs", 2, 2, 512, 11.0, 5), Sort("pieces", 3, 5, 1024, 22.0, 5))
ENDS = (0, *accumulate(sort.width for sort in SORTS))
WIDTH = ENDS[-1]
BITS = 17
"""Of a term's hash, those that tell terms apart; the table of weights has 2¹⁷ for each sort."""
FINE = 16.0
"""Weights are kept as whole sixteenths."""
AT_ONCE = 128
"""Texts that are taken apart together: more would no longer fit the cache."""

APART = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Letters of scripts without spaces: Thai, Lao, Burmese, Khmer, kana, and Han."""
MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
"""What belongs to the letter before it, in Hebrew, Arabic, and the scripts of India."""
WORD = re.compile(rf"[{APART}]|(?:(?![{APART}])[\w{MARKS}])+|[^\w\s]")
CHARACTER, DIGIT = re.compile(f"[{APART}]"), re.compile(r"\d")
STEP, MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)

FEW, LOOKED_AT = 20, 2_000
"""More than so few texts, and at most so many, say whether a column is free text."""
WORDS_EACH, LETTERED, LOWER = 5.0, 0.6, 1 / 3
"""Of free text: words a cell on average, two characters of `APART` as one; the share of parts between spaces that have
letters; and of words behind the first that have a case, the share in lower case, which names and titles don't reach."""


def is_free_text(texts: Collection[str]) -> bool:
    """Whether different texts of a column are sentences, as of messages and reviews; not names, ids, codes or paths.

    >>> is_free_text([f"the train to town {n} was late again" for n in range(30)])
    True
    >>> is_free_text([f"Dooley, Mr. Patrick James {n}" for n in range(30)])
    False
    """
    if len(texts) <= FEW:
        return False
    some = list(texts)[:: -(-len(texts) // LOOKED_AT)]
    parts = lettered = cased = lower = 0
    size = 0.0
    for text in some:
        between = text.split()
        worded = [part for part in between if any(map(str.isalpha, part))]
        apart = len(CHARACTER.findall(text))
        size += len(worded) if not apart else apart / 2 + sum(1 for part in worded if not CHARACTER.search(part))
        parts += len(between)
        lettered += len(worded)
        firsts = [next(filter(str.isalpha, part)) for part in worded[1:]]
        cased += sum(letter.lower() != letter.upper() for letter in firsts)
        lower += sum(letter.islower() for letter in firsts)
    return size >= WORDS_EACH * len(some) and lettered >= LETTERED * parts and lower >= LOWER * cased


def terms(texts: Sequence[str]) -> Iterator[tuple[Array, Array, Array]]:
    """For each sort the terms of some texts, sorted: the text's number, the term's, and how often it is there."""
    folded = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    alike = [DIGIT.sub("0", " ".join(text.split())) for text in folded]
    said = [WORD.findall(text) for text in alike]
    known = {word: zlib.crc32(word.encode("utf-8", "surrogatepass")) for text in said for word in text}
    units = np.fromiter((known[word] for text in said for word in text), np.uint64)
    letters = np.frombuffer("".join(f" {text} " for text in alike).encode("utf-32-le", "surrogatepass"), np.uint32)
    of_words = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) for text in said])
    of_letters = np.repeat(np.arange(len(texts), dtype=np.uint64), [len(text) + 2 for text in alike])
    for sort in SORTS:
        spelled = sort.name == "pieces"
        yield counted(*((of_letters, letters.astype(np.uint64)) if spelled else (of_words, units)), sort)


def counted(rows: Array, units: Array, sort: Sort) -> tuple[Array, Array, Array]:
    """The different runs of units (n,) within a row that a sort's terms are, and how often they are there."""
    keys = []
    hashes = np.zeros(len(units), np.uint64)
    for length in range(1, min(sort.longest, len(units)) + 1):
        count = len(units) - length + 1
        hashes = mixed(hashes[:count] * STEP + units[length - 1 :] + np.uint64(length))
        if length >= sort.shortest:
            whole = rows[:count] == rows[length - 1 :]
            keys.append((rows[:count] << np.uint64(BITS) | hashes >> np.uint64(64 - BITS))[whole])
    different, counts = np.unique(np.concatenate(keys) if keys else units[:0], return_counts=True)
    numbers = different & np.uint64((1 << BITS) - 1)
    return (different >> np.uint64(BITS)).astype(np.int64), numbers.astype(np.int64), counts


def mixed(hashes: Array) -> Array:
    """Numbers whose bits depend on all bits of others, uint64 (n,)."""
    hashes = (hashes ^ (hashes >> np.uint64(31))) * MIX
    mixed: Array = hashes ^ (hashes >> np.uint64(29))
    return mixed


def places(numbers: Array, width: int) -> tuple[Array, Array]:
    """Of terms' numbers (n,), the places among so many columns, and the signs."""
    hashes = mixed((numbers.astype(np.uint64) + np.uint64(1)) * STEP)
    return (hashes >> np.uint64(40)).astype(np.int64) % width, np.where(hashes & np.uint64(1 << 20), 1.0, -1.0)


def least(sort: Sort, rows: int) -> int:
    """How many of the training rows have to have a term."""
    return max(2, min(sort.rare, rows // 500))


def counted_texts(texts: Sequence[str]) -> tuple[Array, int]:
    """In how many texts each term is, (sorts, 2¹⁷), and how many words and signs there are."""
    rows_with = np.zeros((len(SORTS), 1 << BITS), np.int64)
    said = 0
    for first in range(0, len(texts), AT_ONCE):
        for k, (_, numbers, counts) in enumerate(terms(texts[first : first + AT_ONCE])):
            rows_with[k] += np.bincount(numbers, minlength=1 << BITS)
            said += int(counts.sum()) if SORTS[k].name == "words" else 0
    return rows_with, said


def levels_of(rows_with: Array, rows: int) -> Array:
    """The weights of terms that so many of the rows have, in sixteenths: bytes (sorts, 2¹⁷)."""
    weights = 1 + np.log((1 + rows) / (1 + rows_with))
    enough = rows_with >= np.array([least(sort, rows) for sort in SORTS])[:, None]
    return np.where(enough, np.clip(np.rint(weights * FINE), 1, 255), 0).astype(np.uint8)


def kept_text(levels: Array) -> str:
    """The weights as text that a file keeps."""
    return base64.b85encode(zlib.compress(levels.tobytes(), 9)).decode()


@lru_cache(16)
def weights_of(kept: str) -> Array:
    """The weights that a file keeps as text, float64 (sorts, 2¹⁷); ValueError if it isn't that."""
    try:
        levels = np.frombuffer(zlib.decompress(base64.b85decode(kept)), np.uint8)
        return levels.reshape(len(SORTS), 1 << BITS) / FINE
    except zlib.error as error:
        raise ValueError(str(error)) from error


def write_hashed(texts: Sequence[str | None], weights: Array, out: Array) -> None:
    """Writes the matrix columns of texts, the first `WIDTH` of `out`."""
    for first in range(0, len(texts), AT_ONCE):
        some = [text or "" for text in texts[first : first + AT_ONCE]]
        for k, (rows, numbers, counts) in enumerate(terms(some)):
            at, sign = places(numbers, width := SORTS[k].width)
            each = (1 + np.log(counts)) * weights[k, numbers] * sign
            sums = np.bincount(rows * width + at, each, len(some) * width).reshape(len(some), width)
            lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
            scale = np.divide(SORTS[k].length, lengths, out=np.zeros_like(lengths), where=lengths > 0)
            out[first : first + len(some), ENDS[k] : ENDS[k + 1]] = sums * scale
