"""How good predicted classes are: confusion, ROC, precision and recall, calibration, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.chart import Chart, Curve
from thalweg.views.report.subject import Array, Figure, Held, Subject, Text, thinned

MOST_CLASSES = 30
"""Of a confusion matrix; with more, the most frequent ones and one row and column for the others."""
MOST_CURVES = 6
POINTS = 200
BINS = 10
STEPS = np.linspace(0, 1, 101)
"""Thresholds."""


def class_judgement(subject: Subject) -> dict[str, Any] | None:
    """The section; None without held-out rows and classes."""
    held = subject.held
    if held is None or not subject.classes or held.predicted.ndim != 2 or not len(held.truth):
        return None
    truth, shares = held.truth.astype(np.int64), held.predicted.astype(np.float64)
    figures = [confusion(truth, held.guesses, subject.classes)]
    binary = len(subject.classes) == 2
    figures += ranking(truth, shares, subject.classes, [0, 1] if binary else frequent(truth, MOST_CURVES))
    figures.append(calibration(truth, shares, subject.classes, binary))
    if binary:
        figures.append(thresholds(truth == 1, shares[:, 1], subject.classes[1]))
    figures += sureness(truth, shares)
    return {"id": "judgement", "text": part_of(held), "figures": figures}


def part_of(held: Held) -> list[Text]:
    """A sentence if only a part of the rows was kept."""
    if held.of <= len(held.truth):
        return []
    kept = len(held.truth)
    return [
        words.text(
            "Drawn from {kept:,} of the {of:,} rows, chosen at random; the scores above are of all.",
            kept=kept,
            of=held.of,
        )
    ]


def frequent(truth: Array, most: int) -> list[int]:
    """The most frequent classes of these rows, in the order of the classes."""
    counts = np.bincount(truth)
    return sorted(k for k in np.argsort(-counts, kind="stable")[:most].tolist() if counts[k])


def confusion(truth: Array, guesses: Array, classes: Any) -> Figure:
    """How many rows of each class were taken for which."""
    names: list[Text] = list(classes)
    count = len(names)
    note = None
    if count > MOST_CLASSES:
        kept = np.sort(np.argsort(-np.bincount(truth, minlength=count), kind="stable")[: MOST_CLASSES - 1])
        group = np.full(count, len(kept))
        group[kept] = np.arange(len(kept))
        truth, guesses = group[truth], group[guesses]
        rest = count - len(kept)
        names = [*(classes[k] for k in kept), words.text("{rest} others", rest=rest)]
        note = words.text(
            "The {count} most frequent of {classes} classes; mistakes among the others aren't told apart.",
            count=len(kept),
            classes=count,
        )
        count = len(names)
    counts = np.bincount(truth * count + guesses, minlength=count * count).reshape(count, count)
    return {
        "kind": "matrix",
        "title": words.text("Confusion matrix"),
        "values": counts.astype(np.int32),
        "rows": names,
        "columns": names,
        "row_label": words.text("truth"),
        "column_label": words.text("prediction"),
        "normalise": True,
        **({"note": note} if note else {}),
    }


def ranking(truth: Array, shares: Array, classes: Any, chosen: list[int]) -> list[Figure]:
    """ROC and precision-recall curves of these classes, each against the rest."""
    roc, recall, count = [], [], 0
    for k in chosen:
        positive = truth == k
        if positive.all() or not positive.any():
            continue
        count += 1
        true, false, found = ranked(positive, shares[:, k])
        area = float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))  # by trapezoids
        hits = np.rint(true * positive.sum())
        keep = corners(hits, found - hits)
        keep = keep[thinned(len(keep), POINTS)]
        if len(classes) > 2 or k == 1:  # of two classes, both have the same area
            roc.append(Curve(f"{classes[k]} (AUC {area:.3f})", false[keep], true[keep]))
        precision = true * positive.sum() / np.maximum(found, 1)
        precision[0] = precision[1]
        average = float(np.sum(np.diff(true) * precision[1:]))
        recall.append(Curve(f"{classes[k]} (AP {average:.3f})", true[keep], precision[keep]))
    if not roc:
        return []
    note: Text = ""
    if count < len(classes):
        note = words.text(
            "Of {count} of the {classes} classes, the most frequent ones, each against the rest.",
            count=count,
            classes=len(classes),
        )
    roc.append(Curve(words.text("guessing"), [0.0, 1.0], [0.0, 1.0], dashed=True))
    rates = words.text("false positive rate"), words.text("true positive rate")
    shares_of = words.text("recall"), words.text("precision")
    return [
        Chart(words.text("ROC"), roc, *rates, note).figure(),
        Chart(words.text("Precision and recall"), recall, *shares_of, note).figure(),
    ]


def ranked(positive: Array, share: Array) -> tuple[Array, Array, Array]:
    """True and false positive rates, and how many rows are taken, as the threshold falls past every different share.

    >>> true, false, found = ranked(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
    >>> true.tolist(), false.tolist(), found.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.0, 1.0], [0, 1, 3])
    """
    order = np.argsort(-share, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(share[order])), len(share) - 1)
    hits = np.cumsum(positive[order])[ends]
    found = ends + 1
    true = np.concatenate([[0.0], hits / positive.sum()])
    false = np.concatenate([[0.0], (found - hits) / np.count_nonzero(~positive)])
    return true, false, np.concatenate([[0], found])


def corners(x: Array, y: Array) -> Array:
    """The places where a line through these points changes its direction, with both ends.

    >>> corners(np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 2, 2])).tolist()
    [0, 2, 4]
    """
    turns = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
    return np.flatnonzero(np.concatenate([[True], turns, [True]])) if len(x) > 2 else np.arange(len(x))


def calibration(truth: Array, shares: Array, classes: Any, binary: bool) -> Figure:
    """Predicted probabilities and what came true, in ten bins."""
    share = shares[:, 1] if binary else shares.max(axis=1)
    came = truth == 1 if binary else shares.argmax(axis=1) == truth
    place = np.minimum((share * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    there = np.flatnonzero(counts)
    predicted = np.bincount(place, share, BINS)[there] / counts[there]
    observed = np.bincount(place, came, BINS)[there] / counts[there]
    error = float(np.sum(counts[there] * abs(predicted - observed)) / len(share))
    what = (
        words.text("The probability of {name}", name=classes[1])
        if binary
        else words.text("The probability of the class that is answered")
    )
    return {
        "kind": "calibration",
        "title": words.text("Calibration"),
        "note": words.text(
            "{what}, and how often it came true. On average they differ by {error:.3f}.", what=what, error=error
        ),
        "predicted": predicted,
        "observed": observed,
        "counts": counts[there].astype(np.int32),
    }


def thresholds(positive: Array, share: Array, name: str) -> Figure:
    """Hits and errors for every threshold from 0 to 1, for a slider."""
    ordered, negative = np.sort(share[positive]), np.sort(share[~positive])
    tp = len(ordered) - np.searchsorted(ordered, STEPS, "left")
    fp = len(negative) - np.searchsorted(negative, STEPS, "left")
    return {
        "kind": "thresholds",
        "title": words.text("From which probability on the answer is {name}", name=name),
        "thresholds": STEPS,
        "tp": tp.astype(np.int32),
        "fp": fp.astype(np.int32),
        "fn": (len(ordered) - tp).astype(np.int32),
        "tn": (len(negative) - fp).astype(np.int32),
    }


def sureness(truth: Array, shares: Array) -> list[Figure]:
    """Accuracy if only rows whose probability reaches a threshold are answered, and the share of such rows."""
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    order = np.argsort(-sure, kind="stable")
    counts = np.searchsorted(-sure[order], -STEPS, "right")
    hits = np.concatenate([[0], np.cumsum(right[order])])
    first = max(0, int(np.searchsorted(STEPS, sure.min())) - 1)
    last = int(np.flatnonzero(counts)[-1])
    if last - first < 2:
        return []
    part = slice(first, last + 1)
    accuracy = hits[counts[part]] / np.maximum(counts[part], 1)
    chart = Chart(
        words.text("If only sure answers count"),
        [
            Curve(words.text("right, of those answered"), STEPS[part], accuracy),
            Curve(words.text("answered"), STEPS[part], counts[part] / len(truth), dashed=True),
        ],
        words.text("least probability of an answer"),
        words.text("share"),
        words.text("Rows below the threshold go unanswered: how many remain, and how many of them are right."),
    )
    return [chart.figure()]
