"""The memory plan: the offset of every workspace buffer. Two that are never alive together may share memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg.engine.native.instructions.linear import wide_gradient
from thalweg.engine.native.layouts.regions import EXCHANGE, PREPARED
from thalweg.engine.native.scheduling.traits import in_place
from thalweg.program.instructions.batches import Gather
from thalweg.program.ir.alignment import ALIGNMENT, align
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction
from thalweg.program.ir.packing import Life, pack

WIDE = 8 * ALIGNMENT  # elements of a row: so large a buffer begins at a cache line, however many rows a block has


@dataclass(slots=True)
class MemoryPlan:
    """Where each buffer lies, in elements from the start of its region, and how many elements each region needs.

    The offset of a per-row buffer counts elements of one row: in a block of r rows it starts r times as far in. Buffers
    that aren't per row (a second contribution to a gradient) live through the whole step and follow these; so do
    prepared buffers, in a region of their own.
    """

    offsets: dict[Buffer, int] = field(default_factory=dict)
    row: int = 0  # workspace for each row of a block
    once: int = 0  # workspace needed once
    prepared: int = 0
    exchange: int = 0  # a lane's part

    def offset(self, buffer: Buffer) -> int:
        """The place of a buffer: planned, or its own in a vector that outlives the step."""
        return self.offsets.get(buffer.storage, buffer.storage.offset)

    def in_order(self, buffers: Sequence[Buffer]) -> int:
        """Places buffers one after the other; returns the elements they take."""
        top = 0
        for buffer in buffers:
            self.offsets[buffer] = top
            top += align(buffer.size)
        return top


def planned(prepare: Sequence[Instruction], rows: Sequence[Instruction], after: Sequence[Instruction]) -> MemoryPlan:
    plan = MemoryPlan()
    per_row = region(WORKSPACE, rows, per_row=True)
    lives = lifetimes(per_row, rows)
    plan.row = pack(list(dict.fromkeys(lives.values())))
    plan.offsets.update((buffer, lives[buffer].offset) for buffer in per_row)
    plan.once = plan.in_order(region(WORKSPACE, [*prepare, *rows, *after], per_row=False))
    plan.prepared = plan.in_order(region(PREPARED, prepare, per_row=False))
    plan.exchange = plan.in_order(region(EXCHANGE, [*rows, *after], per_row=False))
    return plan


def region(name: str, instructions: Sequence[Instruction], per_row: bool) -> list[Buffer]:
    """The buffers of a region that these instructions use, in the order of first use."""
    used = (b for i in instructions for b in i.operands if b is not None)
    return list(dict.fromkeys(b for b in used if b.region == name and b.per_row == per_row))


def lifetimes(buffers: Sequence[Buffer], rows: Sequence[Instruction]) -> dict[Buffer, Life]:
    """One `Life` for each piece of storage; views and elementwise results that overwrite their operand share one."""
    lives: dict[Buffer, Life] = {}
    for buffer in buffers:
        uses = [n for n, i in enumerate(rows) if any(b is buffer for b in i.operands)]
        lives[buffer] = Life(align(buffer.size) if buffer.size >= WIDE else buffer.size, min(uses), max(uses))
    # A batch that is the whole data set is gathered only once; a wide gradient's product may be left to the finish.
    kept = [b for i in rows if isinstance(i, Gather) for b in i.outputs]
    kept += [b for i in rows if wide_gradient(i) is not None for b in i.inputs if b.per_row]
    for buffer in kept:
        lives[buffer].end = len(rows)
    for buffer in buffers:
        if buffer.view_of is not None:
            share(lives, buffer.storage, buffer)
    for n, instruction in enumerate(rows):
        pair = in_place(instruction)
        if pair is not None and all(b in lives for b in pair):
            one, other = (lives[b] for b in pair)
            if one is not other and one.end == n and other.start == n:
                share(lives, *pair)
    return lives


def share(lives: dict[Buffer, Life], one: Buffer, other: Buffer) -> None:
    """Gives the storage of two buffers one life that spans both."""
    kept, dropped = lives[one], lives[other]
    kept.start, kept.end = min(kept.start, dropped.start), max(kept.end, dropped.end)
    for buffer, life in lives.items():
        if life is dropped:
            lives[buffer] = kept
