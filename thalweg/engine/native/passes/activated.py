"""A loss and the activation before it in one pass: ŷ and its adjoint stay in registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.program.formula.operations import UNARY
from thalweg.program.instructions.activations import RELU, SIGMOID, Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.losses.elementwise_losses import ElementwiseLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState
from thalweg.program.passes.draft import Draft

# The activations with which losses are fused: without arguments, with a slope in a. Each pair is a kernel of a wheel.
FUSED = (SIGMOID, UNARY["tanh"], RELU)


class ActivatedLoss(Instruction):
    """ŷ = f(h), rows·L added to `sums`, and dh = ∂L/∂h, by the three instructions that it replaces.

    If something else reads ŷ, the activation stays an instruction of its own, and v is ŷ.
    """

    activation: Elementwise
    loss: LossAndGradient
    back: ElementwiseAdjoint
    v: Buffer
    y: Buffer
    weight: Buffer | None
    sums: Buffer
    dh: Buffer

    name = "activated loss"
    writes = ("dh", "sums")

    @property
    def parts(self) -> Sequence[Instruction]:
        first = [self.activation] if self.v is self.activation.h else []
        return [*first, self.loss, self.back]

    @property
    def title(self) -> str:
        first = self.activation.title if self.v is self.activation.h else f"{self.activation.title} adjoint"
        return f"{first} + {self.loss.of.title}"

    @property
    def formula(self) -> str:
        return ", ".join(i.formula for i in self.parts)

    @property
    def sizes(self) -> Mapping[str, int | tuple[int, ...]]:
        return self.loss.sizes

    @property
    def constants(self) -> Mapping[str, float | tuple[float, ...]]:
        return self.loss.constants

    def reference(self, xp: Any, v: Array, y: Array, weight: Array | None, step: StepState) -> tuple[Array, Array]:
        a = v if self.v is self.activation.a else self.activation.value(xp, v)
        da, sums, _ = self.loss.reference(xp, a, y, weight, step)
        return self.back.reference(xp, a, (), da), sums

    def flops(self, rows: int) -> int:
        return sum(i.flops(rows) for i in self.parts)


def fuse_activations(draft: Draft) -> Draft:
    """Lets a loss of single outputs compute the adjoint of the activation before it, and the activation too if nothing
    else reads its value."""
    for loss in [i for i in draft.forward if isinstance(i, LossAndGradient)]:
        adjoint = draft.only_reader(loss.dp)
        if not isinstance(adjoint, ElementwiseAdjoint) or not can_fuse(loss, adjoint):
            continue
        of = adjoint.of
        assert isinstance(of, Elementwise)
        alone = all(i in (loss, adjoint) for i in draft.readers(of.a))
        v = of.h if alone else of.a
        whole = ActivatedLoss(of, loss, adjoint, v, loss.y, loss.weight, loss.sums, adjoint.dh)
        draft = draft.changed({loss: [whole], adjoint: []} | ({of: []} if alone else {}))
    return draft


def can_fuse(loss: LossAndGradient, adjoint: ElementwiseAdjoint) -> bool:
    """Whether both are equations of single numbers, the activation's one of those that end networks, and the loss's
    without an activation."""
    plain = isinstance(adjoint.of, Elementwise) and adjoint.of.equation in FUSED and adjoint.of.a is loss.p
    return plain and isinstance(loss.of, ElementwiseLoss) and loss.of.activation is None
