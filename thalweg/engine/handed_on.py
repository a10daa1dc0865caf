"""Batches that begin with the states that those before them left: row i with those of row i of the last batch.

The states of a stretch of batches lie in one array, (1 + batches)·batch rows. A program reads those of its rows there,
and writes what they leave a batch further on: the same array under another name, so that an engine's loop over steps
goes on by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from thalweg.engine.contract import Array, Chunk, Engine, Executor, Job, Outcome, States
from thalweg.errors import ArgumentError, ShapeError
from thalweg.program.carried import AFTER
from thalweg.program.ir.instruction import Buffer, Instruction

MOST_BATCHES = 16  # of a stretch


class HandedOn:
    """Runs a job with states, by an executor of an engine; after a run, the job's states are those that it left."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self.engine, self.job = engine, job
        check(job)
        self.most = MOST_BATCHES if engine.stores_at_once else 1
        rows, kind = (self.most + 1) * job.batch, job.parameters.dtype
        self.memory = {name: np.zeros((rows, *a.shape[1:]), kind) for name, a in job.states.items()}
        self.executor: Executor = engine.executor(self.part(job.first // job.batch, 1))

    def part(self, batch: int, steps: int) -> Job:
        """The job of some batches, with room for their states."""
        job, size = self.job, self.job.batch
        rows = slice(batch * size - job.first, (batch + steps) * size - job.first)
        data = {name: array[rows] for name, array in job.data.items()}
        for name, memory in self.memory.items():
            data[name], data[name + AFTER] = memory[: steps * size], memory[size : (steps + 1) * size]
        return replace(job, data=data, first=batch * size, states=States())

    def begin(self, batch: int, steps: int) -> None:
        """Lets the executor begin with a batch."""
        for name, memory in self.memory.items():
            memory[: self.job.batch] = self.job.states[name]
        self.executor.rebind(self.part(batch, steps))

    def rebind(self, job: Job) -> bool:
        check(job)
        before = self.job
        if job.program is not before.program or (job.batch, job.lanes) != (before.batch, before.lanes):
            return False
        self.job = job  # the executor follows with the first batch
        return True

    def restart(self) -> None:
        self.executor.restart()

    def run(self, chunk: Chunk) -> Outcome:
        job, done = self.job, 0
        found: list[Outcome] = []
        job.states.note()
        while done < chunk.steps and (not found or found[-1].finite):
            epoch, batch = divmod(chunk.batch + done, job.steps_per_epoch)
            steps = min(self.most, chunk.steps - done, job.steps_per_epoch - batch)
            self.begin(batch, steps)
            stretch = replace(chunk.part(done, done + steps), epoch=chunk.epoch + epoch, batch=batch)
            found.append(self.executor.run(stretch))
            left = found[-1].steps * job.batch
            for name, memory in self.memory.items():
                job.states[name][...] = memory[left : left + job.batch]
            done += found[-1].steps
        last = found[-1]
        losses = None if last.losses is None else np.concatenate([o.losses for o in found if o.losses is not None])
        return Outcome(done, np.concatenate([o.records for o in found]), last.finite, last.totals, losses)

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Mapping[Buffer, Array]]]:
        """As it would be: the states stay as they are."""
        self.begin(chunk.batch % self.job.steps_per_epoch, 1)
        return self.executor.trace(chunk.part(0, 1))

    def gradient(self) -> Array:
        return self.executor.gradient()

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        self.begin(chunk.batch % self.job.steps_per_epoch, 1)
        return self.executor.measure(chunk.part(0, 1), repeats)


def check(job: Job) -> None:
    """Raises unless each batch has the states of the one before it."""
    states = job.states
    if job.batch != states.rows:
        raise ShapeError(
            f"{states.owner} hands on the states of {states.rows} rows from batch to batch, so that every batch needs "
            f"as many, got {job.batch}"
        )
    if job.rows % job.batch or len(next(iter(job.data.values()))) % job.batch:
        raise ShapeError(
            f"{states.owner} hands on the states of {states.rows} rows from batch to batch: {job.rows} rows are not a "
            "number of whole batches, leave out the last ones"
        )
    if (job.shuffle or job.ordered) and not job.one_batch:
        raise shuffled(states.owner)
    if job.ranks is not None:
        raise ArgumentError(f"{states.owner} hands on states from batch to batch, for which ranks have no place yet")


def shuffled(owner: str) -> ArgumentError:
    """The error for rows in another order."""
    return ArgumentError(
        f"{owner} hands on each row's state to the same row of the next batch, which shuffling would make another "
        "sequence's: give shuffle=False"
    )
