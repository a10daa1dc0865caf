"""`thalweg trace`: one training step of a run's network on chosen rows, with every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from thalweg import words
from thalweg.cli.console import Grid, folded, say
from thalweg.cli.options import OF_FILES, OF_PICTURES, FileFormat, Fit, Invert, RunFolder, grouped, refuse_given
from thalweg.data.images.image_sources import is_image_source
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.runs import image_run, table_run
from thalweg.runs.folder import is_image_run, refuse_existing
from thalweg.runs.run import Array
from thalweg.support.checks import number
from thalweg.support.files import to_json, writing
from thalweg.support.naming import choose
from thalweg.tabular.trees import called

if TYPE_CHECKING:
    from thalweg.models.model import Model
    from thalweg.tracing.step_trace import Trace

Chosen = tuple["Model", Array, Array, dict[str, str]]  # a network, x, y, and what they are


@grouped
def trace(
    context: typer.Context,
    run: RunFolder,
    source: Annotated[str, typer.Argument(help="a table or images as for train, or for images a picture")],
    *,
    row: Annotated[int | None, typer.Option(help="the row, the first being 1; by default the first")] = None,
    rows: Annotated[str | None, typer.Option(help="several rows in one step, such as 3,5")] = None,
    gradient_check: Annotated[
        bool, typer.Option("--gradient-check", help="central differences in float64 beside the gradients")
    ] = False,
    learning_rate: Annotated[
        float | None, typer.Option(help="of the step; by default what the run's optimizer is at")
    ] = None,
    label: Annotated[str | None, typer.Option(help="images: a picture's class, if it isn't its folder's name")] = None,
    invert: Invert = False,
    fit: Fit = None,
    json: Annotated[Path | None, typer.Option(help="also writes it as JSON (docs/trace.schema.json)")] = None,
    html: Annotated[Path | None, typer.Option(help="also writes it as a page for a browser")] = None,
    file_format: FileFormat,
) -> None:
    """Shows one training step on a row, as a tutorial writes it: every instruction with its numbers, weights and loss.

    Nothing is changed. Of a table's ensemble it is the first network.
    """
    for path in (json, html):
        if path is not None:
            refuse_existing(path)
    if row is not None and rows is not None:
        raise ArgumentError("--row is one row, --rows are several: give one of the two")
    numbers = [1 if row is None else row] if rows is None else row_numbers(rows)
    if is_image_run(run):
        refuse_given(context, OF_FILES, "tables", f"{run} was trained on images")
        loaded = image_run.load(run)
        loaded.read_as(invert, fit)
        network, x, y, given = pictures_of(loaded, source, numbers, row is None and rows is None, label)
    else:
        refuse_given(context, ("label",), "images", f"{run} was trained on a table, whose target is a column")
        refuse_given(context, OF_PICTURES, "images", f"{run} was trained on a table")
        network, x, y, given = rows_of(run, source, file_format, numbers)
    if learning_rate is not None:
        network.optimizer.set_learning_rate(number("--learning-rate", learning_rate, 0))
    say(folded(which_step(network)), "")
    made = replace(network.trace(x, y, gradient_check=gradient_check), given=given)
    say(str(made))
    if json is not None:
        with writing(json) as new:
            new.write_text(to_json(made.to_json()), encoding="utf-8")
        say("", f"json: {json}")
    if html is not None:
        write_html(html, made, run, source)
        say("", f"page: {html}")


def row_numbers(text: str) -> list[int]:
    """ "3,5" → [3, 5]"""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"--rows takes row numbers such as 3,5, got {text!r}") from None
    if len(set(numbers)) < len(numbers):
        raise ArgumentError(f"--rows names a row twice: {text}")
    return numbers


def places(numbers: Sequence[int], count: int, source: str) -> list[int]:
    """Row numbers, the first being 1, as places in the arrays."""
    for row in numbers:
        if not 1 <= row <= count:
            raise ArgumentError(f"there is no row {row}: {source} has the rows 1 to {count:,}")
    return [row - 1 for row in numbers]


# --- tables ----------------------------------------------------------------------------------------------------------


def rows_of(folder: Path, source: str, file_format: FileFormat, numbers: Sequence[int]) -> Chosen:
    """The first network and rows of a table; prints their cells and what the columns make of them."""
    run = table_run.load(folder)
    table = file_format.read(source, run.features.kept)
    chosen = table.take(places(numbers, table.rows, table.source))
    unknown = np.flatnonzero(run.target.missing_in(chosen))
    if unknown.size:
        first = chosen.row_number(int(unknown[0]))
        raise DataError(f"row {first} of {table.source} has no value of {run.target.name!r}, and without it no error")
    x, y = run.features.matrix(chosen), run.features.targets(chosen)
    given = cells(run, chosen)
    show_cells(run, chosen, x, given)
    count = len(run.facts.get("members", [1]))
    beside = f", with {called([kind.name for kind in run.trees])} beside them" if run.trees else ""
    if count > 1:
        say(folded(f"the first of {count} networks, whose mean is the answer{beside}"))
    return run.first_network(), x, y, given


def cells(run: table_run.TableRun, rows: Table) -> dict[str, str]:
    """The cells that are used, and the target's, by column; those of several rows one after the other."""
    used = [column.name for column in run.features.columns if column.features]
    texts = {name: rows.column(name).as_text() for name in [*used, run.target.name]}
    return {name: "; ".join("missing" if cell is None else str(cell) for cell in text) for name, text in texts.items()}


def show_cells(run: table_run.TableRun, rows: Table, x: Array, given: dict[str, str]) -> None:
    """Prints what a row holds and what it becomes."""
    lines, place = [], 0
    for column in run.features.columns:
        if column.features:
            size = len(column.features)
            lines.append([column.name, given[column.name], became(column.features, x[:, place : place + size])])
            place += size
    lines.append([run.target.name, given[run.target.name], "the target"])
    numbers = ", ".join(str(rows.row_number(k)) for k in range(rows.rows))
    title = f"row {numbers} of {rows.source}" if rows.rows == 1 else f"rows {numbers} of {rows.source}"
    say(Grid(title, ["column", "cell" if rows.rows == 1 else "cells", "becomes"], lines), "")


def became(features: Sequence[str], x: Array) -> str:
    """The columns of x that a table's column became, (rows, columns): of one-hot columns those that aren't 0."""
    parts = []
    for name, values in zip(features, x.T, strict=True):
        if len(features) <= 2 or values.any():
            parts.append(f"{name} {'; '.join(f'{v + 0.0:.4g}' for v in values.tolist())}")
    return ", ".join(parts) or "0 everywhere"


def which_step(network: Model) -> str:
    """Which step it is."""
    optimizer = network.optimizer
    rate = optimizer.learning_rate
    course = "" if optimizer.iterations else ": a run doesn't keep where the optimizer was when it ended"
    still = "; with this rate the weights stay as they are, give --learning-rate to see them move" if not rate else ""
    return (
        f"step {optimizer.iterations + 1:,} of {type(optimizer).__name__} at the learning rate {rate:g}{course}{still}"
    )


# --- images ----------------------------------------------------------------------------------------------------------


def pictures_of(run: image_run.ImageRun, source: str, numbers: Sequence[int], first: bool, label: str | None) -> Chosen:
    """The network, and rows of an image source (of its test images, if it has any) or one picture."""
    if is_image_source(source):
        if label is not None:
            raise ArgumentError(f"--label is for one picture; {source} knows the classes of its images")
        images, _ = image_run.images_for(run, source)
        chosen = places(numbers, len(images.y), source)
        x, y = images.x[chosen], images.y[chosen]
        which: str = words.Said(
            "image {numbers} of {source}" if len(numbers) == 1 else "images {numbers} of {source}",
            numbers=list(map(str, numbers)),
            source=source,
        )
    else:
        picture = Path(source)
        if not picture.is_file():
            raise NotFoundError(f"there is no picture or image source {source}")
        if not first:
            raise ArgumentError(f"{source} is one picture: leave out --row and --rows")
        name = picture.absolute().parent.name if label is None else label
        if label is None and name not in run.classes:
            raise ArgumentError(f"the class of {source} isn't known: give --label, one of {', '.join(run.classes)}")
        x, y = run.pixels(picture)[None], np.array([run.classes.index(choose("class", name, run.classes))])
        which = source
    given: dict[str, str] = {words.Said("picture"): which, words.Said("class"): "; ".join(run.classes[k] for k in y)}
    say(folded(f"{which}: {given['class']}"))
    return run.model, x, y, given


# --- the page --------------------------------------------------------------------------------------------------------


def write_html(path: Path, made: Trace, run: Path, source: str) -> None:
    """Writes the page of a trace."""
    from thalweg.views.web.page import write_page

    figures = [made.figure()]
    if made["x"].ndim == 4:  # what the network sees, before the numbers that it makes of it
        pixels = np.asarray(made["x"], np.float64)
        top = 255 if pixels.max(initial=0) > 1 else 1
        shown = np.clip(pixels * (255 / top), 0, 255).astype(np.uint8)
        title = words.text("What the network sees")
        captions = [made.given["class"]] if len(shown) == 1 else made.given["class"].split("; ")
        figures.insert(0, {"kind": "images", "title": title, "images": shown, "captions": captions, "scale": 6})
    title = words.text("One step of {name}", name=run.name)
    section = {"id": "step", "title": source, "figures": figures}
    write_page(path, {"title": title, "language": None, "sections": [section]})
