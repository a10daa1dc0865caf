"""Dropout's masks, seen in what it has written."""

from __future__ import annotations

from dataclasses import replace

from thalweg.program.instructions.elementwise import Dropout, DropoutAdjoint
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.draft import Draft


def reuse_masks(draft: Draft) -> Draft:
    """Lets dropout's adjoint see in its output what was dropped, if that is kept for the backward half anyway, as the
    input of a dense layer is.

    An adjoint that draws the numbers again takes as long as dropout itself, three times as long as this: with both, a
    tenth of the step of a network for tables.
    """
    kept = {b for i in draft.backward for b in i.inputs}
    drops = {i.stream: i for i in draft.forward if isinstance(i, Dropout) and i.a in kept and len(i.a.shape) == 1}
    adjoints = [i for i in draft.backward if isinstance(i, Dropout) and i.stream in drops]
    changed: dict[Instruction, Instruction] = {}
    for i in adjoints:
        of = drops[i.stream]
        changed |= {i: DropoutAdjoint(of.a, i.h, i.a, i.rate, i.stream), of: replace(of, marked=True)}
    forward, backward = ([changed.get(i, i) for i in half] for half in (draft.forward, draft.backward))
    return replace(draft, forward=forward, backward=backward)
