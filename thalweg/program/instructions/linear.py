"""Affine maps and the three products they need: forward, weight gradient, input gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated


def matrix(value: Array) -> Array:
    """A view of (rows, …, width) as (rows·…, width): a dense layer acts on the last axis, at every position."""
    return value.reshape(-1, value.shape[-1])


def positions(value: Buffer) -> int:
    """How many vectors along the last axis a row holds: 1 for a table, the number of pixels for an image."""
    return value.size // value.shape[-1]


class OfChannels(Instruction):
    """Base of what is computed for each channel of x, over all positions."""

    x: Buffer

    @property
    def sizes(self) -> dict[str, int]:
        return {"positions": positions(self.x), "channels": self.x.shape[-1]}


class Affine(Instruction):
    """h = x·W + b"""

    x: Buffer
    W: Buffer
    b: Buffer | None
    h: Buffer

    name = "affine"
    writes = ("h",)
    shapes = "x: … inputs; W: inputs units; b: units; h: … units"
    differentiates = ("x", "W", "b")

    @property
    def formula(self) -> str:
        return f"{self.h} = {self.x}·{self.W}" + ("" if self.b is None else f" + {self.b}")

    @property
    def sizes(self) -> dict[str, int]:
        return {"inputs": self.W.shape[0], "units": self.W.shape[1], "positions": positions(self.x)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dh = d(self.h)
        if d.wants(self.W):
            yield WeightGradient(self.x, dh, d.into(self.W))  # dW = xᵀ·dh
        if self.b is not None and d.wants(self.b):
            yield BiasGradient(dh, d.into(self.b))  # db = Σ dh over rows
        if d.wants(self.x):
            yield InputGradient(dh, self.W, d.into(self.x))  # dx = dh·Wᵀ

    def reference(self, xp: Any, x: Array, W: Array, b: Array | None) -> Array:
        return x @ W if b is None else x @ W + b

    @property
    def matrix_size(self) -> int:
        return self.W.size

    def flops(self, rows: int) -> int:
        return rows * (2 * positions(self.x) * self.W.size + (self.b is not None) * self.h.size)


class WeightGradient(Instruction):
    """dW = xᵀ·dh"""

    x: Buffer
    dh: Buffer
    dW: Buffer

    name = "weight gradient"
    printed = "{dW} = {x}ᵀ·{dh}"
    writes: ClassVar[tuple[str, ...]] = ("dW",)
    reduces: ClassVar[tuple[str, ...]] = ("dW",)
    shapes = "x: … inputs; dh: … units; dW: inputs units"

    @property
    def sizes(self) -> dict[str, int]:
        return {"inputs": self.dW.shape[0], "units": self.dW.shape[1], "positions": positions(self.x)}

    def reference(self, xp: Any, x: Array, dh: Array) -> Array:
        return matrix(x).T @ matrix(dh)

    def flops(self, rows: int) -> int:
        return 2 * rows * positions(self.x) * self.dW.size


class BiasGradient(Instruction):
    """db = Σ dh over rows      dh (rows, units) → db (units,)"""

    dh: Buffer
    db: Buffer

    name = "bias gradient"
    printed = "{db} = Σ {dh}"
    writes = ("db",)
    reduces = ("db",)

    @property
    def stated(self) -> Stated:
        return Stated("db = dh", {"dh": self.dh, "db": self.db})

    @property
    def sizes(self) -> dict[str, int]:
        return {"units": self.db.size, "positions": positions(self.dh)}

    def reference(self, xp: Any, dh: Array) -> Array:
        return matrix(dh).sum(axis=0)

    def flops(self, rows: int) -> int:
        return rows * self.dh.size


class InputGradient(Instruction):
    """dx = dh·Wᵀ"""

    dh: Buffer
    W: Buffer
    dx: Buffer

    name = "input gradient"
    printed = "{dx} = {dh}·{W}ᵀ"
    writes = ("dx",)
    shapes = "dh: … units; W: inputs units; dx: … inputs"

    @property
    def sizes(self) -> dict[str, int]:
        return {"inputs": self.dx.shape[-1], "units": self.dh.shape[-1], "positions": positions(self.dh)}

    def reference(self, xp: Any, dh: Array, W: Array) -> Array:
        return dh @ W.T

    def flops(self, rows: int) -> int:
        return 2 * rows * positions(self.dh) * self.dx.shape[-1] * self.dh.shape[-1]
