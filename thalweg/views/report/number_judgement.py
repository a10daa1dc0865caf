"""How good predicted numbers are: predicted against true, and the residuals."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import DataError
from thalweg.views.report.class_judgement import part_of
from thalweg.views.report.subject import Array, Figure, Subject, both, written

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
        raise DataError(f"the numbers of {unit!r} are too large to be drawn")
    figures = [against(truth, guess, unit), residuals(truth, guess, unit), spread(truth, guess, unit)]
    if len(truth) >= PARTS:
        figures.append(by_truth(truth, guess, unit))
    return {
        "id": "judgement",
        "text": part_of(held),
        "figures": figures,
    }


def some(count: int) -> Array:
    """The rows that are drawn as points."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST_POINTS, replace=False))


def against(truth: Array, guess: Array, unit: str) -> Figure:
    """A point for each row: the number predicted over the true one."""
    at = some(len(truth))
    drawn = both(
        f"{len(at):,} of {len(truth):,} rows; on the line, both agree.",
        f"{len(truth):,} 列中的 {len(at):,} 列；在線上表示兩者一致。",
    )
    return {
        "kind": "scatter",
        "title": both("Predicted against true", "預測值與實際值"),
        "note": drawn,
        "x": truth[at],
        "y": guess[at],
        "x_label": both(f"true {unit}", f"實際的 {unit}"),
        "y_label": both(f"predicted {unit}", f"預測的 {unit}"),
        "diagonal": True,
    }


def residuals(truth: Array, guess: Array, unit: str) -> Figure:
    """How far off each row is, over what was predicted."""
    at = some(len(truth))
    return {
        "kind": "scatter",
        "title": both("Residuals", "殘差"),
        "note": both(
            "True minus predicted, over the prediction: a pattern here is something that the network hasn't learned.",
            "實際值減預測值，對預測值作圖：若有規律，就是網路還沒學到的東西。",
        ),
        "x": guess[at],
        "y": (truth - guess)[at],
        "x_label": both(f"predicted {unit}", f"預測的 {unit}"),
        "y_label": both("true − predicted", "實際 − 預測"),
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
        "title": both("How large the residuals are", "殘差的大小"),
        "note": both(
            f"Rows by true minus predicted {unit}; the outermost 1 % are in the first and last bar.",
            f"依實際值減預測值（{unit}）分組的列數；最外側的 1 % 併入第一條與最後一條。",
        ),
        "labels": [written(float(middle)) for middle in (edges[1:] + edges[:-1]) / 2],
        "values": counts.astype(np.int32),
        "value_label": both("rows", "列數"),
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
        "title": both("Errors by the true value", "依實際值分組的誤差"),
        "columns": [
            both(f"true {unit}", f"實際的 {unit}"),
            both("rows", "列數"),
            both("mean absolute error", "平均絕對誤差"),
            both("too high by", "平均偏高"),
        ],
        "rows": rows,
        "numeric": [False, True, True, True],
    }
