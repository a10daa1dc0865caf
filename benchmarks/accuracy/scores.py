"""What predictions are worth, in plain NumPy: the same for all methods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-7  # of a probability; a loss of infinity would decide every mean


def of_classes(y: NDArray[np.intp], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Error, log-loss, and for two classes the area under the ROC curve.

    The log-loss limits each probability to 1e-7 from below and divides by their sum.
    """
    limited = np.maximum(probabilities, LEAST)
    of_truth = limited[np.arange(len(y)), y] / limited.sum(axis=1)
    found = {
        "error": float(np.mean(probabilities.argmax(axis=1) != y)),
        "log_loss": float(-np.log(of_truth).mean()),
    }
    if probabilities.shape[1] == 2:
        found["auc"] = area(y, probabilities[:, 1])
    return found


def of_numbers(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
    """RMSE / standard deviation of the test rows' targets: √(1 − R²)."""
    return {"nrmse": float(np.sqrt(np.mean((predicted - y) ** 2)) / y.std())}


def area(y: NDArray[np.intp], score: NDArray[np.float64]) -> float:
    """The part of pairs, one row of class 1 and one of class 0, in which the first has the larger score; ties: half."""
    mean = ranks(score)
    ones = int((y == 1).sum())
    return float((mean[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the least value; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], np.float64)
