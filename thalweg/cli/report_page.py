"""`thalweg report`: a page on a run, or on several side by side, and what `thalweg train` says of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say
from thalweg.cli.report import show_findings
from thalweg.doctor import Diagnosis
from thalweg.errors import ArgumentError, DivergedError, NotFoundError
from thalweg.runs.folder import free_path, refuse_existing
from thalweg.runs.forecasts.series_run import SeriesRun
from thalweg.runs.reports import pages
from thalweg.runs.run import Run
from thalweg.support.files import explained
from thalweg.support.naming import choose
from thalweg.support.progress import stage
from thalweg.support.untrusted import reason
from thalweg.tabular.clock import TimeOverError, interrupted_after

LANGUAGES = ("en", "zh")
LEAST, MOST, SHARE = 8.0, 15.0, 0.1
"""Seconds that `train` takes for the parts of a report that compute: a tenth of the training, within limits."""
KEPT = 0.07
"""Of a time limit, the share that is kept for the report."""
COMPUTING, ENDING = 0.6, 0.5
"""Of what a time limit has left: the share of the parts that compute, and seconds for the end of the process."""
MOST_RUNS = 12
MEGABYTE = 1e6

Language = Annotated[str | None, typer.Option(help="in which the page opens, en or zh; by default the browser's")]


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="a run folder, or several to compare")],
    out: Annotated[
        Path | None, typer.Option(help="the page to write; by default RUN/report.html, or comparison.html, numbered")
    ] = None,
    language: Language = None,
    seconds: Annotated[float, typer.Option(help="for the parts that compute: importance, landscapes, times")] = 30.0,
) -> None:
    """Writes a page on a run, or one that compares several: a single HTML file that needs no network."""
    if language is not None:
        choose("language", language, LANGUAGES)
    if not seconds >= 0:
        raise ArgumentError(f"--seconds has to be 0 or more, got {seconds:g}")
    if len(runs) > MOST_RUNS:
        raise ArgumentError(f"a page compares at most {MOST_RUNS} runs, got {len(runs)}: make several pages")
    if out is not None and not out.parent.is_dir():
        raise NotFoundError(f"can't write {out}: there is no folder {out.parent}")
    if len(runs) > 1:
        path = writable(out or free_path(Path("comparison.html")))
        pages.write_comparison(runs, path, language)
    else:
        path = writable(out or free_path(runs[0] / pages.REPORT))
        pages.write_stored(runs[0], path, language, seconds)
    say_where(path)


def writable(path: Path) -> Path:
    """The path, unless something is there, or it is no page."""
    refuse_existing(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"a report is an HTML file: give --out a name that ends in .html, not {path.name!r}")
    return path


def say_where(path: Path) -> None:
    """Prints where a page is, and its size."""
    say(f"report: {path} ({path.stat().st_size / MEGABYTE:.1f} MB)")


def report_trained(run: Run | SeriesRun, folder: Path, left: float = math.inf) -> None:
    """Writes the report of a run that was just trained and kept, and says where it is, or why there is none.

    The training is done and kept: whatever goes wrong here doesn't make it fail.

    left: seconds of a time limit; the parts that compute get most of it, and what isn't done by its end is given up.
    """
    seconds = min(MOST, max(LEAST, SHARE * float(run.facts["seconds"])), COMPUTING * left)
    path = folder / pages.REPORT
    try:
        with interrupted_after(left - ENDING):
            pages.write_stored(folder, path, seconds=seconds, diagnosis=run.examined if isinstance(run, Run) else None)
            say_where(path)
    except TimeOverError:
        note(f"the time limit left none for the report; thalweg report {folder} makes one")
    except KeyboardInterrupt:
        note(f"the report was interrupted; the run is kept, and thalweg report {folder} makes one")
    except Exception as error:
        note(f"there is no report: {reason(error)}; the run is kept, and thalweg report {folder} makes one")


def note(text: str) -> None:
    """Prints what isn't an error."""
    print(f"note: {text}", file=sys.stderr)


def page_seconds(limit: float | None) -> float:
    """Seconds of a time limit that are kept for the report."""
    return 0.0 if limit is None else min(MOST, KEPT * limit)


@contextmanager
def on_failure(source: str, folder: Path, wanted: bool) -> Iterator[None]:
    """If the training inside diverges, prints what the doctor finds, and writes a report beside where its run folder
    would be if that is wanted, and says where."""
    try:
        yield
    except DivergedError as error:
        diagnosis = None if error.model is None else say_why(error)
        if wanted and error.model is not None:
            path = free_path(folder.with_name(f"{folder.name}-failed.html"))
            try:
                with explained(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                pages.write_failed(error, path, source, diagnosis)
                say_where(path)
            except Exception as another:  # the training's own error is what has to be told
                note(f"there is no report: {reason(another)}")
        raise


def say_why(error: DivergedError) -> Diagnosis | None:
    """Prints what the doctor finds in a training that diverged, and returns it; None if he can't say."""
    try:
        with stage("the doctor examines the training"):
            diagnosis: Diagnosis = error.model.diagnose()
        show_findings(diagnosis)
        say("")
    except Exception as another:  # as above
        note(f"there is no diagnosis: {reason(another)}")
        return None
    return diagnosis
