"""`thalweg compare`: the same network with every entry of one knob, on a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Context, Option

from thalweg.cli.console import Grid, say, say_skipped
from thalweg.cli.options import (
    Columns,
    ComparedTraining,
    FileFormat,
    Source,
    Storage,
    Study,
    Worker,
    check_worker,
    chosen,
    grouped,
    name_of,
    whole_numbers,
)
from thalweg.cli.report import compile_seconds, end_after
from thalweg.cli.train import check_target
from thalweg.data.images.image_sources import is_image_source, is_one_picture
from thalweg.errors import ArgumentError
from thalweg.experiments.results import Comparison
from thalweg.experiments.trial_storage import without_password
from thalweg.runs import table_comparison
from thalweg.runs.folder import free_folder, refuse_unwritable
from thalweg.runs.keeping import keep
from thalweg.runs.table_run import TableOptions, usable_rows
from thalweg.support.naming import choose
from thalweg.support.progress import Trainings


@grouped
def compare(
    context: Context,
    knob: Annotated[str, Argument(help="activation, loss, learning_rate, initializer or optimizer")],
    source: Source,
    *,
    target: Annotated[str | None, Option(help="the column to predict")] = None,
    entries: Annotated[str | None, Option(help="what to try, such as relu,tanh; by default all that fit")] = None,
    seeds: Annotated[int, Option(help="trainings of each entry")] = 3,
    file_format: FileFormat,
    columns: Columns,
    training: ComparedTraining,
    storage: Storage = None,
    study: Study = None,
    worker: Worker = False,
    out: Annotated[Path | None, Option(help="the folder; by default comparisons/NAME-KNOB, numbered")] = None,
) -> None:
    """Trains the same network with every entry of one knob, several seeds each, and compares.

    With --storage, the same command elsewhere shares the trainings, and one that was ended goes on.
    """
    if is_image_source(source) or is_one_picture(source):
        raise ArgumentError(
            f"{source} holds images: compare is for tables; train a run with each setting, such as --model resnet, "
            "and thalweg report RUN RUN puts them side by side"
        )
    choose("knob", knob, Comparison.KNOBS)
    target = check_target(source, target)
    layers = whole_numbers(training.layers)
    fixed: dict[str, Any] = {"validation_share": 0.0, "early_stopping": 0, "seed": 0}
    options = chosen(TableOptions, columns, training, target=target, layers=layers, **columns.lists(), **fixed)
    name = f"{name_of(source)}-{knob}"
    if worker:
        check_worker(context, storage, ("out",))
    else:
        refuse_unwritable(out or free_folder(name, "comparisons"))
    tried = None if entries is None else split_entries(knob, entries)
    table, skipped = usable_rows(file_format.read(source, options.categories), options)
    say_skipped(skipped)
    with Trainings(f"comparing {knob}") as progress:
        found = table_comparison.compare(knob, table, options, tried, seeds, progress, storage, study)
    if worker:
        say(f"the {len(found.entries) * seeds} trainings in {without_password(str(storage))} are done")
        return
    show_comparison(found, target, seeds)
    save = table_comparison.save_comparison
    folder, problem = keep(lambda place: save(found, place), out or free_folder(name, "comparisons"))
    paths = [path for file in table_comparison.FILES if (path := folder / file).exists()]
    say("", *(f"written: {path}" for path in paths))
    if len(paths) == 1:
        say("no picture: matplotlib is not installed; pip install 'thalweg[plot]'")
    end_after(problem)


def split_entries(knob: str, text: str) -> list[Any]:
    """ "relu,tanh" → ["relu", "tanh"]; learning rates as numbers."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if knob != "learning_rate":
        return list(parts)
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise ArgumentError(f"--entries takes numbers such as 0.001,0.01 for learning_rate, got {text!r}") from None


def show_comparison(found: Comparison, target: str, seeds: int) -> None:
    """The table, best entry first, and what was left out."""
    say(f"{found.task} target {target}: {found.rows[0]:,} rows to learn from, {found.rows[1]:,} held out", "")
    say(Grid(f"{found.knob}, {seeds} seed{'s' * (seeds > 1)} each", found.header(), found.lines()), "")
    say(*found.summary(), f"chance: {found.chance:.4f}")
    if compiled := compile_seconds():
        say(f"the seconds are those of training; compiling kernels took {compiled} more")
    for name, why in found.left_out.items():
        say(f"left out: {name}: {why}")
