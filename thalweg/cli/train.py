"""`thalweg train`: a network from a table or from images, kept in a run folder."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli import options as given
from thalweg.cli import report, report_page
from thalweg.cli.bars import Networks
from thalweg.cli.options import (
    Columns,
    Ensemble,
    FileFormat,
    Network,
    Optimization,
    Pictures,
    Rows,
    Source,
    Training,
    chosen,
    refuse_given,
)
from thalweg.data.images import is_image_source, read_images
from thalweg.errors import ArgumentError, NotFoundError
from thalweg.runs import image_run, table_training
from thalweg.runs.folder import free_folder, refuse_unwritable
from thalweg.runs.keeping import keep
from thalweg.runs.run import Run
from thalweg.runs.table_run import TableOptions
from thalweg.support.seeds import draw_seed


@given.grouped
def train(
    context: typer.Context,
    source: Source,
    *,
    target: Annotated[str | None, typer.Option(help="tables: the column to predict")] = None,
    file_format: FileFormat,
    columns: Columns,
    rows: Rows,
    ensemble: Ensemble,
    network: Network,
    optimization: Optimization,
    pictures: Pictures,
    training: Training,
    out: Annotated[Path | None, typer.Option(help="the run folder; by default runs/NAME, numbered")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="no page on the run in its folder")] = False,
) -> None:
    """Trains networks on a table, or a network on images, and keeps them in a run folder."""
    if training.seed is None:
        training = replace(training, seed=draw_seed())
    place = out or free_folder(given.name_of(source))
    refuse_unwritable(place)
    run: Run
    if is_image_source(source):
        refuse_given(context, given.FOR_TABLES, "tables", f"{source} holds images (see --model)")
        size = given.two_numbers(pictures.size)
        image_options = chosen(image_run.ImageOptions, optimization, pictures, training, size=size)
        images = read_images(source, image_options.size, image_options.channels, image_options.skip_bad)
        with report_page.on_failure(source, place, not no_report):
            run, next_input = image_run.train(images, image_options, report.announce_images), "PICTURE.png"
    else:
        refuse_given(context, given.FOR_IMAGES, "images", f"{source} is a table (see --layers)")
        check_target(source, target)
        layers = None if network.layers is None else given.whole_numbers(network.layers)
        read = {"target": target, "layers": layers, "trees": not ensemble.no_trees, **columns.lists()}
        options = chosen(TableOptions, columns, rows, ensemble, network, optimization, training, **read)
        with report_page.on_failure(source, place, not no_report), Networks() as watch:
            run = table_training.train(
                file_format.read(source, options.categories), options, report.announce_table, watch.begin
            )
        next_input = "NEW_ROWS --out predictions.csv"
    command = ["thalweg", *sys.argv[1:]]
    folder, problem = keep(lambda place: run.save(place, command), out or free_folder(given.name_of(source)))
    report.show_trained(run, folder, next_input)
    if not no_report:
        report_page.report_trained(run, folder)
    report.end_after(problem)


def check_target(source: str, target: str | None) -> None:
    """Raises unless a column to predict is given, or if the source doesn't exist."""
    if target is not None:
        return
    if not Path(source).suffix and len(source.split()) == 1 and not Path(source).exists():
        raise NotFoundError(f"there is no file or folder {source}")
    raise ArgumentError("give the column to predict: --target NAME")
