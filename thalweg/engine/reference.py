"""The readable engine: runs the instructions' references in turn, in any float type, with any array library."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.contract import Array, Chunk, Job, Outcome, added
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
    PENALTY,
    PREPARED,
    ROWS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Constant,
    Instruction,
    StepState,
)


class Storage(Protocol):
    """What instructions work on: an array for each buffer, written in place, and the step's state."""

    step: StepState
    accumulate: bool  # whether an earlier block of the batch has written the sums over the rows

    def __getitem__(self, buffer: Buffer) -> Array: ...


@cache
def parameters(kind: Any) -> tuple[str, ...]:
    """The names of the parameters after the array library of a class's `reference`."""
    return tuple(inspect.signature(kind.reference).parameters)[2:]


def argument(value: Any, memory: Storage, xp: Any) -> Any:
    """The argument that a reference gets for a field: an array of `xp`, None, or a tuple of arrays."""
    if isinstance(value, Buffer):
        return memory[value] if xp is np else xp.asarray(memory[value])
    return value if value is None else tuple(argument(v, memory, xp) for v in value)


def written(instruction: Instruction) -> list[Buffer]:
    """The buffers of the fields in `writes`, each of which holds one or several."""
    values = (getattr(instruction, name) for name in instruction.writes)
    return [buffer for value in values for buffer in (value if isinstance(value, tuple) else (value,))]


def compute(instruction: Instruction, memory: Storage, xp: Any = np) -> tuple[Any, ...]:
    """The results of an instruction's reference on arrays of `xp`, in the order of `writes`."""
    arguments = [
        memory.step if name == "step" else argument(getattr(instruction, name), memory, xp)
        for name in parameters(type(instruction))  # type: ignore[arg-type]
    ]
    results = instruction.reference(xp, *arguments)
    return results if isinstance(results, tuple) else (results,)


def execute(instruction: Instruction, memory: Storage, xp: Any = np) -> None:
    """Calls an instruction's reference and stores what it returns.

    Running sums (TOTALS) and results that `accumulate` are added to the previous value; so are sums over the rows
    (`reduces`) after the first block of a batch, unless they cover the whole batch (`own_inputs`). All else is set.
    """
    later = memory.accumulate and instruction.reduces and not instruction.own_inputs
    with np.errstate(all="ignore"):  # the training loop finds and reports values that aren't finite
        results = [value if value is None else np.asarray(value) for value in compute(instruction, memory, xp)]
        for buffer, value in zip(written(instruction), results, strict=True):
            if value is not None:
                place = memory[buffer]
                if later or instruction.accumulates or buffer.region == TOTALS:
                    place += value
                else:
                    place[...] = value


class Memory(Mapping[Buffer, Array]):
    """Every region as an array, every buffer as a view, and the state of the step."""

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
        self.views: dict[tuple[Buffer, int], Array] = {}  # by buffer and rows in the block
        self.step = StepState(seed=job.seed)
        self.accumulate = False

    def __getitem__(self, buffer: Buffer) -> Array:
        key = (buffer, self.step.rows)
        if key not in self.views:
            self.views[key] = self.view(buffer)
        return self.views[key]

    def view(self, buffer: Buffer) -> Array:
        storage = buffer.storage
        if isinstance(buffer, Constant):
            return buffer.values.astype(self.per_row.dtype)
        if buffer.region == DATA:
            return self.data[buffer.name].reshape(-1, *buffer.shape)
        if buffer.region != WORKSPACE:
            return self.flat[buffer.region][storage.offset :][: buffer.size].reshape(buffer.shape)
        if not buffer.per_row:
            return self.once[storage.offset :][: buffer.size].reshape(buffer.shape)
        rows = self.step.rows
        return self.per_row[storage.offset * self.block :][: rows * buffer.size].reshape(rows, *buffer.shape)

    def __iter__(self) -> Iterator[Buffer]:
        raise TypeError("memory is looked up by buffer, it has no list of them")

    def __len__(self) -> int:
        raise TypeError("memory is looked up by buffer, it has no list of them")


class ReferenceExecutor:
    """Runs a job with an array library, by default NumPy.

    `block` may be set to test the division into blocks; by default a batch is one block. Memory is NumPy's in any case:
    flat vectors, some of them the caller's, in which the memory plan places every buffer.
    """

    def __init__(self, job: Job, block: int | None = None, xp: Any = np) -> None:
        if job.lanes != 1:
            raise ArgumentError(f"the reference engine runs on one lane, not {job.lanes}")
        self.job = job
        self.memory = Memory(job, block or job.batch)
        self.xp = xp
        self.order = lru_cache(1)(lambda epoch: permutation(job.seed, epoch, job.rows))

    def rebind(self, job: Job) -> bool:
        return False

    def run(self, chunk: Chunk) -> Outcome:
        m, job = self.memory, self.job
        totals = m.flat[TOTALS]
        records: list[Array] = []
        before = totals[[LOSS, PENALTY]]
        running: list[Array] = []
        for sparse in job.program.sparse_gradients if chunk.watched else []:
            m.flat[GRADIENTS][sparse.offset :][: sparse.size] = 0

        def losses() -> Array | None:
            sums = np.array(running).reshape(len(running), 2)
            return added(sums, before, chunk.batch, job.steps_per_epoch) if job.by_step else None

        for step in range(chunk.steps):
            for _ in self.step(chunk, step):
                if not np.isfinite(totals[LOSS]):
                    last = totals.copy()
                    totals[:] = 0  # so that the steps can be repeated one by one
                    return Outcome(step, stack(records, totals), False, last, losses())
            running.append(totals[[LOSS, PENALTY]])
            if (chunk.batch + step + 1) % job.steps_per_epoch == 0:
                records.append(totals.copy())
                totals[:] = 0
        return Outcome(chunk.steps, stack(records, totals), True, totals.copy(), losses())

    def gradient(self) -> Array:
        return self.memory.flat[GRADIENTS]

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
        """One step of gradient descent: forward, loss, backward, update. Yields each instruction once it is done."""
        m, job, program = self.memory, self.job, self.job.program
        epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
        if chunk.order is not None and not job.one_batch:
            order = chunk.order
        elif job.shuffle and not job.one_batch:
            order = self.order(chunk.epoch + epoch)
        else:
            order = np.arange(job.rows)
        order = order[batch * job.batch : (batch + 1) * job.batch]
        m.step = state = StepState(
            batch_rows=len(order),
            iteration=chunk.iteration + step + 1,
            update=(chunk.iteration + step) // program.every + 1,
            seed=job.seed,
            learning_rate=float(chunk.learning_rates[step]) if len(chunk.learning_rates) else 0.0,
            penalties=1.0 if chunk.penalties is None else float(chunk.penalties[step]),
        )
        yield from self.execute(program.prepare)
        for first in range(0, len(order), m.block):
            own = order[first : first + m.block]
            m.step, m.accumulate = replace(state, rows=len(own), first_row=first, order=own), first > 0
            yield from self.execute(program.rows)
        yield from self.execute(program.collect)
        for segment in program.segments():
            if not segment.due or state.iteration % program.every == 0:
                yield from self.execute(segment.instructions)
        m.flat[TOTALS][ROWS] += len(order)

    def execute(self, instructions: list[Instruction]) -> Iterator[Instruction]:
        for instruction in instructions:
            execute(instruction, self.memory, self.xp)
            yield instruction


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
