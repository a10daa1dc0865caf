"""`thalweg evaluate` and `thalweg predict`: a trained network on further rows or pictures."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from thalweg.cli.console import say, say_skipped
from thalweg.cli.options import (
    OF_FILES,
    OF_PICTURES,
    FileFormat,
    Fit,
    Invert,
    RunFolder,
    SkipBad,
    Source,
    grouped,
    refuse_given,
)
from thalweg.cli.report import show_mistakes, show_predictions, show_scores, warn_of_unseen
from thalweg.data.images.image_folders import pictures_in
from thalweg.data.sources import writable
from thalweg.data.tables import Table, write_table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs import image_run, table_run
from thalweg.runs.folder import is_image_run
from thalweg.runs.judging import Judgement
from thalweg.runs.run import Run
from thalweg.support.files import explained
from thalweg.support.untrusted import CHUNK

STANDARD_OUTPUT = Path("-")


@grouped
def evaluate(
    context: typer.Context,
    run: RunFolder,
    source: Source,
    *,
    file_format: FileFormat,
    invert: Invert = False,
    fit: Fit = None,
    skip_bad: SkipBad = False,
) -> None:
    """Scores a run on rows whose target is known, or on images (the source's test images, if it has any)."""
    if is_image_run(run):
        refuse_given(context, OF_FILES, "tables", f"{run} was trained on images")
        evaluate_images(run, source, invert, fit, skip_bad)
    else:
        refuse_given(context, OF_PICTURES, "images", f"{run} was trained on a table")
        evaluate_table(run, source, file_format, skip_bad)


def evaluate_table(run: Path, source: str, file_format: FileFormat, skip_bad: bool) -> None:
    """The scores of a run on the rows of a table whose target is known."""
    loaded = table_run.load(run)
    table = table_run.with_target(file_format.read(source, loaded.features.kept), loaded.target)
    if skip_bad:
        table, skipped = table_run.usable(loaded, table, with_targets=True)
        say_skipped(skipped)
    warn_of_unseen(loaded, table)
    show_judgement(loaded, table.rows, loaded.judge(table))


def show_judgement(run: Run, rows: int, judgement: Judgement) -> None:
    """Prints scores beside those of the training, and where predictions are wrong."""
    found, before = judgement.facts(), {"held out in training": run.facts["held-out"]}
    show_scores("score", rows, found["held-out"], found["intervals"], before)
    show_mistakes(found["mistakes"])


def evaluate_images(run: Path, source: str, invert: bool, fit: str | None, skip_bad: bool) -> None:
    """The scores of a run on images."""
    loaded = image_run.load(run)
    loaded.read_as(invert, fit)
    images, skipped = image_run.images_for(loaded, source, skip_bad)
    say_skipped(skipped)
    show_judgement(loaded, len(images.y), image_run.score(loaded, images))


@grouped
def predict(
    context: typer.Context,
    run: RunFolder,
    source: Annotated[list[str], typer.Argument(help="a table as for train; for images, pictures or a folder of them")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="the file to write: .csv, .tsv, .parquet, .json or .jsonl, or - for CSV on standard output; tables "
            "need it"
        ),
    ] = None,
    id: Annotated[
        list[str] | None,
        typer.Option(
            help="tables: a column to write beside the predictions, as it stands (repeat for more); by default the "
            "training's"
        ),
    ] = None,
    fill: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="tables: the cells of a column that isn't there (repeat for more)"),
    ] = None,
    file_format: FileFormat,
    invert: Invert = False,
    fit: Fit = None,
    skip_bad: SkipBad = False,
) -> None:
    """Writes a prediction for every row, or for every picture, and the probability of each class.

    With --skip-bad, a table's predictions have a first column "row", the row's number.
    """
    if not is_image_run(run):
        refuse_given(context, OF_PICTURES, "images", f"{run} was trained on a table")
        predict_table(run, source, out, id or [], fill or [], skip_bad, file_format)
    elif id:
        raise ArgumentError(f"--id is for tables, and {run} was trained on images: predictions name the file")
    else:
        refuse_given(context, (*OF_FILES, "fill"), "tables", f"{run} was trained on images")
        loaded = image_run.load(run)
        loaded.read_as(invert, fit)
        predict_pictures(loaded, source, out, skip_bad)


def predict_table(
    run: Path,
    source: list[str],
    out: Path | None,
    ids: list[str],
    fill: list[str],
    skip_bad: bool,
    file_format: FileFormat,
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
    told = stream_beside(out)
    names = ids or [name for name in [loaded.id] if name is not None]
    table = file_format.read(source[0], loaded.features.kept, verbatim=names, least_rows=0)
    for name in ids:
        table.column(name)
    if not ids and loaded.id is not None and loaded.id not in table:
        print(f"note: {table.source} has no column {loaded.id!r}; the predictions name no rows", file=sys.stderr)
        names = []
    table = filled(loaded, table, fill)
    if skip_bad:
        table, skipped = table_run.usable(loaded, table)
        say_skipped(skipped, told)
    warn_of_unseen(loaded, table)
    write_out(out, table_run.predictions(loaded, table, numbered=skip_bad, ids=names))
    say(f"{table.rows:,} predictions of {loaded.target.name}: {shown(out)}", stream=told)


def filled(run: table_run.TableRun, table: Table, fill: list[str]) -> Table:
    """The table with the columns that --fill gives; says how many cells those are.

    Raises:
        DataError: a column is still missing.
    """
    known = run.features.used
    given: dict[str, str] = {}
    for text in fill:
        name = max((name for name in known if text.startswith(f"{name}=")), key=len, default=text.partition("=")[0])
        if "=" not in text or name in given:
            what = "is given twice" if name in given else "has no ="
            raise ArgumentError(f"--fill {text} {what}: give --fill COLUMN=VALUE once for each column")
        given[name] = text[len(name) + 1 :]
    whole = table_run.with_columns(run, table, given)
    for name, value in given.items():
        print(f"note: {table.source} has no column {name!r}; it is {value!r} in {table.rows:,} rows", file=sys.stderr)
    run.features.check_columns(whole, "; --fill {}=VALUE gives all rows a value")
    return whole


def predict_pictures(run: image_run.ImageRun, source: list[str], out: Path | None, skip_bad: bool) -> None:
    """Prints a line for every picture, or writes a table of them to a file."""
    told = sys.stdout if out is None else stream_beside(out)
    columns, skipped = image_run.predictions(run, pictures(source), skip_bad)
    say_skipped(skipped, told)
    if out is None:
        show_predictions(columns)
    else:
        write_out(out, columns)
        say(f"{len(columns['file']):,} predictions: {shown(out)}", stream=told)


def stream_beside(out: Path) -> TextIO:
    """Where to speak while a table is written to `out`, which has to be possible."""
    if out == STANDARD_OUTPUT:
        return sys.stderr
    writable(out)
    return sys.stdout


def shown(out: Path) -> str:
    """`out`, for people."""
    return "standard output" if out == STANDARD_OUTPUT else str(out)


def write_out(out: Path, columns: Mapping[str, Any]) -> None:
    """Writes columns as a file, or as CSV in UTF-8 on standard output, as far as that is read."""
    if out != STANDARD_OUTPUT:
        write_table(out, columns)
        return
    with tempfile.TemporaryDirectory(prefix="thalweg-") as folder:
        path = Path(folder, "predictions.csv")
        write_table(path, columns)
        with explained(Path(shown(out)), DataError), path.open("rb") as file:
            try:
                while chunk := file.read(CHUNK):
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except BrokenPipeError:  # as by `| head`; what is left can't be flushed when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def pictures(sources: list[str]) -> list[Path]:
    """The files given, and those in the folders given."""
    found: list[Path] = []
    for path in map(Path, sources):
        inside = list(pictures_in(path)) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path} has no pictures")
        found += inside
    return found
