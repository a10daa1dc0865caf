"""`thalweg evaluate` and `thalweg predict`: a trained network on further rows or pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say, say_skipped
from thalweg.cli.options import FileFormat, RunFolder, SkipBad, Source, grouped, refuse_given
from thalweg.cli.report import show_mistakes, show_predictions, show_scores, warn_of_unseen
from thalweg.data.images import pictures_in
from thalweg.data.sources import writable
from thalweg.data.tables import write_table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs import image_run, table_run

OF_FILES = ("encoding", "sheet")


@grouped
def evaluate(
    context: typer.Context, run: RunFolder, source: Source, *, file_format: FileFormat, skip_bad: SkipBad = False
) -> None:
    """Scores a run on rows whose target is known, or on images (the source's test images, if it has any)."""
    if image_run.is_image_run(run):
        refuse_given(context, OF_FILES, "tables", f"{run} was trained on images")
        evaluate_images(run, source, skip_bad)
    else:
        evaluate_table(run, source, file_format, skip_bad)


def evaluate_table(run: Path, source: str, file_format: FileFormat, skip_bad: bool) -> None:
    """The scores of a run on the rows of a table whose target is known."""
    loaded = table_run.load(run)
    table = table_run.with_target(file_format.read(source, loaded.features.kept), loaded.target)
    if skip_bad:
        table, skipped = table_run.usable(loaded, table, with_targets=True)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    found, before = loaded.judge(table).facts(), {"held out in training": loaded.facts["held-out"]}
    show_scores("score", table.rows, found["held-out"], found["intervals"], before)
    show_mistakes(found["mistakes"])


def evaluate_images(run: Path, source: str, skip_bad: bool) -> None:
    """The scores of a run on images."""
    loaded = image_run.load(run)
    images, skipped = image_run.images_for(loaded, source, skip_bad)
    say_skipped(skipped)
    show_scores("score", len(images.y), image_run.score(loaded, images))


@grouped
def predict(
    context: typer.Context,
    run: RunFolder,
    source: Annotated[list[str], typer.Argument(help="a table as for train; for images, pictures or a folder of them")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="the file to write: .csv, .tsv, .parquet, .json or .jsonl; tables need it")
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(help="tables: a column to write beside the predictions; by default the training's"),
    ] = None,
    file_format: FileFormat,
    skip_bad: SkipBad = False,
) -> None:
    """Writes a prediction for every row, or for every picture, and the probability of each class.

    With --skip-bad, a table's predictions have a first column "row", the row's number.
    """
    if not image_run.is_image_run(run):
        predict_table(run, source, out, id, skip_bad, file_format)
    elif id is not None:
        raise ArgumentError(f"--id is for tables, and {run} was trained on images: predictions name the file")
    else:
        refuse_given(context, OF_FILES, "tables", f"{run} was trained on images")
        predict_pictures(run, source, out, skip_bad)


def predict_table(
    run: Path, source: list[str], out: Path | None, id: str | None, skip_bad: bool, file_format: FileFormat
) -> None:
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
    table = file_format.read(source[0], loaded.features.kept)
    if id is not None:
        table.column(id)
    elif loaded.id is not None and loaded.id not in table:
        print(f"note: {table.source} has no column {loaded.id!r}; the predictions name no rows", file=sys.stderr)
    if skip_bad:
        table, skipped = table_run.usable(loaded, table)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    write_table(out, table_run.predictions(loaded, table, numbered=skip_bad, id=id))
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
