"""`thalweg filters` and `thalweg features`: pictures of what a run on images has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say
from thalweg.cli.options import Fit, Invert
from thalweg.errors import ArgumentError
from thalweg.models.sequential import Sequential
from thalweg.runs import image_run
from thalweg.runs.folder import COLUMNS, free_path, refuse_existing
from thalweg.views import plots
from thalweg.views.figures import write_figure

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder of images")]
Out = Annotated[
    Path | None, typer.Option(help="the picture to write, .png or .svg; by default named after the command, numbered")
]


def filters(
    run: RunFolder,
    layer: Annotated[str | None, typer.Option(help="the convolution to show; by default the first")] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="the first one's kernels over the epochs")] = False,
    out: Out = None,
) -> None:
    """Draws the kernels that a convolution has learned: blue below 0, red above."""
    path = free_picture(out, "kernels" if epochs else "filters")
    loaded = load_image_run(run)
    if epochs:
        if layer is not None:
            raise ArgumentError("--epochs shows the first convolution, whose kernels were recorded: leave out --layer")
        if not loaded.kernels:
            raise ArgumentError(f"{run} has no kernels of a convolution over the epochs")
        drawn = plots.draw_strip(loaded.kernels, f"{run.name}: the first convolution's kernels over the epochs")
    else:
        name, kernel = plots.kernel_of(loaded.model, layer)
        drawn = plots.draw_filters(kernel, f"{run.name}: kernels of {name}, {'×'.join(map(str, kernel.shape))}")
    write_figure(drawn, path, dpi=150)
    say(f"picture: {path}")


def features(
    run: RunFolder,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="a picture file")],
    invert: Invert = False,
    fit: Fit = None,
    out: Out = None,
) -> None:
    """Draws what every layer makes of a picture: its feature maps, layer by layer."""
    path = free_picture(out, "features")
    loaded = load_image_run(run)
    loaded.read_as(invert, fit)
    pixels = loaded.pixels(picture)
    assert isinstance(loaded.model, Sequential)  # as `thalweg train` makes it
    values = plots.feature_maps(loaded.model, pixels)
    drawn = plots.draw_features(values, pixels, f"{run.name}: {picture.name} through the network", loaded.classes)
    write_figure(drawn, path, dpi=150)
    say(f"picture: {path}")


def load_image_run(folder: Path) -> image_run.ImageRun:
    """A run on images; one on a table is an error."""
    if folder.is_dir() and (folder / COLUMNS).is_file():
        raise ArgumentError(f"{folder} is a run on a table: kernels and feature maps belong to runs on images")
    return image_run.load(folder)


def free_picture(out: Path | None, stem: str) -> Path:
    """Where to write the picture: `out`, which may not exist yet, or the first free of filters.png, filters-2.png, …"""
    if out is None:
        return free_path(Path(f"{stem}.png"))
    refuse_existing(out)
    return out
