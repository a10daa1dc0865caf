"""From instructions to addresses: one lane's memory, the phases of a job, and the tables that the machine reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.engine.contract import Array, Job, aligned
from thalweg.engine.native.compiler.compile import address_of
from thalweg.engine.native.compiler.parameters import Parameter
from thalweg.engine.native.kernels.table import kernel_of, parameters_of
from thalweg.engine.native.layouts import job as m
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.ir.instruction import (
    DATA,
    EXCHANGE,
    GRADIENTS,
    NORMS,
    PARAMETERS,
    PREPARED,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Constant,
    Instruction,
)
from thalweg.program.ir.program import Segment

FAR = 1 << 20  # bytes of data: more than this exceeds a core's own caches


class Memory(Mapping[Buffer, Array]):
    """One lane's memory: the regions it shares with the others, and its own workspace, gradients and sums."""

    def __init__(
        self,
        job: Job,
        block: int,
        workspace: Array,
        prepared: Array,
        gradients: Array,
        totals: Array,
        exchange: Array,
        norms: Array,
    ) -> None:
        self.starts: dict[int, int] = {}
        self.block = block
        self.lanes = job.lanes
        self.rows = block
        self.data = job.data
        program = job.program
        self.workspace = workspace
        self.once = program.workspace_row * block  # where the buffers that aren't per row begin
        self.flat = {
            PARAMETERS: job.parameters,
            PREPARED: prepared,
            EXCHANGE: exchange,
            GRADIENTS: gradients,
            SLOTS: job.slots,
            TOTALS: totals,
            NORMS: norms,
        }

    def place(self, buffer: Buffer) -> tuple[Array, int]:
        """The array that holds a buffer, and the buffer's offset in it."""
        if isinstance(buffer, Constant):
            return buffer.single, 0
        if buffer.region == DATA:
            return self.data[buffer.name], 0
        offset = buffer.storage.offset
        if buffer.region == EXCHANGE:
            return self.flat[EXCHANGE], offset * self.lanes  # the lanes' parts are contiguous
        if buffer.region != WORKSPACE:
            return self.flat[buffer.region], offset
        return self.workspace, offset * self.block if buffer.per_row else self.once + offset

    def address(self, buffer: Buffer | None) -> int:
        """A buffer's address; 0 for an absent operand."""
        if buffer is None:
            return 0
        array, offset = self.place(buffer)
        if id(array) not in self.starts:
            self.starts[id(array)] = array.ctypes.data  # slow: looked up once per array, as no array is freed
        return self.starts[id(array)] + offset * array.itemsize

    def __getitem__(self, buffer: Buffer) -> Array:
        array, offset = self.place(buffer)
        if buffer.region == DATA:
            return array if isinstance(buffer, Constant) else array.reshape(-1, *buffer.shape)
        shape = (self.rows, *buffer.shape) if buffer.per_row else buffer.shape
        if buffer.by_columns:
            columns = array[offset : offset + buffer.size * self.rows]
            return columns.reshape(buffer.shape[-1], *buffer.shape[:-1], self.rows).swapaxes(0, -1)
        return array[offset : offset + buffer.size * (self.rows if buffer.per_row else 1)].reshape(shape)

    def __iter__(self) -> Iterator[Buffer]:
        raise TypeError("memory is looked up by buffer, it has no list of them")

    def __len__(self) -> int:
        raise TypeError("memory is looked up by buffer, it has no list of them")


class Places:
    """Where a kernel finds an instruction's operands, and what it may ask about them."""

    def __init__(self, own: Memory, first: Memory, last: bool) -> None:
        self.own, self.first, self.last = own, first, last

    def address(self, buffer: Buffer | None) -> int:
        return (self.first if self.last and shared(buffer) else self.own).address(buffer)

    def weights(self, buffer: Buffer) -> int:
        """Of a gradient in the finish: the address of the weights, which are updated next; before it 0."""
        return self.own.address(replace(buffer, region=PARAMETERS)) if self.last else 0

    def far(self, buffer: Buffer) -> int:
        """Whether data exceed a core's own caches."""
        return int(self.own.data[buffer.name].nbytes > FAR)


FACTS: dict[str, Callable[[Places, Buffer], int]] = {  # a kernel asks for them as x_by_columns, dW_offset, …
    "by_columns": lambda places, buffer: int(buffer.by_columns),
    "offset": lambda places, buffer: buffer.offset,
    "weights": lambda places, buffer: places.weights(buffer),
    "far": lambda places, buffer: places.far(buffer),
}


def row(i: Instruction, places: Places) -> tuple[list[int], list[float]]:
    """What the row of an instruction holds after the kernel's address, and its constants."""
    asked = parameters_of(kernel_of(i))
    words = [word(i, p, places) for p in asked.words]
    reals = [real(i, p) for p in asked.reals]
    if asked.rest and asked.whole:
        operands, numbers = i.named_operands.get(asked.rest, ()), i.sizes.get(asked.rest, ())
        words += [places.address(b) for b in several(operands)] + several(numbers)
    elif asked.rest:
        reals += several(i.constants.get(asked.rest, ()))
    if len(words) >= m.ROW_WIDTH or len(reals) > m.CONSTANTS:
        raise OverflowError(
            f"{i.title} has more numbers than a row of the table: {len(words)} whole, {len(reals)} real"
        )
    return words, reals


def several(value: Any) -> list[Any]:
    """The values of a starred parameter."""
    return list(value) if isinstance(value, tuple) else [value]


def word(i: Instruction, p: Parameter, places: Places) -> int:
    """An operand's address, a whole number of the instruction, or a fact about an operand; otherwise the default."""
    if p.name in i.named_operands:
        operand = i.named_operands[p.name]
        assert not isinstance(operand, tuple)
        return places.address(operand)
    if p.name in i.sizes:
        number = i.sizes[p.name]
        assert not isinstance(number, tuple)
        return number
    for fact, answer in FACTS.items():
        operand = i.named_operands.get(p.name.removesuffix(f"_{fact}")) if p.name.endswith(f"_{fact}") else None
        if isinstance(operand, Buffer):
            return answer(places, operand)
    if p.default is None:
        raise missing(i, p, (*i.named_operands, *i.sizes))
    return int(p.default)


def real(i: Instruction, p: Parameter) -> float:
    """A real number of the instruction, or the default."""
    number = i.constants.get(p.name, p.default)
    if number is None:
        raise missing(i, p, i.constants)
    assert not isinstance(number, tuple)
    return number


def missing(i: Instruction, p: Parameter, names: Iterable[str]) -> LookupError:
    return LookupError(
        f"the kernel {i.kernel} asks for {p.name!r}, which the instruction {i.title!r} doesn't have; it has: "
        f"{', '.join(names) or 'nothing'}. Name an operand, a key of `sizes` or `constants`, or give it a default"
    )


def cells(i: Instruction) -> Iterator[tuple[int, Buffer]]:
    """The columns of an instruction's row that hold addresses of operands, and the operands."""
    asked = parameters_of(kernel_of(i))
    operands = [i.named_operands.get(p.name) for p in asked.words]
    operands += several(i.named_operands.get(asked.rest, ())) if asked.whole else []
    yield from ((column, b) for column, b in enumerate(operands, start=1) if isinstance(b, Buffer))


def link(phases: Sequence[Sequence[Instruction]], own: Memory, first: Memory) -> tuple[Array, Array]:
    """The table of rows and the table of constants for one lane.

    In the last phase, in which the lanes share the work, every lane is linked to the first lane's gradients, which
    become the sum of all, and to the first lane's rows, which those of the other lanes follow.
    """
    count = sum(len(phase) for phase in phases)
    table = aligned(count * m.ROW_WIDTH, np.int64).reshape(count, m.ROW_WIDTH)
    constants = aligned(max(1, count) * m.CONSTANTS, np.float64).reshape(-1, m.CONSTANTS)
    place = 0
    for number, phase in enumerate(phases):
        for i in phase:
            last = number == len(phases) - 1
            words, reals = row(i, Places(own, first if last else own, last))
            table[place, : 1 + len(words)] = address_of(kernel_of(i)), *words
            constants[place, : len(reals)] = reals
            place += 1
    return table, constants


def shared(buffer: Buffer | None) -> bool:
    """Whether all lanes use the first lane's copy of a buffer in the finish."""
    return buffer is not None and (buffer.region == GRADIENTS or (buffer.region == WORKSPACE and buffer.per_row))


def executed(instructions: Sequence[Instruction], lanes: int) -> list[Instruction]:
    """The instructions that do any work: a reshape only renames memory, and one lane has nothing to combine."""
    return [i for i in instructions if not isinstance(i, Reshape) and i.on_lanes(lanes, [])]


def finish_of(job: Job, shared: Sequence[Buffer]) -> list[Segment]:
    """The segments of the finish. Gradients that lanes share are computed first, and aren't summed over the lanes."""
    segments = [replace(s, instructions=executed(s.instructions, job.lanes)) for s in job.program.segments()]
    if shared:
        number = next(number for number, s in enumerate(segments) if s.sliced)
        rest = [part for i in segments[number].instructions for part in i.on_lanes(job.lanes, shared)]
        segments[number] = replace(segments[number], instructions=[*job.program.wide, *rest])
    return segments


def phases_of(job: Job, finish: Sequence[Segment]) -> list[list[Instruction]]:
    """The instructions to execute in each phase. Gradients that lanes share are left to the finish."""
    last = [i for segment in finish for i in segment.instructions]
    rows = [i for i in job.program.rows if i not in last]
    return [executed(phase, job.lanes) for phase in (job.program.prepare, rows, job.program.collect, last)]


def overlaps(instruction: Instruction, gradients: Sequence[Buffer]) -> bool:
    """Whether an operand of an instruction shares elements with one of these gradients."""
    own = [b for b in instruction.operands if b is not None and b.region == GRADIENTS]
    return any(b.offset < g.offset + g.size and g.offset < b.offset + b.size for b in own for g in gradients)
