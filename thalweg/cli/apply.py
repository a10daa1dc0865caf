"""`thalweg evaluate` and `thalweg predict`: a trained network on further rows or pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say, say_skipped
from thalweg.cli.options import RunFolder, SkipBad, Source
from thalweg.cli.report import show_predictions, show_scores, warn_of_unseen
from thalweg.data.images import has_idx, pictures_in, read_images
from thalweg.data.sources import writable
from thalweg.data.tables import read_table, write_table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs import image_run, table_run


def evaluate(run: RunFolder, source: Source, skip_bad: SkipBad = False) -> None:
    """Scores a run on rows whose target is known, or on images (the source's test images, if it has any)."""
    if image_run.is_image_run(run):
        evaluate_images(run, source, skip_bad)
    else:
        evaluate_table(run, source, skip_bad)


def evaluate_table(run: Path, source: str, skip_bad: bool) -> None:
    """The scores of a run on the rows of a table whose target is known."""
    loaded = table_run.load(run)
    table = table_run.with_target(read_table(source), loaded.target)
    if skip_bad:
        table, skipped = table_run.usable(loaded, table, with_targets=True)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    show_scores(table_run.score(loaded, table), table.rows, None)


def evaluate_images(run: Path, source: str, skip_bad: bool) -> None:
    """The scores of a run on images."""
    loaded = image_run.load(run)
    height, width, channels = loaded.model.input_shape
    pictures = Path(source).is_dir() and not has_idx(Path(source))
    size, kind = ((height, width), channels) if pictures else (None, None)
    images = read_images(source, size, kind, skip_bad)
    say_skipped(images.skipped)
    images = image_run.fitting(loaded, images.test or images)
    show_scores(image_run.score(loaded, images), len(images.y), None)


def predict(
    run: RunFolder,
    source: Annotated[list[str], typer.Argument(help="a table as for train; for images, pictures or a folder of them")],
    out: Annotated[
        Path | None, typer.Option(help="the file to write: .csv, .tsv, .parquet, .json or .jsonl; tables need it")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Writes a prediction for every row, or for every picture, and the probability of each class.

    With --skip-bad, a table's predictions have a first column "row", the row's number.
    """
    if image_run.is_image_run(run):
        predict_pictures(run, source, out, skip_bad)
    else:
        predict_table(run, source, out, skip_bad)


def predict_table(run: Path, source: list[str], out: Path | None, skip_bad: bool) -> None:
    """Writes the predictions for the rows of one source."""
    loaded = table_run.load(run)
    if len(source) > 1:
        raise ArgumentError(
            f"{run} was trained on a table and takes one source, got {len(source)}: call it for each of them, or give "
            "a glob in quotes, such as 'rows-*.csv'"
        )
    if out is None:
        raise ArgumentError("a table's predictions are written to a file: add --out predictions.csv")
    writable(out)
    table = read_table(source[0])
    if skip_bad:
        table, skipped = table_run.usable(loaded, table)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    write_table(out, table_run.predictions(loaded, table, numbered=skip_bad))
    say(f"{table.rows:,} predictions of {loaded.target.name}: {out}")


def predict_pictures(run: Path, source: list[str], out: Path | None, skip_bad: bool) -> None:
    """Prints a line for every picture, or writes a table of them to a file."""
    if out is not None:
        writable(out)
    columns, skipped = image_run.predictions(image_run.load(run), pictures(source), skip_bad)
    say_skipped(skipped)
    if out is None:
        show_predictions(columns)
    else:
        write_table(out, columns)
        say(f"{len(columns['file']):,} predictions: {out}")


def pictures(sources: list[str]) -> list[Path]:
    """The files given, and those in the folders given."""
    found: list[Path] = []
    for path in map(Path, sources):
        inside = list(pictures_in(path)) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} has no pictures")
        found += inside
    return found
