"""What a training is measured by: the loss of a constant answer, of a linear model, and of a forest."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import losses, words
from thalweg.errors import ThalwegError
from thalweg.losses.loss import Loss
from thalweg.recordings.recording import Sample
from thalweg.support.extras import need
from thalweg.words import Text

Array = NDArray[Any]

CROSS_ENTROPIES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy")
ONE_CLASS = ("classes", "one-hot", "binary")
"""The kinds of targets in which a row has one class."""
ROWS = 1_000
"""Simple models learn from this many rows."""
LEAST = 20
"""With fewer rows to learn from or to be judged on, nothing is said."""
WIDTH = 64
"""Rows with more numbers are first turned into this many principal components, and for the forest the targets too."""
MOST_PRODUCTS = 2_000_000
"""Rows × components × classes up to which a logistic regression is fitted, within two seconds; beyond it, a linear
discriminant analysis, whose time doesn't grow with the classes."""
TINY = 1e-3
"""A simple model's probabilities are at least this: it has seen few rows."""


@dataclass(frozen=True)
class Yardsticks:
    """What simple models reach.

    Attributes:
        linear, forest: the part of the constant answer's loss that each takes away, on rows that it hasn't seen.
        x, y: those rows, as the network takes them.
        predicted: by "linear" and "forest", their predictions for those rows.
    """

    linear: float
    forest: float
    x: Array
    y: Array
    predicted: Mapping[str, Array]

    @property
    def best(self) -> float:
        return max(self.linear, self.forest)

    @property
    def name(self) -> Text:
        """The better one's name."""
        return words.text("a linear model" if self.linear >= self.forest else "a forest of decision trees")


def loss_of(facts: Mapping[str, Any]) -> Loss | None:
    """The loss by its name; None if it isn't one of thalweg's own, or takes arguments that aren't known."""
    name = facts.get("loss")
    try:
        return losses.get(name) if isinstance(name, str) and name in losses.NAMES else None
    except ThalwegError:
        return None


def constant_loss(facts: Mapping[str, Any], sample: Sample) -> float | None:
    """The loss of the best constant answer to the rows trained on.

    For the cross-entropies it is the entropy of the class shares, for the squared error the variance; for other losses
    the least of those of the mean, the median and the most frequent class, on the recorded rows.
    """
    name, counts = facts.get("loss"), class_counts(facts)
    if name in CROSS_ENTROPIES and counts:
        return positive(entropy(np.array(counts, np.float64)))
    if name == "mean_squared_error" and facts.get("target_std") is not None:
        return positive(float(np.mean(np.square(facts["target_std"]))))
    function = loss_of(facts)
    if function is None or sample.y is None or sample.y.ndim > 2 or margins(function):
        return None
    y = sample.y.reshape(len(sample.y), -1).astype(np.float64)
    if y.shape[1] == 1 and facts.get("target_kind") == "classes":
        y = np.eye(int(y.max()) + 1)[y[:, 0].astype(int)]
    answers = [y.mean(axis=0), np.median(y, axis=0)]
    values = [float(function(sample.y, np.tile(answer, (len(y), 1)))) for answer in answers]
    return positive(min(value for value in values if np.isfinite(value))) if np.isfinite(values).any() else None


def class_counts(facts: Mapping[str, Any]) -> list[int]:
    """How many rows each class has; empty where a row isn't of one class."""
    return list(facts.get("class_counts") or ()) if facts.get("target_kind") in ONE_CLASS else []


def positive(value: float) -> float | None:
    return value if np.isfinite(value) and value > 0 else None


def entropy(counts: Array) -> float:
    """−Σ p·ln p of the shares p."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def margins(function: Loss) -> bool:
    """Whether the loss takes margins rather than probabilities or numbers."""
    return "hinge" in function.name


def load() -> None:
    """Imports what simple models are made of, so that the seconds of an examination are those of its work."""
    for name in ("discriminant_analysis", "ensemble", "linear_model", "metrics", "tree"):
        import_module(f"sklearn.{name}")


def seconds_of(sample: Sample) -> float:
    """About how long `yardsticks` takes: mostly the forest, whose time grows with the rows and hardly with the rest."""
    return 0.0 if sample.x is None else 0.3 + 1e-3 * min(len(sample.x), ROWS)


def yardsticks(facts: Mapping[str, Any], sample: Sample, constant: float) -> Yardsticks | None:
    """Fits a linear model and a forest on recorded rows, and judges them on others; None if there are too few rows."""
    function = loss_of(facts)
    if function is None or margins(function) or sample.x is None or sample.y is None or sample.y.ndim > 2:
        return None
    x, y, new_x, new_y = parts(sample)
    if len(x) < LEAST or len(new_x) < LEAST or not np.isfinite(x).all() or not np.isfinite(new_x).all():
        return None
    counts = class_counts(facts)
    if len(np.unique(codes_of(y) if counts else y, axis=0)) < 2:
        return None
    train, judge = standardised(flat(x), flat(new_x))
    binary = facts.get("target_kind") == "binary"
    need("sklearn", "", "the doctor")
    predicted = class_answers(train, y, judge, len(counts), binary) if counts else number_answers(train, y, judge)
    scores = {name: 1 - float(function(new_y, values)) / constant for name, values in predicted.items()}
    return Yardsticks(scores["linear"], scores["forest"], new_x, new_y, predicted)


def parts(sample: Sample) -> tuple[Array, Array, Array, Array]:
    """Rows to learn from and rows to be judged on: those held out, or every second one of those trained on."""
    assert sample.x is not None
    assert sample.y is not None
    x, y, new_x, new_y = sample.x, sample.y, sample.held_x, sample.held_y
    if new_x is None or new_y is None or len(new_x) < LEAST:
        order = np.random.default_rng(0).permutation(len(x))
        half = len(x) // 2
        x, y, new_x, new_y = x[order[:half]], y[order[:half]], x[order[half:]], y[order[half:]]
    return x[:ROWS], y[:ROWS], new_x[:ROWS], new_y[:ROWS]


def flat(x: Array) -> Array:
    return x.reshape(len(x), -1).astype(np.float64)


def standardised(train: Array, judge: Array) -> tuple[Array, Array]:
    """Both by the mean and deviation of the first; wide rows as their principal components."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    keep = deviation > 0
    train, judge = ((rows[:, keep] - mean[keep]) / deviation[keep] for rows in (train, judge))
    if train.shape[1] > WIDTH:
        along = directions(train)
        train, judge = train @ along, judge @ along
        scale = train.std(axis=0)[0]
        train, judge = train / scale, judge / scale
    return train, np.clip(judge, -10, 10)


def directions(rows: Array) -> Array:
    """The first `WIDTH` principal directions of centred rows, (columns, WIDTH), the one of the greatest variance first.

    The eigenvectors of XᵀX are Xᵀu / |Xᵀu|, of those u of XXᵀ: of the two matrices the smaller one is taken. For 122
    pictures of 12,288 numbers that is 8 ms instead of a quarter of an hour.
    """
    wide = rows.shape[1] > rows.shape[0]
    _, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    found = vectors[:, : -WIDTH - 1 : -1]
    if wide:
        found = rows.T @ found
        found = found / np.maximum(np.linalg.norm(found, axis=0), 1e-12)
    return np.asarray(found)


def codes_of(y: Array) -> Array:
    """The class of each row; labels may be smoothed, such as 0.1 and 0.9."""
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.rint(y.reshape(len(y))).astype(int)


def class_answers(x: Array, y: Array, judge: Array, classes: int, binary: bool) -> dict[str, Array]:
    """By "linear" and "forest", the probabilities for new rows, in the form in which the network gives them."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression

    codes = codes_of(y)
    many = x.size * classes > MOST_PRODUCTS
    models = {
        "linear": LinearDiscriminantAnalysis("lsqr", 0.1) if many else LogisticRegression(max_iter=100),
        "forest": ExtraTreesClassifier(50, min_samples_leaf=2, n_jobs=1, random_state=0),
    }
    answers = {}
    for name, model in models.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it hasn't converged doesn't matter here
            model.fit(x, codes)
        shares = np.full((len(judge), max(classes, 2)), TINY)
        shares[:, model.classes_] = np.clip(model.predict_proba(judge), TINY, 1)
        shares /= shares.sum(axis=1, keepdims=True)
        answers[name] = shares[:, 1:] if binary else shares
    return answers


def number_answers(x: Array, y: Array, judge: Array) -> dict[str, Array]:
    """By "linear" and "forest", the numbers for new rows, (rows, outputs)."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge

    numbers = y.reshape(len(y), -1).astype(np.float64)
    mean, along = numbers.mean(axis=0), np.eye(numbers.shape[1])
    if numbers.shape[1] > WIDTH:
        along = directions(numbers - mean)
    parts = (numbers - mean) @ along
    forest = ExtraTreesRegressor(50, min_samples_leaf=2, n_jobs=1, random_state=0)
    forest.fit(x, parts if parts.shape[1] > 1 else parts.ravel())
    return {
        "linear": Ridge(1.0).fit(x, numbers).predict(judge).reshape(len(judge), -1),
        "forest": mean + forest.predict(judge).reshape(len(judge), -1) @ along.T,
    }
