"""What the machine has to know about an instruction besides what it computes."""

from __future__ import annotations

from thalweg.engine.native.instructions.elementwise import DropoutAdjoint
from thalweg.engine.native.instructions.normalization import NativeBatchNormalization, NativeBatchSums
from thalweg.engine.native.instructions.updates import TableReduce
from thalweg.program.instructions.activations import Activation, ElementwiseAdjoint
from thalweg.program.instructions.elementwise import Add, Copy, Dropout, Rescale
from thalweg.program.instructions.embedding import Embedding, EmbeddingGradient
from thalweg.program.instructions.images.augmentation import RandomBrightness, RandomContrast
from thalweg.program.instructions.losses.penalties import OrthogonalPenaltyGradient, Penalty, PenaltyGradient
from thalweg.program.instructions.noise import Noise
from thalweg.program.instructions.normalization import BatchNormalizationAdjoint
from thalweg.program.instructions.parametric import Prelu
from thalweg.program.instructions.rowwise import Rowwise, RowwiseAdjoint
from thalweg.program.instructions.updates.constraints import NormConstraint
from thalweg.program.instructions.updates.gradients import ClipNorm
from thalweg.program.instructions.updates.matrix_updates import WholeUpdate
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Buffer, Instruction

# The operand of a kernel, and the result that it may write over it: what it has written it doesn't read again.
OVERWRITING: tuple[tuple[tuple[type[Instruction], ...], str, str], ...] = (
    ((Activation, Rowwise, Dropout, Noise, Prelu), "h", "a"),
    ((ElementwiseAdjoint, RowwiseAdjoint, DropoutAdjoint), "da", "dh"),
    ((Add, Copy, Rescale, RandomContrast, RandomBrightness), "x", "z"),
    ((BatchNormalizationAdjoint,), "da", "dx"),
    ((NativeBatchNormalization,), "shortcut", "a"),
    ((NativeBatchSums,), "da", "dn"),
)


class OwnInputs(Instruction):
    """Base: works on the inputs that are this lane's, for all rows of the batch."""


def in_place(i: Instruction) -> tuple[Buffer, Buffer] | None:
    """An operand and a result of as many elements that may share its memory, if there are such."""
    for kinds, source, result in OVERWRITING:
        if isinstance(i, kinds):
            x, z = getattr(i, source), getattr(i, result)
            return None if x is None or z is None or x.size != z.size else (x, z)
    return None


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
