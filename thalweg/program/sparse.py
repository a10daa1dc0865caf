"""Tables of embeddings whose steps are taken on the rows that occur in the batch alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from thalweg.program.autodiff import can_be_differentiated, values_reaching_the_loss
from thalweg.program.instructions.embedding import Embedding, EmbeddingGradient
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.ir.instruction import GRADIENTS, TOTALS, Buffer, Instruction


class Occurring(NamedTuple):
    """The rows of a table that occur in the batch."""

    counts: Buffer  # how often each does
    ids: int  # in a row of the batch


def sparse_tables(
    forward: Sequence[Instruction], trained: Collection[Buffer], constraints: Sequence[Instruction]
) -> dict[Buffer, Occurring]:
    """The tables of which only the rows that occur in the batch are updated.

    All rows of a table are if something else contributes to its gradient (a regularizer, a second use of the table), if
    the table has a constraint, or if its layer asks for it.
    """
    reached = values_reaching_the_loss(forward)
    result: dict[Buffer, Occurring] = {}
    for i in forward:
        if not isinstance(i, Embedding) or not i.sparse or i.W not in trained:
            continue
        alone = not any(contributes(other, i.W, reached) for other in forward if other is not i)
        if alone and not any(i.W in constraint.operands for constraint in constraints):
            result[i.W] = Occurring(Buffer(f"counts of d{i.W}", (i.W.shape[0],), per_row=False), i.ids.size)
    return result


def contributes(i: Instruction, W: Buffer, reached: Collection[Buffer]) -> bool:
    """Whether an instruction's adjoint adds to a weight's gradient; a penalty's does so last, in place."""
    if any(o.region == TOTALS for o in i.outputs):
        return W in i.inputs and can_be_differentiated(i)
    return W in i.differentiable() and any(o in reached for o in i.outputs)


def counting(backward: Sequence[Instruction], update: Sequence[Instruction]) -> list[Instruction]:
    """The backward half, in which the gradients of tables count rows for the steps that are taken on these."""
    counts = {i.vectors[0].offset: i.counts for i in update if isinstance(i, TableUpdate)}

    def counted(i: Instruction) -> Instruction:
        if isinstance(i, EmbeddingGradient) and i.dW.region == GRADIENTS:
            return replace(i, counts=counts.get(i.dW.offset))
        return i

    return [counted(i) for i in backward]
