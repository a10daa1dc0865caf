"""PReLU: a rectifier whose slope below 0 is trained."""

from __future__ import annotations

from typing import Any

from thalweg.program.instructions.derived.derived_adjoint import Derived
from thalweg.program.ir.instruction import Array, Buffer, Stated


class Prelu(Derived):
    """a = h for h > 0, otherwise α·h      h, a (rows, *shape), α of the same shape with size 1 on shared axes

    At 0, as in PyTorch, the slope is α.
    """

    h: Buffer
    alpha: Buffer
    a: Buffer

    name = "prelu"
    printed = "{a} = ({h} > 0 ? {h} : {alpha}·{h})"
    writes = ("a",)
    differentiates = ("h", "alpha")

    @property
    def stated(self) -> Stated:
        return Stated("a = where(h > 0, h, alpha * h)", {"h": self.h, "alpha": self.alpha, "a": self.a})

    def reference(self, xp: Any, h: Array, alpha: Array) -> Array:
        return xp.where(h > 0, h, alpha * h)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.h.size
