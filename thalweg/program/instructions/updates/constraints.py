"""Constraints that weights meet after an update: on a norm or a sign."""

from __future__ import annotations

from typing import Any

from thalweg.program.instructions.updates.updates import Update
from thalweg.program.ir.instruction import Array, Buffer, Instruction

EPSILON = 1e-7  # Keras's: a vector of zeros stays zero


class NormConstraint(Instruction):
    """w ← w·d/(‖w‖ + ε), d = rate·clip(‖w‖, low, high) + (1 − rate)·‖w‖, for W seen as (outer, reduced, inner).

    The norm is taken over the middle axis.
    """

    W: Buffer
    low: float
    high: float
    rate: float
    outer: int
    reduced: int
    inner: int

    name = "norm constraint"
    writes = ("W",)
    due = True

    @property
    def formula(self) -> str:
        w = self.W
        if self.low == self.high == self.rate == 1:
            return f"{w} ·= 1/(‖{w}‖ + ε)"
        clipped = f"clip(‖{w}‖, {self.low:g}, {self.high:g})"
        if self.rate == 1:
            return f"{w} ·= {clipped}/(‖{w}‖ + ε)"
        return f"{w} ·= ({self.rate:g}·{clipped} + {1 - self.rate:g}·‖{w}‖)/(‖{w}‖ + ε)"

    @property
    def fits(self) -> bool:
        return self.W.size == self.outer * self.reduced * self.inner

    @property
    def sizes(self) -> dict[str, int]:
        return {"outer": self.outer, "reduced": self.reduced, "inner": self.inner}

    def reference(self, xp: Any, W: Array) -> Array:
        w = W.reshape(self.outer, self.reduced, self.inner)
        norm = xp.sqrt((w * w).sum(axis=1, keepdims=True))
        desired = self.rate * xp.clip(norm, self.low, self.high) + (1 - self.rate) * norm
        return (w * (desired / (EPSILON + norm))).reshape(W.shape)

    def flops(self, rows: int) -> int:
        return 3 * self.W.size + 6 * self.outer * self.inner


def non_negative(W: Buffer) -> Update:
    """Sets negative weights to 0."""
    return Update("non negative", "W = max(W, 0)", {"W": W}, {})
