"""Which rows each member of an ensemble doesn't learn from: its epoch is chosen, and it is scored, on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError

Array = NDArray[Any]

FOLDS = 8
LATEST = 10
"""At least so many of the latest rows, but no more than half of all."""
MOST_ROWS = 20_000
"""More rows than these choose no better."""


def rotating(
    count: int, members: int, classes: Array | None, seed: int, folds: int = FOLDS, alike: Array | None = None
) -> list[Array]:
    """The rows that each member holds out, sorted: member i the fold i mod 8 of the same permutation; after eight
    members another permutation begins. Of fewer than eight rows each is a fold.

    Args:
        count: rows.
        classes: class numbers (rows,), which the folds share evenly; a class with one row is always learned from.
            None for a regression.
        folds: how many.
        alike: a number for each row, the same for equal rows, which stay together: a row held out would otherwise be
            known from its copies.

    >>> [rows.tolist() for rows in rotating(3, 4, None, seed=0)]
    [[2], [0], [1], [2]]
    """
    if alike is not None:
        one_of_each = np.unique(alike, return_index=True)[1]
        kinds = None if classes is None else classes[one_of_each]
        held = rotating(len(one_of_each), members, kinds, seed, folds)
        return [np.flatnonzero(np.isin(alike, different)) for different in held]
    folds = min(folds, count)
    held = []
    for first in range(0, members, folds):
        order = np.random.default_rng([seed, first]).permutation(count)
        fold_of = np.empty(count, np.int64)
        if classes is None:
            fold_of[order] = np.arange(count) % folds
        else:  # dealt class by class
            order = order[np.argsort(classes[order], kind="stable")]
            fold_of[order] = np.arange(count) % folds
            fold_of[np.bincount(classes)[classes] == 1] = -1
        for fold in range(min(folds, members - first)):
            rows = np.flatnonzero(fold_of == fold)
            if len(rows) > MOST_ROWS:
                rows = np.sort(np.random.default_rng([seed, 1]).choice(rows, MOST_ROWS, replace=False))
            held.append(rows)
    return held


def grouped(groups: Array, members: int, seed: int, folds: int = FOLDS) -> list[Array]:
    """The same, with all rows of a group on one side.

    Args:
        groups: group numbers (rows,), 0 … n-1.

    Raises:
        DataError: there is one group only.
    """
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise DataError("groups names one group only: to hold out whole groups, there must be two or more")
    folds = min(folds, len(sizes))
    held: list[Array] = []
    for first in range(0, members, folds):
        order = np.random.default_rng([seed, first]).permutation(len(sizes))
        fold_of, filled = np.empty(len(sizes), np.int64), np.zeros(folds, np.int64)
        for group in order[np.argsort(-sizes[order], kind="stable")]:  # the largest first, into the emptiest fold
            fold_of[group] = filled.argmin()
            filled[fold_of[group]] += sizes[group]
        held += [np.flatnonzero(fold_of[groups] == fold) for fold in range(min(folds, members - first))]
    return held


def latest(time: Array, members: int, folds: int = FOLDS) -> list[Array]:
    """The latest eighth of the rows for every member: as in use, the rows to predict come after those learned from.

    Of fewer than 80 rows the latest 10, or half of them. Rows of the same time stay together.

    Raises:
        DataError: all rows are of the same time.
    """
    ranks = np.unique(time, return_inverse=True)[1]
    if not len(ranks) or ranks.max() == 0:
        raise DataError("time is the same in all rows: there is no latest part to hold out")
    held = max(len(ranks) // folds, min(LATEST, len(ranks) // 2))
    start = np.sort(ranks)[-max(1, min(held, MOST_ROWS))]
    return [np.flatnonzero(ranks >= max(start, 1))] * members
