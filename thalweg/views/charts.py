"""Charts of experiments, from plain values: scores with their intervals beside curves, and a range test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from thalweg.views.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
HIGHLIGHTED = 6  # curves in colour; the others are grey


@dataclass(frozen=True)
class Scored:
    """One of the entries compared: a line of the chart and a curve.

    score: the mean of `finals`; NaN if there is none. interval: half of its confidence interval; NaN if unknown.
    failed: share of failures. curve: mean, least and largest score after each epoch.
    """

    name: str
    score: float
    interval: float
    finals: Sequence[float]
    failed: float
    curve: tuple[Array, Array, Array]


def draw_scores(ranked: Sequence[Scored], metric: str, chance: float, title: str) -> Figure:
    """Scores on the left, best first; curves on the right, the best of them in colour."""
    figure = new_figure(12, max(4.0, 1.4 + 0.24 * len(ranked)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    colours = {entry.name: f"C{place}" for place, entry in enumerate(ranked[:HIGHLIGHTED])}
    known = [entry.score for entry in ranked if not math.isnan(entry.score)] + [chance]
    low, high = max(min(known), -0.5), max(known)  # an R² may be far below 0
    draw_intervals(left, ranked, colours)
    left.axvline(chance, color="0.6", linestyle=":", label="chance")
    left.set_xlabel(f"held-out {metric}")
    left.set_xlim(low - 0.05 * (high - low + 0.01), high + 0.08 * (high - low + 0.01))
    left.legend(loc="lower left", fontsize=8)
    draw_curves(right, ranked, colours)
    right.axhline(chance, color="0.6", linestyle=":")
    right.set_ylabel(f"held-out {metric}")
    right.set_ylim(bottom=low - 0.02)
    figure.suptitle(title)
    return figure


def draw_intervals(axes: Any, ranked: Sequence[Scored], colours: dict[str, str]) -> None:
    """Draws a line for each entry: its mean with the interval, and a tick for each run."""
    for place, entry in enumerate(ranked):
        colour = colours.get(entry.name, "0.45")
        if not math.isnan(entry.score):
            half = 0.0 if math.isnan(entry.interval) else entry.interval
            axes.errorbar(entry.score, place, xerr=half, fmt="o", color=colour, markersize=4, capsize=2)
            axes.plot(entry.finals, [place] * len(entry.finals), "|", color=colour, alpha=0.6)
    labels = [entry.name + (f"  ({entry.failed:.0%} failed)" if entry.failed else "") for entry in ranked]
    axes.set_yticks(range(len(ranked)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_title("after the last epoch: mean over seeds with its 95% interval", fontsize=9)


def draw_curves(axes: Any, ranked: Sequence[Scored], colours: dict[str, str]) -> None:
    """Draws the mean score after each epoch; coloured curves have a band from the least to the largest."""
    for entry in reversed(ranked):
        mean, least, largest = entry.curve
        if len(mean) == 0:
            continue
        epochs = range(1, len(mean) + 1)
        best = entry.name in colours
        colour = colours.get(entry.name, "0.8")
        axes.plot(epochs, mean, color=colour, linewidth=1.6 if best else 0.8, label=entry.name if best else None)
        if best:
            axes.fill_between(epochs, least, largest, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("epoch")
    axes.set_title("mean over seeds; the band reaches from the least to the largest", fontsize=9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if colours:
        handles, names = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], names[::-1], loc="lower right", fontsize=8)  # best first


def draw_range_test(rates: Array, losses: Array, smoothed: Array, suggestion: float | None) -> Figure:
    """Losses over the learning rate, on a logarithmic axis, with the suggestion."""
    figure = new_figure(7, 4.2)
    axes = figure.subplots()
    axes.plot(rates, losses, ".", color="0.65", markersize=4, label="loss of a step")
    axes.plot(rates, smoothed, color="C0", label="smoothed")
    if suggestion is not None:
        axes.axvline(suggestion, color="C3", linestyle=":", label=f"steepest: {suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend()
    return figure
