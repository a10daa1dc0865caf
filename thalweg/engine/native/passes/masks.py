"""Dropout's masks, seen in what it has written."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.engine.native.instructions.elementwise import DropoutAdjoint
from thalweg.engine.native.instructions.variants import native
from thalweg.program.instructions.elementwise import Dropout
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft


def reuse_masks(draft: Draft) -> Draft:
    """Lets dropout's adjoint see in its output what was dropped, if that is kept for the backward half anyway, as the
    input of a dense layer is.

    An adjoint that draws the numbers again takes as long as dropout itself, three times as long as this: with both, a
    tenth of the step of a network for tables.
    """
    drops = {i.stream: i for i in draft.forward if isinstance(i, Dropout) and kept(draft, i.a) and len(i.a.shape) == 1}
    changes: dict[Instruction, Sequence[Instruction]] = {}
    for i in draft.backward:
        if isinstance(i, Dropout) and i.stream in drops:
            of = drops[i.stream]
            changes |= {i: [DropoutAdjoint(of.a, i.h, i.a, i.rate, i.stream)], of: [native(of, marked=True)]}
    return draft.changed(changes)


def kept(draft: Draft, value: Buffer) -> bool:
    """Whether the backward half reads a value."""
    return any(i in draft.backward for i in draft.readers(value))
