"""Which columns predictions depend on, and how: permutation importance and partial dependence.

The same measures as scikit-learn's `permutation_importance` and `partial_dependence` (Breiman 2001; Friedman 2001), on
held-out rows; a column is moved with all columns of the matrix that it became, and both end when their time is over.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg import words
from thalweg.errors import DataError
from thalweg.views.report.number_judgement import LARGEST
from thalweg.views.report.subject import Array, Clock, ColumnInputs, Figure, Held, Subject, thinned, written

REPEATS = 5
MOST_ROWS = 1000
SHOWN = 20
DRAWN = 6
"""How many columns have a figure of partial dependence."""
POINTS, VALUES = 20, 12
AVERAGED = 200
STACKED = 4096
MOST_CLASSES = 4
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?$")
"""What a date's cell looks like: dates are shown in their order, other texts by how often they occur."""
LEAST = 0.2
"""Seconds without which neither is begun."""
PART = 0.6
"""Of the time, what importance may take."""


@dataclass
class Importance:
    """How much worse predictions get when a column's cells change places: (columns,).

    `rounds` is how often each column was moved; `looked` how many columns there was time for.
    """

    names: list[str]
    mean: Array
    spread: Array
    base: float
    rows: int
    rounds: int
    looked: int
    order: list[int] = field(default_factory=list)


def influence(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None without columns."""
    inputs, held = subject.inputs, subject.held
    if not isinstance(inputs, ColumnInputs) or held is None or inputs.random < 2 or not inputs.names:
        return None
    if held.predicted.ndim == 1 and float(abs(held.truth).max()) > LARGEST:
        raise DataError(words.Said("the numbers of {target!r} are too large to be squared", target=subject.target))
    if not clock.has(LEAST, words.text("importance of columns, partial dependence")):
        return None
    found = importance(inputs, held, PART * clock.left)
    figures = [importance_bars(found, subject)]
    for place in found.order[:DRAWN]:
        if not clock.has(LEAST, words.text("partial dependence on {column}", column=found.names[place])):
            break
        drawn = dependence(inputs, place, subject)
        if drawn is not None:
            figures.append(drawn)
    return {
        "id": "influence",
        "text": [
            words.text(
                "Measured on {rows_name}. A column that says the same as another seems unimportant, since "
                "the other remains; none of this says what causes what.",
                rows_name=subject.rows_name,
            )
        ],
        "figures": figures,
    }


def loss_of(truth: Array, predicted: Array) -> float:
    """The mean log loss of probabilities, or the RMSE of numbers."""
    if predicted.ndim == 2:
        share = predicted[np.arange(len(truth)), truth.astype(np.int64)].astype(np.float64)
        return float(-np.log(np.clip(share, 1e-12, 1)).mean())
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - truth) ** 2)))


def importance(inputs: ColumnInputs, held: Held, seconds: float, seed: int = 0) -> Importance:
    """Moves the cells of each column in turn, up to `REPEATS` times, as long as there is time."""
    count = min(inputs.random, MOST_ROWS)
    x, truth = inputs.x[:count], held.truth[inputs.at[:count]]
    inputs.predict(x[:2])  # what is done once isn't counted
    begin = time.perf_counter()
    base = loss_of(truth, inputs.predict(x))
    each = time.perf_counter() - begin
    rows = len(x)
    if each * len(inputs.names) > seconds:  # not even one round: fewer rows
        rows = max(50, int(rows * seconds / (each * len(inputs.names))))
        x, truth = x[:rows], truth[:rows]
        begin_again = time.perf_counter()
        base = loss_of(truth, inputs.predict(x))
        each = time.perf_counter() - begin_again
    random, columns = np.random.default_rng(seed), len(inputs.names)
    losses: list[list[float]] = [[] for _ in range(columns)]
    # Columns in a call: many small calls would take longer, and one large call can't be ended.
    together = max(1, min(STACKED // len(x), int(seconds / 4 / max(each, 1e-6))))
    for number in range(REPEATS * columns)[::together]:
        if number and time.perf_counter() - begin > seconds:
            break
        moves = [k % columns for k in range(number, min(number + together, REPEATS * columns))]
        moved = np.tile(x, (len(moves), 1))
        for k, column in enumerate(moves):
            place = inputs.places[column]
            moved[k * len(x) : (k + 1) * len(x), place] = x[random.permutation(len(x)), place]
        for column, predicted in zip(moves, np.split(inputs.predict(moved), len(moves)), strict=True):
            losses[column].append(loss_of(truth, predicted))
    looked = sum(1 for found in losses if found)
    mean = np.array([np.mean(found) - base if found else np.nan for found in losses])
    spread = np.array([np.std(found) if found else np.nan for found in losses])
    order = [int(k) for k in np.argsort(-np.nan_to_num(mean, nan=-np.inf), kind="stable") if losses[k]]
    return Importance(inputs.names, mean, spread, base, len(x), max(map(len, losses)), looked, order)


def importance_bars(found: Importance, subject: Subject) -> Figure:
    """The most important columns."""
    shown = found.order[:SHOWN]
    measure = words.text("log loss") if subject.classes else words.text("RMSE")
    note = words.text(
        "By how much the {measure} ({score}) grows when a column's cells change places among {rows:,} {rows_name}; "
        "{rounds} times each, with the standard deviation.",
        measure=measure,
        score=written(found.base),
        rows=found.rows,
        rows_name=subject.rows_name,
        rounds=found.rounds,
    )
    if found.looked < len(found.names):
        note = words.text(
            "{note} There was time for the first {looked:,} of {columns:,} columns.",
            note=note,
            looked=found.looked,
            columns=len(found.names),
        )
    if len(shown) < found.looked:
        note = words.text(
            "{note} The {count} most important of {looked:,}.", note=note, count=len(shown), looked=found.looked
        )
    return {
        "kind": "bars",
        "title": words.text("Importance of the columns"),
        "note": note,
        "labels": [found.names[k] for k in shown],
        "values": found.mean[shown],
        "low": (found.mean - found.spread)[shown],
        "high": (found.mean + found.spread)[shown],
        "value_label": words.text("{measure} added", measure=measure),
    }


def grid(cells: Array, numeric: bool) -> tuple[list[Any], Array]:
    """Values of a column at which predictions are averaged, and for each the row that has it."""
    if numeric:
        known = np.flatnonzero(np.isfinite(cells.astype(np.float64)))
        values, first = np.unique(cells[known].astype(np.float64), return_index=True)
        keep = np.arange(len(values))
        if len(values) > POINTS:
            wanted = np.quantile(cells[known].astype(np.float64), np.linspace(0.01, 0.99, POINTS))
            keep = np.unique(np.clip(np.searchsorted(values, wanted), 0, len(values) - 1))
            if len(keep) < POINTS // 2:  # one value is most of them
                keep = thinned(len(values), POINTS)
        return values[keep].tolist(), known[first[keep]]
    values = cells.tolist()
    different = Counter(values)
    kept = [cell for cell, _ in different.most_common(VALUES)]
    if all(DATE.match(cell) for cell in different if cell is not None):
        dates = sorted(cell for cell in different if cell is not None)
        kept = [*(dates[k] for k in thinned(len(dates), VALUES)), *([None] if None in different else [])]
    labels = [words.text("missing") if cell is None else str(cell) for cell in kept]
    return labels, np.array([values.index(cell) for cell in kept])


def dependence(inputs: ColumnInputs, column: int, subject: Subject) -> Figure | None:
    """The mean prediction when a column has each of its values in all rows, the others staying as they are."""
    numeric = inputs.numeric[column]
    values, rows = grid(inputs.cells[column][: inputs.random], numeric)
    if len(values) < 2:
        return None
    base = inputs.x[thinned(inputs.random, AVERAGED)]
    x = np.tile(base, (len(values), 1))
    x[:, inputs.places[column]] = np.repeat(inputs.x[rows, inputs.places[column]], len(base), axis=0)
    predicted = np.asarray(inputs.predict(x), np.float64).reshape(len(values), len(base), -1)
    name = inputs.names[column]
    note = words.text(
        "The mean over {count} rows, all given this value of {name}; the band holds the middle 80 % of them.",
        count=len(base),
        name=name,
    )
    title = words.text("Partial dependence on {name}", name=name)
    lines = answers(predicted, subject)
    if numeric:
        at = np.array(values)
        series = [
            {"name": text, "x": at, "y": part.mean(axis=1), "band": list(np.quantile(part, [0.1, 0.9], axis=1))}
            for text, part in lines
        ]
        if len(series) > 1:  # bands over one another say nothing
            series = [{k: v for k, v in one.items() if k != "band"} for one in series]
            note = words.text("The mean over {count} rows, all given this value of {name}.", count=len(base), name=name)
        return {
            "kind": "curves",
            "title": title,
            "note": note,
            "x": at,
            "x_label": name,
            "y_label": answer_label(subject),
            "series": series,
        }
    if len(lines) > 1:
        return {
            "kind": "matrix",
            "title": title,
            "note": words.text(
                "The mean probability over {count} rows, all given this value of {name}.", count=len(base), name=name
            ),
            "values": np.array([part.mean(axis=1) for _, part in lines]).T,
            "rows": values,
            "columns": [text for text, _ in lines],
            "row_label": name,
            "column_label": words.text("class"),
        }
    part = lines[0][1]
    low, high = np.quantile(part, [0.1, 0.9], axis=1)
    note = words.text(
        "The mean over {count} rows, all given this value of {name}; the line holds the middle 80 % of them.",
        count=len(base),
        name=name,
    )
    return {
        "kind": "bars",
        "title": title,
        "note": note,
        "labels": values,
        "values": part.mean(axis=1),
        "low": low,
        "high": high,
        "value_label": answer_label(subject),
    }


def answers(predicted: Array, subject: Subject) -> list[tuple[str, Array]]:
    """What is averaged: the number, the second class's probability, or those of the first classes; (values, rows)."""
    if not subject.classes:
        return [(subject.target or "y", predicted[:, :, 0])]
    if len(subject.classes) == 2:
        return [(str(subject.classes[1]), predicted[:, :, 1])]
    share = predicted.mean(axis=(0, 1))
    kept = sorted(np.argsort(-share, kind="stable")[:MOST_CLASSES].tolist())
    return [(str(subject.classes[k]), predicted[:, :, k]) for k in kept]


def answer_label(subject: Subject) -> Any:
    """What the values of partial dependence are."""
    if not subject.classes:
        return words.text("predicted {target}", target=subject.target or "y")
    if len(subject.classes) == 2:
        return words.text("probability of {name}", name=subject.classes[1])
    return words.text("probability")
