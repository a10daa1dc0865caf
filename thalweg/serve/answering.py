"""What a loaded run answers with: that of a table takes rows as dicts of cells, that of images arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.columns import BooleanColumn, NumberColumn, TextColumn
from thalweg.data.numerals import silent
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError, ThalwegError
from thalweg.runs.image_run import ImageRun, check_range
from thalweg.runs.run import Cells, Run, prediction_columns
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableRun
from thalweg.serve.row_queue import NOTHING, Job, Outcome, Predicted

Array = NDArray[Any]
Row = Mapping[str, Any]
TRIES = 3  # of one row, the fastest of which counts


class Answering(ABC):
    """A run, as requests are answered by it.

    Attributes:
        keys: the names of what is predicted: "prediction", and "probability of …" for each class.
        classes: the labels; none where a number is predicted.
        seconds: that one row takes.
    """

    run: Run
    keys: tuple[str, ...]
    classes: tuple[Any, ...]
    seconds: float

    @abstractmethod
    def predict(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcome of each job: all their rows are one batch."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What it takes and answers, for people and programs."""

    def columns(self, predicted: Predicted, first: Mapping[str, Cells]) -> dict[str, Cells]:
        """Predictions as `thalweg predict` writes them."""
        labels = np.array(predicted.labels, None if not self.classes else object)
        shares = {} if predicted.shares is None else dict(zip(self.classes, predicted.shares.T, strict=True))
        return prediction_columns(first, labels, shares)


class TableAnswering(Answering):
    """A table's run."""

    run: TableRun

    def __init__(self, run: TableRun, lanes: int | None) -> None:
        self.run, self.lanes = run, lanes
        self.used = dict.fromkeys(run.features.used)
        self.classes = tuple(run.target.classes)
        nothing = {label: np.zeros(0) for label in self.classes}
        self.keys = tuple(prediction_columns({}, np.zeros(0), nothing))
        self.seconds = fastest(lambda: run.of_matrix(np.zeros((1, len(run.features.feature_names)), np.float32)))

    def predict(self, jobs: Sequence[Job]) -> list[Outcome]:
        x, left, unknown = self.run.features.of_rows([row for job in jobs for row in job.rows])
        ends = list(accumulate(len(job.rows) for job in jobs))
        wrong = self.read_left(x, left, jobs, ends, unknown) if left else {}
        predicted = self.of_matrix(x)
        of_job: dict[int, dict[int, list[str]]] = defaultdict(dict)
        for row, names in unknown.items():
            k = bisect_right(ends, row)
            of_job[k][row - ends[k] + len(jobs[k].rows)] = names
        return [
            wrong.get(k) or Predicted(
                predicted.labels[end - len(job.rows) : end],
                None if predicted.shares is None else predicted.shares[end - len(job.rows) : end],
                self,
                of_job.get(k, NOTHING),
            )
            for k, (job, end) in enumerate(zip(jobs, ends, strict=True))
        ]  # fmt: skip

    def of_matrix(self, x: Array) -> Predicted:
        """The predictions for a matrix, which may have no rows."""
        if not len(x):
            return Predicted([], np.zeros((0, len(self.classes)), np.float32) if self.classes else None, self)
        y = self.run.of_matrix(x, lanes=self.lanes)
        return Predicted(self.run.labels(y).tolist(), y if self.classes else None, self)

    def read_left(
        self, x: Array, left: list[int], jobs: Sequence[Job], ends: list[int], unknown: dict[int, list[str]]
    ) -> dict[int, ThalwegError]:
        """Fills the lines of the rows that a table has to read, notes which of their cells say nothing, and returns
        what is wrong with which job."""
        of_job: dict[int, list[int]] = defaultdict(list)
        for row in left:
            k = bisect_right(ends, row)
            of_job[k].append(row - ends[k] + len(jobs[k].rows))
        wrong: dict[int, ThalwegError] = {}
        for k, own in of_job.items():
            first = ends[k] - len(jobs[k].rows)
            try:
                for places, table in self.tables(jobs[k], own):
                    with silent():
                        x[first + places] = self.run.features.matrix(table)
                    found = self.run.features.unknown(table)
                    unknown |= {first + int(places[row]): names for row, names in found.items()}
            except ThalwegError as error:
                wrong[k] = error
        return wrong

    def tables(self, job: Job, own: Sequence[int]) -> list[tuple[Array, Table]]:
        """Tables of some rows, each of rows whose cells have the same types, so that each is read as if by itself."""
        rows, first = job.rows, job.first
        alike: dict[Any, list[int]] = defaultdict(list)
        for k in own:
            row = rows[k]
            where = f"row {first + k + 1}" if first + len(rows) > 1 else "the row"
            self.check_columns(row, where)
            for name in self.used:
                if isinstance(row[name], (list, dict)):
                    held = "a list" if isinstance(row[name], list) else "an object"
                    raise DataError(f"{where} has {held} in the column {name!r}: a cell is text, a number or null")
            alike[tuple(type(row[name]) for name in self.used)].append(k)
        found = []
        for places in alike.values():
            table = Table.of({name: [rows[k][name] for k in places] for name in self.used}, "the request")
            columns = {name: table.column(name) for name in table.names}
            found.append((np.array(places), Table(columns, "the request", np.array(places) + first)))
        return found

    def check_columns(self, names: Iterable[str], where: str = "the request") -> None:
        """Raises DataError if columns are missing."""
        if not self.used.keys() <= set(names):  # the message names those that there are
            self.run.features.check_columns(Table.of({name: [None] for name in names}, where))

    def description(self) -> dict[str, Any]:
        target, features = self.run.target, self.run.features
        described = [column for column in features.describe() if column.name in self.used]
        columns = [{"name": c.name, "kind": c.kind, "understood": c.understood} for c in described]
        return {"kind": "table", "target": target.name, "task": target.task, "classes": list(self.classes),
                "columns": columns, "answer": list(self.keys)}  # fmt: skip

    def kind_of(self, name: str) -> type:
        """What a column was fitted as: float, bool or str."""
        column = self.run.features.used[name]
        return float if isinstance(column, NumberColumn) else bool if isinstance(column, BooleanColumn) else str


class ImageAnswering(Answering):
    """A run of images."""

    run: ImageRun

    def __init__(self, run: ImageRun, lanes: int | None) -> None:
        self.run, self.lanes = run, lanes
        self.classes = tuple(run.classes)
        self.keys = tuple(prediction_columns({}, np.zeros(0), {label: np.zeros(0) for label in self.classes}))
        self.shape = tuple(run.model.row_in)
        self.seconds = fastest(lambda: run.model.predict(np.zeros((1, *self.shape), np.float32), verbose=0))

    def predict(self, jobs: Sequence[Job]) -> list[Outcome]:
        found: dict[int, Outcome] = {}
        for k, job in enumerate(jobs):
            try:
                check_range(self.run, np.stack(job.rows), "the input")
            except DataError as error:
                found[k] = error
        good = [k for k in range(len(jobs)) if k not in found]
        if good:
            x = np.stack([x for k in good for x in jobs[k].rows])
            shares = self.run.model.predict(x, verbose=0, lanes=self.lanes)
            ends = list(accumulate(len(jobs[k].rows) for k in good))
            parts = np.split(shares, ends[:-1])
            found |= {k: self.predicted(part) for k, part in zip(good, parts, strict=True)}
        return [found[k] for k in range(len(jobs))]

    def picture(self, file: Path) -> Predicted:
        """The prediction for a picture in a file."""
        return self.predicted(self.run.shares(["the picture"], [self.run.picture(file)]))

    def predicted(self, shares: Array) -> Predicted:
        """The likeliest classes, with all probabilities."""
        return Predicted([self.classes[k] for k in shares.argmax(axis=1)], shares, self)

    def description(self) -> dict[str, Any]:
        return {"kind": "images", "shape": list(self.shape), "classes": list(self.classes),
                "notes": list(self.run.notes), "answer": list(self.keys)}  # fmt: skip


def fastest(predict: Any) -> float:
    """The seconds of a prediction, which is made a few times."""
    predict()  # prepares
    times = []
    for _ in range(TRIES):
        begun = perf_counter()
        predict()
        times.append(perf_counter() - begun)
    return min(times)


def opened(folder: Path, lanes: int | None) -> Answering:
    """The run of a folder, ready to answer."""
    run = load_run(folder)
    if isinstance(run, TableRun):
        return TableAnswering(run, lanes)
    if isinstance(run, ImageRun):
        return ImageAnswering(run, lanes)
    raise ArgumentError(f"{folder}: a run of this kind can't be served")


def has_page(model: Answering) -> bool:
    """Whether there is a page for it: for a run on a table without free text."""
    if not isinstance(model, TableAnswering):
        return False
    return not any(isinstance(column, TextColumn) for column in model.run.features.used.values())


def page_of(model: Answering, name: str) -> str:
    """The page that `thalweg export --to html` writes: a form that predicts in the browser."""
    assert isinstance(model, TableAnswering)
    from thalweg.export.exported_tables import table_network
    from thalweg.export.html.predicting_page import predicting_page

    table = table_network(model.run.ensemble, model.run.features, 1)
    scores = {key: value for key, value in model.run.facts["held-out"].items() if value is not None}
    return predicting_page(table, name, scores)
