"""A schedule: how the native engine runs a program: in which phases, where the lanes meet, where each value lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from thalweg.engine.native.instructions.linear import wide_gradient
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.scheduling.memory_plan import planned
from thalweg.engine.native.scheduling.traits import OwnInputs, meets, sliced
from thalweg.program.instructions.embedding import EmbeddingGradient
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import NORMS, PARAMETERS, TOTALS, WORKSPACE, Buffer, Constant, Instruction
from thalweg.program.ir.program import Program, changes
from thalweg.program.passes.verifier import in_order


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


class Schedule:
    """A program's instructions divided into phases, and the memory that they need.

    A step runs in four phases. `prepare`, done once, depends on parameters and constants only, or is a lane's share of
    something done for the whole batch; `rows` is done block by block over the rows of the batch; `collect` puts
    together the gradients of one lane; `finish` (penalties, the sum over the lanes and the update) follows when all
    lanes have met, divided into segments between which they meet again. The lanes also meet before an instruction of
    the rows phase that reads what all lanes have written (statistics of the batch); then each has all its rows in one
    block.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.prepare: list[Instruction] = []
        self.rows: list[Instruction] = []
        self.collect: list[Instruction] = []
        self.finish: list[Instruction] = []
        self.divide()
        self.plan = planned(self.prepare, self.rows, [*self.collect, *self.finish])
        self.meetings = self.meet()  # instructions of the rows phase, before which all lanes meet
        self.constants = {b: b.values.astype(np.float32) for b in program.buffers() if isinstance(b, Constant)}
        self.norms = align(max((b.offset + b.size for b in program.buffers() if b.region == NORMS), default=0))

    def divide(self) -> None:
        """Gives each instruction to a phase."""
        ready: set[Buffer] = set()  # what a lane derives from the parameters alone
        for instruction in (*self.program.forward, *self.program.backward):
            early = all(b.storage in ready or known(b) for b in instruction.inputs)
            own = isinstance(instruction, OwnInputs)
            if not instruction.per_row and all(b.view_of is not None for b in instruction.outputs):  # no work
                self.prepare.append(instruction)
            elif changes(instruction):  # moving averages and centres
                self.finish.append(instruction)
            elif own and not instruction.reduces:
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
        self.finish.sort(key=sliced)  # stable: one meeting at most before the update
        self.finish.extend(self.program.update)

    def __iter__(self) -> Iterator[Instruction]:
        """Every instruction in the order of execution."""
        return chain(self.prepare, self.rows, self.collect, self.finish)

    def segments(self) -> list[Segment]:
        """The finish, divided where the lanes have to meet."""
        result: list[Segment] = []
        for i in self.finish:
            kind = (sliced(i), i.due and self.program.every > 1)
            behind = not result or (meets(i) and not meets(result[-1].instructions[0]))
            if behind or kind != (result[-1].sliced, result[-1].due):
                result.append(Segment([], *kind))
            result[-1].instructions.append(i)
        return result

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
        return self.plan.prepared > 0 or any(isinstance(i, OwnInputs) for i in self.prepare)

    @property
    def wide_gradients(self) -> list[Buffer]:
        """The weight gradients that may be left to the finish."""
        return [gradient for i in self.rows if (gradient := wide_gradient(i)) is not None]

    @property
    def sparse_gradients(self) -> list[Buffer]:
        """The gradients of which only some rows are written and updated."""
        return [i.dW for i in self.rows if isinstance(i, EmbeddingGradient) and i.counts is not None]


def schedule_of(program: Program) -> Schedule:
    """The schedule of a program; made when it is first asked for."""
    if "native" not in program.kept:
        schedule = Schedule(program)
        in_order(schedule, "the division into phases")
        program.kept["native"] = schedule
    found: Schedule = program.kept["native"]
    return found
