"""What a chart shows, as plain values, for web/svg.py, figures.py (matplotlib) and web/figures/curves.js (pages)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words

Array = NDArray[Any]
Text = str | words.Text
Columns = Mapping[str, tuple[Sequence[float] | Array, Sequence[float] | Array]]
"""By name in the logs, the numbers of the epochs (the first is 1) and the values after them."""
HELD = "val_"
TOLD = ("epoch", "member", "seconds")  # of an epoch's record, besides its numbers
MOST_CHARTS = 6
SPREAD, MOSTLY = 100.0, 0.8  # largest to least, and the share of values above 0, of what a logarithmic axis is for


@dataclass(frozen=True)
class Curve:
    """y over x; NaN makes a gap.

    dots: points without a line. band: the least and the largest y at each x. faint: grey, behind the others.
    """

    name: Text
    x: Sequence[float] | Array
    y: Sequence[float] | Array
    dashed: bool = False
    dots: bool = False
    band: Sequence[Array] = ()
    faint: bool = False

    @property
    def told(self) -> bool:
        """Whether a legend can tell it from the others."""
        return self.dashed or self.dots or not self.faint


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis.

    y_label: the title, if there is none. floor: what is below isn't drawn. marks: vertical lines with a word.
    """

    title: Text
    curves: Sequence[Curve]
    x_label: Text = ""
    y_label: Text = ""
    note: Text = ""
    log_x: bool = False
    log_y: bool = False
    floor: float = -np.inf
    marks: Sequence[tuple[float, Text]] = ()

    def drawn(self) -> Iterator[tuple[Curve, int | None, Array, Array, list[Array]]]:
        """Each curve, the number of its colour (None: grey), and x, y and band as they stand on the axes."""
        colour = 0
        for curve in self.curves:
            size = min(len(curve.x), len(curve.y))
            x, y, *band = (np.asarray(part, np.float64)[:size] for part in (curve.x, curve.y, *curve.band))
            if self.log_x:
                x = np.where(x > 0, x, np.nan)
            if self.log_y:
                band = [np.maximum(side, np.min(y, where=y > 0, initial=np.inf)) for side in band]
                y = np.where(y > 0, y, np.nan)
            y, band = np.where(y < self.floor, np.nan, y), [np.maximum(side, self.floor) for side in band]
            yield curve, None if curve.faint else colour, x, y, band
            colour += not curve.faint

    def figure(self) -> dict[str, Any]:
        """The data of a page's figure."""
        series = [
            {"name": c.name, "x": x, "y": y, "band": band, "dashed": c.dashed, "dots": c.dots, "faint": c.faint}
            for c, _, x, y, band in self.drawn()
        ]
        return {
            "kind": "curves",
            "title": self.title,
            "x_label": self.x_label,
            "y_label": self.y_label or self.title,
            "series": series,
            "log_x": self.log_x,
            "log_y": self.log_y,
            "marks": [{"x": at, "text": word} for at, word in self.marks],
        } | ({"note": self.note} if self.note else {})


def english(text: Text) -> str:
    """A text of a picture that has one language."""
    return text if isinstance(text, str) else text["en"]


def wide(curves: Sequence[Curve]) -> bool:
    """Whether y spans so much that its axis should be logarithmic; a few zeros, as of a failed step, are left out."""
    values = np.concatenate([np.asarray(curve.y, np.float64) for curve in curves])
    values = values[np.isfinite(values)]
    above = values[values > 0]
    return bool(len(above) > MOSTLY * len(values) and values.min() >= 0 and above.max() > SPREAD * above.min())


def by_name(records: Iterable[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """The columns of a history's records; None, which a file has for what isn't finite, becomes NaN: a gap.

    >>> by_name([{"epoch": 0, "loss": 0.5}, {"epoch": 1, "loss": None, "val_loss": 0.5}])
    {'loss': ([1, 2], [0.5, nan]), 'val_loss': ([2], [0.5])}
    """
    found: dict[str, tuple[list[float], list[float]]] = {}
    for record in records:
        for name, value in record.items():
            value = np.nan if value is None else value
            if name not in TOLD and isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
                x, y = found.setdefault(name, ([], []))
                x.append(record["epoch"] + 1)
                y.append(float(value))
    return found


def by_epoch(
    trainings: Mapping[Any, Columns],
    called: Callable[[str, Any], Text] = lambda name, _: name,
    titled: Callable[[str], Text] = lambda name: name.replace("_", " "),
    end: Text = "",
    most: int | None = MOST_CHARTS,
) -> list[Chart]:
    """The charts of a training, or of several: each name in the logs beside its values on rows held out.

    called, titled: what a curve is called, by its name and its training; and a chart, by the name.
    end: how the training ended, such as "interrupted". most: how many charts.

    >>> columns = {"loss": ([1], [0.5]), "val_loss": ([1], [0.6]), "accuracy": ([1], [0.9])}
    >>> [(chart.title, len(chart.curves)) for chart in by_epoch({"": columns})]
    [('loss', 2), ('accuracy', 1)]
    """
    charts = []
    stems = dict.fromkeys(name.removeprefix(HELD) for columns in trainings.values() for name in columns)
    for stem in list(stems)[:most]:
        curves = [
            Curve(called(name, training), *columns[name], dashed=name != stem)
            for training, columns in trainings.items()
            for name in (stem, HELD + stem)
            if name in columns
        ]
        last = max((float(np.max(curve.x)) for curve in curves if len(curve.x)), default=0.0)
        marks = [(last, end)] if end and last else []
        charts.append(Chart(titled(stem), curves, words.text("epoch"), log_y=wide(curves), marks=marks))
    return charts


def sentence(columns: Columns, end: str = "") -> str:
    """ "epoch 12: loss 0.123, val_loss 0.2" """
    last = max((x[-1] for x, _ in columns.values() if len(x)), default=0)
    values = ", ".join(f"{name} {y[-1]:.4g}" for name, (_, y) in columns.items() if len(y))
    return f"epoch {last:g}{': ' if values else ''}{values}{end}"
