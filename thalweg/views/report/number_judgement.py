"""How good predicted numbers are: predicted against true, and the residuals."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.errors import DataError
from thalweg.views.report.class_judgement import part_of
from thalweg.views.report.subject import Array, Figure, Subject, written

MOST_POINTS = 1500
BINS = 15
PARTS = 8
TAIL = 0.005
LARGEST = 1e150
"""The squares of larger numbers overflow."""


def number_judgement(subject: Subject) -> dict[str, Any] | None:
    """The section; None without held-out rows and numbers."""
    held = subject.held
    if held is None or subject.task != "regression" or held.predicted.ndim != 1 or not len(held.truth):
        return None
    truth, guess = held.truth.astype(np.float64), held.predicted.astype(np.float64)
    unit = subject.target or "y"
    if max(float(abs(truth).max()), float(abs(guess).max())) > LARGEST:
        raise DataError(words.Said("the numbers of {target!r} are too large to be drawn", target=unit))
    figures = [against(truth, guess, unit), residuals(truth, guess, unit), spread(truth, guess, unit)]
    if len(truth) >= PARTS:
        figures.append(by_truth(truth, guess, unit))
    return {"id": "judgement", "text": part_of(held), "figures": figures}


def some(count: int) -> Array:
    """The rows that are drawn as points."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_POINTS, replace=False))


def against(truth: Array, guess: Array, unit: str) -> Figure:
    """A point for each row: the number predicted over the true one."""
    at = some(len(truth))
    drawn = words.text("{shown:,} of {rows:,} rows; on the line, both agree.", shown=len(at), rows=len(truth))
    return {
        "kind": "scatter",
        "title": words.text("Predicted against true"),
        "note": drawn,
        "x": truth[at],
        "y": guess[at],
        "x_label": words.text("true {unit}", unit=unit),
        "y_label": words.text("predicted {unit}", unit=unit),
        "diagonal": True,
    }


def residuals(truth: Array, guess: Array, unit: str) -> Figure:
    """How far off each row is, over what was predicted."""
    at = some(len(truth))
    return {
        "kind": "scatter",
        "title": words.text("Residuals"),
        "note": words.text(
            "True minus predicted, over the prediction: a pattern here is something that the network hasn't learned."
        ),
        "x": guess[at],
        "y": (truth - guess)[at],
        "x_label": words.text("predicted {unit}", unit=unit),
        "y_label": words.text("true − predicted"),
    }


def spread(truth: Array, guess: Array, unit: str) -> Figure:
    """How often residuals of each size occur."""
    off = truth - guess
    low, high = np.quantile(off, [TAIL, 1 - TAIL])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(off, low, high), BINS, (low, high))
    return {
        "kind": "bars",
        "title": words.text("How large the residuals are"),
        "note": words.text(
            "Rows by true minus predicted {unit}; the outermost 1 % are in the first and last bar.", unit=unit
        ),
        "labels": [written(float(middle)) for middle in (edges[1:] + edges[:-1]) / 2],
        "values": counts.astype(np.int32),
        "value_label": words.text("rows", context="how many"),
    }


def by_truth(truth: Array, guess: Array, unit: str) -> Figure:
    """The errors in equal parts of the rows, from the least true value to the greatest."""
    rows = []
    for part in np.array_split(np.argsort(truth, kind="stable"), PARTS):
        error = guess[part] - truth[part]
        rows.append(
            [
                f"{written(float(truth[part].min()))} – {written(float(truth[part].max()))}",
                f"{len(part):,}",
                written(float(abs(error).mean())),
                written(float(error.mean())),
            ]
        )
    return {
        "kind": "table",
        "title": words.text("Errors by the true value"),
        "columns": [
            words.text("true {unit}", unit=unit),
            words.text("rows", context="how many"),
            words.text("mean absolute error"),
            words.text("too high by"),
        ],
        "rows": rows,
        "numeric": [False, True, True, True],
    }
