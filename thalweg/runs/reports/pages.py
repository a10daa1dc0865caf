"""Writes the reports of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thalweg import words
from thalweg.doctor import Diagnosis
from thalweg.errors import ArgumentError, DivergedError
from thalweg.models.inspection import steps_of
from thalweg.runs.evidence import load_evidence
from thalweg.runs.folder import is_series_run
from thalweg.runs.forecasts.series_page import write_series
from thalweg.runs.image_run import ImageRun
from thalweg.runs.reports.run_subjects import run_name, subject_of_run
from thalweg.runs.run import Run
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableRun
from thalweg.support.progress import stage
from thalweg.views.report.document import SECONDS, report_document
from thalweg.views.report.of_model import subject_of
from thalweg.views.report.several import comparison_document
from thalweg.views.report.subject import Subject
from thalweg.views.web.page import write_page

REPORT = "report.html"


def stored_subject(folder: Path, diagnosis: Diagnosis | None = None) -> Subject:
    """What a report says of a run folder; `diagnosis`: what the doctor has said of it, if he was asked already."""
    with stage(f"reading {folder}"):
        run = load_run(folder)
        run.examined = diagnosis
        return subject_of_run(run, load_evidence(folder, input_shape(run), classes(run)), folder)


def input_shape(run: Run) -> tuple[int, ...]:
    """The shape of a row of the network's input."""
    shape: tuple[int, ...] = run.model.row_in
    return shape


def classes(run: Run) -> int:
    """The number of classes; 0 for a regression."""
    if isinstance(run, TableRun):
        return len(run.target.classes)
    return len(run.classes) if isinstance(run, ImageRun) else 0


def write_stored(
    folder: Path, path: Path, language: str | None = None, seconds: float = SECONDS, diagnosis: Diagnosis | None = None
) -> None:
    """Writes the report of a run folder; `diagnosis` as in `stored_subject`."""
    if is_series_run(folder):
        write_series(folder, path, language)
        return
    write_page(path, report_document(stored_subject(folder, diagnosis), language, seconds))


def write_failed(error: DivergedError, path: Path, source: str, diagnosis: Diagnosis | None) -> None:
    """Writes a report of a training that failed, of which no run folder is kept; `diagnosis` as in `stored_subject`."""
    model = error.model
    subject = subject_of(model, steps_of(model._weights.graph))
    subject.name = words.Said("{name}: a training that failed", name=Path(source).stem)
    subject.facts = [(words.text("source"), source), *subject.facts]
    if not subject.remarks:
        subject.remarks.append(words.text("The training failed: {error}", error=words.Said.of(error)))
    subject.diagnose = None if diagnosis is None else lambda _: diagnosis
    write_page(path, report_document(subject))


def write_comparison(folders: Sequence[Path], path: Path, language: str | None = None) -> None:
    """Writes a page that compares runs.

    Raises:
        ArgumentError: they don't predict the same.
    """
    subjects = [stored_subject(folder) for folder in folders]
    for folder, subject in zip(folders, subjects, strict=True):
        first = subjects[0]
        if (subject.task, subject.target, list(subject.classes)) != (first.task, first.target, list(first.classes)):
            raise ArgumentError(
                f"{folders[0]} predicts {said(first)} and {folder} {said(subject)}: runs are compared that predict the "
                "same; make a report of each"
            )
    write_page(path, comparison_document(subjects, told_apart(folders), language))


def told_apart(folders: Sequence[Path]) -> list[str]:
    """The folders' names, or their whole paths if two have the same name.

    >>> told_apart([Path("runs/a"), Path("runs/b")]), told_apart([Path("runs/a"), Path("old/a")])
    (['a', 'b'], ['runs/a', 'old/a'])
    """
    names = [run_name(folder) for folder in folders]
    return names if len(set(names)) == len(names) else [folder.as_posix() for folder in folders]


def said(subject: Subject) -> str:
    """What is predicted, in a few words."""
    if not subject.classes:
        return f"{subject.target!r}, a number"
    names = ", ".join(map(str, subject.classes[:4])) + (", …" if len(subject.classes) > 4 else "")
    return f"{subject.target!r}, one of {len(subject.classes)} classes ({names})"
