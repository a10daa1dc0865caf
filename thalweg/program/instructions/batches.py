"""Rows in and out: the batch gathered from the data, the predictions stored."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.program.ir.instruction import Buffer, Instruction, Values


@dataclass(frozen=True, eq=False)
class Gather(Instruction):
    """x = X[order]      the rows of this batch, in this epoch's order, from all rows of the data"""

    X: Buffer
    x: Buffer

    name = "gather"
    writes = ("x",)
    gathers = True

    @property
    def formula(self) -> str:
        return f"{self.x} = {self.X}[order]" + (", by columns" if self.x.by_columns else "")

    @property
    def sizes(self) -> tuple[int, ...]:
        far = 0  # whether the data are far from the core: written when a lane's table is linked
        return (self.x.size, int(self.x.by_columns), far)

    def reference(self, m: Values) -> None:
        m[self.x][:] = m[self.X][m.order]

    def bytes(self, rows: int) -> int:
        return 8 * rows * self.x.size


@dataclass(frozen=True, eq=False)
class GatherBytes(Gather):
    """x = float(X[order])      from data of bytes, 0 … 255, which stay bytes in memory: a quarter of the traffic"""

    name = "gather bytes"

    @property
    def formula(self) -> str:
        return f"{self.x} = float({self.X}[order])"

    def bytes(self, rows: int) -> int:
        return 5 * rows * self.x.size


@dataclass(frozen=True, eq=False)
class Store(Instruction):
    """Y[order] = y      the rows of this block, back to where they belong among all rows"""

    y: Buffer
    Y: Buffer

    name = "store"
    writes = ("Y",)

    @property
    def formula(self) -> str:
        return f"{self.Y}[order] = {self.y}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.y.size,)

    def reference(self, m: Values) -> None:
        m[self.Y][m.order] = m[self.y]

    def bytes(self, rows: int) -> int:
        return 8 * rows * self.y.size
