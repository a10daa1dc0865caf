"""The record of a training as charts: loss beside val_loss, each metric beside its own, the learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from thalweg.views.web.svg import Chart, Curve

HELD = "val_"
MOST_CHARTS = 6


def charts(columns: Mapping[str, tuple[Sequence[float], Sequence[float]]], end: str = "") -> list[Chart]:
    """The charts of a training.

    end: a word for how the training ended, such as "interrupted".
    columns: by name in the logs, the numbers of the epochs (the first is 1) and the values after them. Names with
        val_ in front share the chart of the other name.

    >>> [c.title for c in charts({"loss": ([1], [0.5]), "val_loss": ([1], [0.6]), "accuracy": ([1], [0.9])})]
    ['loss', 'accuracy']
    """
    stems = list(dict.fromkeys(name.removeprefix(HELD) for name in columns))
    made = []
    for stem in stems[:MOST_CHARTS]:
        curves = [
            Curve(name, *numbers(columns[name]), dashed=name.startswith(HELD))
            for name in (stem, HELD + stem)
            if name in columns
        ]
        last = max((float(np.max(c.x)) for c in curves if len(c.x)), default=0.0)
        marks = [(last, end)] if end and last else []
        made.append(Chart(stem.replace("_", " "), curves, "epoch", marks))
    return made


def numbers(pair: tuple[Sequence[float], Sequence[float]]) -> tuple[list[float], list[float]]:
    """x and y as plain numbers."""
    x, y = pair
    return [float(v) for v in x], [float(v) for v in y]


def sentence(columns: Mapping[str, tuple[Sequence[float], Sequence[float]]], end: str = "") -> str:
    """ "12 epochs: loss 0.123, val_loss 0.2" """
    last = max((x[-1] for x, _ in columns.values() if len(x)), default=0)
    values = ", ".join(f"{name} {y[-1]:.4g}" for name, (_, y) in columns.items() if len(y))
    return f"epoch {last:g}{': ' if values else ''}{values}{end}"
