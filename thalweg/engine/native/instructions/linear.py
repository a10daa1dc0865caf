"""Dense layers: products with a relu or its adjoint behind them, with W transposed once a step, and by columns, as the
batch that they read may be."""

from __future__ import annotations

from typing import Any

from thalweg.engine.native.instructions.changes import Flagged, end, ended
from thalweg.engine.native.layouts.orders import in_columns
from thalweg.program.instructions.batches import GatherFloats
from thalweg.program.instructions.linear import Affine, InputGradient, WeightGradient, matrix
from thalweg.program.ir.instruction import GRADIENTS, Array, Buffer, Instruction

# From this many elements on (128 KiB), a weight gradient is wide: if a lane's rows fit one block, it is computed just
# before the update, some rows of W at a time, each by one lane from all lanes' x and dh. So there are no partial
# gradients to add up, and the update finds it in the core's cache.
WIDE = 1 << 15


class NativeGatherFloats(GatherFloats):
    """x = X[order], which may be by columns"""

    @property
    def formula(self) -> str:
        return super().formula + (", by columns" if in_columns(self.x) else "")


class NativeAffine(Flagged, Affine):
    """h = x·W + b; with `relu`, max(h, 0): the relu that follows. x may be by columns."""

    relu: bool = False

    @property
    def formula(self) -> str:
        return ended(super().formula, self.relu, None)

    def reference(self, xp: Any, x: Array, W: Array, b: Array | None) -> Array:
        return end(xp, super().reference(xp, x, W, b), self.relu, None)

    def flops(self, rows: int) -> int:
        return super().flops(rows) + self.relu * rows * self.h.size


class Waits(Instruction):
    """Base: may be left to the finish, if what it computes is large enough for the lanes to share it."""

    @property
    def wide_gradient(self) -> Buffer | None:
        """The gradient, if so."""
        raise NotImplementedError


def wide_gradient(i: Instruction) -> Buffer | None:
    """The gradient that an instruction computes, if that may be left to the finish."""
    return i.wide_gradient if isinstance(i, Waits) else None


class NativeWeightGradient(WeightGradient, Waits):
    """dW = xᵀ·dh      over the rows of a block; one that is wide may be left to the finish

    By columns, also db = Σ dh over rows: see `fuse_biases`.
    """

    db: Buffer | None = None

    writes = ("dW", "db")
    reduces = ("dW", "db")

    @property
    def wide_gradient(self) -> Buffer | None:
        """dW, if it is large and the whole of W's gradient."""
        return self.dW if self.dW.size >= WIDE and self.dW.region == GRADIENTS else None

    @property
    def formula(self) -> str:
        return super().formula + ("" if self.db is None else f", {self.db} = Σ {self.dh}")

    def reference(self, xp: Any, x: Array, dh: Array) -> tuple[Array, Array | None]:  # type: ignore[override]
        return super().reference(xp, x, dh), None if self.db is None else matrix(dh).sum(axis=0)

    def flops(self, rows: int) -> int:
        return super().flops(rows) + (0 if self.db is None else rows * self.dh.size)


class Transpose(Instruction):
    """Wᵀ, once a step, so that the input gradient reads it along its rows.      W (inputs, units) → (units, inputs)

    Each lane makes its own: fetching a cache line that another core has written takes several times as long.
    """

    W: Buffer
    Wt: Buffer
    first: int = 0  # of the rows of W that are wanted

    name = "transpose"
    printed = "{Wt}"
    writes = ("Wt",)

    @property
    def sizes(self) -> dict[str, int]:
        units, inputs = self.Wt.shape
        return {"inputs": inputs, "units": units, "first": self.first}

    def reference(self, xp: Any, W: Array) -> Array:
        return W[self.first : self.first + self.Wt.shape[1]].T


class NativeInputGradient(Flagged, InputGradient):
    """dx = dh·Wᵀ      W (inputs, units), or where `transposed` Wᵀ (units, inputs), and no more of it than is needed

    With a, if x is the relu output a, dx·[a > 0]: the relu's adjoint, which follows. dx may be only some columns of x's
    adjoint, from `first` on: see `narrow_input_gradients`.
    """

    transposed: bool = False
    a: Buffer | None = None
    first: int = 0

    @property
    def rows(self) -> slice:
        """The rows of W that are read, if it isn't transposed."""
        return slice(self.first, self.first + self.dx.shape[-1])

    @property
    def narrowed(self) -> bool:
        """Whether dx is only some columns, and W isn't transposed yet."""
        return not self.transposed and self.dx.shape[-1] < self.W.shape[0]

    @property
    def formula(self) -> str:
        part = f"[{self.first}:{self.rows.stop}]" if self.narrowed else ""
        return ended(f"{self.dx} = {self.dh}·{self.W}{part}{'' if self.transposed else 'ᵀ'}", False, self.a)

    def reference(self, xp: Any, dh: Array, W: Array, a: Array | None) -> Array:  # type: ignore[override]
        return end(xp, dh @ (W if self.transposed else W[self.rows].T), False, a)

    def flops(self, rows: int) -> int:
        return super().flops(rows) + (0 if self.a is None else 2 * rows * self.dx.size)
