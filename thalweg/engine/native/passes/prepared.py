"""Products with a kernel that is transposed once a step, and weight gradients that may wait until it ends."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.linear import NativeInputGradient, NativeWeightGradient, Transpose
from thalweg.program.instructions.linear import InputGradient, WeightGradient
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft

# The input gradient needs Wᵀ. Up to this many elements (512 KiB), each lane makes it once a step for all its blocks. A
# larger one would have to come back from memory, so the product transposes W itself, panel by panel.
TRANSPOSED = 1 << 17


def prepare_products(draft: Draft) -> Draft:
    """Lets input gradients read a Wᵀ that is made once a step, and wide weight gradients wait for the finish."""
    changes: dict[Instruction, Sequence[Instruction]] = {}
    for i in draft.backward:
        if isinstance(i, InputGradient) and i.W.size <= TRANSPOSED:
            changes[i] = on_transposed(variant(NativeInputGradient, i))
        elif isinstance(i, WeightGradient) and (wide := variant(NativeWeightGradient, i)).wide_gradient:
            changes[i] = [wide]
    return draft.changed(changes)


def on_transposed(i: NativeInputGradient) -> list[Instruction]:
    """The same product with Wᵀ, and what makes it: no more of it than is read."""
    part = f"[{i.first}:{i.rows.stop}]" if i.narrowed else ""
    Wt = Buffer(f"{i.W}{part}ᵀ", (i.W.shape[1], i.dx.shape[-1]), per_row=False)
    return [Transpose(i.W, Wt, i.first), variant(NativeInputGradient, i, W=Wt, transposed=True, first=0)]
