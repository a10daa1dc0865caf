"""Steps of several programs: each is run on the batch by an executor of its own, and sees what those before it changed.

An engine's loop over steps runs one program. So here the loop is Python's: in a step each program gets a chunk of one
step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from thalweg.engine.contract import Array, Chunk, Executor, Job, Outcome
from thalweg.errors import ArgumentError
from thalweg.program.ir.counter import permutation
from thalweg.program.ir.instruction import ROWS, Buffer, Instruction


class InTurn:
    """Runs a job whose steps are several programs, one after the other."""

    def __init__(self, executor: Callable[[Job], Executor], job: Job) -> None:
        if job.ranks is not None:
            raise ArgumentError("a train_step of one's own runs in one process: train it outside of Ranks")
        self.job = job
        self.executors = [executor(part) for part in parts(job)]
        self.order = lru_cache(1)(lambda epoch: permutation(job.seed, epoch, self.job.rows))

    def rebind(self, job: Job) -> bool:
        """Switches to other data of as many rows; an executor that can't leaves the others of no use."""
        self.job = job
        self.order.cache_clear()
        return all(executor.rebind(part) for executor, part in zip(self.executors, parts(job), strict=True))

    def restart(self) -> None:
        for executor in self.executors:
            executor.restart()

    def run(self, chunk: Chunk) -> Outcome:
        job, records, totals = self.job, list[Array](), np.zeros(self.job.totals)
        for step in range(chunk.steps):
            found = []
            for place, executor in enumerate(self.executors):
                outcome = executor.run(self.one(chunk, step, place))
                if not outcome.finite:
                    return Outcome(step, stacked(records, totals), False, outcome.totals)
                found.append(outcome.records[0] if len(outcome.records) else outcome.totals)
            totals = sum(found[1:], found[0].copy())
            totals[ROWS] = found[0][ROWS]  # which each of them has counted
            if (chunk.batch + step + 1) % job.steps_per_epoch == 0:
                records.append(totals)
                totals = np.zeros(job.totals)
        return Outcome(chunk.steps, stacked(records, totals), True, totals)

    def one(self, chunk: Chunk, step: int, place: int) -> Chunk:
        """One step of a chunk, for one of the programs."""
        job = self.job
        epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
        order = chunk.order
        if order is None and job.shuffle and not job.one_batch:
            order = self.order(chunk.epoch + epoch)
        return replace(
            chunk.part(step, step + 1),
            epoch=chunk.epoch + epoch,
            batch=batch,
            learning_rates=chunk.learning_rates[step, place : place + 1],
            order=order,
        )

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Mapping[Buffer, Array]]]:
        for place, executor in enumerate(self.executors):
            yield from executor.trace(self.one(chunk, 0, place))

    def gradient(self) -> Array:
        raise ArgumentError("a train_step of one's own has several gradients: leave out record")

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        return [
            seconds
            for place, executor in enumerate(self.executors)
            for seconds in executor.measure(self.one(chunk, 0, place), repeats)
        ]


def parts(job: Job) -> list[Job]:
    """The job of each program. The order of the rows is found once for all of them."""
    ordered = job.ordered or job.shuffle
    return [
        replace(job, program=program, slots=job.slots[first : first + size], shuffle=False, ordered=ordered)
        for program, first, size in job.program.turns
    ]


def stacked(records: list[Array], like: Array) -> Array:
    """The records of epochs, one below the other."""
    return np.array(records).reshape(len(records), len(like))
