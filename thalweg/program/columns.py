"""A narrow batch by columns: the inputs of a few numbers that a layer of a few units reads.

Row by row, 5 inputs fill a third of a vector of 16, and one unit a sixteenth. Where all rows of an input follow each
other, a vector holds rows: a unit is a sum of columns, and its weight gradient are dot products of columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.program.batches import Gather
from thalweg.program.instruction import Instruction
from thalweg.program.linear import Affine, WeightGradient

NARROW = 8  # inputs at most: to write more than these apart costs the gathering of a shuffled batch more than is gained
FEW = 4  # units at most: of more, a row of W fills enough of a vector


def keep_columns(instructions: Sequence[Instruction]) -> None:
    """Marks what is gathered and then read by nothing but affine maps of few units and their weight gradients."""
    for gather in [i for i in instructions if type(i) is Gather]:
        x = gather.x
        readers = [i for i in instructions if any(b.storage is x for b in i.inputs)]
        if len(x.shape) == 1 and 1 < x.size <= NARROW and readers and all(takes_columns(i) for i in readers):
            x.by_columns = all(i.x is x for i in readers if isinstance(i, Affine | WeightGradient))


def takes_columns(i: Instruction) -> bool:
    """Whether an instruction reads its x by columns at least as fast."""
    return (isinstance(i, Affine) and i.W.shape[1] <= FEW) or (isinstance(i, WeightGradient) and i.dW.shape[1] <= FEW)
