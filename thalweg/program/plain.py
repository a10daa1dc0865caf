"""The passes that every engine needs, and the plain pipeline made of them."""

from __future__ import annotations

from dataclasses import replace

from thalweg.program.autodiff import derive
from thalweg.program.ir.instruction import GRADIENTS, Buffer
from thalweg.program.passes.draft import Draft, Pass
from thalweg.program.passes.fused_losses import fuse_losses
from thalweg.program.passes.scanned import unroll, without_unread
from thalweg.program.sparse import counting


def derived(draft: Draft) -> Draft:
    """Adds the backward half, which writes each trained weight's gradient at the weight's offset in a vector."""
    gradients = {W: Buffer(f"d{W}", W.shape, GRADIENTS, per_row=False, offset=W.offset) for W in draft.trained}
    return replace(draft, backward=counting(derive(draft.forward, gradients), draft.update))


DERIVE = Pass("derive", derived, lambda r: r.trains)
UNREAD = Pass("leave out what is unread", without_unread, lambda r: True)
UNROLL = Pass("write steps out", unroll, lambda r: r.visible)  # each step's values are for all to see
# Not for speed alone: the logarithm of a softmax or sigmoid is accurate only if both are computed together.
FUSE_LOSSES = Pass("fuse losses", fuse_losses, lambda r: r.trains)

PLAIN = (DERIVE, UNREAD, UNROLL, FUSE_LOSSES)
