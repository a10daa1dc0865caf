"""Penalties on what a layer puts out, and on the angles between a matrix's vectors, with their first derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.program.ir.instruction import Adjoints, Buffer, Instruction, Values

LEAST_NORM = 1e-7  # Keras's: a vector of zeros stays one


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


@dataclass(frozen=True, eq=False)
class OrthogonalPenalty(Instruction):
    """Adds rows·factor·mean |uᵢ·uⱼ| over all pairs to the penalty's running sum; u: W's rows, or columns, of length 1

    lengths (2, n): 1/‖w‖ of each vector, and Σⱼ|uᵢ·uⱼ|. U: W with vectors of length 1. P (n, n): such that the gradient
    is P·U for rows, U·P for columns; k·sign(uᵢ·uⱼ) with k = 2·factor/(n·(n − 1)·‖wᵢ‖), on the diagonal −k·Σⱼ|uᵢ·uⱼ|,
    since to make a vector longer changes nothing. P is one for all lanes, each writes its share; the others are own.
    """

    W: Buffer
    sums: Buffer
    lengths: Buffer
    U: Buffer
    P: Buffer
    factor: float
    columns: bool = False

    name = "orthogonal penalty"
    writes = ("sums", "lengths", "U", "P")

    @property
    def formula(self) -> str:
        which = "columns" if self.columns else "rows"
        u = f"{self.U} = {which} of {self.W}, {self.lengths} = 1/‖w‖, Σ|u·u'|"
        return f"{u}; {self.sums} = {self.factor:g}·mean |u·u'|, {self.P} = slopes"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.W.shape, int(self.columns))

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.factor,)

    def differentiable(self) -> tuple[Buffer, ...]:
        return ()  # the contribution is added in place, after all others

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.W):
            yield OrthogonalPenaltyGradient(d.total(self.W), self.U, self.P, self.columns)

    def reference(self, m: Values) -> None:
        W = m[self.W].T if self.columns else m[self.W]
        norms = np.sqrt((W * W).sum(axis=1, keepdims=True))
        inverse = 1 / np.maximum(norms, LEAST_NORM)
        U, n = W * inverse, len(W)
        products = U @ U.T
        np.fill_diagonal(products, 0)
        k, totals = self.factor / (n * (n - 1)), abs(products).sum(axis=1)
        m[self.sums][0] += m.batch_rows * k * float(totals.sum(dtype=np.float64))
        P = np.sign(products)
        np.fill_diagonal(P, np.where(norms[:, 0] > LEAST_NORM, -totals, 0))
        P *= 2 * k * inverse
        m[self.lengths][:] = inverse[:, 0], totals
        m[self.U][:], m[self.P][:] = (U.T, P.T) if self.columns else (U, P)

    def flops(self, rows: int) -> int:
        return 2 * self.W.size * self.P.shape[0]


@dataclass(frozen=True, eq=False)
class OrthogonalPenaltyGradient(Instruction):
    """dW += P·U, or U·P for columns, after every other contribution is in"""

    dW: Buffer
    U: Buffer
    P: Buffer
    columns: bool = False

    name = "orthogonal penalty gradient"
    writes = ("dW",)
    accumulates = True
    chunked = True

    @property
    def formula(self) -> str:
        return f"{self.dW} += {self.U}·{self.P}" if self.columns else f"{self.dW} += {self.P}·{self.U}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.dW.shape, int(self.columns), self.dW.offset)

    def reference(self, m: Values) -> None:
        m[self.dW][:] += m[self.U] @ m[self.P] if self.columns else m[self.P] @ m[self.U]

    def flops(self, rows: int) -> int:
        return 2 * self.dW.size * self.P.shape[0]
