"""Boosted trees as one more member: scikit-learn's HistGradientBoosting, where it helps out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.experiments.population import side_by_side
from thalweg.tabular.clock import Clock
from thalweg.tabular.judge import Judge

Array = NDArray[Any]

FOLDS = 5
SHARES = np.linspace(0.0, 1.0, 11)
LEAST_GAIN = 0.002
"""How much better, in parts of the networks' score, the mean with the trees has to be for them to join."""
PART = 0.3
"""Of a time limit, what the trees may take."""


@dataclass(frozen=True)
class Grove:
    """Boosted trees that learned from all rows.

    Attributes:
        model: scikit-learn's estimator; its input is the matrix.
        classes: how many; 0 for a regression.
        mean, scale, low, high: a regression's standardised z stands for mean + scale·z, and lies in [low, high].
        out_of_fold: predictions of trees that didn't learn from the row, (rows, classes) or (rows,); NaN where none.
    """

    model: Any
    classes: int
    mean: float
    scale: float
    low: float
    high: float
    out_of_fold: Array

    def predictions(self, x: Array) -> Array:
        """Probabilities (rows, classes), or numbers (rows,) in the target's unit."""
        return predictions(self.model, x, self.classes, self.mean, self.scale, self.low, self.high)


@dataclass(frozen=True)
class Mixture:
    """Trees in an ensemble: its prediction is (1 − share)·networks + share·trees.

    Attributes:
        grove: the trees.
        share: their part, of 0, 0.1, …, 1 the one that predicts best out of fold.
    """

    grove: Grove
    share: float

    def of(self, networks: Array, trees: Array) -> Array:
        """The mean of predictions of both."""
        result: Array = (1 - self.share) * networks + self.share * trees
        return result


def grow(
    x: Array,
    judge: Judge,
    classes: int,
    weights: Array | None,
    held_out: Sequence[Array],
    seed: int,
    clock: Clock,
    lanes: int,
) -> Grove | None:
    """Trees of all rows, and out-of-fold predictions by those of five folds at most; None if time is too short.

    Args:
        held_out: the rows that members hold out: the folds.
        lanes: fits at a time.
    """
    shape = (len(x), classes) if classes else (len(x),)
    out_of_fold = np.full(shape, np.nan)
    folds = [rows for rows in {rows.tobytes(): rows for rows in held_out}.values() if len(rows)][:FOLDS]
    budget, begin, took = PART * clock.left, clock.passed, [0.0]
    every = np.arange(len(x))

    def one(held: Array) -> Any:
        if clock.passed - begin + max(took) > budget:
            return None
        started = clock.passed
        learn = np.setdiff1d(every, held, assume_unique=True)
        model = fitted(x, judge, weights, learn, seed)
        if len(held):
            out_of_fold[held] = predictions(model, x[held], classes, judge.mean, judge.scale, judge.low, judge.high)
        took.append(clock.passed - started)
        return model

    if not folds:
        return None
    of_all = side_by_side([partial(one, held) for held in (every[:0], *folds)], lanes, clock.stop)[0]
    if of_all is None or np.isnan(out_of_fold).all():
        return None
    return Grove(of_all, classes, judge.mean, judge.scale, judge.low, judge.high, out_of_fold)


def mixture(grove: Grove, judge: Judge, networks: Array) -> Mixture | None:
    """The trees with the share that predicts best where both have predictions; None if they don't help.

    Args:
        networks: their out-of-fold predictions, in the shape of the trees'.
    """
    trees = grove.out_of_fold
    together = (networks + trees).reshape(len(networks), -1)[:, 0]
    rows = np.flatnonzero(~np.isnan(together))
    if not len(rows):
        return None
    weights = None if judge.weights is None else judge.weights[rows]
    mixtures = [Mixture(grove, share) for share in SHARES.tolist()]
    scores = [judge.of_predictions(rows, m.of(networks[rows], trees[rows]), weights) for m in mixtures]
    best = int(np.argmax(scores))
    return mixtures[best] if scores[best] - scores[0] > LEAST_GAIN * abs(scores[0]) else None


def fitted(x: Array, judge: Judge, weights: Array | None, learn: Array, seed: int) -> Any:
    """HistGradientBoosting with early stopping, fitted to some rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if judge.task == "regression" else HistGradientBoostingClassifier
    model = kind(random_state=seed % 2**31, max_iter=300, learning_rate=0.06, early_stopping=True)
    with threadpool_limits(1, "openmp"):  # its threads wait for one another by spinning, which a busy machine punishes
        return model.fit(x[learn], judge.y[learn], sample_weight=None if weights is None else weights[learn])


def predictions(model: Any, x: Array, classes: int, mean: float, scale: float, low: float, high: float) -> Array:
    """Probabilities, 0 for a class that the model hasn't seen; or numbers in the target's unit."""
    if not classes:
        numbers: Array = np.clip(model.predict(x), low, high) * scale + mean
        return numbers
    result = np.zeros((len(x), classes))
    result[:, model.classes_.astype(np.int64)] = model.predict_proba(x)
    return result
