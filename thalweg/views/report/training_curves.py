"""The course of a training: loss, metrics and learning rate by epoch, and the loss of every batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.report.subject import Array, Figure, Subject, Text, score_name, thinned

MOST_EPOCHS, MOST_POINTS, MOST_MEMBERS = 1000, 1000, 8
SPREAD, MOSTLY = 100.0, 0.8
"""A curve whose largest value is so many times its smallest is drawn on a logarithmic axis."""
HELD = "held_out"
EPOCH = words.text("epoch")


def training_curves(subject: Subject) -> dict[str, Any] | None:
    """Curves; None if nothing is known of the course."""
    figures = [*by_epoch(subject), *by_batch(subject.recording), *learning_rates(subject.recording)]
    if not figures:
        return None
    return {"id": "course", "figures": figures}


def by_epoch(subject: Subject) -> list[Figure]:
    """A figure for the loss and for each metric, with the validation's beside it."""
    members = split(subject.history)
    if not members:
        return []
    keys = [k for k in dict.fromkeys(k for r in subject.history for k in r) if k not in ("epoch", "member", "seconds")]
    figures = []
    for key in keys:
        if key.startswith("val_") and key.removeprefix("val_") in keys:
            continue
        pair = [key, *([f"val_{key}"] if f"val_{key}" in keys else [])]
        series = [one for number, records in members.items() for one in lines(records, pair, number, len(members))]
        if not series:
            continue
        name = titled(key, subject.metric)
        note = None
        if len(members) > MOST_MEMBERS:
            note = words.text("The first {shown} networks.", shown=MOST_MEMBERS)
        figures.append(curves(name, series, EPOCH, name, note))
    return figures


def split(history: list[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    """The records of each network; the key is None if there is one."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for record in history:
        found.setdefault(record.get("member"), []).append(record)
    return found


def lines(records: list[dict[str, Any]], keys: list[str], member: Any, members: int) -> list[dict[str, Any]]:
    """A series for each of the keys."""
    if member is not None and member >= MOST_MEMBERS:
        return []
    kept = [records[k] for k in thinned(len(records), MOST_EPOCHS)]
    x = np.array([record["epoch"] + 1 for record in kept], np.float64)
    found = []
    for key in keys:
        y = np.array([number(record.get(key)) for record in kept])
        if not np.isfinite(y).any():
            continue
        part: Text = words.text("validation") if key.startswith("val_") else words.text("training")
        if members > 1:
            part = words.text("network {number}", number=member + 1)
        elif key == HELD:
            part = words.text("held out")
        found.append({"name": part, "x": x, "y": y, "dashed": key.startswith("val_")})
    return found


def titled(key: str, metric: str) -> Text:
    """The title of a key of the history."""
    if key == "loss":
        return words.text("loss")
    if key == HELD:
        return words.text("{metric}, rows held out", metric=score_name(metric))
    return score_name(key)


def number(value: Any) -> float:
    """A number of the history; NaN for JSON's null."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def curves(title: Text, series: list[dict[str, Any]], x_label: Text, y_label: Text, note: Text | None = None) -> Figure:
    """A figure of curves over their own x; the axis is logarithmic where they span much."""
    x = series[0]["x"]
    values = np.concatenate([one["y"] for one in series])
    values = values[np.isfinite(values)]
    above = values[values > 0]  # a few zeros, such as the update of a step that failed, are left out of such an axis
    mostly = len(above) > MOSTLY * len(values) and not (values < 0).any()
    wide = mostly and above.max() > SPREAD * above.min()
    if wide:
        series = [above_zero(one, float(above.min())) for one in series]
    figure: Figure = {
        "kind": "curves",
        "title": title,
        "x": x,
        "x_label": x_label,
        "y_label": y_label,
        "series": series,
        "log_y": bool(wide),
    }
    return figure if note is None else figure | {"note": note}


def above_zero(series: dict[str, Any], least: float) -> dict[str, Any]:
    """A curve for a logarithmic axis: zeros become gaps, and the band ends at the least value above 0."""
    band = {"band": [np.maximum(side, least) for side in series["band"]]} if "band" in series else {}
    return series | {"y": np.where(series["y"] > 0, series["y"], np.nan)} | band


def by_batch(recording: Any) -> list[Figure]:
    """The loss of every batch: the mean of neighbouring batches, and the band of their least and greatest."""
    if recording is None or len(recording.batch_losses) < 2:
        return []
    losses = np.asarray(recording.batch_losses, np.float64)
    at = np.asarray(recording.batch_iterations, np.float64)
    x, mean, low, high = condensed(at, losses, MOST_POINTS)
    each = -(-len(losses) // len(x))
    note = words.text(
        "Each point is the mean of {each} batches; the band reaches from the least to the greatest.", each=each
    )
    name = words.text("loss of each batch")
    series = [{"name": name, "x": x, "y": mean, **({"band": [low, high]} if each > 1 else {})}]
    figure = curves(words.text("Loss by batch"), series, words.text("step"), words.text("loss"))
    return [figure | ({"note": note} if each > 1 else {})]


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


def learning_rates(recording: Any) -> list[Figure]:
    """The learning rate of every step; nothing if it is constant."""
    if recording is None:
        return []
    x, rates = (np.asarray(part, np.float64) for part in recording.course_of_rates)
    if len(rates) < 2 or np.ptp(rates[np.isfinite(rates)]) == 0:
        return []
    keep = np.union1d(thinned(len(rates), MOST_POINTS), [rates.argmax(), rates.argmin()])
    name = words.text("learning rate")
    note = None
    if not len(recording.batch_rates):  # a file of an older version
        note = words.text("Known at {count} steps; between them it may be another.", count=len(rates))
    series = [{"name": name, "x": x[keep], "y": rates[keep]}]
    return [curves(words.text("Learning rate"), series, words.text("step"), name, note)]
