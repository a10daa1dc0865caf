"""`thalweg train`: a network from a table or from images, kept in a run folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli import options as given
from thalweg.cli import report, report_page
from thalweg.cli.bars import Networks
from thalweg.cli.console import say
from thalweg.cli.options import (
    Columns,
    Ensemble,
    FileFormat,
    Large,
    Network,
    Optimization,
    Pictures,
    Rows,
    Series,
    Source,
    Training,
    chosen,
    refuse_given,
)
from thalweg.cli.ranks import among_ranks
from thalweg.cli.report import end_after, show_forecast
from thalweg.data.images.image_folders import is_picture
from thalweg.data.images.image_sources import is_image_source, is_one_picture, one_picture, read_images
from thalweg.engine.ranks.other_ranks import employed, serve
from thalweg.engine.ranks.world import Ranks
from thalweg.errors import ArgumentError, NotFoundError
from thalweg.runs import image_run, table_training
from thalweg.runs.folder import free_folder, refuse_unwritable
from thalweg.runs.image_options import ImageOptions
from thalweg.runs.keeping import keep
from thalweg.runs.large.large_training import Place, train_large
from thalweg.runs.large.memory import bytes_of
from thalweg.runs.run import Run
from thalweg.runs.table_run import TableOptions
from thalweg.support.interrupts import Kept
from thalweg.support.progress import stage, told
from thalweg.support.seeds import draw_seed
from thalweg.support.stopwatch import command
from thalweg.support.terminal import interactive
from thalweg.tabular.clock import Clock


@given.grouped
def train(
    context: typer.Context,
    source: Source,
    *,
    target: Annotated[str | None, typer.Option(help="tables: the column to predict")] = None,
    file_format: FileFormat,
    columns: Columns,
    rows: Rows,
    series: Series,
    ensemble: Ensemble,
    large: Large,
    network: Network,
    optimization: Optimization,
    pictures: Pictures,
    training: Training,
    out: Annotated[Path | None, typer.Option(help="the run folder; by default runs/NAME, numbered")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="no page on the run in its folder")] = False,
    fast_sums: Annotated[
        bool, typer.Option("--fast-sums", help="images, under mpiexec: sums in MPI's order, for which less is sent")
    ] = False,
) -> None:
    """Trains networks on a table, or a network on images, and keeps them in a run folder."""
    if series.horizon is not None:
        refuse_given(context, given.NOT_FOR_SERIES, "tables and images", "with --horizon a series is continued")
        target = check_target(source, target)
        train_series(file_format, rows, series, ensemble, training, source, target, out, not no_report)
        return
    refuse_given(context, ("known", "season", "interval"), "series", "give --horizon STEPS to continue one")
    if training.seed is None:
        training = replace(training, seed=draw_seed())
    place = out or free_folder(given.name_of(source))
    fit: Callable[[Kept], Run]
    clock = Clock(None)
    on_disk = large.memory is not None or large.cache is not None
    pictured = not on_disk and is_image_source(source)

    def save(place: Path) -> None:
        with stage(f"writing {place}"):
            run.save(place, ["thalweg", *sys.argv[1:]])

    with Kept() as kept:
        with among_ranks(fast_sums) as ranks:
            first = ranks is None or ranks.first
            if first:
                refuse_unwritable(place)
            if pictured:
                refuse_given(context, given.FOR_TABLES, "tables", f"{source} holds images (see --model)")
                size = given.two_numbers(pictures.size)
                image_options = chosen(ImageOptions, optimization, pictures, training, size=size)
                fit = partial(train_images, source, image_options, ranks)
            else:
                target = check_target(source, target)
                refuse_given(context, given.FOR_IMAGES, "images", f"{source} is a table (see --layers)")
                layers = None if network.layers is None else given.whole_numbers(network.layers)
                read = {"target": target, "layers": layers, "trees": not ensemble.no_trees, **columns.lists()}
                options = chosen(TableOptions, columns, rows, ensemble, network, optimization, training, **read)
                options.check()
                page = 0.0 if no_report else report_page.page_seconds(options.time_limit)
                clock = Clock(options.time_limit, command.seconds, page)
                if ranks is not None and not first:
                    serve(ranks)
                    return
                if on_disk:
                    fit = partial(train_on_disk, source, file_format, large, options, clock, ranks)
                else:
                    fit = partial(train_networks, source, file_format, options, ranks, clock)
            with report_page.on_failure(source, place, first and not no_report):
                run = fit(kept)
        if not first:
            return
        folder, problem = keep(save, out or free_folder(given.name_of(source)))
        new = "PICTURE.png" if pictured else "NEW_ROWS --out predictions.csv"
        report.show_trained(run, folder, new, clock.remaining)
    if not no_report:
        report_page.report_trained(run, folder, clock.remaining)
    report.end_after(problem)


def train_series(
    how: FileFormat, rows: Rows, series: Series, ensemble: Ensemble, training: Training, source: str, target: str,
    out: Path | None, report: bool,
) -> None:  # fmt: skip
    """Trains on series, and keeps the run."""
    from thalweg.runs.forecasts import series_training

    place = out or free_folder(given.name_of(source))
    refuse_unwritable(place)
    read = {"target": target, "known": tuple(series.known or ())}
    options = chosen(series_training.SeriesOptions, rows, series, ensemble, training, **read)
    columns = [name for name in (options.time, options.group) if name is not None]
    clock = Clock(options.limit, command.seconds, report_page.page_seconds(options.limit) * report)
    with clock.refusing("reading the table"), stage(f"reading {source}"):
        table = how.read(source, columns)
    run = series_training.train(table, options, say, clock)
    folder, problem = keep(
        lambda folder: run.save(folder, ["thalweg", *sys.argv[1:]]), out or free_folder(given.name_of(source))
    )
    show_forecast(run, folder)
    if report:
        report_page.report_trained(run, folder, clock.remaining)
    end_after(problem)


def train_images(source: str, options: ImageOptions, ranks: Ranks | None, kept: Kept) -> Run:
    """Trains on images, on all ranks; where fit draws nothing, a line says that it's at work."""
    if ranks is not None:
        options = replace(options, seed=ranks.told(options.seed))
    with stage(f"reading {source}"):
        images = read_images(source, options.size, options.channels, options.skip_bad, options.fit)
    with nullcontext() if interactive() else stage("training"):
        return image_run.train(images, options, report.announce_images, kept)


def train_networks(
    source: str, file_format: FileFormat, options: TableOptions, ranks: Ranks | None, clock: Clock, kept: Kept
) -> Run:
    """Trains on a table, and shows how far it is; other ranks train some of the networks."""
    with nullcontext() if ranks is None else employed(ranks):
        with clock.refusing("reading the table"), stage(f"reading {source}"):
            table = file_format.read(source, options.categories)
        with Networks() as watch, told(watch.stage):
            return table_training.train(table, options, report.announce_table, watch.begin, clock, kept)


def train_on_disk(
    source: str, how: FileFormat, large: Large, options: TableOptions, clock: Clock, ranks: Ranks | None, kept: Kept
) -> Run:
    """Trains on a table that may be larger than memory, and shows how far it is; other ranks train some networks."""
    with nullcontext() if ranks is None else employed(ranks):
        place = Place(bytes_of("4GB" if large.memory is None else large.memory), large.cache)
        rows = how.large(source, together=False)
        with Networks() as watch, told(watch.stage):
            return train_large(rows, options, place, report.announce_table, watch.begin, clock, kept)


def check_target(source: str, target: str | None) -> str:
    """The column to predict, or an error if none is given, or if the source is a picture or doesn't exist."""
    if is_one_picture(source):
        raise ArgumentError(f"{one_picture(source)}, such as photos/ with photos/cat/ and photos/dog/")
    if target is not None:
        return target
    named = is_picture(Path(source)) or (not Path(source).suffix and len(source.split()) == 1)
    if named and not Path(source).exists():
        raise NotFoundError(f"there is no file or folder {source}")
    raise ArgumentError("give the column to predict: --target NAME")
