"""Affine maps and the three products they need: forward, weight gradient, input gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.program.ir.instruction import GRADIENTS, Adjoints, Array, Buffer, Instruction, Stated

# The input gradient needs Wᵀ. Up to this many elements (512 KiB), each lane makes it once a step for all its blocks. A
# larger one would have to come back from memory, so the product transposes W itself, panel by panel.
TRANSPOSED = 1 << 17

# From this many elements on (128 KiB), a weight gradient is wide: if a lane's rows fit one block, it is computed just
# before the update, some rows of W at a time, each by one lane from all lanes' x and dh. So there are no partial
# gradients to add up, and the update finds it in the core's cache.
WIDE = 1 << 15


def matrix(value: Array) -> Array:
    """A view of (rows, …, width) as (rows·…, width): a dense layer acts on the last axis, at every position."""
    return value.reshape(-1, value.shape[-1])


def positions(value: Buffer) -> int:
    """How many vectors along the last axis a row holds: 1 for a table, the number of pixels for an image."""
    return value.size // value.shape[-1]


def ended(value: str, relu: bool, a: Buffer | None) -> str:
    """The formula of a product followed by a relu or a relu's adjoint."""
    if relu:
        return f"max({value}, 0)"
    return value if a is None else f"{value}·[{a} > 0]"


def end(xp: Any, h: Array, relu: bool, a: Array | None) -> Array:
    """A product h followed by a relu or a relu's adjoint."""
    h = xp.maximum(h, 0) if relu else h
    return h if a is None else h * (a > 0)


@dataclass(frozen=True, eq=False)
class Affine(Instruction):
    """h = x·W + b      x (rows, …, inputs), W (inputs, units), b (units,) → h (rows, …, units)

    With `relu`, max(h, 0): the relu that follows, fused once the adjoints are derived.
    """

    x: Buffer
    W: Buffer
    b: Buffer | None
    h: Buffer
    relu: bool = False

    name = "affine"
    writes = ("h",)

    @property
    def formula(self) -> str:
        h = f"{self.x}·{self.W}" + ("" if self.b is None else f" + {self.b}")
        return f"{self.h} = {ended(h, self.relu, None)}"

    @property
    def sizes(self) -> dict[str, int]:
        sizes = {"inputs": self.W.shape[0], "units": self.W.shape[1], "positions": positions(self.x)}
        return {**sizes, "relu": int(self.relu), "x_by_columns": int(self.x.by_columns)}

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x, self.W) if self.b is None else (self.x, self.W, self.b)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dh = d(self.h)
        if d.wants(self.W):
            yield WeightGradient(self.x, dh, d.into(self.W))  # dW = xᵀ·dh
        if self.b is not None and d.wants(self.b):
            yield BiasGradient(dh, d.into(self.b))  # db = Σ dh over rows
        if not d.wants(self.x):
            return
        if self.W.size > TRANSPOSED:
            yield InputGradient(dh, self.W, d.into(self.x), transposed=False)  # dx = dh·Wᵀ
        else:
            transposed = Buffer(f"{self.W}ᵀ", self.W.shape[::-1], per_row=False)
            yield Transpose(self.W, transposed)
            yield InputGradient(dh, transposed, d.into(self.x), transposed=True)

    def reference(self, xp: Any, x: Array, W: Array, b: Array | None) -> Array:
        h = x @ W if b is None else x @ W + b
        return end(xp, h, self.relu, None)

    @property
    def matrix_size(self) -> int:
        return self.W.size

    def flops(self, rows: int) -> int:
        return rows * (2 * positions(self.x) * self.W.size + ((self.b is not None) + self.relu) * self.h.size)


@dataclass(frozen=True, eq=False)
class DenseGradient(Instruction):
    """Base: dW = xᵀ·dh      x (rows, inputs), dh (rows, units) → dW (inputs, units)"""

    x: Buffer
    dh: Buffer
    dW: Buffer
    db: Buffer | None = None

    writes = ("dW", "db")
    reduces = ("dW", "db")

    @property
    def wide_gradient(self) -> Buffer | None:
        """dW, if it is large and the whole of W's gradient."""
        return self.dW if self.dW.size >= WIDE and self.dW.region == GRADIENTS else None


@dataclass(frozen=True, eq=False)
class WeightGradient(DenseGradient):
    """dW = xᵀ·dh      over the rows of a block

    By columns, also db = Σ dh over rows: see `fuse_biases`.
    """

    name = "weight gradient"

    @property
    def formula(self) -> str:
        return f"{self.dW} = {self.x}ᵀ·{self.dh}" + ("" if self.db is None else f", {self.db} = Σ {self.dh}")

    @property
    def sizes(self) -> dict[str, int]:
        sizes = {"inputs": self.dW.shape[0], "units": self.dW.shape[1], "positions": positions(self.x)}
        return {**sizes, "dW_offset": self.dW.offset, "x_by_columns": int(self.x.by_columns)}

    def reference(self, xp: Any, x: Array, dh: Array) -> tuple[Array, Array | None]:
        return matrix(x).T @ matrix(dh), None if self.db is None else matrix(dh).sum(axis=0)

    def flops(self, rows: int) -> int:
        return rows * (2 * positions(self.x) * self.dW.size + (0 if self.db is None else self.dh.size))


@dataclass(frozen=True, eq=False)
class BiasGradient(Instruction):
    """db = Σ dh over rows      dh (rows, units) → db (units,)"""

    dh: Buffer
    db: Buffer

    name = "bias gradient"
    writes = ("db",)
    reduces = ("db",)

    @property
    def formula(self) -> str:
        return f"{self.db} = Σ {self.dh}"

    @property
    def stated(self) -> Stated:
        return Stated("db = dh", {"dh": self.dh, "db": self.db})

    @property
    def sizes(self) -> dict[str, int]:
        return {"units": self.db.size, "positions": positions(self.dh), "dh_by_columns": int(self.dh.by_columns)}

    def reference(self, xp: Any, dh: Array) -> Array:
        return matrix(dh).sum(axis=0)

    def flops(self, rows: int) -> int:
        return rows * self.dh.size


@dataclass(frozen=True, eq=False)
class Transpose(Instruction):
    """Wᵀ, once a step, so that the input gradient reads it along its rows.      W (inputs, units) → (units, inputs)

    Each lane makes its own: fetching a cache line that another core has written takes several times as long.
    """

    W: Buffer
    Wt: Buffer
    first: int = 0  # of the rows of W that are wanted

    name = "transpose"
    writes = ("Wt",)

    @property
    def formula(self) -> str:
        return f"{self.Wt}"

    @property
    def sizes(self) -> dict[str, int]:
        units, inputs = self.Wt.shape
        return {"inputs": inputs, "units": units, "first": self.first}

    def reference(self, xp: Any, W: Array) -> Array:
        return W[self.first : self.first + self.Wt.shape[1]].T


@dataclass(frozen=True, eq=False)
class InputGradient(Instruction):
    """dx = dh·Wᵀ      dh (rows, units), W (inputs, units) or Wᵀ (units, inputs) → dx (rows, inputs)

    With a, if x is the relu output a, dx·[a > 0]: the relu's adjoint, which follows. dx may be only some columns of x's
    adjoint, from `first` on: see `narrow_input_gradients`.
    """

    dh: Buffer
    W: Buffer  # Wᵀ where `transposed`, and no more of it than is needed
    dx: Buffer
    transposed: bool
    a: Buffer | None = None
    first: int = 0

    name = "input gradient"
    writes = ("dx",)

    @property
    def rows(self) -> slice:
        """The rows of W that are read, if it isn't transposed."""
        return slice(self.first, self.first + self.dx.shape[-1])

    @property
    def formula(self) -> str:
        part = "" if self.transposed or self.W.shape[0] == self.dx.shape[-1] else f"[{self.first}:{self.rows.stop}]"
        return f"{self.dx} = {ended(f'{self.dh}·{self.W}{part}' + ('' if self.transposed else 'ᵀ'), False, self.a)}"

    @property
    def sizes(self) -> dict[str, int]:
        sizes = {"inputs": self.dx.shape[-1], "units": self.dh.shape[-1], "positions": positions(self.dh)}
        return {**sizes, "transposed": int(self.transposed), "first": self.first}

    def reference(self, xp: Any, dh: Array, W: Array, a: Array | None) -> Array:
        return end(xp, dh @ (W if self.transposed else W[self.rows].T), False, a)

    def flops(self, rows: int) -> int:
        product = 2 * positions(self.dh) * self.dx.shape[-1] * self.dh.shape[-1]
        return rows * (product + (0 if self.a is None else 2 * self.dx.size))
