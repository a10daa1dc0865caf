"""A run folder under a name: answered by the run that was loaded last, and loaded again when the folder changes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from thalweg.runs.folder import COLUMNS, HISTORY, IMAGES, MODEL, RUN
from thalweg.runs.image_run import LIKENESS
from thalweg.runs.stored_trees import TREES
from thalweg.serve.answering import Answering, opened, page_of
from thalweg.serve.counters import ROWS, Counters
from thalweg.serve.row_queue import NOTHING, Batches, Job, Outcome, Predicted

WATCHED = (MODEL, COLUMNS, IMAGES, HISTORY, RUN, TREES, LIKENESS)
"""The files of a run that its predictions, or its loading, depend on."""
Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class Limits:
    """How much a server takes on.

    Attributes:
        batch_rows: in a batch. wait: seconds for further rows of a batch. waiting_rows: of one model.
        rows: of one request. request_bytes: of one request. waiting_bytes: of all requests. connections: at once.
        requests_apart: that threads read and answer, and that wait for these.
        lanes: the cores of one prediction; None: as many as pay.
    """

    batch_rows: int = 256
    wait: float = 0.0
    waiting_rows: int = 10_000
    rows: int = 1_000_000
    request_bytes: int = 64_000_000
    waiting_bytes: int = 256_000_000
    connections: int = 1_000
    requests_apart: int = 64
    lanes: int | None = None


class Served:
    """A run, as a server keeps it.

    Args:
        name: in addresses. folder: of the run. executor: of the threads that compute and load.
    """

    def __init__(self, name: str, folder: Path, limits: Limits, executor: Executor, counters: Counters) -> None:
        self.name, self.folder, self.limits, self.executor, self.counters = name, folder, limits, executor, counters
        self.stamp = self.seen = stamp_of(folder)
        self.model: Answering = opened(folder, limits.lanes)
        self.loading = False
        self.page: tuple[Answering, bytes] | None = None
        self.one_page = Lock()
        self.labels = (("model", name),)
        self.batches = Batches(
            self.predict, limits.batch_rows, limits.wait, limits.waiting_rows, self.model.seconds, executor, self.noted
        )

    def predict(self, jobs: Sequence[Job]) -> Sequence[Outcome]:
        """The outcomes of a batch, all of the same run."""
        outcomes = self.model.predict(jobs)
        for outcome in outcomes:
            if isinstance(outcome, Predicted) and outcome.unknown:
                self.noted_unknown(outcome.unknown)
        return outcomes

    def noted(self, rows: int, unknown: Mapping[int, Sequence[str]] = NOTHING) -> None:
        """Counts the rows of a batch, and their cells that say nothing."""
        self.counters.observe("thalweg_batch_rows", self.labels, rows, ROWS)
        self.counters.add("thalweg_rows_total", self.labels, rows)
        self.noted_unknown(unknown)

    def noted_unknown(self, unknown: Mapping[int, Sequence[str]]) -> None:
        """Counts cells that say nothing."""
        for column, cells in Counter(name for names in unknown.values() for name in names).items():
            self.counters.add("thalweg_unknown_cells_total", (*self.labels, ("column", column)), cells)

    def html(self) -> bytes:
        """The page with the form, made once of each run."""
        with self.one_page:
            model = self.model
            if self.page is None or self.page[0] is not model:
                self.page = model, page_of(model, self.name).encode()
            return self.page[1]

    def look(self) -> None:
        """Loads the run again if its folder has changed, and hasn't since the last look; called every second or so."""
        stamp = stamp_of(self.folder)
        if self.loading or stamp == self.stamp or stamp is None:
            return
        if stamp != self.seen:  # it may still be being written
            self.seen = stamp
            return
        self.loading = True
        self.executor.submit(self.load, stamp)

    def load(self, stamp: Stamp) -> None:
        """Takes what the folder holds instead of the run that has answered so far; keeps that if it can't be read."""
        try:
            model = opened(self.folder, self.limits.lanes)
            if stamp_of(self.folder) != stamp:
                return  # it was changed while it was read: the next look sees to it
            self.stamp, self.model, self.batches.seconds = stamp, model, model.seconds
            outcome, said = "loaded", "reloaded"
        except Exception as error:  # whatever a damaged run leads to, the server goes on
            self.stamp = stamp
            outcome, said = "failed", f"the run isn't taken, and the earlier one still answers: {error}"
        finally:
            self.loading = False
        self.counters.add("thalweg_reloads_total", (*self.labels, ("outcome", outcome)))
        print(f"{self.name}: {said}", file=sys.stderr, flush=True)


def stamp_of(folder: Path) -> Stamp | None:
    """What tells one content of a run folder from another; None without a run."""
    found = []
    for name in WATCHED:
        try:
            about = (folder / name).stat()
        except OSError:
            continue
        found.append((name, about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found) if {MODEL, RUN} <= {name for name, *_ in found} else None
