"""What a number of lanes executes of a schedule, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.engine.contract import Plan
from thalweg.engine.native.instructions.linear import wide_gradient
from thalweg.engine.native.instructions.updates import on_lanes
from thalweg.engine.native.scheduling.blocks import block_for, shared_gradients
from thalweg.engine.native.scheduling.schedule import Schedule, Segment, schedule_of
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import GRADIENTS, Buffer, Instruction
from thalweg.program.ir.program import Program

PHASES = ("prepare", "rows", "collect", "finish")


def executed(instructions: Sequence[Instruction], lanes: int) -> list[Instruction]:
    """The instructions that do any work: a reshape only renames memory, and one lane has nothing to combine."""
    return [i for i in instructions if not isinstance(i, Reshape) and on_lanes(i, lanes, [])]


def finish_of(schedule: Schedule, lanes: int, shared: Sequence[Buffer]) -> list[Segment]:
    """The segments of the finish. Gradients that lanes share are computed first, and aren't summed over the lanes."""
    segments = [replace(s, instructions=executed(s.instructions, lanes)) for s in schedule.segments()]
    if shared:
        number = next(number for number, s in enumerate(segments) if s.sliced)
        rest = [part for i in segments[number].instructions for part in on_lanes(i, lanes, shared)]
        wide = [i for i in schedule.rows if wide_gradient(i) is not None]
        segments[number] = replace(segments[number], instructions=[*wide, *rest])
    return segments


def phases_of(schedule: Schedule, lanes: int, finish: Sequence[Segment]) -> list[list[Instruction]]:
    """The instructions to execute in each phase. Gradients that lanes share are left to the finish."""
    last = [i for segment in finish for i in segment.instructions]
    rows = [i for i in schedule.rows if i not in last]
    return [executed(phase, lanes) for phase in (schedule.prepare, rows, schedule.collect, last)]


def overlaps(instruction: Instruction, gradients: Sequence[Buffer]) -> bool:
    """Whether an operand of an instruction shares elements with one of these gradients."""
    own = [b for b in instruction.operands if b is not None and b.region == GRADIENTS]
    return any(b.offset < g.offset + g.size and g.offset < b.offset + b.size for b in own for g in gradients)


def plan(program: Program, batch: int, lanes: int) -> Plan:
    """How a batch is computed by a number of lanes."""
    schedule = schedule_of(program)
    finish = finish_of(schedule, lanes, shared_gradients(schedule, batch, lanes))
    phases = zip(PHASES, phases_of(schedule, lanes, finish), strict=True)
    block = block_for(schedule, batch, lanes)
    return Plan(
        [(phase, i) for phase, instructions in phases for i in instructions],
        {
            "lanes": lanes,
            "rows in a block": block,
            "meetings in a step": len(schedule.meetings) + len(finish) + 1 + schedule.meets_early,
            "bytes of workspace in a lane": 4 * (align(schedule.plan.row * block) + schedule.plan.once),
        },
    )
