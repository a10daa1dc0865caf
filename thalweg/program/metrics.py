"""Metrics: running float64 sums over predictions and targets, from which a score is computed at the end of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg.program.instruction import Array, Buffer, Instruction, Values, rows_of


@dataclass(frozen=True, eq=False)
class Total(Instruction):
    """sums += what this batch adds, from predictions `p` and targets `y`."""

    p: Buffer
    y: Buffer
    sums: Buffer

    writes = ("sums",)
    reduces = True
    formula_text: ClassVar[str]

    def value(self, y: Array, p: Array) -> Array:
        """What each row adds, of shape (rows, …); summed over everything but the last axis of `sums`."""
        raise NotImplementedError

    @property
    def formula(self) -> str:
        return f"{self.sums} += {self.formula_text.format(p=self.p, y=self.y)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.p.size, self.p.shape[-1])

    def reference(self, m: Values) -> None:
        m[self.sums][0] += float(self.value(m[self.y], m[self.p]).sum(dtype=np.float64))

    def flops(self, rows: int) -> int:
        return 2 * rows * self.p.size


@dataclass(frozen=True, eq=False)
class SquaredErrors(Total):
    """sums += Σ (ŷ − y)²"""

    name = "squared errors"
    formula_text = "Σ ({p} − {y})²"

    def value(self, y: Array, p: Array) -> Array:
        return (p - y) ** 2


@dataclass(frozen=True, eq=False)
class AbsoluteErrors(Total):
    """sums += Σ |ŷ − y|"""

    name = "absolute errors"
    formula_text = "Σ |{p} − {y}|"

    def value(self, y: Array, p: Array) -> Array:
        return np.abs(p - y)


@dataclass(frozen=True, eq=False)
class EqualMatches(Total):
    """sums += Σ [ŷ = y]"""

    name = "equal matches"
    formula_text = "Σ [{p} = {y}]"

    def value(self, y: Array, p: Array) -> Array:
        return p == y


@dataclass(frozen=True, eq=False)
class BinaryMatches(Total):
    """sums += Σ [(ŷ > threshold) = y]"""

    threshold: float = 0.5

    name = "binary matches"
    formula_text = "Σ [({p} > threshold) = {y}]"

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.threshold,)

    def value(self, y: Array, p: Array) -> Array:
        return (p > self.threshold) == y


@dataclass(frozen=True, eq=False)
class CategoricalMatches(Total):
    """sums += Σ [argmax ŷ = argmax y]; the first of equal maxima counts."""

    name = "categorical matches"
    formula_text = "Σ [argmax {p} = argmax {y}]"

    def value(self, y: Array, p: Array) -> Array:
        return p.argmax(axis=-1) == y.argmax(axis=-1)


@dataclass(frozen=True, eq=False)
class SparseMatches(Total):
    """sums += Σ [argmax ŷ = y] for class numbers y; the first of equal maxima counts."""

    name = "sparse matches"
    formula_text = "Σ [argmax {p} = {y}]"

    def value(self, y: Array, p: Array) -> Array:
        return p.argmax(axis=-1) == y[..., 0]


@dataclass(frozen=True, eq=False)
class SquaresAndTargets(Total):
    """sums += Σ (ŷ − y)², Σ y, Σ y² for each output: what R² = 1 − Σ(ŷ − y)²/Σ(y − mean y)² needs."""

    name = "squares and targets"
    formula_text = "Σ ({p} − {y})², Σ {y}, Σ {y}²"

    def reference(self, m: Values) -> None:
        y, p = rows_of(m[self.y]).astype(np.float64), rows_of(m[self.p]).astype(np.float64)
        m[self.sums][:] += np.concatenate([((p - y) ** 2).sum(axis=0), y.sum(axis=0), (y * y).sum(axis=0)])
