"""What a network has to beat: an answer given without looking, and a linear model on the same columns."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg import words
from thalweg.data.cells import Array
from thalweg.data.tables import Table
from thalweg.experiments.population import one_thread
from thalweg.runs.scores import class_scores, number_scores
from thalweg.tabular.features import Features

Scores = dict[str, float]
CELLS = 10_000_000
"""The linear model learns from so many cells of the matrix, times classes, at most, so that it takes seconds."""
STEPS = 100
TRIAL = 2000
"""Rows on which it is timed; fewer are always learned from."""


def constant(features: Features, train: Table, test: Table) -> dict[str, Any]:
    """The scores of always giving the most frequent class of the training rows, or their mean.

    The probabilities behind the AUC and the log loss are the classes' shares of the training rows.
    """
    target = features.target
    assert target is not None
    if target.task == "regression":
        truth = target.numbers(test)
        return {"answer": target.mean, "scores": values(number_scores(truth, np.full(len(truth), target.mean)))}
    trained, tested = (features.targets(part).ravel().astype(int) for part in (train, test))
    return same_answer(trained, tested, target.classes)


def same_answer(trained: Array, tested: Array, classes: Sequence[Any]) -> dict[str, Any]:
    """`constant` of classes; both are class numbers, (rows,)."""
    shares = np.bincount(trained, minlength=len(classes)) / len(trained)
    scores = class_scores(tested, np.tile(shares, (len(tested), 1)))
    return {"answer": classes[int(shares.argmax())], "scores": values(scores)}


def linear(
    features: Features, train: Table, test: Table, balanced: bool = False, seed: int = 0, seconds: float = math.inf
) -> dict[str, Any]:
    """The scores of scikit-learn's LogisticRegression or Ridge, with its defaults, on the same matrix.

    Args:
        balanced: the classes weigh the same, as with --class-weight balanced.
        seconds: that it may take: of more rows, it learns from as many as a trial on a few allows.
    """
    target = features.target
    assert target is not None
    most = CELLS // (len(features.feature_names) * target.outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged in so many steps, which is stated where it is shown
        if seconds < math.inf and train.rows > TRIAL:
            begin = time.perf_counter()
            fitted(features, sample(train, TRIAL, seed), balanced)
            most = min(most, max(TRIAL, int(TRIAL * seconds / (time.perf_counter() - begin))))
        train = sample(train, most, seed)
        model, tested = fitted(features, train, balanced), features.matrix(test)
        if target.task == "regression":
            guess = model.predict(tested) * target.scale + target.mean
            scores, name = number_scores(target.numbers(test), guess), words.Said("linear regression")
            return {"model": name, "rows": train.rows, "scores": values(scores)}
        shares = np.zeros((test.rows, len(target.classes)))
        shares[:, model.classes_] = model.predict_proba(tested)
    scores = class_scores(features.targets(test).ravel().astype(int), shares)
    return {"model": words.Said("logistic regression"), "rows": train.rows, "scores": values(scores)}


def fitted(features: Features, train: Table, balanced: bool) -> Any:
    """The linear model."""
    from sklearn.linear_model import LogisticRegression, Ridge

    assert features.target is not None
    x, y = features.matrix(train), features.targets(train).ravel()
    with one_thread():
        if features.target.task == "regression":
            return Ridge(solver="lsqr").fit(x, y.astype(np.float64))
        return LogisticRegression(max_iter=STEPS, class_weight="balanced" if balanced else None).fit(x, y.astype(int))


def sample(table: Table, most: int, seed: int) -> Table:
    """At most so many of the rows, drawn at random."""
    if table.rows <= most:
        return table
    return table.take(np.sort(np.random.default_rng(seed).choice(table.rows, max(1, most), replace=False)))


def values(scores: dict[str, Any]) -> Scores:
    """The scores without their intervals."""
    return {name: score.value for name, score in scores.items()}
