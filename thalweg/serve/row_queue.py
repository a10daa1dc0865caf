"""Rows of many requests, predicted together.

What has arrived in one turn of the event loop is a batch, and so is what arrives while another is computed; `wait` lets
further rows come. Where a row takes little, batches are computed at once, each so large that all other requests are not
kept waiting; otherwise in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

from thalweg.serve.reply import busy

AT_ONCE, LITTLE = 0.002, 0.0002
"""Seconds: of work for which the event loop, with all other requests, may be kept waiting; of a row, in such work."""
WEIGHT = 0.1
"""The part of a batch in the mean of how long a row takes."""


NOTHING: Mapping[int, Sequence[str]] = MappingProxyType({})


class Predicted(NamedTuple):
    """What a model says of rows: the likeliest class or the number of each, and the probabilities (rows, classes)."""

    labels: list[Any]
    shares: Any
    model: Any
    """What predicted: the run that was loaded then."""
    unknown: Mapping[int, Sequence[str]] = NOTHING
    """The columns whose cells say nothing to the model, by row; rows without such cells aren't in it."""


Outcome = Predicted | Exception


@dataclass(slots=True)
class Job:
    """Rows of one request, and what takes their predictions, or an error; `first`: the place of the first of them."""

    rows: Sequence[Any]
    done: Callable[[Outcome], None]
    first: int = 0


class Batches:
    """The rows that wait for a model.

    Args:
        predict: the outcome of each of some jobs, in a batch; called in any thread, never twice at once.
        most_rows: in a batch, unless one request has more. wait: seconds for further rows. most_waiting: rows.
        seconds: that a row takes, to begin with.
        noted: is told the rows of each batch.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[Job]], Sequence[Outcome]],
        most_rows: int,
        wait: float,
        most_waiting: int,
        seconds: float,
        executor: Executor,
        noted: Callable[[int], None],
    ) -> None:
        self.predict, self.executor, self.noted = predict, executor, noted
        self.most_rows, self.wait, self.most_waiting, self.seconds = most_rows, wait, most_waiting, seconds
        self.jobs: deque[Job] = deque()
        self.rows = 0
        self.called = self.computing = False
        self.timer: asyncio.TimerHandle | None = None

    def put(self, job: Job) -> None:
        """Takes the rows of a request.

        Raises:
            AnsweredError: too many are waiting.
        """
        if self.rows + len(job.rows) > max(self.most_waiting, len(job.rows)):
            raise busy(f"{self.rows:,} rows are waiting for this model: try again in a second")
        self.jobs.append(job)
        self.rows += len(job.rows)
        waits = bool(self.wait) and self.rows < self.most_rows
        if self.computing or (self.called and (waits or self.timer is None)):
            return
        self.called = True
        loop = asyncio.get_running_loop()
        if waits:
            self.timer = loop.call_later(self.wait, self.next)
        else:
            self.stop_timer()
            loop.call_soon(self.next)

    def stop_timer(self) -> None:
        """No longer waits for further rows."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def taken(self) -> list[Job]:
        """The jobs of the next batch."""
        jobs: list[Job] = []
        rows, most = 0, self.most_rows
        if self.seconds < LITTLE:
            most = min(most, int(AT_ONCE / self.seconds))
        while self.jobs and (not jobs or rows + len(self.jobs[0].rows) <= most):
            jobs.append(self.jobs.popleft())
            rows += len(jobs[-1].rows)
        self.rows -= rows
        return jobs

    def next(self) -> None:
        """Computes the next batch, here or in a thread."""
        self.called = False
        self.stop_timer()
        while self.jobs and not self.computing:
            jobs = self.taken()
            rows = sum(len(job.rows) for job in jobs)
            self.noted(rows)
            if rows * self.seconds <= AT_ONCE and self.seconds < LITTLE:
                self.settle(jobs, *self.timed(jobs))
                if self.jobs:  # what else there is to do comes in between
                    self.called = True
                    asyncio.get_running_loop().call_soon(self.next)
                return
            self.computing = True
            asyncio.get_running_loop().run_in_executor(self.executor, self.timed, jobs).add_done_callback(
                lambda found, jobs=jobs: self.finished(jobs, found)  # type: ignore[misc]
            )

    def timed(self, jobs: Sequence[Job]) -> tuple[Sequence[Outcome], float]:
        """The outcomes, and the seconds they took; a failure is the outcome of all."""
        begun = perf_counter()
        try:
            outcomes = self.predict(jobs)
        except Exception as error:  # the requests', not the server's
            outcomes = [error] * len(jobs)
        return outcomes, perf_counter() - begun

    def finished(self, jobs: Sequence[Job], found: asyncio.Future[tuple[Sequence[Outcome], float]]) -> None:
        """Hands out what a thread has computed, and goes on."""
        self.computing = False
        self.settle(jobs, *found.result())
        self.next()

    def settle(self, jobs: Sequence[Job], outcomes: Sequence[Outcome], seconds: float) -> None:
        """Gives every request its outcome."""
        rows = sum(len(job.rows) for job in jobs)
        self.seconds += WEIGHT * (seconds / max(rows, 1) - self.seconds)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.done(outcome)
