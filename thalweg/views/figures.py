"""Figures without a window: made empty, and written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.support.extras import need
from thalweg.support.files import writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size, in inches."""
    need("matplotlib", "plot", "a picture")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path, dpi: float | str = "figure") -> None:
    """Writes the figure in the format that the path's ending names."""
    with writing(path) as new:
        figure.savefig(new, dpi=dpi)
