"""Pictures of a search for settings, from plain values: the score over each knob, and all knobs side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.views.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4  # slices in a row
COLOURS = "viridis"


@dataclass(frozen=True)
class Axis:
    """A knob and its value in each trial."""

    name: str
    values: Sequence[Any]
    logarithmic: bool = False

    @property
    def title(self) -> str:
        """For people."""
        return self.name.replace("_", " ")

    @property
    def labels(self) -> list[Any] | None:
        """The distinct values in order, for a knob with a list of them; None for one with numbers in between."""
        if any(isinstance(value, float) for value in self.values):
            return None
        kinds = set(self.values)
        return sorted(kinds) if all(isinstance(kind, int) for kind in kinds) else sorted(kinds, key=str)

    def places(self) -> NDArray[np.float64]:
        """Where each trial stands: its number, or the place of its label."""
        labels = self.labels
        if labels is None:
            return np.asarray(self.values, np.float64)
        return np.array([labels.index(value) for value in self.values], np.float64)


def window(scores: Sequence[float], sign: int) -> tuple[float, float]:
    """The scores to show: without the worst tenth, which may lie far off."""
    known = np.asarray(scores, np.float64)
    low, high = (known.min(), np.quantile(known, 0.9)) if sign < 0 else (np.quantile(known, 0.1), known.max())
    margin = 0.05 * float(high - low) or 0.01
    return float(low) - margin, float(high) + margin


def draw_slices(
    axes: Sequence[Axis], scores: Sequence[float], reached: Sequence[float], label: str, sign: int
) -> Figure:
    """The score over each knob, a point for each trial; the darker, the further it was trained before it was pruned."""
    down = max(1, math.ceil(len(axes) / ACROSS))
    figure = new_figure(3.2 * ACROSS, 2.9 * down)
    places = figure.subplots(down, ACROSS, squeeze=False, sharey=True).ravel()
    low, high = window(scores, sign) if len(scores) else (0.0, 1.0)
    rng = np.random.default_rng(0)
    shown = np.clip(np.asarray(scores, np.float64), low, high)
    for axis, place in zip(axes, places, strict=False):
        x = axis.places()
        if axis.labels is not None:  # equal values side by side
            x = x + rng.uniform(-0.2, 0.2, len(x))
            place.set_xticks(
                range(len(axis.labels)), list(map(short, axis.labels)), rotation=40, ha="right", fontsize=8
            )
        if axis.logarithmic:
            place.set_xscale("log")
        place.scatter(x, shown, c=reached, cmap=COLOURS + "_r", vmin=0, vmax=1, s=14, linewidths=0)
        place.set_title(axis.title, fontsize=10)
        place.set_ylim(low, high)
    for place in places[len(axes) :]:
        place.set_visible(False)
    for place in places[::ACROSS]:
        place.set_ylabel(label)
    figure.suptitle("score over each knob; dark: trained to the end, light: pruned early; far ones lie on the edge")
    return figure


def draw_parallel(
    axes: Sequence[Axis], scores: Sequence[float], reached: Sequence[float], label: str, sign: int
) -> Figure:
    """A line for each trial through all knobs, coloured by its score; the better lie above the others."""
    figure = new_figure(max(6.0, 1.6 * (len(axes) + 1)), 5)
    place = figure.subplots()
    low, high = window(scores, sign) if len(scores) else (0.0, 1.0)
    columns = [*axes, Axis(label, list(map(float, scores)))]
    heights = []
    for number, axis in enumerate(columns):
        last = number == len(axes)
        values, least, largest = scaled(axis, (low, high) if last else None)
        if last and sign < 0:  # up is good
            values, least, largest = 1 - values, largest, least
        heights.append(values)
        mark(place, number, axis, least, largest)
    lines = np.array(heights).T if len(scores) else np.empty((0, len(columns)))
    from matplotlib import colormaps

    goodness = lines[:, -1]
    for trial in np.argsort(goodness):
        share = float(goodness[trial])
        colour = colormaps[COLOURS](share)
        place.plot(range(len(columns)), lines[trial], color=colour, alpha=0.15 + 0.7 * share**2, linewidth=0.6 + share)
    place.set_xticks(range(len(columns)), [axis.title for axis in columns], rotation=20, ha="right")
    place.set_yticks([])
    place.set_xlim(-0.3, len(columns) - 0.5)
    place.set_ylim(-0.05, 1.05)
    place.set_title("a line for each trial; bright, thick and at the top on the right: good")
    return figure


def scaled(axis: Axis, limits: tuple[float, float] | None) -> tuple[NDArray[np.float64], float, float]:
    """The places between 0 and 1, and the values at both ends."""
    values = axis.places()
    if axis.logarithmic:
        values = np.log(values)
    if limits is None:
        limits = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low, high = limits
    heights = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    return heights, math.exp(low) if axis.logarithmic else low, math.exp(high) if axis.logarithmic else high


def mark(place: Any, number: int, axis: Axis, least: float, largest: float) -> None:
    """Draws an axis with its labels."""
    place.axvline(number, color="0.7", linewidth=0.8, zorder=0)
    labels = axis.labels
    ends = [f"{least:.3g}", f"{largest:.3g}"] if labels is None else list(map(short, labels))
    for height, text in zip(np.linspace(0, 1, len(ends)) if len(ends) > 1 else [0.0], ends, strict=True):
        place.text(number + 0.03, height, text, fontsize=7, va="center", zorder=9)


def short(label: Any) -> str:
    """A label that fits under a picture."""
    text = {True: "on", False: "off"}[label] if isinstance(label, bool) else str(label)
    return text if len(text) <= 18 else text[:17] + "…"
