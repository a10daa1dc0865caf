"""What is done to the gradients before the update, and to the weights around it, on stretches of the flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState


class Stretch(Instruction):
    """Base of what works on a stretch of the parameter vector, element by element: any part of it at a time.

    Its first operand says which stretch; whole numbers among its fields are sizes, real ones constants.
    """

    chunked = True

    @property
    def sizes(self) -> tuple[int, ...]:
        first = self.operands[0]
        assert first is not None
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return (first.size, first.offset, *(int(v) for v in values if isinstance(v, int)))

    @property
    def constants(self) -> tuple[float, ...]:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return tuple(v for v in values if isinstance(v, float))


@dataclass(frozen=True, eq=False)
class Reduce(Stretch):
    """dw ← Σ over the lanes of their dw, in the order of the lanes, so that the same lanes give the same bits."""

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
        """The sums of what is left between the gradients of which there is only one; one lane has nothing to sum."""
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
class Accumulate(Stretch):
    """a ← a + dw in steps without an update; in every `steps`-th: dw ← (a + dw)/steps; a ← 0"""

    dw: Buffer
    a: Buffer
    steps: int

    name = "accumulate"
    writes = ("dw", "a")

    @property
    def formula(self) -> str:
        return f"{self.a} += {self.dw}; every {self.steps} steps: {self.dw} = {self.a}/{self.steps}; {self.a} = 0"

    def reference(self, xp: Any, dw: Array, a: Array, step: StepState) -> tuple[Array, Array]:
        if step.iteration % self.steps:
            return dw, a + dw
        return (dw + a) / self.steps, xp.zeros_like(a)

    def flops(self, rows: int) -> int:
        return self.dw.size


@dataclass(frozen=True, eq=False)
class ClipValue(Stretch):
    """dw ← min(max(dw, −limit), limit)"""

    dw: Buffer
    limit: float

    name = "clip value"
    writes = ("dw",)
    due = True

    @property
    def formula(self) -> str:
        return f"{self.dw} = min(max({self.dw}, −{self.limit:g}), {self.limit:g})"

    def reference(self, xp: Any, dw: Array) -> Array:
        return xp.clip(dw, -self.limit, self.limit)

    def flops(self, rows: int) -> int:
        return 2 * self.dw.size


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

    def reference(self, xp: Any, dw: Array) -> Array:
        return (dw.astype(np.float64) ** 2).sum()

    def flops(self, rows: int) -> int:
        return 2 * self.dw.size


@dataclass(frozen=True, eq=False)
class ClipNorm(Stretch):
    """dw ← dw·limit/max(√Σn, limit): no longer than `limit`, with Σ n over all lanes and all norms that are given"""

    dw: Buffer
    n: Buffer
    norms: int
    limit: float

    name = "clip norm"
    writes = ("dw",)
    due = True
    meets = True

    @property
    def formula(self) -> str:
        return f"{self.dw} = {self.dw}·min(1, {self.limit:g}/√Σ {self.n})"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*super().sizes, self.n.size)

    def reference(self, xp: Any, dw: Array, n: Array) -> Array:
        return dw * (self.limit / xp.maximum(xp.sqrt(n.sum()), self.limit))

    def flops(self, rows: int) -> int:
        return self.dw.size


@dataclass(frozen=True, eq=False)
class Decay(Stretch):
    """w ← w − learning_rate·decay·w: weight decay that no gradient sees (Loshchilov and Hutter, ICLR 2019)."""

    w: Buffer
    decay: float
    factor: float = 1.0

    name = "weight decay"
    writes = ("w",)
    due = True

    @property
    def formula(self) -> str:
        return f"{self.w} −= learning_rate·{self.decay * self.factor:g}·{self.w}"

    def reference(self, xp: Any, w: Array, step: StepState) -> Array:
        return w - w * (step.learning_rate * self.factor * self.decay)

    def flops(self, rows: int) -> int:
        return 2 * self.w.size


@dataclass(frozen=True, eq=False)
class Average(Stretch):
    """a ← momentum·a + (1 − momentum)·w, the first time a ← w; every `overwrite`-th update: w ← a"""

    w: Buffer
    a: Buffer
    overwrite: int  # 0: never
    momentum: float

    name = "average"
    writes = ("w", "a")

    @property
    def formula(self) -> str:
        back = f"; every {self.overwrite} updates: {self.w} = {self.a}" if self.overwrite else ""
        return f"{self.a} += {1 - self.momentum:g}·({self.w} − {self.a}){back}"

    def reference(self, xp: Any, w: Array, a: Array, step: StepState) -> tuple[Array, Array]:
        keep = self.momentum if step.update > 1 else 0.0
        a = keep * a + (1 - keep) * w
        return (a if self.overwrite and step.update % self.overwrite == 0 else w), a

    def flops(self, rows: int) -> int:
        return 3 * self.w.size
