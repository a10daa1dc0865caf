"""The picture of a comparison: scores with their intervals on the left, the curves of the best on the right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.support.extras import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.experiments.comparison import Comparison

HIGHLIGHTED = 6  # curves that are told apart by colour; the others are grey


def draw(comparison: Comparison) -> Figure:
    """A figure that `savefig` writes as PNG or SVG; no window is opened."""
    need("matplotlib", "plot", "a picture")
    from matplotlib.figure import Figure

    ranked = comparison.ranked()
    figure = Figure(figsize=(12, max(4.0, 1.4 + 0.24 * len(ranked))), layout="constrained")
    scores, curves = figure.subplots(1, 2, width_ratios=[1, 1.2])
    colours = {entry.name: f"C{place}" for place, entry in enumerate(ranked[:HIGHLIGHTED])}
    for place, entry in enumerate(ranked):
        colour = colours.get(entry.name, "0.45")
        if not math.isnan(entry.score):
            half = 0.0 if math.isnan(entry.interval) else entry.interval
            scores.errorbar(entry.score, place, xerr=half, fmt="o", color=colour, markersize=4, capsize=2)
            scores.plot(entry.finals, [place] * len(entry.finals), "|", color=colour, alpha=0.6)
    scores.axvline(comparison.chance, color="0.6", linestyle=":", label="chance")
    labels = [entry.name + (f"  ({entry.failed:.0%} failed)" if entry.failed else "") for entry in ranked]
    scores.set_yticks(range(len(ranked)), labels, fontsize=8)
    scores.invert_yaxis()
    scores.set_xlabel(f"held-out {comparison.metric}")
    scores.set_title("after the last epoch: mean over seeds with its 95% interval", fontsize=9)
    shown = [entry.score for entry in ranked if not math.isnan(entry.score)] + [comparison.chance]
    low, high = max(min(shown), -0.5), max(shown)  # an R² may be far below 0
    scores.set_xlim(low - 0.05 * (high - low + 0.01), high + 0.08 * (high - low + 0.01))
    scores.legend(loc="lower left", fontsize=8)
    for entry in reversed(ranked):
        mean, least, largest = entry.curve()
        if len(mean) == 0:
            continue
        epochs = range(1, len(mean) + 1)
        best = entry.name in colours
        colour = colours.get(entry.name, "0.8")
        curves.plot(epochs, mean, color=colour, linewidth=1.6 if best else 0.8, label=entry.name if best else None)
        if best:
            curves.fill_between(epochs, least, largest, color=colour, alpha=0.15, linewidth=0)
    curves.axhline(comparison.chance, color="0.6", linestyle=":")
    curves.set_ylim(bottom=low - 0.02)
    curves.set_xlabel("epoch")
    curves.set_ylabel(f"held-out {comparison.metric}")
    curves.set_title("mean over seeds; the band reaches from the least to the largest", fontsize=9)
    curves.xaxis.get_major_locator().set_params(integer=True)
    if colours:
        handles, names = curves.get_legend_handles_labels()
        curves.legend(handles[::-1], names[::-1], loc="lower right", fontsize=8)  # best first
    settings = comparison.settings
    figure.suptitle(
        f"{comparison.knob.replace('_', ' ')}: {comparison.task}, {comparison.rows[0]:,} rows to learn from, "
        f"layers {'-'.join(map(str, settings.layers)) or 'none'}, {settings.epochs} epochs"
    )
    return figure
