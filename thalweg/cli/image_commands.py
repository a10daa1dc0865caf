"""The command line's part for images: what training announces, predictions of pictures, kernels and feature maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli.console import grid, say, say_skipped
from thalweg.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential
    from thalweg.runs.image_run import ImageOptions, ImageRun, Parts

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder of images")]
Out = Annotated[
    Path | None, typer.Option(help="the picture to write, .png or .svg; by default named after the command, numbered")
]


def train_images(source: str, options: ImageOptions) -> ImageRun:
    """Reads the images, says what they are, trains."""
    from thalweg.data.images import read_images
    from thalweg.runs import image_run as image_runs

    images = read_images(source, options.size, options.channels, options.skip_bad)
    return image_runs.train(images, options, announce_images)


def evaluate_images(run: Path, source: str, skip_bad: bool) -> tuple[dict[str, float], int]:
    """The scores of a run on images (those for testing, where the source keeps some), and how many there were."""
    from thalweg.data.images import has_idx, read_images
    from thalweg.runs import image_run as image_runs

    known = image_runs.load(run)
    height, width, channels = known.model.input_shape
    pictures = Path(source).is_dir() and not has_idx(Path(source))
    size, kind = ((height, width), channels) if pictures else (None, None)
    images = read_images(source, size, kind, skip_bad)
    say_skipped(images.skipped)
    images = image_runs.fitting(known, images.test or images)
    return image_runs.score(known, images), len(images.y)


def predict_pictures(run: Path, source: list[str], out: Path | None, skip_bad: bool) -> None:
    """A line for every picture on the screen, or a table of them in a file."""
    from thalweg.data.sources import writable
    from thalweg.data.tables import write_table
    from thalweg.runs import image_run as image_runs

    if out is not None:
        writable(out)
    columns, skipped = image_runs.predictions(image_runs.load(run), pictures(source), skip_bad)
    say_skipped(skipped)
    if out is None:
        show_predictions(columns)
    else:
        write_table(out, columns)
        say(f"{len(columns['file']):,} predictions: {out}")


def announce_images(parts: Parts, model: Sequential, course: str) -> None:
    """What was read, and the network, before training begins."""
    images = parts.train
    height, width, channels = images.shape
    names = ", ".join(images.classes[:12]) + (", …" if len(images.classes) > 12 else "")
    kind = "bytes" if images.x.dtype.name == "uint8" else "numbers"
    say(
        f"images of {height}×{width} pixels, channels: {channels}, as {kind}", f"{len(images.classes)} classes: {names}"
    )
    say_skipped(images.skipped)
    held = len(parts.validation.y) if parts.validation is not None else 0
    say(f"images: {len(images.y):,} to learn from, {held:,} to watch by, {len(parts.test.y):,} held out", "")
    model.summary()
    say("", course, learning_rate(model), "")


def learning_rate(model: Sequential) -> str:
    """A line on the course of the learning rate."""
    optimizer = model.optimizer
    schedule, name = optimizer.schedule, type(optimizer).__name__
    if schedule is None:
        return f"{name}'s learning rate: {optimizer.learning_rate:g}, constant"
    peak, rising, down = schedule.warmup_target, schedule.warmup_steps, schedule.decay_steps
    return f"{name}'s learning rate: up to {peak:g} in {rising:,} steps, then to 0 in {down:,} along half a cosine"


def pictures(sources: list[str]) -> list[Path]:
    """The files named, and those in the folders named."""
    from thalweg.data.images import pictures_in

    found: list[Path] = []
    for path in map(Path, sources):
        inside = list(pictures_in(path)) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} has no pictures")
        found += inside
    return found


def show_predictions(columns: dict[str, Any]) -> None:
    """A line for each picture: its class, and the three likeliest with their probabilities."""
    names = [name for name in columns if name.startswith("probability of ")]
    rows = []
    for row, file in enumerate(columns["file"]):
        likeliest = sorted(names, key=lambda name: -columns[name][row])[:3]
        shares = [f"{name.removeprefix('probability of ')} {columns[name][row]:.1%}" for name in likeliest]
        rows.append([str(file), str(columns["prediction"][row]), ", ".join(shares)])
    say(grid("predictions", ["picture", "prediction", "probabilities"], rows))


def image_run(folder: Path) -> ImageRun:
    """A run on images; one on a table is an error."""
    from thalweg.runs import image_run as image_runs
    from thalweg.runs.folder import COLUMNS

    if folder.is_dir() and (folder / COLUMNS).is_file():
        raise ArgumentError(f"{folder} is a run on a table: kernels and feature maps belong to runs on images")
    return image_runs.load(folder)


def free_picture(out: Path | None, stem: str) -> Path:
    """The picture to write: as asked for, which may not exist yet, or the first of filters.png, filters-2.png, …"""
    from thalweg.runs import table_run as runs

    if out is None:
        return runs.free_path(Path(f"{stem}.png"))
    runs.refuse_existing(out)
    return out


def filters(
    run: RunFolder,
    layer: Annotated[str | None, typer.Option(help="the convolution to show; by default the first")] = None,
    epochs: Annotated[bool, typer.Option("--epochs", help="the first one's kernels over the epochs")] = False,
    out: Out = None,
) -> None:
    """Draws the kernels that a convolution has learned: blue below 0, red above."""
    from thalweg.views import plots

    path = free_picture(out, "kernels" if epochs else "filters")
    loaded = image_run(run)
    if epochs:
        if layer is not None:
            raise ArgumentError("--epochs shows the first convolution, whose kernels were recorded: leave out --layer")
        if not loaded.kernels:
            raise ArgumentError(f"{run} has no kernels of a convolution over the epochs")
        drawn = plots.draw_strip(loaded.kernels, f"{run.name}: the first convolution's kernels over the epochs")
    else:
        name, kernel = plots.kernel_of(loaded.model, layer)
        drawn = plots.draw_filters(kernel, f"{run.name}: kernels of {name}, {'×'.join(map(str, kernel.shape))}")
    plots.save_figure(drawn, path)
    say(f"picture: {path}")


def features(
    run: RunFolder,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="a picture file")],
    out: Out = None,
) -> None:
    """Draws what every layer makes of a picture: its feature maps, layer by layer."""
    from thalweg.views import plots

    path = free_picture(out, "features")
    loaded = image_run(run)
    pixels = loaded.pixels(picture)
    values = plots.feature_maps(loaded.model, pixels)
    drawn = plots.draw_features(values, pixels, f"{run.name}: {picture.name} through the network", loaded.classes)
    plots.save_figure(drawn, path)
    say(f"picture: {path}")
