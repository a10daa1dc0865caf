"""Pictures by matplotlib, without a window: made empty, filled with charts, and written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.support.extras import need
from thalweg.support.files import writing
from thalweg.views.chart import Chart, english

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Scored(Protocol):
    """An entry: its mean score, half of that one's confidence interval, the scores, and the share of failures."""

    name: str

    @property
    def score(self) -> float: ...
    @property
    def interval(self) -> float: ...
    @property
    def finals(self) -> list[float]: ...
    @property
    def failed(self) -> float: ...


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size, in inches."""
    need("matplotlib", "plot", "a picture")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path, dpi: float | str = "figure") -> None:
    """Writes the figure as PNG or SVG, by the ending of the path."""
    if path.suffix not in (".png", ".svg"):
        raise ArgumentError(f"a picture is written as .png or .svg, not as {path.name!r}")
    with writing(path) as new:
        figure.savefig(new, dpi=dpi)


def draw_chart(axes: Any, chart: Chart) -> None:
    """Draws a chart on axes, the grey curves below; in English."""
    for curve, colour, x, y, band in chart.drawn():
        grey = colour is None
        ink = "0.7" if grey else f"C{colour}"
        label = english(curve.name) if curve.told else None
        style = "." if curve.dots else "--" if curve.dashed else "-"
        axes.plot(x, y, style, color=ink, linewidth=0.8 if grey else 1.6, markersize=4, label=label, zorder=2 - grey)
        if band:
            axes.fill_between(x, *band, color=ink, alpha=0.15, linewidth=0)
    for at, word in chart.marks:
        axes.axvline(at, color="C3", linestyle=":", label=english(word))
    axes.set(xlabel=english(chart.x_label), ylabel=english(chart.y_label or chart.title))
    axes.set_title(english(chart.note), fontsize=9)
    if chart.log_x:
        axes.set_xscale("log")
    else:
        axes.xaxis.get_major_locator().set_params(integer=all(np.all(x % 1 == 0) for _, _, x, _, _ in chart.drawn()))
    if chart.log_y:
        axes.set_yscale("log")
    axes.legend(fontsize=8)


def draw_scores(ranked: Sequence[Scored], chart: Chart, chance: float, title: str) -> Figure:
    """Scores on the left, best first; on the right the chart of their curves, which are in the same order."""
    figure = new_figure(12, max(4.0, 1.4 + 0.24 * len(ranked)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    colours = {curve.name: f"C{colour}" for curve, colour, *_ in chart.drawn() if colour is not None}
    scores = [chance, *(entry.score for entry in ranked)]
    low, high = max(np.nanmin(scores), chart.floor), np.nanmax(scores)
    for place, entry in enumerate(ranked):
        ink = colours.get(entry.name, "0.45")
        half = np.nan_to_num(entry.interval)
        left.errorbar(entry.score, place, xerr=half, fmt="o", color=ink, markersize=4, capsize=2)
        left.plot(entry.finals, [place] * len(entry.finals), "|", color=ink, alpha=0.6)
    labels = [entry.name + (f"  ({entry.failed:.0%} failed)" if entry.failed else "") for entry in ranked]
    left.set_yticks(range(len(ranked)), labels, fontsize=8)
    left.invert_yaxis()
    left.set_title("after the last epoch: mean over seeds with its 95% interval", fontsize=9)
    left.axvline(chance, color="0.6", linestyle=":", label="chance")
    left.set_xlabel(chart.title)
    left.set_xlim(low - 0.05 * (high - low + 0.01), high + 0.08 * (high - low + 0.01))
    left.legend(loc="lower left", fontsize=8)
    draw_chart(right, chart)
    figure.suptitle(title)
    return figure
