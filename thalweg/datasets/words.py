"""Texts as lists of word numbers, the frequent words first: shuffled, marked, and limited to some words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.datasets.pickled import Array
from thalweg.errors import DataError
from thalweg.support.checks import whole
from thalweg.support.untrusted import read_json

Texts = list[list[int]]


def shuffled(x: Array, y: Array, random: np.random.RandomState, path: Path) -> tuple[Texts, Array]:
    """The texts and their labels in a random order, Keras's."""
    if x.ndim != 1 or y.shape != x.shape or y.dtype.kind not in "ui":
        raise DataError(f"{path} holds no texts with a label each: {x.shape} and {y.shape} of {y.dtype}")
    rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in x.tolist()]
    if not all(isinstance(row, list) and set(map(type, row)) <= {int} for row in rows):
        raise DataError(f"{path} holds a text that isn't a list of word numbers")
    order = np.arange(len(rows))
    random.shuffle(order)
    return [rows[n] for n in order.tolist()], y[order]


def marked(rows: Texts, start_char: int | None, index_from: int | None) -> Texts:
    """The words' numbers raised by `index_from`, each text after `start_char`."""
    start = [] if start_char is None else [whole("start_char", start_char, 0)]
    add = 0 if index_from is None else whole("index_from", index_from, 0)
    return [start + [word + add for word in row] for row in rows] if start or add else rows


def short(rows: Texts, labels: Array, maxlen: int | None) -> tuple[Texts, Array]:
    """The texts of fewer than `maxlen` words, and their labels."""
    if not maxlen:
        return rows, labels
    limit = whole("maxlen", maxlen)
    kept = [n for n, row in enumerate(rows) if len(row) < limit]
    if not kept:
        raise DataError(f"no text has fewer than maxlen={limit} words: increase it")
    return [rows[n] for n in kept], labels[kept]


def limited(rows: Texts, num_words: int | None, skip_top: int, oov_char: int | None) -> Texts:
    """The words from `skip_top` up to below `num_words`; others become `oov_char`, or are left out if it is None.

    Without `num_words`, the limit is the largest number, which is then left out itself, as in Keras.
    """
    low = whole("skip_top", skip_top, 0)
    high = whole("num_words", num_words) if num_words else max(max(row, default=0) for row in rows)
    if oov_char is None:
        return [[word for word in row if low <= word < high] for row in rows]
    other = whole("oov_char", oov_char, 0)
    return [[word if low <= word < high else other for word in row] for row in rows]


def as_objects(rows: Sequence[list[int]]) -> Array:
    """An array whose elements are the lists."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def read_index(path: Path) -> dict[str, int]:
    """The number of each word, from a JSON file."""
    index: Any = read_json(path, DataError)
    if not isinstance(index, dict) or not all(isinstance(number, int) for number in index.values()):
        raise DataError(f"{path} isn't a dict from words to numbers")
    return index
