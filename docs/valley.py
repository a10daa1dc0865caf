"""Draws docs/valley.svg, the tutorial's local valleys, from the tutorial's own lines. Run: python docs/valley.py"""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from worked import BLOCK, DOCS, Page

COLOURS = ("#b45309", "#0f766e", "#6d28d9")


def known() -> dict[str, object]:
    """The names of the tutorial after its section on local valleys."""
    page = Page(DOCS / "tutorial.md")
    text = page.path.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text[: text.index("(valley.svg)")]):
        page.printed(block["code"])
    return page.known


def draw(path: Path, held: dict[str, object]) -> None:
    grid, paths = np.asarray(held["grid"]), held["paths"]
    assert isinstance(paths, dict)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "valley", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(grid, held["valley"], color="0.45")
        for (start, steps), colour in zip(paths.items(), COLOURS, strict=True):
            heights = np.interp(steps, grid, held["valley"])
            axes.plot(steps, heights, ".-", color=colour, markersize=4, linewidth=1)
            axes.annotate(f"from {start} to {steps[-1]:.2f}", (steps[-1], heights[-1]), (0, -14), color=colour,
                          textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        axes.set_ylim(-0.12, None)
        axes.set_xlabel("w")
        axes.set_ylabel("loss")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    draw(DOCS / "valley.svg", known())
