"""What makes a score suspect: columns that give the answer away, row numbers among the inputs, rows that stand in both
parts, rare classes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.data.tables import Table
from thalweg.doctor.generalising import RARE
from thalweg.doctor.leaks import GIVES_AWAY, tells_apart, tree_score
from thalweg.runs.baselines import sample
from thalweg.tabular.features import Features

SAMPLE = 2_000
"""How many rows a tree for each column learns from and is judged on."""
SECONDS = 5.0
"""For all columns; those that are left then are not looked at, which is said."""
CHUNK = 65_536
DIFFERENT = 0.95
"""The share of the rows that have a key of their own, at least; of row numbers, all have."""
FILLED = 1.5
"""Row numbers go up to so many times the rows: some of these were held out."""
BEGINS = 0.02
"""They begin at 0 or 1, or so little later, as a part of the rows, if the first were held out."""
LEAST = 20
"""Of fewer rows, nothing is called a key."""
NOTHING = 0.1
"""How much a column without a key's name may say by itself: R², or balanced accuracy above guessing."""
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[\u4e00-\u9fff]+")
KEYS = {"id", "key", "uid", "pk", "nr", "no", "number", "編號", "序號", "流水號", "代號"}
"""Last words of names of keys: PassengerId, row_no, 訂單編號."""
ALONE = {"index", "row", "rownum", "rowid", "unnamed"}
"""Whole names of row numbers, the last one of pandas's "Unnamed: 0"."""


@dataclass(frozen=True)
class Leak:
    """A column that predicts the target nearly perfectly by itself."""

    column: str
    score: float
    measure: str  # "balanced accuracy" or "R²"


def leaks(features: Features, train: Table, seed: int = 0, seconds: float = SECONDS) -> tuple[list[Leak], int]:
    """The columns that tell the target by themselves, and how many columns there was time to look at.

    Each gets a shallow decision tree, which learns from one half of a sample of the rows and is judged on the other.
    """
    target = features.target
    assert target is not None
    train = sample(train, SAMPLE, seed)
    half = np.random.default_rng(seed).permutation(train.rows)
    learn, judge = half[: train.rows // 2], half[train.rows // 2 :]
    y = features.targets(train).ravel()
    found: list[Leak] = []
    looked, begin = 0, time.perf_counter()
    if not tells_apart(y[learn]) or not tells_apart(y[judge]):
        return found, looked
    for name, x in _each(features, train):
        if time.perf_counter() - begin > seconds:
            break
        looked += 1
        score = tree_score(x, y, learn, judge, target.task)
        if score >= GIVES_AWAY:
            found.append(Leak(name, score, "R²" if target.task == "regression" else "balanced accuracy"))
    return sorted(found, key=lambda leak: -leak.score), looked


def _each(features: Features, table: Table) -> Iterator[tuple[str, Array]]:
    """The matrix of each column by itself."""
    for column in features.columns:
        if column.features:
            out = np.zeros((table.rows, len(column.features)), np.float32)
            column.write(table.column(column.name), table, out)
            yield column.name, out


@dataclass(frozen=True)
class Key:
    """A column in which each row has its own whole number, with the least and the greatest."""

    column: str
    low: float
    high: float


def keys(features: Features, train: Table, seed: int = 0) -> list[Key]:
    """The inputs that are the rows' numbers or keys.

    Whole numbers that differ in every row may be measured. So they are called a key only by their name; or if they
    count the rows, from 0 or 1 on, and say nothing about the target by themselves, as a day or a rank would.
    """
    found = []
    for column in features.columns:
        if not column.features:
            continue
        cells = train.column(column.name)
        if cells.kind not in ("number", "integer") or train.rows < LEAST:
            continue
        values = np.asarray(cells.values, np.float64)
        if not np.isfinite(values).all() or (values != np.trunc(values)).any():
            continue
        different, low, high = len(np.unique(values)), float(values.min()), float(values.max())
        counts = different == train.rows and 0 <= low <= 1 + BEGINS * train.rows and high - low < FILLED * train.rows
        named = different >= DIFFERENT * train.rows and is_key(column.name)
        if named or (counts and says_nothing(features, train, column.name, seed)):
            found.append(Key(column.name, low, high))
    return found


def is_key(name: str) -> bool:
    """Whether a column is named as keys are.

    >>> [is_key(name) for name in ("PassengerId", "Unnamed: 0", "row_no", "訂單編號", "humid", "year", "heat index")]
    [True, True, True, True, False, False, False]
    """
    words = [word.lower() for word in WORDS.findall(name)]
    return bool(words) and (
        words[-1].endswith(("編號", "序號")) or words[-1] in KEYS or (len(words) == 1 and words[0] in ALONE)
    )


def says_nothing(features: Features, train: Table, name: str, seed: int) -> bool:
    """Whether a column by itself predicts the target no better than guessing."""
    part = sample(train, SAMPLE, seed)
    half = np.random.default_rng(seed).permutation(part.rows)
    learn, judge = half[: part.rows // 2], half[part.rows // 2 :]
    target, y = features.target, features.targets(part).ravel()
    assert target is not None
    if not tells_apart(y[learn]) or not tells_apart(y[judge]):
        return True
    x = np.asarray(part.column(name).values, np.float64)[:, None]
    guessing = 0.0 if target.task == "regression" else 1 / len(np.unique(y[judge]))
    return tree_score(x, y, learn, judge, target.task) < guessing + NOTHING


def twins(features: Features, train: Table, test: Table) -> int:
    """How many rows of `test` have the same inputs as a row of `train`."""
    random = np.random.default_rng(0)
    factors = random.integers(1, 1 << 63, len(features.feature_names), dtype=np.uint64) * 2 + 1
    return int(np.isin(_hashes(features, test, factors), _hashes(features, train, factors)).sum())


def _hashes(features: Features, table: Table, factors: Array) -> Array:
    """A number for each row of the matrix, uint64 (rows,): the sum of its cells' bits times random odd numbers.

    Two different rows share one with a probability of about 2⁻⁶⁰.
    """
    hashes = np.empty(table.rows, np.uint64)
    for first in range(0, table.rows, CHUNK):
        rows = np.arange(first, min(first + CHUNK, table.rows))
        bits = (features.matrix(table.take(rows)) + 0).view(np.uint32)  # −0 becomes 0
        total = np.zeros(len(rows), np.uint64)
        for place, factor in enumerate(factors):
            cells = bits[:, place].astype(np.uint64) * factor
            total += cells ^ (cells >> np.uint64(32))
        hashes[rows] = total
    return hashes


def rare_classes(features: Features, train: Table) -> dict[Any, float]:
    """The classes that have less than a fifth of an equal share of the training rows, rarest first."""
    target = features.target
    assert target is not None
    if target.task == "regression":
        return {}
    codes = features.targets(train).ravel().astype(int)
    shares = np.bincount(codes, minlength=len(target.classes)) / len(codes)
    few = [k for k in np.argsort(shares, kind="stable") if shares[k] < RARE / len(target.classes)]
    return {target.classes[k]: float(shares[k]) for k in few}
