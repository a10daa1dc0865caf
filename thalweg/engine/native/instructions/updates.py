"""What lanes do with the gradients: sums over the lanes, norms in parts, whole arrays and rows of tables dealt out.

Each lane takes its own share of the parameter vector, in slices; of whole arrays and of tables, those that are its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.program.instructions.updates.gradients import ClipNorm
from thalweg.program.instructions.updates.matrix_updates import Adafactor, Lamb, Muon
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState


class Reduce(Stretch):
    """dw ← Σ dw over the lanes, in the order of the lanes, so that the same lanes give the same bits."""

    dw: Buffer
    vector: int  # elements from one lane's gradients to the next lane's

    name = "reduce"
    printed = "{dw} = Σ {dw} over the lanes"
    writes = ("dw",)

    def reference(self, xp: Any, dw: Array) -> Array:
        first, *others = dw.reshape(-1, min(self.vector, dw.size))
        result: Array = xp.concatenate([sum(others, first), *others])
        return result

    def parts(self, lanes: int, shared: Sequence[Buffer]) -> list[Reduce]:
        """The sums over the stretches between shared gradients; one lane has nothing to sum."""
        if lanes == 1:
            return []
        places = [self.dw.offset]
        for dW in sorted(shared, key=lambda dW: dW.offset):
            if self.dw.offset <= dW.offset < self.dw.offset + self.dw.size:
                places += [dW.offset, dW.offset + dW.size]
        places.append(self.dw.offset + self.dw.size)
        pairs = zip(places[::2], places[1::2], strict=True)
        return [
            replace(self, dw=Buffer(self.dw.name, (after - first,), self.dw.region, per_row=False, offset=first))
            for first, after in pairs
            if first < after
        ]

    def flops(self, rows: int) -> int:
        return self.dw.size


def on_lanes(i: Instruction, lanes: int, shared: Sequence[Buffer]) -> Sequence[Instruction]:
    """What a number of lanes does of an instruction: all, except sums over the lanes of gradients that they share."""
    return i.parts(lanes, shared) if isinstance(i, Reduce) else [i]


class NormPart(Stretch):
    """n ← Σ dw² over a lane's share of a stretch of the gradients"""

    dw: Buffer
    n: Buffer
    norms: int  # elements from one lane's norms to the next lane's

    name = "squared norm"
    printed = "{n} = Σ {dw}²"
    writes = ("n",)
    due = True

    def reference(self, xp: Any, dw: Array) -> Array:
        total: Array = xp.asarray((dw.astype(np.float64) ** 2).sum())
        return total

    def flops(self, rows: int) -> int:
        return 2 * self.dw.size


class NativeClipNorm(ClipNorm):
    """The same with Σ n over all lanes and all of n's norms in the place of n."""

    norms: int

    printed = "{dw} = {dw}·min(1, {limit:g}/√Σ {n})"

    @property
    def stated(self) -> None:  # type: ignore[override]
        return None

    @property
    def sizes(self) -> dict[str, int]:
        return super().sizes | {"count": self.n.size}


class NativeLamb(Lamb):
    """On one lane. `turn` is the parameter's rank among all whole arrays by size, the largest first."""

    turn: int = field(kw_only=True)


class NativeAdafactor(Adafactor):
    """On one lane, see `NativeLamb`."""

    turn: int = field(kw_only=True)


class NativeMuon(Muon):
    """On one lane, see `NativeLamb`. `scratch`, of `room` elements at least, holds X twice, Xᵀ, A and A²."""

    turn: int = field(kw_only=True)
    scratch: Buffer = field(kw_only=True)

    writes = ("w", "m", "scratch")

    @staticmethod
    def room(of: Muon) -> int:
        """The elements that the orthogonalisation needs besides the arrays."""
        return 3 * of.w.size + 2 * min(of.rows, of.columns) ** 2

    @property
    def formula(self) -> str:
        return f"{super().formula} in {self.scratch}"

    def reference(  # type: ignore[override] # nobody reads the scratch
        self, xp: Any, w: Array, dw: Array, m: Array, step: StepState
    ) -> tuple[Array, Array, None]:
        return (*super().reference(xp, w, dw, m, step), None)


class TableReduce(Instruction):
    """dw = Σ dw over the lanes, in the rows that occur in the batch; lists this lane's share of them"""

    dw: Buffer  # (input_dim, output_dim)
    counts: Buffer
    listed: Buffer  # by one lane's gradient
    own: Buffer  # those that a lane sums up and updates, listed the same way
    vector: int  # elements from one lane's gradients to the next lane's
    ids: int  # in a row of the batch

    name = "table reduce"
    printed = "{dw} = Σ {dw} over the lanes where {counts} > 0; {own} from {listed}"
    writes = ("dw", "own")
    due = True

    @property
    def sizes(self) -> dict[str, int]:
        return {"columns": self.dw.shape[1], "vector": self.vector}

    def reference(self, xp: Any, dw: Array) -> tuple[Array, None]:
        return dw, None  # of the only lane

    def flops(self, rows: int) -> int:
        return self.dw.shape[1] * min(self.dw.shape[0], rows * self.ids)


class NativeTableUpdate(TableUpdate):
    """The same on the rows that are this lane's."""

    own: Buffer = field(kw_only=True)

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {**super().named_operands, "own": self.own}

    @property
    def formula(self) -> str:
        return super().formula.replace(", in rows where", f", in rows {self.own} where")
