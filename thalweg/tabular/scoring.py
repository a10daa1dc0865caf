"""The metrics on which epochs are chosen and estimators scored: higher is better for each function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.cells import magnitude
from thalweg.errors import ArgumentError
from thalweg.support.naming import choose

Array = NDArray[Any]
Score = Callable[[Array, Array, Array | None], float]
"""(targets, predictions, weights or None) → a number, the higher the better.

Targets are class numbers (rows,) and predictions probabilities (rows, classes); or both are numbers (rows,)."""

TINY = 1e-7


def log_loss(y: Array, p: Array, weights: Array | None) -> float:
    """Minus the mean of −log p of the true class."""
    return -mean(-np.log(np.maximum(p[np.arange(len(y)), y], TINY)), weights)


def accuracy(y: Array, p: Array, weights: Array | None) -> float:
    """The share of rows whose most probable class is the true one."""
    return mean(p.argmax(axis=1) == y, weights)


def balanced_accuracy(y: Array, p: Array, weights: Array | None) -> float:
    """The mean over the classes of the share found."""
    hits = p.argmax(axis=1) == y
    present = np.unique(y)
    return float(np.mean([mean(hits[y == c], None if weights is None else weights[y == c]) for c in present]))


def auc(y: Array, p: Array, weights: Array | None) -> float:
    """The area under the ROC curve; for several classes the mean of each against the others. Classes without a row, or
    with all of them, are left out; ½ if none is left."""
    from sklearn.metrics import roc_auc_score

    classes = range(1, 2) if p.shape[1] == 2 else range(p.shape[1])
    told = [c for c in classes if 0 < np.count_nonzero(y == c) < len(y)]
    areas = [roc_auc_score(y == c, p[:, c], sample_weight=weights) for c in told]
    return float(np.mean(areas)) if areas else 0.5


def f1(y: Array, p: Array, weights: Array | None) -> float:
    """2·precision·recall/(precision + recall) of the second of two classes; for several, the mean over the classes."""
    from sklearn.metrics import f1_score

    average = "binary" if p.shape[1] == 2 else "macro"
    return float(f1_score(y, p.argmax(axis=1), average=average, sample_weight=weights, zero_division=0.0))


def brier(y: Array, p: Array, weights: Array | None) -> float:
    """Minus the mean squared distance of the probabilities from the truth, Σ (p − y)²."""
    return -mean(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1), weights)


def rmse(y: Array, p: Array, weights: Array | None) -> float:
    """Minus the root of the mean squared error."""
    errors = y - p
    unit = magnitude(errors)  # a power of two: no bit is lost, and no square is infinite
    return -float(np.sqrt(mean((errors / unit) ** 2, weights))) * unit


def mae(y: Array, p: Array, weights: Array | None) -> float:
    """Minus the mean absolute error."""
    return -mean(np.abs(y - p), weights)


def mape(y: Array, p: Array, weights: Array | None) -> float:
    """Minus the mean of |y − p|/|y|."""
    return -mean(np.abs(y - p) / np.maximum(np.abs(y), np.finfo(np.float64).eps), weights)


def r2(y: Array, p: Array, weights: Array | None) -> float:
    """1 − the squared error over that of always answering the mean; 0 if all targets are equal."""
    varied = mean((y - mean(y, weights)) ** 2, weights)
    return 1 - mean((y - p) ** 2, weights) / varied if varied else 0.0


def mean(values: Array, weights: Array | None) -> float:
    """The mean, weighted if there are weights."""
    return float(np.average(values, weights=weights))


CLASS_METRICS: Mapping[str, Score] = {
    "log_loss": log_loss, "accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "auc": auc, "f1": f1,
    "brier": brier,
}  # fmt: skip
NUMBER_METRICS: Mapping[str, Score] = {"rmse": rmse, "mae": mae, "mape": mape, "r2": r2}
LOSSES = ("log_loss", "brier", "rmse", "mae", "mape")
"""The metrics of which less is better, shown without the minus."""


def metric_of(name: object, task: str) -> tuple[str, Score]:
    """The metric of that name and its function; None: log_loss, or rmse for a regression.

    >>> metric_of(None, "binary")[0], metric_of("mae", "regression")[0]
    ('log_loss', 'mae')
    """
    mine, other = (NUMBER_METRICS, CLASS_METRICS) if task == "regression" else (CLASS_METRICS, NUMBER_METRICS)
    if name is None:
        name = next(iter(mine))
    if isinstance(name, str) and name in other:
        raise ArgumentError(f"metric={name!r} doesn't fit a {task} target; those that do: {', '.join(mine)}")
    return str(name), choose("metric", name, mine)


def shown(name: str, score: float) -> float:
    """A score as people know the metric: a loss without the minus."""
    return -score if name in LOSSES else score
