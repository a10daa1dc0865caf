"""The course of a training: loss, metrics and learning rate by epoch, and the loss of every batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.chart import HELD, Chart, Columns, Curve, by_epoch, by_name, wide
from thalweg.views.report.subject import Array, Subject, Text, score_name, thinned

MOST_EPOCHS, MOST_POINTS, MOST_MEMBERS = 1000, 1000, 8
OUT = "held_out"
STEP = words.text("step")


def training_curves(subject: Subject) -> dict[str, Any] | None:
    """Curves; None if nothing is known of the course."""
    charts = [*epochs(subject), *by_batch(subject.recording), *learning_rates(subject.recording)]
    return {"id": "course", "figures": [chart.figure() for chart in charts]} if charts else None


def epochs(subject: Subject) -> list[Chart]:
    """A chart for the loss and for each metric, with the validation's beside it."""
    members = split(subject.history)
    trainings = {n: columns(records) for n, records in members.items() if n is None or n < MOST_MEMBERS}
    note = words.text("The first {shown} networks.", shown=MOST_MEMBERS) if len(members) > MOST_MEMBERS else ""

    def called(key: str, member: Any) -> Text:
        if len(members) > 1:
            return words.text("network {number}", number=member + 1)
        if key == OUT:
            return words.text("held out")
        return words.text("validation") if key.startswith(HELD) else words.text("training")

    charts = by_epoch(trainings, called, lambda key: titled(key, subject.metric), most=None)
    return [replace(chart, note=note) for chart in charts]


def split(history: list[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    """The records of each network; the key is None if there is one."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for record in history:
        found.setdefault(record.get("member"), []).append(record)
    return found


def columns(records: list[dict[str, Any]]) -> Columns:
    """The columns of a network's records that hold numbers."""
    found = by_name(records[k] for k in thinned(len(records), MOST_EPOCHS))
    return {name: pair for name, pair in found.items() if np.isfinite(pair[1]).any()}


def titled(key: str, metric: str) -> Text:
    """The title of a key of the history."""
    if key == "loss":
        return words.text("loss")
    if key == OUT:
        return words.text("{metric}, rows held out", metric=score_name(metric))
    return score_name(key)


def by_batch(recording: Any) -> list[Chart]:
    """The loss of every batch: the mean of neighbouring batches, and the band of their least and greatest."""
    if recording is None or len(recording.batch_losses) < 2:
        return []
    losses = np.asarray(recording.batch_losses, np.float64)
    at = np.asarray(recording.batch_iterations, np.float64)
    x, mean, *band = condensed(at, losses, MOST_POINTS)
    each = -(-len(losses) // len(x))
    note = words.text(
        "Each point is the mean of {each} batches; the band reaches from the least to the greatest.", each=each
    )
    curves = [Curve(words.text("loss of each batch"), x, mean, band=band if each > 1 else ())]
    title, loss = words.text("Loss by batch"), words.text("loss")
    return [Chart(title, curves, STEP, loss, note if each > 1 else "", log_y=wide(curves))]


def condensed(x: Array, y: Array, most: int) -> tuple[Array, Array, Array, Array]:
    """At most so many points: the last x of neighbours, with the mean, the least and the greatest of their y.

    >>> [part.tolist() for part in condensed(np.arange(4.0), np.array([1.0, 3.0, 5.0, 9.0]), 2)]
    [[1.0, 3.0], [2.0, 7.0], [1.0, 5.0], [3.0, 9.0]]
    """
    each = -(-len(x) // most)
    starts = np.arange(0, len(x), each)
    counts = np.diff([*starts, len(x)])
    mean = np.add.reduceat(y, starts) / counts
    return x[starts + counts - 1], mean, np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)


def learning_rates(recording: Any) -> list[Chart]:
    """The learning rate of every step; nothing if it is constant."""
    if recording is None:
        return []
    x, rates = (np.asarray(part, np.float64) for part in recording.course_of_rates)
    if len(rates) < 2 or np.ptp(rates[np.isfinite(rates)]) == 0:
        return []
    keep = np.union1d(thinned(len(rates), MOST_POINTS), [rates.argmax(), rates.argmin()])
    name = words.text("learning rate")
    note: Text = ""
    if not len(recording.batch_rates):  # a file of an older version
        note = words.text("Known at {count} steps; between them it may be another.", count=len(rates))
    curves = [Curve(name, x[keep], rates[keep])]
    return [Chart(words.text("Learning rate"), curves, STEP, name, note, log_y=wide(curves))]
