"""Dropout that marks what it drops, and the adjoint that sees it."""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions.changes import Flagged
from thalweg.program.instructions.elementwise import Dropout
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState


class NativeDropout(Flagged, Dropout):
    """a = h·keep/(1 − rate); if `marked`, the dropped elements are −0 and all others are not, for `DropoutAdjoint`."""

    marked: bool = False


class DropoutAdjoint(Instruction):
    """dh = da·keep/(1 − rate), where a says what was kept: see `NativeDropout`. Drawing again takes longer."""

    a: Buffer
    da: Buffer
    dh: Buffer
    rate: float
    stream: int

    name = "dropout adjoint"
    writes = ("dh",)

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.da}·keep/{1 - self.rate:g}, as in {self.a}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.dh.size}

    def reference(self, xp: Any, a: Array, da: Array, step: StepState) -> Array:
        """Draws again: an array library may not keep the sign of 0."""
        return xp.where(step.drawn(xp, self.stream, self.dh.shape) >= self.rate, da / (1 - self.rate), 0)

    def flops(self, rows: int) -> int:
        return rows * self.dh.size
