"""Work on the gradients before the update, and on the weights around it, on stretches of the flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.program.instructions.updates.updates import Running, Stretch, Update
from thalweg.program.ir.instruction import Array, Buffer, Stated


@dataclass(frozen=True, eq=False)
class Reduce(Stretch):
    """dw ← Σ dw over the lanes, in the order of the lanes, so that the same lanes give the same bits."""

    dw: Buffer
    vector: int  # elements from one lane's gradients to the next lane's

    name = "reduce"
    writes = ("dw",)

    @property
    def formula(self) -> str:
        return f"{self.dw} = Σ {self.dw} over the lanes"

    def reference(self, xp: Any, dw: Array) -> Array:
        first, *others = dw.reshape(-1, min(self.vector, dw.size))
        return xp.concatenate([sum(others, first), *others])

    def on_lanes(self, lanes: int, shared: Sequence[Buffer]) -> list[Reduce]:
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


@dataclass(frozen=True, eq=False)
class SquaredNorm(Stretch):
    """n ← Σ dw² over a lane's share of a stretch of the gradients"""

    dw: Buffer
    n: Buffer
    norms: int  # elements from one lane's norms to the next lane's

    name = "squared norm"
    writes = ("n",)
    due = True

    @property
    def formula(self) -> str:
        return f"{self.n} = Σ {self.dw}²"

    @property
    def stated(self) -> Stated:
        return Stated("n = dw * dw", {"dw": self.dw, "n": self.n})

    def reference(self, xp: Any, dw: Array) -> Array:
        total: Array = xp.asarray((dw.astype(np.float64) ** 2).sum())
        return total

    def flops(self, rows: int) -> int:
        return 2 * self.dw.size


@dataclass(frozen=True, eq=False)
class ClipNorm(Stretch):
    """dw ← dw·limit/max(√Σn, limit): a norm of at most `limit`, with Σ n over all lanes and all of n's norms"""

    dw: Buffer
    n: Buffer
    norms: int
    limit: float

    name = "clip norm"
    writes = ("dw",)
    due = True

    @property
    def formula(self) -> str:
        return f"{self.dw} = {self.dw}·min(1, {self.limit:g}/√Σ {self.n})"

    @property
    def sizes(self) -> dict[str, int]:
        return super().sizes | {"count": self.n.size}

    def reference(self, xp: Any, dw: Array, n: Array) -> Array:
        return dw * (self.limit / xp.maximum(xp.sqrt(n.sum()), self.limit))

    def flops(self, rows: int) -> int:
        return self.dw.size


# --- element by element --------------------------------------------------------------------------------------------

ACCUMULATE = """
if iteration % steps == 0:
    dw = (dw + a) / steps
    a = 0
else:
    a += dw"""

AVERAGE = """
keep = where(t > 1, momentum, 0)
a = keep * a + (1 - keep) * w"""

OVERWRITE = """
if t % overwrite == 0:
    w = a"""


def accumulate(dw: Buffer, a: Buffer, steps: int) -> Running:
    """Every `steps`-th step, dw becomes the mean gradient since the last such step; otherwise a sums gradients."""
    return Running("accumulate", ACCUMULATE, {"dw": dw, "a": a}, {"steps": float(steps)})


def clip_value(dw: Buffer, limit: float) -> Update:
    """Clips every element of the gradient to ±limit."""
    return Update("clip value", "dw = max(min(dw, limit), -limit)", {"dw": dw}, {"limit": limit})


def weight_decay(w: Buffer, decay: float, factor: float = 1.0) -> Update:
    """Weight decay, decoupled from the gradient (Loshchilov and Hutter, ICLR 2019)."""
    return Update("weight decay", "w -= decay * learning_rate * w", {"w": w}, {"decay": decay}, factor=factor)


def average(w: Buffer, a: Buffer, momentum: float, overwrite: int = 0) -> Running:
    """A moving average that begins with the first weights; it replaces them every `overwrite`-th update (0: never)."""
    numbers = {"momentum": momentum} | ({"overwrite": float(overwrite)} if overwrite else {})
    return Running("average", AVERAGE + OVERWRITE * bool(overwrite), {"w": w, "a": a}, numbers)
