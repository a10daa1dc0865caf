"""Penalties on what a layer puts out, and their first derivative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.program.instruction import Adjoints, Buffer, Instruction, Values


@dataclass(frozen=True, eq=False)
class ActivityPenalty(Instruction):
    """Adds l1·Σ|a| + l2·Σ a² over the rows of a block to the penalty's running sum: rows times their mean over rows."""

    a: Buffer
    sums: Buffer
    l1: float
    l2: float

    name = "activity penalty"
    writes = ("sums",)
    reduces = True

    @property
    def formula(self) -> str:
        terms = [f"{self.l1:g}·Σ|{self.a}|"] * bool(self.l1) + [f"{self.l2:g}·Σ {self.a}²"] * bool(self.l2)
        return f"{self.sums} = mean " + " + ".join(terms or ["0"])

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.l1, self.l2)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.a,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.a):
            yield ActivityPenaltyGradient(self.a, d.into(self.a), self.l1, self.l2)

    def reference(self, m: Values) -> None:
        a = m[self.a].astype(np.float64)
        m[self.sums][0] += float(self.l1 * np.abs(a).sum() + self.l2 * (a * a).sum())

    def flops(self, rows: int) -> int:
        return 3 * rows * self.a.size


@dataclass(frozen=True, eq=False)
class ActivityPenaltyGradient(Instruction):
    """da = (l1·sign(a) + 2·l2·a)/rows"""

    a: Buffer
    da: Buffer
    l1: float
    l2: float

    name = "activity penalty gradient"
    writes = ("da",)

    @property
    def formula(self) -> str:
        terms = [f"{self.l1:g}·sign({self.a})"] * bool(self.l1) + [f"{2 * self.l2:g}·{self.a}"] * bool(self.l2)
        return f"{self.da} = ({' + '.join(terms or [f'0·{self.a}'])})/rows"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.l1, self.l2)

    def reference(self, m: Values) -> None:
        m[self.da][:] = (self.l1 * np.sign(m[self.a]) + 2 * self.l2 * m[self.a]) / m.batch_rows

    def flops(self, rows: int) -> int:
        return 4 * rows * self.a.size
