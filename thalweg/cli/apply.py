"""`thalweg evaluate` and `thalweg predict`: a trained network on further rows or pictures."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
    Memory,
    RunFolder,
    SkipBad,
    Source,
    grouped,
    refuse_given,
)
from thalweg.cli.report import say_unseen, show_mistakes, show_predictions, show_scores, warn_of_unseen
from thalweg.data.cells import Array
from thalweg.data.images.image_folders import pictures_in
from thalweg.data.large_source import Shard
from thalweg.data.sources import is_query, writable
from thalweg.data.tables import Table, write_table
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.runs import image_run, table_run
from thalweg.runs.anywhere.shard_files import check_parts, part_path, parts_in
from thalweg.runs.evidence import are_of_training, load_evidence
from thalweg.runs.folder import is_image_run, is_series_run
from thalweg.runs.forecasts import series_run
from thalweg.runs.judging import Judgement
from thalweg.runs.large.applied import applied
from thalweg.runs.large.memory import bytes_of
from thalweg.runs.run import Run
from thalweg.support.files import explained
from thalweg.support.untrusted import CHUNK

STANDARD_OUTPUT = Path("-")
FOR_A_SHARD = "1GB"
"""The most memory that the prediction of a shard takes, unless it is given."""


@grouped
def evaluate(
    context: typer.Context,
    run: RunFolder,
    source: Source,
    *,
    memory: Memory = None,
    file_format: FileFormat,
    invert: Invert = False,
    fit: Fit = None,
    skip_bad: SkipBad = False,
) -> None:
    """Scores a run on rows whose target is known, or on images (the source's test images, if it has any).

    A run on series is scored on values after those of the training, from one horizon to the next.
    """
    if is_series_run(run):
        refuse_given(context, (*OF_PICTURES, "skip_bad", "memory"), "tables and images", f"{run} was trained on series")
        evaluate_series(run, source, file_format)
    elif is_image_run(run):
        refuse_given(context, (*OF_FILES, "memory"), "tables", f"{run} was trained on images")
        evaluate_images(run, source, invert, fit, skip_bad)
    else:
        refuse_given(context, OF_PICTURES, "images", f"{run} was trained on a table")
        loaded = table_run.load(run)
        if memory is None:
            evaluate_table(run, loaded, source, file_format, skip_bad)
        else:
            evaluate_on_disk(run, loaded, source, file_format, skip_bad, memory)


def evaluate_series(run: Path, source: str, file_format: FileFormat) -> None:
    """The scores of a run on newer values of its series."""
    loaded = series_run.load(run)
    table = file_format.read(source, loaded.text_columns)
    origins, scores = loaded.evaluate(table)
    before = {"held out in training": loaded.facts["held-out"]}
    show_scores(f"{origins} origin{'s' * (origins > 1)}", table.rows, scores, None, before, "forecast")


def evaluate_table(folder: Path, run: table_run.TableRun, source: str, file_format: FileFormat, skip_bad: bool) -> None:
    """The scores of a run on the rows of a table whose target is known."""
    table = table_run.with_target(file_format.read(source, run.features.kept), run.target)
    if skip_bad:
        table, skipped = table_run.usable(run, table, with_targets=True)
        say_skipped(skipped)
    warn_of_unseen(run, table)
    numbers = [table.row_number(row) for row in range(table.rows)]
    say_learned(folder, run, numbers, lambda rows: run.predicted(table.take(rows)))
    show_judgement(run, table.rows, run.judge(table))


def say_learned(
    folder: Path, run: table_run.TableRun, numbers: list[int], predicted: Callable[[list[int]], Array]
) -> None:
    """Prints that rows are those of the training, if they are (see `are_of_training`): most were learned from."""
    learned = sum(int(run.facts["rows"].get(part) or 0) for part in ("train", "validation"))
    known = load_evidence(folder, (len(run.features.feature_names),), len(run.target.classes))
    if known is not None and are_of_training(known.held, numbers, predicted):
        learned = min(learned, len(numbers) - known.held.of)
        print(
            f"note: these are the rows of the training, and {learned:,} of {len(numbers):,} were learned from: only "
            "what was held out in training says how rows to come are predicted",
            file=sys.stderr,
        )


def evaluate_on_disk(
    folder: Path, run: table_run.TableRun, source: str, file_format: FileFormat, skip_bad: bool, memory: str
) -> None:
    """The same, of a table that may be larger than memory."""
    how = Predicting(run, [], [], skip_bad, file_format)
    with applied(run, file_format.large(source), bytes_of(memory), least_rows=1) as found:
        numbers, predicted, judgement = found.judge(partial(how.usable, least_rows=0, with_targets=True))
    say_skipped(how.skipped)
    say_unseen(how.unseen)
    say_learned(folder, run, numbers, predicted.__getitem__)
    show_judgement(run, len(numbers), judgement)


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
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="a table as for train; for images, pictures or a folder of them; series: nothing, or newer rows"
        ),
    ] = None,
    *,
    horizon: Annotated[int | None, typer.Option(help="series: so many steps; by default as in training")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="the file to write: .csv, .tsv, .parquet, .json or .jsonl, or - for CSV on standard output; tables "
            "need it; with --shard a folder"
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
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="tables: one of n parts of the rows, such as 3/16, in a file of its own"),
    ] = None,
    memory: Memory = None,
    file_format: FileFormat,
    invert: Invert = False,
    fit: Fit = None,
    skip_bad: SkipBad = False,
) -> None:
    """Writes a prediction for every row, or for every picture, and the probability of each class.

    With --skip-bad, a table's predictions have a first column "row", the row's number. A run on series continues them,
    from their end or that of newer rows.
    """
    if is_series_run(run):
        refuse_given(
            context, (*OF_PICTURES, "id", "fill", "shard", "skip_bad", "memory"), "tables and images",
            f"{run} was trained on series",
        )  # fmt: skip
        predict_series(run, source or [], file_format, horizon, out or STANDARD_OUTPUT)
        return
    refuse_given(context, ("horizon",), "series", f"{run} was trained on others")
    if not source:
        if not run.exists():
            raise NotFoundError(f"there is no run folder {run}")
        raise ArgumentError(f"give what {run} is to predict: a table, or pictures")
    if not is_image_run(run):
        refuse_given(context, OF_PICTURES, "images", f"{run} was trained on a table")
        how = Predicting(table_run.load(run), id or [], fill or [], skip_bad, file_format)
        if shard is not None:
            predict_shard(how, one_source(run, source), out, memory or FOR_A_SHARD, Shard.of(shard))
        elif memory is not None:
            predict_on_disk(how, one_source(run, source), out, memory)
        else:
            predict_table(how, one_source(run, source), out)
    elif id:
        raise ArgumentError(f"--id is for tables, and {run} was trained on images: predictions name the file")
    else:
        refuse_given(context, (*OF_FILES, "fill", "shard", "memory"), "tables", f"{run} was trained on images")
        loaded = image_run.load(run)
        loaded.read_as(invert, fit)
        predict_pictures(loaded, source, out, skip_bad)


@dataclass
class Predicting:
    """A run, and how it predicts the rows of a table: with which columns beside, and which cells filled in.

    Attributes:
        unseen: categories, by column, that the network has never met. skipped: what was wrong with rows left out.
    """

    run: table_run.TableRun
    ids: list[str]
    fill: list[str]
    skip_bad: bool
    file_format: FileFormat
    unseen: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    @property
    def verbatim(self) -> list[str]:
        """The columns to write beside the predictions, if they are there."""
        return self.ids or [name for name in [self.run.id] if name is not None]

    def names(self, table: Table) -> list[str]:
        """Those that are; says so of the training's."""
        for name in self.ids:
            table.column(name)
        if self.ids or self.run.id is None or self.run.id in table:
            return self.verbatim
        self.note(f"{table.source} has no column {self.run.id!r}; the predictions name no rows")
        return []

    def note(self, text: str) -> None:
        """Says something once."""
        if text not in self.told:
            print(f"note: {text}", file=sys.stderr)
        self.told.add(text)

    def prepared(self, table: Table, rows: int, least_rows: int = 1) -> Table:
        """The rows to predict, with the columns that --fill gives; they are some of so many `rows`."""
        return self.usable(self.filled(table, f"{rows:,} rows"), least_rows)

    def usable(self, table: Table, least_rows: int, with_targets: bool = False) -> Table:
        """The rows that can be used, or all; notes what is new in them."""
        if self.skip_bad:
            table, skipped = table_run.usable(self.run, table, with_targets, least_rows)
            self.skipped += skipped
        for column, names in self.run.features.unseen(table).items():
            self.unseen[column] = sorted({*self.unseen.get(column, ()), *names})
        return table

    def filled(self, table: Table, how_many: str) -> Table:
        """The table with the columns that --fill gives; says how many cells those are.

        Raises:
            DataError: a column is still missing.
        """
        given = self.given()
        whole = table_run.with_columns(self.run, table, given)
        for name, value in given.items():
            self.note(f"{table.source} has no column {name!r}; it is {value!r} in {how_many}")
        self.run.features.check_columns(whole, "; --fill {}=VALUE gives all rows a value")
        return whole

    def given(self) -> dict[str, str]:
        """The values of --fill, by column."""
        known = self.run.features.used
        given: dict[str, str] = {}
        for text in self.fill:
            name = max((name for name in known if text.startswith(f"{name}=")), key=len, default=text.partition("=")[0])
            if "=" not in text or name in given:
                what = "is given twice" if name in given else "has no ="
                raise ArgumentError(f"--fill {text} {what}: give --fill COLUMN=VALUE once for each column")
            given[name] = text[len(name) + 1 :]
        return given


def one_source(run: Path, source: list[str]) -> str:
    """The source of a table's run, which takes one."""
    if len(source) > 1:
        raise ArgumentError(
            f"{run} was trained on a table and takes one source, got {len(source)}: call it for each of them, or give "
            "a glob in quotes, such as 'rows-*.csv'"
        )
    return source[0]


def predict_table(how: Predicting, source: str, out: Path | None) -> None:
    """Writes the predictions for the rows of one source."""
    run = how.run
    if out is None:
        raise ArgumentError("a table's predictions are written to a file: add --out predictions.csv")
    told = stream_beside(out)
    table = how.file_format.read(source, run.features.kept, verbatim=how.verbatim, least_rows=0)
    names = how.names(table)
    table = how.prepared(table, table.rows)
    say_skipped(how.skipped, told)
    say_unseen(how.unseen)
    write_out(out, table_run.predictions(run, table, numbered=how.skip_bad, ids=names))
    say(f"{table.rows:,} predictions of {run.target.name}: {shown(out)}", stream=told)


def predict_series(run: Path, source: list[str], how: FileFormat, horizon: int | None, out: Path) -> None:
    """Writes the next values of the series of a run, or of those of newer rows."""
    told = stream_beside(out)
    loaded, panel = series_run.load(run), None
    if source:
        panel = loaded.with_newer(how.read(one_source(run, source), loaded.text_columns))
    columns = loaded.columns(panel or loaded.panel, horizon)
    write_out(out, columns)
    say(f"{len(columns['prediction']):,} predictions of {loaded.forecaster.roles_.target}: {shown(out)}", stream=told)


def predict_on_disk(how: Predicting, source: str, out: Path | None, memory: str) -> None:
    """Writes the predictions for the rows of one source, which may be larger than memory."""
    if out is None:
        raise ArgumentError("a table's predictions are written to a file: add --out predictions.csv")
    told = stream_beside(out)
    with file_for(out) as path:
        rows = predict_blocks(how, source, path, memory)
    say_skipped(how.skipped, told)
    say_unseen(how.unseen)
    say(f"{rows:,} predictions of {how.run.target.name}: {shown(out)}", stream=told)


def predict_shard(how: Predicting, source: str, out: Path | None, memory: str, shard: Shard) -> None:
    """Writes the predictions for a part of the rows, unless it is there already."""
    if out is None or out == STANDARD_OUTPUT:
        raise ArgumentError("each shard writes a file to a folder: add --out FOLDER, the same one for all shards")
    if is_query(source):
        raise ArgumentError("the rows of a query have no order that several processes agree on: give files as a source")
    check_parts(out, shard)
    path = part_path(out, shard)
    if path.exists():
        say(f"{path} is there already, and is left as it is: shard {shard} is done")
        return
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    rows = predict_blocks(how, source, path, memory, shard)
    say_skipped(how.skipped)
    say_unseen(how.unseen)
    done = len(parts_in(out))
    say(f"{rows:,} predictions of {how.run.target.name}: {path}; {done} of {shard.count} parts are there")


def predict_blocks(how: Predicting, source: str, path: Path, memory: str, shard: Shard | None = None) -> int:
    """Writes the predictions for the rows of a source, or a shard of it, block by block; returns how many there are."""
    with applied(how.run, how.file_format.large(source), bytes_of(memory), how.verbatim, shard) as found:
        names = how.names(found.stored.table(0, 0))
        prepare = partial(how.prepared, rows=found.stored.rows, least_rows=0)
        return found.predict(path, prepare, how.skip_bad, names)


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
    """Writes columns as a file, or as CSV in UTF-8 on standard output."""
    with file_for(out) as path:
        write_table(path, columns)


@contextmanager
def file_for(out: Path) -> Iterator[Path]:
    """The file to write to: what is written for standard output is sent there, as far as that is read."""
    if out != STANDARD_OUTPUT:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="thalweg-") as folder:
        path = Path(folder, "predictions.csv")
        yield path
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
