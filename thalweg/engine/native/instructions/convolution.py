"""Convolutions with a relu or its adjoint behind them, on images by rows or by columns."""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions.changes import Flagged, end, ended
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution
from thalweg.program.ir.instruction import Array, Buffer


class Ended(Flagged):
    """Base: with `relu`, max(h, 0): the relu that follows; with a, h·[a > 0]: a relu's adjoint."""

    relu: bool = False
    a: Buffer | None = None

    @property
    def formula(self) -> str:
        return ended(super().formula, self.relu, self.a)


class NativeConvolution(Ended, Convolution):
    """h = x ∗ W + b, ended as `Ended` says"""

    def reference(  # type: ignore[override] # it reads a, too
        self, xp: Any, x: Array, W: Array, b: Array | None, a: Array | None
    ) -> Array:
        return end(xp, super().reference(xp, x, W, b), self.relu, a)


class NativeTransposedConvolution(Ended, TransposedConvolution):
    """h = x ∗ Wᶠ + b, ended as `Ended` says"""

    def reference(  # type: ignore[override] # it reads a, too
        self, xp: Any, x: Array, flipped: Array, b: Array | None, a: Array | None
    ) -> Array:
        return end(xp, super().reference(xp, x, flipped, b), self.relu, a)
