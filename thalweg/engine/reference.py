"""The readable engine: runs the instructions' references in turn, in any float type, with any array library."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from thalweg.engine.contract import Array, Chunk, Job, Outcome, added
from thalweg.engine.execution import Values
from thalweg.errors import ArgumentError
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.metrics import Total
from thalweg.program.ir.counter import permutation
from thalweg.program.ir.instruction import (
    DATA,
    GRADIENTS,
    LOSS,
    NORMS,
    PARAMETERS,
    PENALTY,
    ROWS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Constant,
    Instruction,
    StepState,
)


class StepValues(Values):
    """The values of a step: what lasts lies in the flat vectors of its region or in the caller's data."""

    def __init__(self, flat: Mapping[str, Array], data: Mapping[str, Array], dtype: DTypeLike, step: StepState) -> None:
        super().__init__(step, dtype)
        self.flat, self.data = flat, data
        self.views: dict[Buffer, Array] = {}  # of the flat vectors, and constants

    def lasting(self, buffer: Buffer) -> Array | None:
        if buffer.region == WORKSPACE:
            return None
        found = self.views.get(buffer)
        if found is not None:
            return found
        if isinstance(buffer, Constant):
            found = buffer.values.astype(self.dtype)
        elif buffer.region in self.flat:
            found = self.flat[buffer.region][buffer.storage.offset :][: buffer.size].reshape(buffer.shape)
        elif buffer.region == DATA:  # the caller's, which the executor may outlive
            return self.data[buffer.name].reshape(-1, *buffer.shape)
        else:  # of another engine's
            return None
        self.views[buffer] = found
        return found


def last_uses(instructions: Iterable[Instruction]) -> dict[Instruction, list[Buffer]]:
    """The values that nothing reads any more once an instruction is done, with the views of them."""
    last: dict[Buffer, Instruction] = {}
    views: dict[Buffer, list[Buffer]] = {}
    for i in instructions:
        for b in (*i.inputs, *i.outputs):
            last[b.storage] = i
            if b not in views.setdefault(b.storage, []):
                views[b.storage].append(b)
    result: dict[Instruction, list[Buffer]] = {}
    for storage, i in last.items():
        result.setdefault(i, []).extend(views[storage])
    return result


class ReferenceExecutor:
    """Runs a job with an array library, by default NumPy: a batch as a whole, one instruction after the other."""

    def __init__(self, job: Job, xp: Any = np) -> None:
        if job.lanes != 1:
            raise ArgumentError(f"the reference engine runs on one lane, not {job.lanes}")
        self.job, self.xp = job, xp
        kind, norms = job.parameters.dtype, [b.offset + b.size for b in job.program.buffers() if b.region == NORMS]
        self.flat: dict[str, Array] = {
            PARAMETERS: job.parameters,
            GRADIENTS: np.zeros(job.parameters.size, kind),
            SLOTS: job.slots,
            TOTALS: np.zeros(job.totals, np.float64),
            NORMS: np.zeros(max(norms, default=0), np.float64),
        }
        self.values = StepValues(self.flat, job.data, kind, StepState(seed=job.seed))
        self.instructions = tuple(job.program)
        self.due = {i for i in job.program.update if i.due}
        self.last_uses = last_uses(self.instructions)
        self.order = lru_cache(1)(lambda epoch: permutation(job.seed, epoch, self.job.rows))

    def rebind(self, job: Job) -> bool:
        self.job = job
        self.values.data = job.data
        self.order.cache_clear()
        return True

    def restart(self) -> None:
        self.flat[TOTALS][:] = 0

    def run(self, chunk: Chunk) -> Outcome:
        job, totals = self.job, self.flat[TOTALS]
        records: list[Array] = []
        before = totals[[LOSS, PENALTY]]
        running: list[Array] = []

        def losses() -> Array | None:
            sums = np.array(running).reshape(len(running), 2)
            return added(sums, before, chunk.batch, job.steps_per_epoch) if job.by_step else None

        for step in range(chunk.steps):
            with np.errstate(all="ignore"):  # the training loop finds and reports values that aren't finite
                for _ in self.step(chunk, step):
                    if not np.isfinite(totals[LOSS]):
                        last = totals.copy()
                        totals[:] = 0  # so that the steps can be repeated one by one
                        self.values.arrays.clear()
                        return Outcome(step, stack(records, totals), False, last, losses())
            running.append(totals[[LOSS, PENALTY]])
            if (chunk.batch + step + 1) % job.steps_per_epoch == 0:
                records.append(totals.copy())
                totals[:] = 0
        return Outcome(chunk.steps, stack(records, totals), True, totals.copy(), losses())

    def gradient(self) -> Array:
        return self.flat[GRADIENTS]

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, StepValues]]:
        steps = self.step(chunk, 0)
        while (instruction := quietly(steps)) is not None:
            yield instruction, self.values

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        least: dict[int, float] = {}
        for _ in range(repeats):
            times: dict[int, float] = {}
            begin, steps = time.perf_counter(), self.step(chunk, 0)
            while (instruction := quietly(steps)) is not None:
                end = time.perf_counter()
                times[id(instruction)] = times.get(id(instruction), 0.0) + end - begin
                begin = end
            least = {i: min(seconds, least.get(i, seconds)) for i, seconds in times.items()}
        return [least.get(id(i), 0.0) for i in self.job.program]

    def step(self, chunk: Chunk, step: int) -> Iterator[Instruction]:
        """One step of gradient descent: forward, loss, backward, update. Yields each instruction once it is done."""
        job, program = self.job, self.job.program
        epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
        first, after = batch * job.batch, min((batch + 1) * job.batch, job.rows)
        if job.one_batch or (chunk.order is None and not job.shuffle):
            order = np.arange(first, after) - job.first
        else:
            order = (self.order(chunk.epoch + epoch) if chunk.order is None else chunk.order)[first:after]
        state = StepState(
            rows=len(order),
            batch_rows=len(order),
            iteration=chunk.iteration + step + 1,
            update=(chunk.iteration + step) // program.every + 1,
            seed=job.seed,
            learning_rate=float(chunk.learning_rates[step]) if len(chunk.learning_rates) else 0.0,
            penalties=1.0 if chunk.penalties is None else float(chunk.penalties[step]),
            order=order,
        )
        self.values.step = state
        for instruction in self.instructions:
            if instruction not in self.due or state.iteration % program.every == 0:
                self.values.execute(instruction, self.xp)
                yield instruction
                self.values.forget(self.last_uses.get(instruction, ()))
        self.flat[TOTALS][ROWS] += len(order)


def quietly(steps: Iterator[Instruction]) -> Instruction | None:
    """The next instruction, executed without a warning of values that aren't finite; None after the last."""
    with np.errstate(all="ignore"):
        return next(steps, None)


def stack(records: list[Array], totals: Array) -> Array:
    return np.array(records).reshape(len(records), len(totals))


def evaluate_loss(loss: Loss, p: Array, y: Array, weight: Array | None) -> float:
    """The loss of a batch, computed by its instruction's reference."""
    with np.errstate(all="ignore"):
        sums = loss.reference(np, p, y, weight, StepState(batch_rows=len(p)))
    return float(sums / len(p))


def evaluate_metric(total: Total | Loss, p: Array, y: Array) -> NDArray[np.float64]:
    """The sums of a metric over a batch, computed by its instruction's reference."""
    with np.errstate(all="ignore"):
        if isinstance(total, Loss):
            sums = total.reference(np, p, y, None, StepState(batch_rows=len(p)))
        else:
            sums = total.reference(np, p, y)
    return np.asarray(sums, np.float64).reshape(total.sums.size)
