"""Work on the gradients before the update, and on the weights around it, on stretches of the flat vectors."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from thalweg.program.instructions.updates.updates import Running, Stretch, Update
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Stated


class SquaredNorm(Instruction):
    """n ← Σ dw², in float64, over all elements of some stretches of the gradients"""

    dw: tuple[Buffer, ...]
    n: Buffer

    name = "squared norm"
    writes = ("n",)
    due = True
    shapes = "n: 1"

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {"dw": self.dw, "n": self.n}

    @property
    def formula(self) -> str:
        return f"{self.n} = " + " + ".join(f"Σ {dw}²" for dw in self.dw)

    def reference(self, xp: Any, dw: tuple[Array, ...]) -> Array:
        total: Array = xp.stack([(part.astype(np.float64) ** 2).sum() for part in dw]).sum()
        return total

    def flops(self, rows: int) -> int:
        return 2 * sum(dw.size for dw in self.dw)


class ClipNorm(Stretch):
    """dw ← dw·limit/max(√n, limit): a norm of at most `limit`, if n is the square of the norm"""

    dw: Buffer
    n: Buffer
    limit: float

    name = "clip norm"
    printed = "{dw} = {dw}·min(1, {limit:g}/√{n})"
    writes = ("dw",)
    due = True

    @property
    def stated(self) -> Stated:
        text = "dw = dw * (limit / max(sqrt(n), limit))"
        return Stated(text, {"dw": self.dw, "n": self.n}, {"limit": self.limit})

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
