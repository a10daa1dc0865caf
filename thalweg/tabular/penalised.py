"""A linear model beside the networks: of few rows it is often the best there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.experiments.population import one_thread

Array = NDArray[Any]

PENALTIES = (1, 3, 10, 30, 100, 300)
"""α of the penalty α·|w|²/2, beside the sum of log-losses, or half that of the squared errors."""


def penalised(
    x: Array,
    y: Array,
    weights: Array | None,
    learn: Array,
    held: Array,
    coded: list[bool],
    task: str,
    seed: int,
    penalty: float,
) -> Any:
    """Logistic or ridge regression of some rows; None if they are of one class.

    The range of the targets goes with a regression, whose predictions are limited to it.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    x, y, weights = x[learn].astype(np.float64), y[learn], None if weights is None else weights[learn]
    if task == "regression":
        model = Ridge(penalty).fit(x, y, weights)
        model.range_ = (float(y.min()), float(y.max()))
        return model
    if len(np.unique(y)) < 2:
        return None
    with one_thread():
        return LogisticRegression(C=1 / penalty, max_iter=500).fit(x, y, weights)


def linear(model: Any, x: Array) -> Array:
    """What a model of `penalised` predicts: numbers (rows,), or the probabilities of its classes (rows, classes).

    Sums of each row by itself: those of a matrix product depend on how many rows there are.
    """
    from scipy.special import expit, softmax

    sums: Array = np.einsum("ij,kj->ik", x.astype(np.float64), np.atleast_2d(model.coef_)) + model.intercept_
    if hasattr(model, "range_"):
        numbers: Array = np.clip(sums[:, 0], *model.range_)
        return numbers
    if sums.shape[1] > 1:
        shares: Array = softmax(sums, axis=1)
        return shares
    return np.column_stack([expit(-sums[:, 0]), expit(sums[:, 0])])


__all__ = ["PENALTIES", "linear", "penalised"]
