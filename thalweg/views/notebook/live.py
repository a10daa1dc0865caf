"""The live figure of a fit in a notebook: curves while it trains, a static picture when it has ended.

Numbers flow one way, from the kernel to the page; the kernel's interrupt is what stops a fit. At the end the output is
an SVG, which stays in the saved notebook.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.errors import ThalwegWarning
from thalweg.support.jupyter import cell
from thalweg.support.untrusted import reason
from thalweg.views.chart import Chart, Columns, Curve, by_epoch, by_name, sentence
from thalweg.views.notebook.screens import Screen, screen
from thalweg.views.web.svg import COLOURS, standalone

Logs = dict[str, Any]
Inside = Callable[[], tuple[Any, dict[str, Any]]]  # epochs, and of each layer the sizes of its steps
LATER = 0.4  # seconds of training before a figure appears: a short fit has only the picture
PAUSE = 0.2  # seconds between two frames, …
SHARE = 10.0  # … or this many times what the last one took
MOST_POINTS = 2000  # epochs that are kept of a long training: when there are twice as many, every second one goes
MOST_FIGURES = 12  # of one cell; further fits of a loop are lines

shown: dict[str, Any] = {"cell": None, "figures": 0}  # how many figures the running cell has


def live_figure() -> LiveFigure | None:
    """A figure for a fit that begins now; None outside of a notebook, without anywidget, or where it isn't wanted."""
    if find_spec("anywidget") is None:
        return None
    place = screen()
    if place is None:
        return None
    here = cell()
    if shown["cell"] != here or here is None:
        shown.update(cell=here, figures=0)
    return LiveFigure(place) if shown["figures"] < MOST_FIGURES else None


class LiveFigure:
    """Curves of a fit, whose numbers come from its progress."""

    def __init__(self, place: Screen) -> None:
        self.screen = place
        self.widget: Any = None
        self.begin = self.last = time.perf_counter()
        self.cost = 0.0  # seconds that the last frame took
        self.points = Points()
        self.inside: Inside | None = None
        self.place = ""  # how far it is
        self.broken = False  # whether the notebook could not show it

    def add(self, first: int, records: Sequence[Any] | NDArray[Any], logs: Callable[[Any], Logs]) -> None:
        """After epochs from `first` on; `logs` makes the numbers of a record."""
        self.points.add(first, records, logs)

    def say(self, place: str) -> None:
        """How far it is; draws, if it is time."""
        self.place = place
        now = time.perf_counter()
        due = LATER if self.widget is None else self.last - self.begin + max(PAUSE, SHARE * self.cost)
        if now - self.begin < due or self.broken or not len(self.points):
            return
        try:
            if self.widget is None:
                self.open()  # which takes longer than a frame
            else:
                self.widget.figure = self.frame()
                self.cost = time.perf_counter() - now
        except Exception as error:  # whatever a notebook's parts raise is no reason to end a training
            self.broken = True
            warnings.warn(f"the live figure stops here: {reason(error)}", ThalwegWarning, stacklevel=2)
        self.last = time.perf_counter()

    def frame(self) -> bytes:
        """The figures as bytes."""
        from thalweg.views.web.encoding import encode

        return encode([chart.figure() for chart in [*noted(self.points.columns(), self.place), *self.layers()]])

    def layers(self) -> list[Chart]:
        """The sizes of the layers' steps, if they are recorded."""
        if self.inside is None:
            return []
        epochs, ratios = self.inside()
        if len(epochs) < 2:
            return []
        curves = [Curve(name, epochs, ratio) for name, ratio in list(ratios.items())[: len(COLOURS)]]
        return [Chart("step / weight", curves, words.text("epoch"), log_y=True)] if curves else []

    def open(self) -> None:
        """Shows the figure as the cell's output."""
        from thalweg.views.notebook.widget import make_widget

        self.widget = make_widget(self.frame())
        self.screen.show(self.widget)

    def close(self, end: str) -> bool:
        """Leaves the static picture; returns whether there is one: a single epoch is a line of numbers."""
        columns = self.points.columns()
        enough = len(self.points) > 1
        if not enough and self.widget is None:
            return False
        shown["figures"] += 1
        text = sentence(columns, f", {end}" if end else "")
        picture = standalone([*by_epoch({"": columns}, end=end), *self.layers()]) if len(self.points) else None
        self.screen.leave(picture, text, instead=self.widget is not None)
        if self.widget is not None:
            self.widget.close()
            self.widget = None
        return True


class Points:
    """The records of the epochs, evenly thinned if there are many; read only when they are drawn."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, Any, Callable[[Any], Logs]]] = []
        self.stride = 1
        self.newest: tuple[int, Any, Callable[[Any], Logs]] | None = None
        self.read: dict[int, Logs] = {}

    def __len__(self) -> int:
        return len(self.kept) + int(self.newest is not None and (not self.kept or self.kept[-1][0] != self.newest[0]))

    def add(self, first: int, records: Sequence[Any] | NDArray[Any], logs: Callable[[Any], Logs]) -> None:
        count = len(records)
        if not count:
            return
        for place in range(-first % self.stride, count, self.stride):
            self.kept.append((first + place, copied(records[place]), logs))
        self.newest = (first + count - 1, copied(records[count - 1]), logs)
        while len(self.kept) > 2 * MOST_POINTS:
            self.stride *= 2
            self.kept = [point for point in self.kept if point[0] % self.stride == 0]
            self.read = {epoch: found for epoch, found in self.read.items() if epoch % self.stride == 0}

    def columns(self) -> Columns:
        """What has been recorded, by name."""
        points = list(self.kept)
        if self.newest is not None and (not points or points[-1][0] != self.newest[0]):
            points.append(self.newest)
        for epoch, record, logs in points:
            if epoch not in self.read:
                self.read[epoch] = logs(record)
        return by_name({"epoch": epoch} | self.read[epoch] for epoch, *_ in points)


def copied(record: Any) -> Any:
    """A record by itself, so that the other epochs' need not be kept."""
    return record.copy() if isinstance(record, np.ndarray) else record


def noted(columns: Columns, place: str) -> list[Chart]:
    """The charts while it trains: how far it is, and the newest values."""
    charts = by_epoch({"": columns})
    ends = [", ".join(f"{c.name} {c.y[-1]:.4g}" for c in chart.curves if len(c.y)) for chart in charts[1:]]
    return [replace(chart, note=note) for chart, note in zip(charts, [place, *ends], strict=False)]
