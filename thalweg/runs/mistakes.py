"""Where predictions are wrong: classes taken for others, probabilities that are off, numbers that are missed.

Everything here is plain values, which run.json holds and the command line prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.runs.scores import confusion

MOST_CLASSES = 8
"""A confusion matrix has the most frequent classes, and one row and column for all others."""
BINS = 10
QUARTERS = 4
WORST = 5
OTHERS = "others"


def class_mistakes(codes: Array, shares: Array, classes: Sequence[Any]) -> dict[str, Any]:
    """The confusion matrix and the calibration of predicted probabilities (rows, classes)."""
    guesses = shares.argmax(axis=1)
    counts = confusion(codes, guesses, len(classes))
    return {"confusion": _shortened(counts, classes), "calibration": calibration(codes, shares)}


def _shortened(counts: Array, classes: Sequence[Any]) -> dict[str, Any]:
    """Classes and counts, truth by prediction; the rarer of many classes together."""
    if len(classes) <= MOST_CLASSES + 1:
        return {"classes": list(classes), "counts": counts.tolist()}
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    kept = np.sort(order[:MOST_CLASSES])
    group = np.full(len(classes), MOST_CLASSES)
    group[kept] = np.arange(MOST_CLASSES)
    together = np.zeros((MOST_CLASSES + 1, MOST_CLASSES + 1), np.int64)
    np.add.at(together, (group[:, None], group[None, :]), counts)
    among_others = int(counts[np.ix_(order[MOST_CLASSES:], order[MOST_CLASSES:])].diagonal().sum())
    return {
        "classes": [classes[k] for k in kept],
        OTHERS: len(classes) - MOST_CLASSES,
        "counts": together.tolist(),
        "right among others": among_others,
    }


def calibration(codes: Array, shares: Array) -> dict[str, Any]:
    """How far the probability of the predicted class is from how often it is right.

    The expected calibration error (Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017): rows are sorted into ten bins of
    equal width by that probability; in each, its mean is compared with the share of right rows; the differences are
    averaged, weighted by rows. It is above 0 by chance too, the more so the fewer rows there are.

    >>> calibration(np.array([0, 0, 0, 1]), np.array([[0.75, 0.25]] * 4))["error"]
    0.0
    """
    sure, right = shares.max(axis=1).astype(np.float64), shares.argmax(axis=1) == codes
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = [
        {
            "from": k / BINS,
            "to": (k + 1) / BINS,
            "rows": int(inside.sum()),
            "probability": float(sure[inside].mean()),
            "right": float(right[inside].mean()),
        }
        for k in range(BINS)
        if (inside := place == k).any()
    ]
    error = sum(one["rows"] * abs(one["probability"] - one["right"]) for one in bins) / len(codes)
    return {"error": float(error), "bins": bins}


def number_mistakes(truth: Array, guess: Array, row_number: Callable[[int], int]) -> dict[str, Any]:
    """The errors in each quarter of the true values, and the rows that are furthest off.

    Args:
        truth, guess: (rows,), in the target's unit.
        row_number: a row's number in its source.
    """
    order = np.argsort(truth, kind="stable")
    quarters = []
    for rows in np.array_split(order, min(QUARTERS, len(order))):
        with np.errstate(over="ignore"):
            errors = guess[rows] - truth[rows]
            quarters.append(
                {
                    "from": float(truth[rows].min()),
                    "to": float(truth[rows].max()),
                    "rows": len(rows),
                    "MAE": float(abs(errors).mean()),
                    "too high by": float(errors.mean()),
                }
            )
    furthest = np.argsort(-abs(guess - truth), kind="stable")[:WORST]
    worst = [{"row": row_number(int(k)), "truth": float(truth[k]), "prediction": float(guess[k])} for k in furthest]
    return {"quarters": quarters, "worst": worst}
