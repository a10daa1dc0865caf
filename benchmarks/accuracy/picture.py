"""The picture: mean rank against CPU seconds, by error and by log-loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.ranking import Comparison, Scores, is_ours
from benchmarks.charts import COLOURS, plotter, save

LEFT_OUT = ("majority or mean",)
OTHERS = "#6b6b6b"


def draw(one: Comparison, path: Path) -> None:
    """Better methods are higher, cheaper ones further left; the baseline without columns isn't shown."""
    plt = plotter()
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained", sharex=True)
    seconds = one.total("fit_cpu")
    pairs = (("error (classes) or RMSE (numbers)", one.errors), ("log-loss (classes)", one.losses))
    for axes, (name, scores) in zip(panels, pairs, strict=True):
        points(axes, one, seconds, np.array([one.rank(name, scores) for name in one.methods]))
        axes.set_title(f"{name}, {len(scores)} tables")
        axes.set_xlabel("CPU seconds to fit each table once")
        axes.set_ylabel("mean rank")
    save(plt, figure, path)


def points(axes: Any, one: Comparison, seconds: Scores, ranked: Scores) -> None:
    shown = [i for i, name in enumerate(one.methods) if name not in LEFT_OUT]
    ours = sorted((i for i in shown if is_ours(one.methods[i]) and one.methods[i] != "thalweg MLP"),
                  key=lambda i: seconds[i])  # fmt: skip
    axes.plot(seconds[ours], ranked[ours], color=COLOURS["thalweg"], linewidth=1, alpha=0.5)
    for i in shown:
        colour = COLOURS["thalweg"] if is_ours(one.methods[i]) else OTHERS
        axes.plot(seconds[i], ranked[i], "o", color=colour, markersize=6)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.margins(x=0.3, y=0.12)
    axes.grid(alpha=0.25)
    label(axes, one, seconds, ranked, shown)


def label(axes: Any, one: Comparison, seconds: Scores, ranked: Scores, shown: list[int]) -> None:
    """Names to the right of the points; to the left where another point is near on the right."""
    span = max(ranked[shown]) - min(ranked[shown]) or 1
    for i in shown:
        crowded = any(
            j != i and abs(ranked[j] - ranked[i]) < 0.08 * span and 1 <= seconds[j] / seconds[i] < 5 for j in shown
        )
        axes.annotate(
            one.methods[i],
            (seconds[i], ranked[i]),
            xytext=(-6 if crowded else 6, -3),
            textcoords="offset points",
            ha="right" if crowded else "left",
            fontsize=8,
            color=COLOURS["thalweg"] if is_ours(one.methods[i]) else "#333333",
        )
