"""What lanes compute together: each has its part, or all read what one has written."""

from __future__ import annotations

from dataclasses import replace

from thalweg.engine.native.instructions.changes import on_buffers, variant
from thalweg.engine.native.instructions.normalization import BatchMoments, NativeBatchNormalization, NativeMaskWeights
from thalweg.engine.native.layouts.regions import EXCHANGE, PREPARED
from thalweg.program.instructions.convolution import Flip
from thalweg.program.instructions.losses.centers import CenterSums
from thalweg.program.instructions.losses.penalties import OrthogonalPenalty
from thalweg.program.instructions.normalization import BatchNormalization, MaskWeights
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft

# What some instructions write for all lanes: the field, and the region of which every lane knows.
SHARED: dict[type[Instruction], tuple[str, str]] = {
    Flip: ("flipped", PREPARED),
    CenterSums: ("parts", EXCHANGE),
    OrthogonalPenalty: ("P", EXCHANGE),  # of which each lane writes some rows
}


def share_values(draft: Draft) -> Draft:
    """Puts what lanes make for each other where all find it."""
    places = [(getattr(i, field), region) for i in draft for field, region in [SHARED.get(type(i), ("", ""))] if field]
    shared = {b: replace(b, region=region) for b, region in places}
    return draft.changed({i: [on_buffers(i, shared)] for i in draft if not shared.keys().isdisjoint(i.operands)})


def exchange_statistics(draft: Draft) -> Draft:
    """Lets the lanes compute the statistics of a batch together: they exchange their parts, and all combine them."""
    for norm in [i for i in draft.forward if isinstance(i, BatchNormalization)]:
        (statistics,) = draft.writers(norm.mean)
        parts = Buffer(f"parts of {norm.a}", (2 * norm.mean.size,), EXCHANGE, per_row=False)
        own = variant(NativeBatchNormalization, norm, parts=parts)
        draft = draft.changed({statistics: [BatchMoments(norm.x, parts)], norm: [own]})
    for mask in [i for i in draft.forward if isinstance(i, MaskWeights)]:
        parts = Buffer(f"parts of {mask.w}", (2,), EXCHANGE, per_row=False)
        weights = variant(NativeMaskWeights, mask, parts=parts)
        draft = draft.changed({mask: [BatchMoments(mask.x, parts), weights]})
    return draft
