"""A program: instructions in order, divided into phases, and the place of each buffer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from thalweg.program.ir.instruction import (
    EXCHANGE,
    NORMS,
    PARAMETERS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Constant,
    Instruction,
)
from thalweg.program.ir.memory import align, place


@dataclass(frozen=True)
class Segment:
    """A part of the finish between two meetings of the lanes.

    A sliced segment runs all its instructions on a few thousand parameters before the next few thousand, so that each
    vector is read from memory once. Otherwise, each instruction works on a whole array, on one lane.
    """

    instructions: list[Instruction]
    sliced: bool
    due: bool  # only in steps that update the weights


def known(buffer: Buffer) -> bool:
    """Whether a buffer holds its values before a step begins."""
    return buffer.region == PARAMETERS or isinstance(buffer, Constant)


@dataclass(slots=True)
class Program:
    """Instructions of one kind of work (training, evaluation, prediction), ready to be executed or printed.

    A step runs in four phases. `prepare`, done once, depends on parameters and constants only, or is a lane's share of
    something done for the whole batch; `rows` is done block by block over the rows of the batch; `collect` puts
    together the gradients of one lane; `finish` (penalties, the sum over the lanes and the update) follows when all
    lanes have met, divided into segments between which they meet again. The lanes also meet before an instruction of
    the rows phase that reads what all lanes have written (statistics of the batch); then each has all its rows in one
    block.
    """

    forward: Sequence[Instruction]
    backward: Sequence[Instruction] = ()
    update: Sequence[Instruction] = ()
    every: int = 1  # steps whose gradients are accumulated for one update
    workspace_row: int = 0  # elements of workspace per row of a block
    workspace_fixed: int = 0  # elements of workspace needed once
    prepared: int = 0  # elements of the prepared region
    exchange: int = 0  # elements of a lane's part of the exchange
    prepare: list[Instruction] = field(default_factory=list)
    rows: list[Instruction] = field(default_factory=list)
    collect: list[Instruction] = field(default_factory=list)
    finish: list[Instruction] = field(default_factory=list)
    norms: int = 0  # elements of the region of norms
    meetings: list[Instruction] = field(default_factory=list)  # of the rows phase, before which all lanes meet
    positions: int = 1  # rows of a product per row of the batch, on average

    def __post_init__(self) -> None:
        ready: set[Buffer] = set()  # what a lane derives from the parameters alone
        for instruction in (*self.forward, *self.backward):
            early = all(b.storage in ready or known(b) for b in instruction.inputs)
            if not instruction.per_row and all(b.view_of is not None for b in instruction.outputs):  # no work
                self.prepare.append(instruction)
            elif any(b.region in (PARAMETERS, SLOTS) for b in instruction.outputs):  # moving averages and centres
                self.finish.append(instruction)
            elif instruction.own_inputs and not instruction.reduces:
                self.prepare.append(instruction)
            elif instruction.per_row:
                self.rows.append(instruction)
            elif any(b.region == TOTALS for b in instruction.outputs) or instruction.accumulates:
                self.finish.append(instruction)
            elif early:
                self.prepare.append(instruction)
                ready.update(b for b in instruction.outputs if b.region == WORKSPACE)
            else:
                self.collect.append(instruction)
        self.finish.sort(key=lambda i: i.sliced)  # stable: one meeting at most before the update
        self.finish.extend(self.update)
        self.rows.sort(key=lambda i: not i.gathers)  # stable: the batch comes first
        once = [*self.collect, *self.finish]
        sizes = place(self.prepare, self.rows, once)
        self.workspace_row, self.workspace_fixed, self.prepared, self.exchange = sizes
        self.meetings, self.positions = self.meet(), self.places()
        self.norms = align(max((b.offset + b.size for b in self.buffers() if b.region == NORMS), default=0))

    def segments(self) -> list[Segment]:
        """The finish, divided where the lanes have to meet."""
        result: list[Segment] = []
        for instruction in self.finish:
            kind = (instruction.sliced, instruction.due and self.every > 1)
            behind = not result or (instruction.meets and not result[-1].instructions[0].meets)
            if behind or kind != (result[-1].sliced, result[-1].due):
                result.append(Segment([], *kind))
            result[-1].instructions.append(instruction)
        return result

    def __iter__(self) -> Iterator[Instruction]:
        """Every instruction in the order of execution."""
        yield from self.prepare
        yield from self.rows
        yield from self.collect
        yield from self.finish

    def meet(self) -> list[Instruction]:
        """The instructions of the rows phase before which all lanes meet."""
        result: list[Instruction] = []
        written: set[Buffer] = set()
        for instruction in self.rows:
            if not written.isdisjoint(instruction.inputs):
                result.append(instruction)
                written.clear()
            written.update(b for b in instruction.outputs if b.region == EXCHANGE)
        return result

    @property
    def meets_early(self) -> bool:
        """Whether the lanes read what others have prepared."""
        return self.prepared > 0 or any(i.own_inputs for i in self.prepare)

    @property
    def wide(self) -> list[Instruction]:
        """The instructions that compute the weight gradients that may be left to the finish."""
        return [i for i in self.rows if i.wide_gradient is not None]

    @property
    def wide_gradients(self) -> list[Buffer]:
        """The weight gradients that may be left to the finish."""
        return [gradient for i in self.rows if (gradient := i.wide_gradient) is not None]

    @property
    def sparse_gradients(self) -> list[Buffer]:
        """The gradients of which only some rows are written and updated."""
        return [gradient for i in self.rows if (gradient := i.sparse_gradient) is not None]

    def buffers(self) -> list[Buffer]:
        """Every buffer of the program, in the order of first use."""
        return list(dict.fromkeys(b for i in self for b in i.operands if b is not None))

    def places(self) -> int:
        """Rows of a product per row of the batch, on average: 1 for dense layers, more for images."""
        products = [i for i in self.forward if i.matrix_size]
        rows = sum(i.flops(1) / 2 for i in products) / max(1, sum(i.matrix_size for i in products))
        return max(1, int(rows))

    def flops(self, rows: int, scattered: bool = True) -> int:
        """Floating-point operations of one step over a batch of `rows`; if not `scattered`, without those that are."""
        return sum(i.flops(rows) for i in self if scattered or not i.scattered)
