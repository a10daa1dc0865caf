"""The pictures: ratios as bars, and time against size, as plain SVG files whose text stays text."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import Best
from benchmarks.scaling import Series
from benchmarks.workloads import Workload

COLOURS = {
    "thalweg": "#0b6e99",
    "PyTorch": "#d9622b",
    "Keras on JAX": "#b0893a",
    "JAX": "#5f9e54",
    "scikit-learn": "#8a6fb0",
}


def possible() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def plotter() -> Any:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "thalweg",  # equal numbers, equal files
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    import matplotlib.pyplot as plt

    return plt


def save(plt: Any, figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
    plt.close(figure)
    print(f"wrote {path}")


def speed(results: Sequence[tuple[Workload, Best]], path: Path) -> None:
    """How many times thalweg's time each peer takes, by workload."""
    plt = plotter()
    peers = [peer for peer in COLOURS if peer != "thalweg" and any(peer in best for _, best in results)]
    figure, axes = plt.subplots(figsize=(8, 1 + 0.75 * len(results)), layout="constrained")
    height = 0.8 / max(1, len(peers))
    for number, peer in enumerate(peers):
        for row, (_, best) in enumerate(results):
            if peer not in best:
                continue
            ratio = best[peer].median / best["thalweg"].median
            place = row + (number - (len(peers) - 1) / 2) * height
            axes.barh(place, ratio - 1, height * 0.9, left=1, color=COLOURS[peer])
            text = f" {ratio:.1f}" if ratio < 100 else f" {ratio:.0f}"
            axes.text(max(1, ratio), place, text, va="center", fontsize=7)
        axes.barh(0, 0, left=1, color=COLOURS[peer], label=peer)
    axes.axvline(1, color=COLOURS["thalweg"], linewidth=2, label="thalweg")
    axes.set_xscale("log")
    axes.set_yticks(range(len(results)), [work.name for work, _ in results])
    axes.invert_yaxis()
    axes.set_xlabel("time ÷ thalweg's time")
    axes.legend(frameon=False, loc="lower right")
    save(plt, figure, path)


def scaling(series: Sequence[Series], path: Path) -> None:
    """Time of a step against width, batch, depth and lanes."""
    plt = plotter()
    figure, grid = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for axes, one in zip(grid.flat, series, strict=True):
        for peer, seconds in one.seconds.items():
            axes.plot(one.values, [s * 1e6 for s in seconds], "o-", markersize=3, color=COLOURS[peer], label=peer)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(one.values, [str(v) for v in one.values], rotation=45 if len(one.values) > 8 else 0)
        axes.minorticks_off()
        axes.set_xlabel(one.size)
        axes.set_ylabel("µs a step")
        axes.set_title(one.network, fontsize=9)
        axes.grid(alpha=0.25)
    grid.flat[0].legend(frameon=False)
    save(plt, figure, path)
