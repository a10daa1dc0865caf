"""The statistics of a batch, of which each lane computes its part: see `native/instructions/normalization.py`."""

from __future__ import annotations

from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.normalization import BatchMoments, NativeBatchNormalization
from thalweg.program.instructions.normalization import BatchNormalization
from thalweg.program.ir.instruction import EXCHANGE, Buffer
from thalweg.program.passes.draft import Draft


def exchange_statistics(draft: Draft) -> Draft:
    """Lets the lanes compute the statistics of a batch together: they exchange their parts, and all combine them."""
    for norm in [i for i in draft.forward if isinstance(i, BatchNormalization)]:
        (statistics,) = draft.writers(norm.mean)
        parts = Buffer(f"parts of {norm.a}", (2 * norm.mean.size,), EXCHANGE, per_row=False)
        own = variant(NativeBatchNormalization, norm, parts=parts)
        draft = draft.changed({statistics: [BatchMoments(norm.x, parts)], norm: [own]})
    return draft
