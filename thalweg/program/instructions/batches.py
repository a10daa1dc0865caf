"""Rows in and out: the batch gathered from the data, the predictions stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from thalweg.program.ir.instruction import BYTES, Array, Buffer, Instruction, StepState, summed_at


class Gather(Instruction):
    """Base: x = X[order]      the rows of this batch, in this epoch's order, from all rows of the data"""

    X: Buffer
    x: Buffer

    writes = ("x",)
    shapes = "X: rows …; x: rows …"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.x.size}

    def reference(self, xp: Any, X: Array, step: StepState) -> Array:
        return xp.take(X, step.order, axis=0)


class GatherFloats(Gather):
    """x = X[order]      from data of float32"""

    name = "gather"
    printed = "{x} = {X}[order]"

    def bytes(self, rows: int) -> int:
        return 8 * rows * self.x.size


class GatherBytes(Gather):
    """x = float(X[order])      from bytes, 0 … 255, which stay bytes in memory: a quarter of the traffic"""

    name = "gather bytes"
    printed = "{x} = float({X}[order])"
    dtypes: ClassVar[Mapping[str, str]] = {"X": BYTES}

    def bytes(self, rows: int) -> int:
        return 5 * rows * self.x.size


class Store(Instruction):
    """Y[order] = y      the rows of this batch, back to where they belong among all rows"""

    y: Buffer
    Y: Buffer

    name = "store"
    printed = "{Y}[order] = {y}"
    writes = ("Y",)
    shapes = "y: rows …; Y: rows …"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.y.size}

    def reference(self, xp: Any, y: Array, Y: Array, step: StepState) -> Array:
        rows, count = step.order.shape[0], Y.shape[0]
        place = summed_at(xp, step.order, xp.arange(1, rows + 1), count).astype(int)  # of a row in y, from 1; 0: none
        every = xp.where(place > 0, place - 1, xp.arange(count) + rows)  # each row's index in y followed by Y
        return xp.take(xp.concatenate([y, Y]), every, axis=0)

    def bytes(self, rows: int) -> int:
        return 8 * rows * self.y.size
