"""`thalweg tune`: a search for better settings of a network for a table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Context, Option

from thalweg.cli.console import Grid, say, say_skipped
from thalweg.cli.options import (
    Columns,
    FileFormat,
    SkipBad,
    Source,
    Storage,
    Study,
    TestShare,
    Worker,
    check_worker,
    chosen,
    grouped,
    name_of,
)
from thalweg.cli.report import compile_seconds, end_after
from thalweg.cli.train import check_target
from thalweg.data.images.image_sources import is_image_source, is_one_picture
from thalweg.errors import ArgumentError
from thalweg.experiments.trial_storage import without_password
from thalweg.experiments.tuning.journal import NEEDED
from thalweg.experiments.tuning.outcome import Tuning
from thalweg.experiments.tuning.space import KNOBS
from thalweg.experiments.tuning.tuner import train_trials
from thalweg.experiments.tuning.tuner import tune as search_settings
from thalweg.runs.folder import free_folder, refuse_unwritable
from thalweg.runs.keeping import keep
from thalweg.runs.table_run import TableOptions, usable_rows
from thalweg.runs.table_tuning import as_run, save_tuning
from thalweg.support.extras import need
from thalweg.support.naming import choose
from thalweg.support.progress import Trainings

WORDS = {"true": True, "false": False, "on": True, "off": False}


@grouped
def tune(
    context: Context,
    source: Source,
    *,
    target: Annotated[str | None, Option(help="the column to predict")] = None,
    trials: Annotated[int | None, Option(help="how many; 100, or as many as --time-limit allows")] = None,
    time_limit: Annotated[
        float | None, Option(help="seconds from the start of the command to the last fit, but for compiling kernels")
    ] = None,
    metric: Annotated[str | None, Option(help="log_loss, accuracy, auc, rmse, mae …")] = None,
    search: Annotated[
        list[str] | None,
        Option(metavar="KNOB=VALUES", help="such as activation=relu,mish or learning_rate=0.01..0.1 (repeat for more)"),
    ] = None,
    file_format: FileFormat,
    columns: Columns,
    storage: Storage = None,
    study: Study = None,
    worker: Worker = False,
    folds: Annotated[int, Option(help="of the reruns of the best")] = 5,
    seeds: Annotated[int, Option(help="of the reruns of the best")] = 2,
    test_share: TestShare = 0.2,
    validation_share: Annotated[float, Option(help="share of the other rows to judge trials by")] = 0.2,
    seed: Annotated[int, Option(help="of the divisions, the weights and the search")] = 0,
    lanes: Annotated[int | None, Option(help="trainings at a time; by default one a core")] = None,
    skip_bad: SkipBad = False,
    out: Annotated[Path | None, Option(help="the run folder; by default runs/NAME-tuned, numbered")] = None,
) -> None:
    """Searches for better settings of a network for a table, and keeps the best network in a run folder.

    The same command again goes on where it was ended; run twice at once, here or elsewhere, both train the same trials.
    """
    if is_image_source(source) or is_one_picture(source):
        raise ArgumentError(
            f"{source} holds images: tune is for tables; thalweg train has presets for images (--model)"
        )
    target = check_target(source, target)
    need(*NEEDED)  # before a table is read for minutes
    name = f"{name_of(source)}-tuned"
    folder = out or free_folder(name)
    if worker:
        check_worker(context, storage, ("out", "folds", "seeds"))
    else:
        refuse_unwritable(folder)
    kept = storage or str(folder.with_name(f"{folder.name}.trials"))
    shown = without_password(kept)
    options = chosen(TableOptions, columns, target=target, skip_bad=skip_bad, **columns.lists())
    table, skipped = usable_rows(file_format.read(source, options.categories), options)
    say_skipped(skipped)
    say(f"the trials are kept in {shown}; the same command goes on where it was ended", "")
    given: dict[str, Any] = {"metric": metric, "trials": trials, "time_limit": time_limit, "storage": kept}
    given |= {"study": study, "test_share": test_share, "validation_share": validation_share}
    given |= {"seed": seed, "lanes": lanes, "task": options.task, "target": target}
    given |= {"ignore": options.ignore, "categories": options.categories, "numbers": options.numbers}
    searched = spaces(search or [])
    with Trainings("searching") as progress:
        if worker:
            count = train_trials(table, space=searched, progress=progress, **given)
            say(f"{count} trial{'s' * (count != 1)} trained here, for the search in {shown}")
            return
        given |= {"folds": folds, "seeds": seeds}
        found = search_settings(table, space=searched, progress=progress, **given)
    show_tuning(found)
    run = as_run(found, given | {"search": search or [], "storage": shown}, table, len(skipped))
    command = ["thalweg", *map(without_password, sys.argv[1:])]
    folder, problem = keep(lambda place: save_tuning(found, run, place, command), out or free_folder(name))
    quoted = shlex.quote(str(folder))
    say("", f"run folder: {folder}", f"  predict: thalweg predict {quoted} NEW_ROWS --out predictions.csv")
    if not list(folder.glob("*.png")):
        say("no pictures: matplotlib is not installed; pip install 'thalweg[plot]'")
    end_after(problem)


def spaces(given: list[str]) -> dict[str, Any]:
    """ "activation=relu,mish", "learning_rate=0.01..0.1" → the values of each knob."""
    found: dict[str, Any] = {}
    for text in given:
        knob, equals, values = text.partition("=")
        knob = knob.strip().replace("-", "_")
        choose("knob", knob, KNOBS)
        if not equals or not values.strip():
            raise ArgumentError(f"--search takes KNOB=VALUES such as depth=1,2, got {text!r}")
        if ".." in values:
            low, _, high = values.partition("..")
            found[knob] = value_of(low), value_of(high)
            if knob not in ("learning_rate", "dropout"):
                raise ArgumentError(f"--search {knob} takes values such as {knob}=A,B; a range is for numbers between")
        else:
            found[knob] = [value_of(value) for value in values.split(",")]
    return found


def value_of(text: str) -> str | int | float | bool:
    """A value as Python has it: "64" → 64, "0.1" → 0.1, "on" → True; anything else is a name."""
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def show_tuning(found: Tuning) -> None:
    """The report: tables, then sentences."""
    for title, header, lines in found.tables():
        say(Grid(title, header, lines), "")
    say(*found.summary())
    if compiled := compile_seconds():
        say(f"compiling kernels took {compiled} s more, once on this machine")
