"""Cross-validation of the estimators for tables: a score for each fold, their mean and their spread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError, DataError
from thalweg.support.checks import whole

Array = NDArray[Any]


class CrossValidation(NamedTuple):
    """What `cross_validate` returns."""

    metric: str
    scores: list[float]
    """Of each fold's rows, by a network that didn't see them."""
    mean: float
    spread: float
    """The standard deviation of the scores (n − 1)."""

    def __str__(self) -> str:
        return f"{self.metric} {self.mean:.4g} ± {self.spread:.2g} ({len(self.scores)} folds)"


def summary(metric: str, scores: list[float]) -> CrossValidation:
    """The mean and the spread of scores."""
    return CrossValidation(metric, scores, float(np.mean(scores)), float(np.std(scores, ddof=1)))


def splits(
    y: Array, classes: bool, folds: int, groups: Array | None, time: Array | None, seed: int
) -> Iterator[tuple[Array, Array]]:
    """Rows to learn from and rows to score: folds with the same share of each class; of whole groups; or, with `time`,
    each later part by all rows before it."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    folds = whole("folds", folds, 2)
    if groups is not None and time is not None:
        raise ArgumentError("groups and time both say how to divide the rows: give one of them")
    if len(y) < folds:
        raise DataError(f"{len(y)} rows can't be divided into {folds} folds")
    if time is not None:
        yield from _forward(time, folds)
    elif groups is not None:
        count = len(np.unique(groups))
        if count < folds:
            raise DataError(f"{count} groups can't be divided into {folds} folds: ask for {count} at most")
        yield from GroupKFold(folds).split(y, y, groups)
    elif classes and np.unique(y, return_counts=True)[1].min() >= folds:
        yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)
    else:
        yield from KFold(folds, shuffle=True, random_state=seed).split(y)


def _forward(time: Array, folds: int) -> Iterator[tuple[Array, Array]]:
    ranks = np.unique(time, return_inverse=True)[1]
    cuts = np.unique(np.sort(ranks)[[len(ranks) * k // (folds + 1) for k in range(1, folds + 1)]])
    if len(cuts) < folds or cuts[0] == 0:
        raise DataError(f"time has too few different values for {folds} folds, each after those learned from")
    for cut, end in zip(cuts, [*cuts[1:], ranks.max() + 1], strict=True):
        yield np.flatnonzero(ranks < cut), np.flatnonzero((ranks >= cut) & (ranks < end))
