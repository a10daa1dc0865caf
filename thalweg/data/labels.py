"""Finds cells among the labels of training, however either was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.data.cells import Array, Column
from thalweg.data.notations.calendars import EITHER
from thalweg.data.reading import plain_number, read

Label = str | int | float | bool
Key = tuple[str, Any]
"""The meaning of a label or a cell: ("text", "007"), ("number", 7.0), ("boolean", 1.0), ("date", datetime64)."""

_WORDS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"))
_TRUTH: dict[Key, float] = {("number", 0.0): 0.0, ("number", 1.0): 1.0, ("boolean", 0.0): 0.0, ("boolean", 1.0): 1.0}
_TRUTH |= {("text", word): float(truth) for pair in _WORDS for truth, word in enumerate(pair)}


def label_codes(known: Sequence[Label], column: Column) -> Array:
    """The position of each cell in `known`, (rows,): -1 if it is none of them, -2 if it is missing.

    A cell is the label spelled the same, or otherwise the one with the same meaning: 7 is "7.0" and "007", a date is
    "2024-05-31". If the labels are two words for no and yes (or 0 and 1, or false and true), each word for yes is the
    second, since the same column is boolean in one format, and text or numbers in another.

    >>> label_codes(["no", "yes"], Column("boolean", np.array([1.0, np.nan, 0.0])))
    array([ 1, -2,  0])
    """
    places: dict[Key, int] = {}
    for code, label in enumerate(known):
        for key in _keys(label):
            places.setdefault(key, code)
    truths = _truths(known)
    if truths is not None:
        places |= {("boolean", truth): code for code, truth in enumerate(truths)}

    def code_of(keys: list[Key]) -> int:
        keys += [("boolean", truth) for truth in map(_truth, keys) if truth is not None and truths is not None]
        return next((places[key] for key in keys if key in places), -1)

    codes = np.full(len(column.values), -2, dtype=np.int64)
    present = ~column.missing()
    if column.kind == "text":
        cells = column.values[present].tolist()
        meaning = {text: code_of(list(_keys(text))) for text in set(cells)}
        codes[present] = np.fromiter(map(meaning.__getitem__, cells), np.int64, len(cells))
    elif column.text is not None:
        meaning = {text: code_of(keys) for text, keys in _said(column).items()}
        codes = np.fromiter((meaning.get(text, -2) for text in column.text.tolist()), np.int64, len(codes))
        codes[~present & (codes == -1)] = -2
    elif column.kind != "other":
        different, cell = np.unique(column.values[present], return_inverse=True)
        kind = "number" if column.kind == "integer" else column.kind
        found = [code_of([*_written(column, value), (kind, value)]) for value in different]
        codes[present] = np.array(found, dtype=np.int64)[cell]
    return codes


def _keys(label: Label) -> Iterator[Key]:
    """All meanings of a label, the most exact first."""
    if isinstance(label, bool):
        yield "boolean", float(label)
    elif not isinstance(label, str):
        yield "number", float(label)
    else:
        text = label.strip()
        yield "text", text
        found = read([text])
        if found is not None and not found.unit and found.notation != EITHER:
            yield "number" if found.kind == "integer" else found.kind, found.meaning.get(text)
        elif (number := plain_number(text)) is not None:  # a code
            yield "number", number


def _said(column: Column) -> dict[str, list[Key]]:
    """The text of numbers or dates, which may be a label ("72 kg", "-"), and what it means."""
    assert column.text is not None
    kind: str = "number" if column.kind == "integer" else column.kind
    lost = column.missing().tolist()
    cells = dict(zip(column.text.tolist(), zip(column.values, lost, strict=True), strict=True))
    return {
        text: [("text", text), (kind, value)][: 1 if missing else 2]
        for text, (value, missing) in cells.items()
        if text is not None
    }


def _written(column: Column, value: Any) -> Iterator[Key]:
    if column.written and value in column.written:
        yield "text", column.written[value]


def _truth(key: Key) -> float | None:
    return _TRUTH.get((key[0], key[1].lower()) if key[0] == "text" else key)


def _truths(known: Sequence[Label]) -> list[float] | None:
    """The truth values of two labels, one of them false, that are a pair of such words; None for other labels."""
    keys = [next(_keys(label)) for label in known]
    words = tuple(sorted(str(value).lower() for kind, value in keys if kind == "text"))
    truths = [_truth(key) for key in keys]
    if len(known) != 2 or {*truths} != {0.0, 1.0} or (words and words not in _WORDS):
        return None
    return [float(truth) for truth in truths if truth is not None]
