"""From instructions to addresses: one lane's memory, the phases of a job, and the tables that the machine reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from thalweg.engine.contract import Array, Job, aligned
from thalweg.engine.native.compiler.compile import address_of
from thalweg.engine.native.instructions.scan import NativeScan
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.engine.native.layouts.job import CONSTANTS, ROW_WIDTH
from thalweg.engine.native.layouts.orders import ByColumns, BySteps
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.runtime.linked_steps import link_steps, rows_behind
from thalweg.engine.native.runtime.table_rows import row
from thalweg.engine.native.scheduling.schedule import Schedule
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import DATA, GRADIENTS, PARAMETERS, SLOTS, WORKSPACE, Buffer, Constant, Instruction

FAR = 1 << 20  # bytes of data: more than this exceeds a core's own caches


class Memory(Mapping[Buffer, Array]):
    """One lane's memory: the regions it shares with the others, and its own workspace, gradients and sums."""

    def __init__(self, job: Job, schedule: Schedule, block: int, regions: dict[str, Array]) -> None:
        self.starts: dict[int, int] = {}
        self.block = self.rows = block
        self.lanes, self.data, self.first = job.lanes, job.data, job.first
        self.plan, self.constants = schedule.plan, schedule.constants
        self.regions = {PARAMETERS: job.parameters, SLOTS: job.slots} | regions
        self.once = align(self.plan.row * block)  # where the buffers that aren't per row begin

    def place(self, buffer: Buffer) -> tuple[Array, int]:
        """The array that holds a buffer, and the buffer's offset in it."""
        if isinstance(buffer, Constant):
            return self.constants[buffer], 0
        if buffer.region == DATA:
            return self.data[buffer.name], 0
        offset = self.plan.offset(buffer)
        if buffer.region == EXCHANGE:
            offset *= self.lanes  # whose parts are contiguous
        elif buffer.region == WORKSPACE:
            offset = offset * self.block if buffer.per_row else self.once + offset
        return self.regions[buffer.region], offset

    def address(self, buffer: Buffer | None) -> int:
        """A buffer's address; 0 for an absent operand. Of a stretch of an epoch's rows, where the first would be."""
        if buffer is None:
            return 0
        array, offset = self.place(buffer)
        if id(array) not in self.starts:
            self.starts[id(array)] = array.ctypes.data  # slow: looked up once per array, as no array is freed
        if buffer.region == DATA and not isinstance(buffer, Constant):
            offset = -self.first * buffer.size
        return self.starts[id(array)] + offset * array.itemsize

    def __getitem__(self, buffer: Buffer) -> Array:
        array, offset = self.place(buffer)
        if buffer.region == DATA:
            return array if isinstance(buffer, Constant) else array.reshape(-1, *buffer.shape)
        values = array[offset : offset + buffer.size * (self.rows if buffer.per_row else 1)]
        if isinstance(buffer, BySteps):
            return values.reshape(buffer.shape[0], self.rows, *buffer.shape[1:]).swapaxes(0, 1)
        if isinstance(buffer, ByColumns):
            return values.reshape(buffer.shape[-1], *buffer.shape[:-1], self.rows).swapaxes(0, -1)
        return values.reshape((self.rows, *buffer.shape) if buffer.per_row else buffer.shape)

    def __iter__(self) -> Iterator[Buffer]:
        raise TypeError("memory is looked up by buffer, it has no list of them")

    def __len__(self) -> int:
        raise TypeError("memory is looked up by buffer, it has no list of them")


class Operands:
    """Where one lane's kernels find their operands, and what they may ask about them."""

    def __init__(self, own: Memory, first: Memory, last: bool) -> None:
        self.own, self.first, self.last = own, first, last

    def address(self, buffer: Buffer | None) -> int:
        return (self.first if self.last and shared(buffer) else self.own).address(buffer)

    def weights(self, gradient: Buffer) -> int:
        """In the finish, the address of the weights that are updated next; before it 0."""
        return self.own.address(replace(gradient, region=PARAMETERS)) if self.last else 0

    def far(self, data: Buffer) -> bool:
        """Whether data exceed a core's own caches."""
        return bool(self.own.data[data.name].nbytes > FAR)


def link(phases: Sequence[Sequence[Instruction]], own: Memory, first: Memory) -> tuple[Array, Array]:
    """The table of rows and the table of constants for one lane.

    In the last phase, in which the lanes share the work, every lane is linked to the first lane's gradients, which
    become the sum of all, and to the first lane's rows, which those of the other lanes follow.
    """
    done = sum(len(phase) for phase in phases)  # behind them: what scans call, and how it moves
    count = done + sum(rows_behind(i) for phase in phases for i in phase if isinstance(i, NativeScan))
    table = aligned(count * ROW_WIDTH, np.int64).reshape(count, ROW_WIDTH)
    constants = aligned(max(1, count) * CONSTANTS, np.float64).reshape(-1, CONSTANTS)
    place = 0
    for number, phase in enumerate(phases):
        for i in phase:
            last = number == len(phases) - 1
            operands = Operands(own, first, last)
            if isinstance(i, NativeScan):
                words, reals = link_steps(i, operands, table, constants, done)
                done += rows_behind(i)
            else:
                words, reals = row(i, operands)
            table[place, : 1 + len(words)] = address_of(kernel_of(i)), *words
            constants[place, : len(reals)] = reals
            place += 1
    return table, constants


def shared(buffer: Buffer | None) -> bool:
    """Whether all lanes use the first lane's copy of a buffer in the finish."""
    return buffer is not None and (buffer.region == GRADIENTS or (buffer.region == WORKSPACE and buffer.per_row))
