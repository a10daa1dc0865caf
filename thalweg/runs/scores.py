"""Scores of predictions with 95 % confidence intervals: as many other rows from the same source would give.

The accuracy's interval is Wilson's. The others are value ± 1.96 standard errors, where the standard error comes from
what each row contributes to the score (its influence): for means such as the log loss that is the usual one, for the
AUC it is DeLong's, for RMSE, R² and F1 the delta method's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from thalweg.data.cells import Array, magnitude

Z = 1.959963984540054  # of the normal distribution 95 % lie within ± Z
MOST_CLASSES = 100
"""With more classes there is no AUC: each class's takes a sort of all rows."""


class Score(NamedTuple):
    """A score, and the limits of its interval; NaN where it isn't defined."""

    value: float
    low: float
    high: float


def wilson(right: int, rows: int) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927): never outside 0 … 1, and honest for few rows and shares near 1.

    >>> tuple(round(limit, 3) for limit in wilson(68, 69))
    (0.922, 0.997)
    """
    share, weight = right / rows, Z * Z / rows
    middle = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * math.sqrt(share * (1 - share) / rows + weight / (4 * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def class_scores(codes: Array, shares: Array) -> dict[str, Score]:
    """Accuracy, balanced accuracy, macro F1, AUC (for several classes, the mean of each against the rest) and log loss.

    Args:
        codes: the rows' class numbers, (rows,).
        shares: the predicted probabilities, (rows, classes); the prediction is the likeliest class.
    """
    guesses, rows = shares.argmax(axis=1), len(codes)
    right = guesses == codes
    own, whole = shares[np.arange(rows), codes].astype(np.float64), shares.sum(axis=1, dtype=np.float64)
    losses = -np.log(np.clip(own / whole, np.finfo(np.float64).eps, 1))
    del own, whole
    counts = confusion(codes, guesses, shares.shape[1])
    return {
        "accuracy": Score(float(right.mean()), *wilson(int(right.sum()), rows)),
        "balanced accuracy": _balanced_accuracy(counts),
        "F1 (macro)": _f1(counts),
        "AUC": _auc(codes, shares),
        "log loss": _around(float(losses.mean()), losses - losses.mean(), least=0.0),
    }


def number_scores(truth: Array, guess: Array) -> dict[str, Score]:
    """R², RMSE and MAE of predictions (rows,), in the unit of the truth."""
    unit = magnitude(truth)  # the squares of large numbers would overflow
    truth, guess = truth / unit, guess / unit
    squares, sizes = (truth - guess) ** 2, abs(truth - guess)
    spread = (truth - truth.mean()) ** 2
    mse, variance = float(squares.mean()), float(spread.mean())
    r2 = Score(math.nan, math.nan, math.nan)
    if len(truth) > 1 and variance:
        influence = (mse / variance * (spread - variance) - (squares - mse)) / variance
        r2 = _around(1 - mse / variance, influence, most=1.0)
    rmse = _around(math.sqrt(mse), (squares - mse) / (2 * math.sqrt(mse) or 1.0), least=0.0)
    mae = _around(float(sizes.mean()), sizes - sizes.mean(), least=0.0)
    return {"R²": r2, "RMSE": Score(*(unit * x for x in rmse)), "MAE": Score(*(unit * x for x in mae))}


def confusion(codes: Array, guesses: Array, classes: int) -> Array:
    """How many rows of each class (axis 0) were taken for each class (axis 1): int64 (classes, classes)."""
    counts: Array = np.bincount(codes * classes + guesses, minlength=classes**2).reshape(classes, classes)
    return counts


def _around(value: float, influence: Array, least: float = -math.inf, most: float = math.inf) -> Score:
    """A score with its interval; `influence` is each row's share in it, (rows,), with the mean 0."""
    half = Z * math.sqrt(float((influence**2).mean()) / max(1, len(influence) - 1))
    if not half:  # a perfect score, or a single row: the rows say nothing about how far off others may be
        return Score(value, math.nan, math.nan)
    return Score(value, max(least, value - half), min(most, value + half))


def _of_cells(value: float, influence: Array, counts: Array) -> Score:
    """A score of a confusion matrix, where all rows of a cell have the same influence."""
    cells = np.flatnonzero(counts)
    return _around(value, np.repeat(influence.ravel()[cells], counts.ravel()[cells]), 0.0, 1.0)


def _balanced_accuracy(counts: Array) -> Score:
    """The mean recall of the classes that occur."""
    there = counts.sum(axis=1) > 0
    if there.sum() < 2:
        return Score(math.nan, math.nan, math.nan)
    of_class = counts.sum(axis=1)[there]
    recall = counts.diagonal()[there] / of_class
    influence = np.zeros(counts.shape)
    weight = counts.sum() / of_class / len(of_class)
    influence[there] = -(recall * weight)[:, None]
    places = np.flatnonzero(there)
    influence[places, places] += weight
    return _of_cells(float(recall.mean()), influence, counts)


def _f1(counts: Array) -> Score:
    """The mean F1 = 2 TP / (2 TP + FP + FN) of the classes that occur or are predicted."""
    rows = counts.sum()
    sums = (counts.sum(axis=0) + counts.sum(axis=1)) / rows
    there = np.flatnonzero(sums)
    f1 = np.zeros(len(sums))
    f1[there] = 2 * counts.diagonal()[there] / rows / sums[there]
    # f1 = 2 t / s: a row adds 2/s if it is right, and takes f1/s for each of its two classes.
    lost = np.zeros(len(sums))
    lost[there] = f1[there] / sums[there] / len(there)
    influence = -(lost[:, None] + lost[None, :])
    influence[there, there] += 2 / sums[there] / len(there)
    return _of_cells(float(f1[there].mean()), influence, counts)


def _auc(codes: Array, shares: Array) -> Score:
    """The area under the ROC curve, with DeLong's standard error (DeLong, DeLong, Clarke-Pearson 1988)."""
    classes = shares.shape[1]
    present = [k for k in np.unique(codes) if (codes != k).any()] if classes <= MOST_CLASSES else []
    if not present:
        return Score(math.nan, math.nan, math.nan)
    if classes == 2:
        present = [1]
    area, influence = 0.0, np.zeros(len(codes))
    for k in present:
        one, of_rows = _one_against_rest(codes == k, shares[:, k])
        area, influence = area + one, influence + of_rows
    return _around(area / len(present), influence / len(present), 0.0, 1.0)


def _one_against_rest(positive: Array, share: Array) -> tuple[float, Array]:
    """The AUC of a share for one class, and each row's influence on it."""
    from scipy.stats import rankdata

    ranks = rankdata(share)
    place = np.empty(len(share))  # the part of the other kind that a row stands on the right side of
    for kind in (True, False):
        own = positive == kind
        beaten = (ranks[own] - rankdata(share[own])) / np.count_nonzero(~own)
        place[own] = beaten if kind else 1 - beaten
    area = float(place[positive].mean())
    share_of_kind = np.where(positive, positive.mean(), 1 - positive.mean())
    return area, (place - area) / share_of_kind
