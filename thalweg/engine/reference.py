"""The readable engine: each instruction's NumPy reference, one after the other, in any float type."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.contract import Array, Chunk, Job, Outcome
from thalweg.errors import ArgumentError
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.metrics import Total
from thalweg.program.ir.counter import permutation
from thalweg.program.ir.instruction import (
    DATA,
    EXCHANGE,
    GRADIENTS,
    LOSS,
    NORMS,
    PARAMETERS,
    PREPARED,
    ROWS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Instruction,
)


class Memory(Mapping[Buffer, Array]):
    """Every region as an array, every buffer as a view; also the state of the step, as instructions see it."""

    def __init__(self, job: Job, block: int) -> None:
        kind = job.parameters.dtype
        program = job.program
        self.data = job.data
        self.block = block
        self.flat: dict[str, Array] = {
            PARAMETERS: job.parameters,
            GRADIENTS: np.zeros(job.parameters.size, kind),
            SLOTS: job.slots,
            PREPARED: np.zeros(program.prepared, kind),
            EXCHANGE: np.zeros(program.exchange, kind),
            TOTALS: np.zeros(job.totals, np.float64),
            NORMS: np.zeros(program.norms, np.float64),
        }
        self.per_row = np.zeros(program.workspace_row * block, kind)
        self.once = np.zeros(program.workspace_fixed, kind)
        self.rows = self.first_row = self.batch_rows = self.iteration = self.update = 0
        self.accumulate = False
        self.seed = job.seed
        self.learning_rate = 0.0
        self.order = np.arange(0)

    def __getitem__(self, buffer: Buffer) -> Array:
        storage = buffer.storage
        if buffer.region == DATA:
            return self.data[buffer.name].reshape(-1, *buffer.shape)
        if buffer.region != WORKSPACE:
            return self.flat[buffer.region][storage.offset :][: buffer.size].reshape(buffer.shape)
        if not buffer.per_row:
            return self.once[storage.offset :][: buffer.size].reshape(buffer.shape)
        return self.per_row[storage.offset * self.block :][: self.rows * buffer.size].reshape(self.rows, *buffer.shape)

    def __iter__(self) -> Iterator[Buffer]:
        raise TypeError("memory is looked up by buffer, it has no list of them")

    def __len__(self) -> int:
        raise TypeError("memory is looked up by buffer, it has no list of them")

    def reduce(self, buffer: Buffer, value: Array) -> None:
        """Writes a sum over the rows of a block; later blocks of the batch add to it."""
        self[buffer][...] = self[buffer] + value if self.accumulate else value


class ReferenceExecutor:
    """Runs a job with NumPy. `block` may be set to try the division into blocks; by default a batch is one block."""

    def __init__(self, job: Job, block: int | None = None) -> None:
        if job.lanes != 1:
            raise ArgumentError(f"the reference engine runs on one lane, not {job.lanes}")
        self.job = job
        self.memory = Memory(job, block or job.batch)
        self.order = lru_cache(1)(lambda epoch: permutation(job.seed, epoch, job.rows))

    def rebind(self, job: Job) -> bool:
        return False

    def run(self, chunk: Chunk) -> Outcome:
        m, job = self.memory, self.job
        totals = m.flat[TOTALS]
        records: list[Array] = []
        for step in range(chunk.steps):
            for _ in self.step(chunk, step):
                if not np.isfinite(totals[LOSS]):
                    last = totals.copy()
                    totals[:] = 0  # so that the steps can be repeated one by one
                    return Outcome(step, stack(records, totals), False, last)
            if (chunk.batch + step + 1) % job.steps_per_epoch == 0:
                records.append(totals.copy())
                totals[:] = 0
        return Outcome(chunk.steps, stack(records, totals), True, totals.copy())

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Memory]]:
        for instruction in self.step(chunk, 0):
            yield instruction, self.memory

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        least: dict[int, float] = {}
        for _ in range(repeats):
            times: dict[int, float] = {}
            begin = time.perf_counter()
            for instruction in self.step(chunk, 0):
                end = time.perf_counter()
                times[id(instruction)] = times.get(id(instruction), 0.0) + end - begin
                begin = end
            least = {i: min(seconds, least.get(i, seconds)) for i, seconds in times.items()}
        return [least.get(id(i), 0.0) for i in self.job.program]

    def step(self, chunk: Chunk, step: int) -> Iterator[Instruction]:
        """One step of gradient descent: forward, loss, backward, update. Yields every instruction after it is done."""
        m, job, program = self.memory, self.job, self.job.program
        epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
        shuffled = job.shuffle and not job.one_batch
        order = self.order(chunk.epoch + epoch) if shuffled else np.arange(job.rows)
        order = order[batch * job.batch : (batch + 1) * job.batch]
        m.batch_rows = len(order)
        m.iteration = chunk.iteration + step + 1
        m.update = (chunk.iteration + step) // program.every + 1
        m.learning_rate = float(chunk.learning_rates[step]) if len(chunk.learning_rates) else 0.0

        yield from self.execute(program.prepare)
        for first in range(0, len(order), m.block):
            m.order = order[first : first + m.block]
            m.rows, m.first_row, m.accumulate = len(m.order), first, first > 0
            yield from self.execute(program.rows)
        yield from self.execute(program.collect)
        for segment in program.segments():
            if not segment.due or m.iteration % program.every == 0:
                yield from self.execute(segment.instructions)
        m.flat[TOTALS][ROWS] += m.batch_rows

    def execute(self, instructions: list[Instruction]) -> Iterator[Instruction]:
        for instruction in instructions:
            with np.errstate(all="ignore"):  # what isn't finite is found and named by the training loop
                instruction.reference(self.memory)
            yield instruction


def stack(records: list[Array], totals: Array) -> Array:
    return np.array(records).reshape(len(records), len(totals))


class _Batch(dict[Buffer, Any]):
    """Just enough memory for one instruction on one batch of predictions and targets."""

    batch_rows: int


def evaluate_loss(loss: Loss, p: Array, y: Array, weight: Array | None) -> float:
    """The loss of a batch, by its instruction's reference."""
    m = _Batch({loss.p: p, loss.y: y, loss.sums: np.zeros(1)})
    if loss.weight is not None:
        m[loss.weight] = weight
    m.batch_rows = len(p)
    loss.reference(m)  # type: ignore[arg-type]
    return float(m[loss.sums][0] / len(p))


def evaluate_metric(total: Total | Loss, p: Array, y: Array) -> NDArray[np.float64]:
    """The sums of a metric over a batch, by its instruction's reference."""
    m = _Batch({total.p: p, total.y: y, total.sums: np.zeros(total.sums.size)})
    total.reference(m)  # type: ignore[arg-type]
    sums: NDArray[np.float64] = m[total.sums]
    return sums
