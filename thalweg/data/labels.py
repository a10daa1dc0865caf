"""Finds cells among the labels of training, however either was written."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.data.cells import EXACT, Array, Column
from thalweg.data.notations.calendars import EITHER
from thalweg.data.reading import WHITE_SPACE, Meanings, is_gap, plain_number, read

Label = str | int | float | bool
Key = tuple[str, Any]
"""The meaning of a label or a cell: ("text", "007"), ("number", 7), ("boolean", 1.0), ("date", datetime64). A cell
of text that says 2.5 is ("fraction", 2.5), which of all labels only a number means."""

_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))
WORDS = [word for pair in _PAIRS for word in pair]
"""What people write for no and yes."""
_TRUTH: dict[Key, float] = {("number", 0.0): 0.0, ("number", 1.0): 1.0, ("boolean", 0.0): 0.0, ("boolean", 1.0): 1.0}
_TRUTH |= {("text", word): float(truth) for pair in _PAIRS for truth, word in enumerate(pair)}


def label_codes(known: Sequence[Label], column: Column) -> Array:
    """The position of each cell in `known`, (rows,): -1 if it is none of them, -2 if it is missing.

    A cell is the label spelled the same, or otherwise the only one with the same meaning: 7 is "7.0" or "007", a date
    is "2024-05-31"; but the text "1.10" isn't "1.1", which may be another version. A gap such as "-" that is no label
    is missing. If the labels are two words for no and yes (or 0 and 1, or false and true), each word for yes is the
    second, since the same column is boolean in one format, and text or numbers in another.

    >>> label_codes(["no", "yes"], Column("boolean", np.array([1.0, np.nan, 0.0])))
    array([ 1, -2,  0])
    >>> label_codes(["1.1", "7", "007"], Column("text", np.array(["1.10", "7", "007", "7.0"], object)))
    array([-1,  1,  2, -1])
    """
    labels = Labels(known)

    def code_of_text(text: str) -> int:
        code = labels.code(text, _meanings_of_text(text))
        return -2 if code == -1 and is_gap(text) else code

    texts = column.texts if column.exact else column.as_text()
    if texts is not None:
        meanings = Meanings(code_of_text, missing=-2)
        meanings.update(labels.spelled)
        return np.fromiter(map(meanings.__getitem__, texts.tolist()), np.int64, len(texts))
    codes = np.full(len(column.values), -2, dtype=np.int64)
    present = ~column.missing()
    if column.kind != "other":
        different, cell = np.unique(column.values[present], return_inverse=True)
        kind = "number" if column.kind == "integer" else column.kind
        names = Column(column.kind, different, written=column.written).as_text()
        found = [labels.code(name, [(kind, value)]) for name, value in zip(names, different, strict=True)]
        codes[present] = np.array(found, dtype=np.int64)[cell]
    return codes


class Labels:
    """Labels by how they are spelled, of which the first counts, and by what they mean.

    >>> labels = Labels(["1.1", "7", "007"])
    >>> labels.spelled["007"], labels.by_meaning("", [("number", 1.1)]), labels.by_meaning("7.0", [("number", 7.0)])
    (2, 0, -1)
    """

    def __init__(self, known: Sequence[Label]) -> None:
        self.known = known
        texts = [(label.strip(WHITE_SPACE), code) for code, label in enumerate(known) if isinstance(label, str)]
        self.spelled = dict(reversed(texts))

    @cached_property
    def places(self) -> dict[Key, set[int]]:
        """Those with each meaning; most columns never need it."""
        places: dict[Key, set[int]] = {}
        for code, label in enumerate(self.known):
            for key in _meanings(label):
                places.setdefault(key, set()).add(code)
        return places

    @cached_property
    def truths(self) -> list[float] | None:
        """See `_truths`."""
        return _truths(self.known)

    def code(self, text: str, keys: Sequence[Key]) -> int:
        """The label that a cell is, by its text or its meanings; -1 if it is none, or could be two."""
        return self.spelled[text] if text in self.spelled else self.by_meaning(text, keys)

    def by_meaning(self, text: str, keys: Sequence[Key]) -> int:
        """The same of a text that spells none of them."""
        found = {code for key in keys for code in self.places.get(key, ())}
        if not found and self.truths is not None:
            truths = (_truth(key) for key in (("text", text), *keys))
            found = {self.truths.index(truth) for truth in truths if truth is not None}
        return found.pop() if len(found) == 1 else -1


def _meanings(label: Label) -> list[Key]:
    """What a label means, besides its text."""
    if isinstance(label, bool):
        return [("boolean", float(label))]
    if not isinstance(label, str):
        return [("number", label), ("fraction", label)]
    text = label.strip(WHITE_SPACE)
    found = read([text])
    number = plain_number(text)
    if number is not None:  # also a code
        return [("number", Fraction(text) if EXACT < abs(number) < np.inf else number)]
    if found is None or found.unit or found.notation == EITHER or text not in found.meaning:
        return []
    kind, meaning = "number" if found.kind == "integer" else found.kind, found.meaning[text]
    return [(kind, meaning)] if kind != "number" or abs(meaning) <= EXACT else []


def _meanings_of_text(text: str) -> list[Key]:
    """What a cell of text means, besides its text. A number with a fraction is a label of text only if spelled so."""
    return [("fraction", key[1]) if key[0] == "number" and key[1] % 1 else key for key in _meanings(text)]


def _truth(key: Key) -> float | None:
    return _TRUTH.get((key[0], key[1].lower()) if key[0] == "text" else key)


def _truths(known: Sequence[Label]) -> list[float] | None:
    """The truth values of two labels, one of them false, that are a pair of such words; None for other labels."""
    keys = [(("text", label.strip(WHITE_SPACE)) if isinstance(label, str) else _meanings(label)[0]) for label in known]
    words = tuple(sorted(str(value).lower() for kind, value in keys if kind == "text"))
    truths = [_truth(key) for key in keys]
    if len(known) != 2 or {*truths} != {0.0, 1.0} or (words and words not in _PAIRS):
        return None
    return [float(truth) for truth in truths if truth is not None]
