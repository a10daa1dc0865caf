"""What the records of few rows tell: ranks, differences to the linear model with their intervals, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.page import rows as lines
from benchmarks.accuracy.picture import OTHERS
from benchmarks.accuracy.ranking import DEFAULT, REFERENCE, Scores, is_ours
from benchmarks.accuracy.records import Record
from benchmarks.accuracy.scores import ranks
from benchmarks.accuracy.small import KNOWN, NAMES, SIZES, Key
from benchmarks.charts import COLOURS, plotter, save

LINEAR = "linear"
BASE = "majority or mean"
MARK = "few rows"
DRAWN = {LINEAR: "#8a6fb0", REFERENCE: "#d9622b", "HistGradientBoosting": "#5f9e54", BASE: OTHERS}


@dataclass(frozen=True)
class Few:
    """The methods that have every table and size that the default has, on the draws that they share."""

    records: dict[Key, Record]
    methods: Sequence[str]
    tables: Sequence[str]
    sizes: Sequence[int]

    @classmethod
    def of(cls, records: dict[Key, Record]) -> Few:
        have = {key for key, record in records.items() if "failed" not in record}
        tables = [t for t in NAMES if any((DEFAULT, t, n) in have for n in SIZES)]
        sizes = [n for n in SIZES if tables and all((m, t, n) in have for t in tables for m in (DEFAULT, LINEAR))]
        names = dict.fromkeys(method for method, *_ in records)
        methods = [m for m in names if sizes and all((m, t, n) in have for t in tables for n in sizes)]
        return cls(records, methods, tables, sizes)

    def each(self, method: str, table: str, size: int, score: str | None = None) -> Scores:
        """A score (log-loss, or RMSE over the deviation) on each draw that all methods have."""
        name = score or ("log_loss" if KNOWN[table].task == "classes" else "nrmse")
        shared = min(len(self.records[m, table, size][name]) for m in self.methods)
        return np.array(self.records[method, table, size][name][:shared])

    def mean_ranks(self, size: int) -> Scores:
        """Of each method, over the tables."""
        means = [[self.each(m, t, size).mean() for m in self.methods] for t in self.tables]
        return np.asarray(np.mean([ranks(np.array(row)) for row in means], axis=0))

    def against_linear(self, method: str, size: int) -> float:
        """The mean over the tables of 100·log of the ratio of mean scores, roughly percent."""
        pairs = [(self.each(method, t, size).mean(), self.each(LINEAR, t, size).mean()) for t in self.tables]
        return float(np.mean([100 * np.log(one / other) for one, other in pairs]))

    def difference(self, method: str, table: str, size: int) -> tuple[float, float]:
        """The mean of the paired differences to the linear model, and half its 95 % interval (Student's t)."""
        from scipy.stats import t as student

        paired = self.each(method, table, size) - self.each(LINEAR, table, size)
        half = student.ppf(0.975, len(paired) - 1) * paired.std(ddof=1) / np.sqrt(len(paired))
        return float(paired.mean()), float(half)

    def worse_and_better(self, method: str, size: int) -> tuple[int, int]:
        """On how many tables the interval lies above 0, and below it."""
        found = [self.difference(method, t, size) for t in self.tables]
        return sum(mean > half for mean, half in found), sum(mean < -half for mean, half in found)

    def certainty(self, method: str, size: int) -> float:
        """Mean confidence minus accuracy, in points, over the tables with classes."""
        told = [t for t in self.tables if KNOWN[t].task == "classes"]
        parts = [
            self.each(method, t, size, "sure").mean() - 1 + self.each(method, t, size, "error").mean() for t in told
        ]
        return 100 * float(np.mean(parts))


def markdown(one: Few) -> str:
    """All that the records tell; a sentence if there are none."""
    if not one.methods:
        return f"Nothing to compare yet: {DEFAULT} and {LINEAR} have no size with all tables."
    order = np.argsort(np.mean([one.mean_ranks(n) for n in one.sizes], axis=0))
    methods = [one.methods[i] for i in order]
    place = {m: i for i, m in enumerate(one.methods)}

    def by_size(cell: Callable[[str, int], str], names: Sequence[str] = methods) -> str:
        head = ["", *(f"{n} rows" for n in one.sizes)]
        return lines(head, [[m, *(cell(m, n) for n in one.sizes)] for m in names])

    others = [m for m in methods if m != LINEAR]
    draws = min(len(one.each(LINEAR, t, n)) for t in one.tables for n in one.sizes)
    cells = [one.worse_and_better(DEFAULT, n) for n in one.sizes]
    worse, better = (sum(column) for column in zip(*cells, strict=True))
    return "\n\n".join(
        [
            f"**{len(one.tables)} tables, {draws} draws or more.** {DEFAULT} is worse than the linear model by more "
            f"than the interval in {worse} of {len(cells) * len(one.tables)} cells, and better by more in {better}.",
            "**Mean rank by log-loss or RMSE**",
            by_size(lambda m, n: f"{one.mean_ranks(n)[place[m]]:.2f}"),
            "**Log-loss or RMSE against the linear model, %** (in brackets: on how many tables it is worse, and "
            "better, by more than the interval)",
            by_size(
                lambda m, n: f"{one.against_linear(m, n):+.0f} ({' / '.join(map(str, one.worse_and_better(m, n)))})",
                others,
            ),
            "**Mean confidence minus accuracy, points**",
            by_size(lambda m, n: f"{one.certainty(m, n):+.1f}"),
            f"**{DEFAULT} minus linear, log-loss or RMSE / standard deviation**, with half the 95 % interval; bold: "
            "worse by more than that",
            lines(
                ["", *(f"{n} rows" for n in one.sizes)],
                [[t, *(difference(*one.difference(DEFAULT, t, n)) for n in one.sizes)] for t in one.tables],
            ),
        ]
    )


def difference(mean: float, half: float) -> str:
    text = f"{mean:+.3f} ± {half:.3f}"
    return f"**{text}**" if mean > half else text


def draw(one: Few, path: Path) -> None:
    """Score against the linear model, mean rank and certainty, each by the number of rows."""
    plt = plotter()
    figure, panels = plt.subplots(1, 3, figsize=(9.5, 3.6), layout="constrained")
    pictures: list[tuple[str, Callable[[str, int], float]]] = [
        ("log-loss or RMSE against the linear model, %", one.against_linear),
        ("mean rank", lambda m, n: float(one.mean_ranks(n)[one.methods.index(m)])),
        ("mean confidence − accuracy, points", one.certainty),
    ]
    for axes, (title, value) in zip(panels, pictures, strict=True):
        for method in one.methods:
            if method != BASE or value == one.certainty:
                line(axes, one, method, value)
        axes.set_title(title, fontsize=9)
        axes.set_xscale("log")
        axes.set_xticks(one.sizes, list(map(str, one.sizes)))
        axes.minorticks_off()
        axes.set_xlabel("rows learned from")
        axes.grid(alpha=0.25)
    panels[1].invert_yaxis()
    figure.legend(*panels[2].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    save(plt, figure, path)


def line(axes: Any, one: Few, method: str, value: Callable[[str, int], float]) -> None:
    style = "-" if method == DEFAULT or not is_ours(method) else "--"
    colour = COLOURS["thalweg"] if is_ours(method) else DRAWN.get(method, OTHERS)
    axes.plot(one.sizes, [value(method, n) for n in one.sizes], style, marker="o", markersize=3, color=colour,
              linewidth=2 if method == DEFAULT else 1.2, label=method)  # fmt: skip
