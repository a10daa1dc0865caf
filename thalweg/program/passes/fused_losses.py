"""A loss, its gradient and the activation before it as one instruction."""

from __future__ import annotations

from dataclasses import replace

from thalweg.program.instructions.activations import is_activation
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.passes.draft import Draft


def fuse_losses(draft: Draft) -> Draft:
    """Replaces each loss by its adjoint, which computes its value too.

    A loss of logits computes softmax or sigmoid along the way. So if the network ends with that activation, its
    instruction goes, and the loss writes the activation itself if something else reads it or it has to be visible.
    """
    shown = draft.outputs if draft.request.visible else ()
    for gradient in [i for i in draft.backward if isinstance(i, LossAndGradient)]:
        whole, kind = gradient, gradient.of.activation
        before = draft.forward[: draft.forward.index(gradient.of)]
        sources = [i for i in draft.readers(gradient.p) if kind and is_activation(i, kind) and i in before]
        for source in sources[:1]:
            a = source.outputs[0]
            readers = draft.readers(a)
            if not any(i in before for i in readers):  # otherwise it is needed before the loss
                whole = replace(gradient, a=a if readers or any(a is y for y in shown) else None)
                draft = draft.changed({source: []})
        draft = draft.changed({gradient.of: [whole], gradient: []})
    return draft
