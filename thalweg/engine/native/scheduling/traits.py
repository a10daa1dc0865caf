"""What the machine has to know about an instruction besides what it computes."""

from __future__ import annotations

from thalweg.engine.native.instructions.updates import TableReduce
from thalweg.program.instructions.embedding import Embedding, EmbeddingGradient
from thalweg.program.instructions.losses.penalties import OrthogonalPenaltyGradient, Penalty, PenaltyGradient
from thalweg.program.instructions.updates.constraints import NormConstraint
from thalweg.program.instructions.updates.gradients import ClipNorm
from thalweg.program.instructions.updates.matrix_updates import WholeUpdate
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Instruction


class OwnInputs(Instruction):
    """Base: works on the inputs that are this lane's, for all rows of the batch."""


def sliced(i: Instruction) -> bool:
    """Whether it works on parameters element by element, so that it can run on any stretch of their vector."""
    elementwise = isinstance(i, Stretch | Penalty | PenaltyGradient | OrthogonalPenaltyGradient)
    return elementwise and not isinstance(i, WholeUpdate | TableUpdate)


def meets(i: Instruction) -> bool:
    """Whether it needs the results of the preceding instructions of the finish on every lane."""
    return isinstance(i, ClipNorm | NormConstraint)  # a norm, and one of which all weights have been updated


def scattered(i: Instruction) -> bool:
    """Whether it waits for rows here and there in memory, not for arithmetic."""
    return isinstance(i, Embedding | EmbeddingGradient | TableReduce | TableUpdate)
