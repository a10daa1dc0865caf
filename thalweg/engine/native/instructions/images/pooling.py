"""Pooling with a relu or its adjoint, on images by rows or by columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.engine.native.instructions.changes import Flagged, end, ended, variant
from thalweg.program.instructions.images.pooling import AveragePoolingAdjoint, MaxPooling, MaxPoolingAdjoint
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


class NativeMaxPooling(Flagged, MaxPooling):
    """a = the largest element of each window; with `relu`, max(0, …): a relu before the pooling, in one instruction.

    As relu is monotonic, the result is the same.
    """

    relu: bool = False

    @property
    def title(self) -> str:
        return "relu + max pooling" if self.relu else self.name

    @property
    def formula(self) -> str:
        of = f"max({self.x}, 0)" if self.relu else f"{self.x}"
        return f"{self.a} = max over {self.window.size} of {of}"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for i in super().adjoint(d):
            yield variant(NativeMaxPoolingAdjoint, i, relu=self.relu)

    def reference(self, xp: Any, x: Array) -> Array:
        return end(xp, super().reference(xp, x), self.relu, None)

    def flops(self, rows: int) -> int:
        return super().flops(rows) + self.relu * rows * self.a.size


class NativeMaxPoolingAdjoint(Flagged, MaxPoolingAdjoint):
    """dx = Σ of da over the windows in which the element is the first largest; with a relu, if it is above 0"""

    relu: bool = False

    @property
    def title(self) -> str:
        return "relu + max pooling adjoint" if self.relu else self.name

    @property
    def formula(self) -> str:
        return super().formula + (f" and {self.a} > 0" if self.relu else "")

    def reference(self, xp: Any, x: Array, a: Array, da: Array) -> Array:
        """A window whose largest element isn't above 0 has nothing to give."""
        return super().reference(xp, x, a, xp.where(a > 0, da, 0) if self.relu else da)


class NativeAveragePoolingAdjoint(AveragePoolingAdjoint):
    """dx = Σ of da/(elements in the window) over the windows that cover the element

    With a, if x is the relu output a, dx·[a > 0]: the relu's adjoint, which follows.
    """

    a: Buffer | None = None

    @property
    def formula(self) -> str:
        return ended(super().formula, False, self.a)

    def reference(self, xp: Any, da: Array, a: Array | None) -> Array:  # type: ignore[override] # it reads a, too
        return end(xp, super().reference(xp, da), False, a)
