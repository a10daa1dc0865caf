"""The engine over JAX: chunks of a job as calls of its program's compiled loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from thalweg.engine.contract import Array, Chunk, Job, Outcome, added
from thalweg.engine.jax.devices import Devices, agree, chosen, double
from thalweg.engine.jax.loop import Loop, Steps
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.ir.counter import halves, key, permutation
from thalweg.program.ir.instruction import LOSS, PENALTY, Buffer, Instruction

MOST_STEPS = 256
"""Steps of a call …"""
MOST_NUMBERS = 1 << 20
"""… or fewer, so that neither the rows of all, nor their running sums, are more numbers."""


class JaxExecutor:
    """A job on the devices that were chosen. What lasts travels there before a chunk, and back after it."""

    def __init__(self, job: Job) -> None:
        if job.lanes != 1:
            raise ArgumentError(f"the jax engine runs on one lane, not {job.lanes}: it divides rows among devices")
        for i in job.program:
            of = getattr(i, "of", i)
            if isinstance(of, CustomActivation):
                raise ThalwegError(f"{of.pair.name} is a function of Python's, which JAX can't trace: write a formula")
        self.devices = chosen()
        loops: dict[Devices, Loop] = job.program.kept.setdefault("jax", {})
        if self.devices not in loops:
            loops[self.devices] = Loop(job.program, self.devices)
        self.loop = loops[self.devices]
        self.last: Any = None  # the gradients of the last step
        self.bind(job)

    def bind(self, job: Job) -> None:
        agree(job, self.loop.stored)
        self.job, self.totals = job, np.zeros(job.totals)
        self.data: dict[str, Any] = {}  # on the devices
        self.epoch = lru_cache(1)(lambda epoch: permutation(job.seed, epoch, job.rows))

    def rebind(self, job: Job) -> bool:
        same = job.program is self.loop.program and self.devices == chosen()
        if same:
            before = self.totals
            self.bind(job)
            self.totals = before if job.first else self.totals  # of the epoch so far
        return same

    def restart(self) -> None:
        self.totals = np.zeros(self.job.totals)

    def gradient(self) -> Array:
        return np.asarray(self.last)

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Mapping[Buffer, Array]]]:
        """By NumPy, which doesn't compile every instruction by itself."""
        return ReferenceExecutor(self.job).trace(chunk)

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        raise ThalwegError(
            "engine='jax' compiles a step as a whole, so that no instruction has a time of its own: profile it with "
            "jax.profiler, or the model with another engine"
        )

    def run(self, chunk: Chunk) -> Outcome:
        with double():
            return self.calls(chunk)

    def calls(self, chunk: Chunk) -> Outcome:
        job, loop, put = self.job, self.loop, self.devices.put
        for name in job.data:
            if name not in self.data or (job.ordered and name.startswith("weights")):  # these change with the order
                self.data[name] = put(self.filled(job.data[name]))
        parameters, slots, totals = put(job.parameters), put(job.slots), self.totals
        parts: list[Array] = []
        done, finite = 0, True
        while done < chunk.steps and finite:
            stored = {name: self.data.pop(name) for name in loop.stored}
            result = loop.run(parameters, slots, self.data, stored, totals, self.steps(chunk, done))
            parameters, slots, self.last = result.parameters, result.slots, result.gradient
            self.data |= result.stored
            finite, count = bool(result.finite), int(result.count)
            parts.append(np.asarray(result.sums)[:count])
            totals, done = parts[-1][-1], done + count
        job.parameters[:], job.slots[:] = np.asarray(parameters), np.asarray(slots)
        for name in loop.stored:
            job.data[name][...] = np.asarray(self.data[name])[: job.rows]
        if loop.only_stores:  # the caller's arrays aren't kept
            self.data.clear()
        sums = np.concatenate(parts)
        return self.outcome(chunk, sums if finite else sums[:-1], sums[-1].copy(), finite)

    def outcome(self, chunk: Chunk, sums: Array, last: Array, finite: bool) -> Outcome:
        """What a chunk did, from the running sums after each step, and the last ones."""
        job, per_epoch, some = self.job, self.job.steps_per_epoch, [LOSS, PENALTY]
        losses = added(sums[:, some], self.totals[some], chunk.batch, per_epoch) if job.by_step else None
        ends = (chunk.batch + np.arange(len(sums)) + 1) % per_epoch == 0
        self.totals = last if finite and not ends[-1] else np.zeros(job.totals)
        return Outcome(len(sums), sums[ends], finite, self.totals.copy() if finite else last, losses)

    def steps(self, chunk: Chunk, done: int) -> Steps:
        """The next steps of a chunk that one call can do: of one number of rows, as much as there is room for."""
        job, streams, per_epoch = self.job, self.loop.streams, self.job.steps_per_epoch
        batch, ragged = (chunk.batch + done) % per_epoch, job.rows % job.batch
        last = ragged and batch == per_epoch - 1
        rows = ragged if last else job.batch
        shape = room(rows) if self.loop.only_stores else rows
        most = max(1, min(MOST_STEPS, MOST_NUMBERS // max(shape, job.totals)))
        count = min(most, chunk.steps - done, 1 if last else per_epoch - 1 - batch if ragged else most)
        there = len(next(iter(job.data.values())))
        none = room(there) if self.loop.only_stores else there  # a number that no row has
        order = np.full((most, shape), none, np.int32)
        for k in range(count):
            order[k, :rows] = self.rows(chunk, done + k)
        begins, numbers = np.zeros(most, bool), np.ones((most, 2))
        begins[:count] = (chunk.batch + done + np.arange(count)) % per_epoch == 0
        numbers[:count] = chunk.part(done, done + count).numbers()
        keys = np.zeros((most, len(streams), 2), np.uint32)
        iterations = np.arange(count, dtype=np.uint64) + np.uint64(chunk.iteration + done + 1)
        for n, stream in enumerate(streams):
            keys[:count, n] = np.stack(halves(key(job.seed, iterations, stream)), 1)
        return Steps(np.int32(count), np.int64(chunk.iteration + done), order, begins, numbers, keys)

    def rows(self, chunk: Chunk, step: int) -> Array:
        """The numbers of a step's rows."""
        job = self.job
        epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
        first, after = batch * job.batch, min((batch + 1) * job.batch, job.rows)
        if job.one_batch or (chunk.order is None and not job.shuffle):
            return np.arange(first, after) - job.first
        order = self.epoch(chunk.epoch + epoch) if chunk.order is None else chunk.order
        return order[first:after]

    def filled(self, array: Array) -> Array:
        """Data with as many rows as the loop is compiled for."""
        if not self.loop.only_stores:
            return array
        return np.concatenate([array, np.zeros((room(len(array)) - len(array), *array.shape[1:]), array.dtype)])


def room(rows: int) -> int:
    """Rows for which predictions of so many are compiled: the next number of three binary digits.

    >>> [room(rows) for rows in (1, 7, 9, 100, 1000)]
    [1, 7, 10, 112, 1024]
    """
    unit = 1 << max(0, rows.bit_length() - 3)
    return -(-rows // unit) * unit
