"""Sparse gradients: of a table of embeddings, only the rows that occur in the batch have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.program.instructions.embedding import EmbeddingGradient
from thalweg.program.instructions.updates.table_updates import Touched
from thalweg.program.ir.instruction import GRADIENTS, Buffer, Instruction
from thalweg.program.passes.draft import Draft


def sparse_gradients(draft: Draft, constraints: Sequence[Instruction]) -> tuple[Draft, dict[Buffer, Touched]]:
    """Makes the gradients of tables sparse; returns the rows that are touched, by table.

    A table's gradient stays dense, and all its rows are updated, if something else contributes to it or reads it (a
    regularizer, a second use of the table), if the table has a constraint, or if its layer asks for it.
    """
    result: dict[Buffer, Touched] = {}
    changes: dict[Instruction, Sequence[Instruction]] = {}
    for i in draft.backward:
        if not isinstance(i, EmbeddingGradient) or not i.sparse or i.dW.region != GRADIENTS:
            continue
        table = next(W for W in draft.trained if W.offset == i.dW.offset)
        if draft.readers(i.dW) or len(draft.writers(i.dW)) > 1:
            continue
        if any(table in other.operands for other in constraints):
            continue
        size = i.dW.shape[0]
        counts, listed, own = (
            Buffer(f"{what} {i.dW}", (n,), per_row=False)
            for what, n in (("counts of", size), ("rows of", 1 + size), ("own rows of", 1 + size))
        )
        result[table] = Touched(counts, listed, own, i.ids.size)
        changes[i] = [replace(i, counts=counts, touched=listed)]
    return draft.changed(changes), result
