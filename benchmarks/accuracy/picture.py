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
    """Names beside the points: right, left, above or below, wherever no other name or point is."""
    axes.figure.draw_without_rendering()  # only now are places known
    points = {i: axes.transData.transform((seconds[i], ranked[i])) * 72 / axes.figure.dpi for i in shown}
    taken = {i: [(x - 4, y - 4, x + 4, y + 4)] for i, (x, y) in points.items()}
    for i in sorted(shown, key=lambda i: -seconds[i]):
        x, y = points[i]
        width = 4.4 * len(one.methods[i])
        ways = [(6, -3, "left", 0.0), (-6, -3, "right", 1.0), (0, 7, "center", 0.5), (0, -13, "center", 0.5)]
        boxes = [(x + dx - part * width, y + dy, x + dx + (1 - part) * width, y + dy + 8) for dx, dy, _, part in ways]
        others = [box for j, found in taken.items() if j != i for box in found]
        free = [n for n, box in enumerate(boxes) if not any(overlap(box, other) for other in others)]
        place = free[0] if free else 0
        taken[i].append(boxes[place])
        axes.annotate(
            one.methods[i],
            (seconds[i], ranked[i]),
            xytext=ways[place][:2],
            textcoords="offset points",
            ha=ways[place][2],
            fontsize=8,
            color=COLOURS["thalweg"] if is_ours(one.methods[i]) else "#333333",
        )


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (left, bottom, right, top) have a place in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
