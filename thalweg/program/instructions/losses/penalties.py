"""Penalties on weights, on a layer's outputs, and on the angles between a matrix's vectors, with their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import evaluate, shown
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated, StepState, number

LEAST_NORM = 1e-7  # Keras's: a vector of zeros stays zero


L1_L2 = Equation("penalty", "l1 * abs(w) + l2 * w**2", "l1 * sign(w) + 2 * l2 * w", {"l1": None, "l2": None})


class NormPenalty(Instruction):
    """Base of the value and the slope of l1·|w| + l2·w², for each w of a layer's weights or outputs."""

    w: Buffer
    l1: float
    l2: float

    text: ClassVar[str]  # the equation's value or slope

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.w.size}

    @property
    def shown(self) -> str:
        """The text with the real names."""
        return shown(self.text, {"w": self.w.name}, {"l1": self.l1, "l2": self.l2})

    def stated_as(self, outer: str, **result: Buffer) -> Stated:
        """A result's value: `outer` with the text in place of {}."""
        (name,) = result
        text = f"{name} = {outer.format(f'({self.text})')}"
        return Stated(text, {"w": self.w, **result}, {"l1": self.l1, "l2": self.l2})

    def evaluate(self, xp: Any, w: Array) -> Array:
        result: Array = evaluate(self.text, {"w": w, "l1": self.l1, "l2": self.l2}, xp)
        return result


class Penalty(NormPenalty):
    """Adds rows·Σ (l1·|w| + l2·w²) to the penalty's running sum, once a step; times the step's factor of penalties."""

    sums: Buffer

    name = "penalty"
    printed = "{sums} = Σ ({shown})"
    writes = ("sums",)
    text = L1_L2.value

    @property
    def stated(self) -> Stated:
        return self.stated_as("penalties * batch_rows * {}", sums=self.sums)

    def differentiable(self) -> tuple[Buffer, ...]:
        return ()  # the contribution is added in place, after all others

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.w):
            yield PenaltyGradient(self.w, self.l1, self.l2, d.total(self.w))

    def reference(self, xp: Any, w: Array, step: StepState) -> Array:
        return step.penalties * step.batch_rows * self.evaluate(xp, w.astype(np.float64)).sum()

    def flops(self, rows: int) -> int:
        return 3 * self.w.size


class PenaltyGradient(NormPenalty):
    """dw += l1·sign(w) + 2·l2·w, after every other contribution is in; times the step's factor of penalties."""

    dw: Buffer

    name = "penalty gradient"
    printed = "{dw} += {shown}"
    writes = ("dw",)
    accumulates = True
    text = L1_L2.slope

    @property
    def stated(self) -> Stated:
        return self.stated_as("penalties * {}", dw=self.dw)

    def reference(self, xp: Any, w: Array, step: StepState) -> Array:
        return number(xp, step.penalties, w) * self.evaluate(xp, w)

    def flops(self, rows: int) -> int:
        return 4 * self.w.size


class ActivityPenalty(NormPenalty):
    """Adds Σ (l1·|w| + l2·w²) over the rows to the penalty's running sum."""

    sums: Buffer

    name = "activity penalty"
    printed = "{sums} = mean Σ ({shown})"
    writes = ("sums",)
    reduces = ("sums",)
    differentiates = ("w",)
    text = L1_L2.value

    @property
    def stated(self) -> Stated:
        return self.stated_as("{}", sums=self.sums)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.w):
            yield ActivityPenaltyGradient(self.w, self.l1, self.l2, d.into(self.w))

    def reference(self, xp: Any, w: Array) -> Array:
        return self.evaluate(xp, w.astype(np.float64)).sum()

    def flops(self, rows: int) -> int:
        return 3 * rows * self.w.size


class ActivityPenaltyGradient(NormPenalty):
    """dw = (l1·sign(w) + 2·l2·w)/rows"""

    dw: Buffer

    name = "activity penalty gradient"
    printed = "{dw} = ({shown})/rows"
    writes = ("dw",)
    text = L1_L2.slope

    @property
    def stated(self) -> Stated:
        return self.stated_as("{} / batch_rows", dw=self.dw)

    def reference(self, xp: Any, w: Array, step: StepState) -> Array:
        return self.evaluate(xp, w) / step.batch_rows

    def flops(self, rows: int) -> int:
        return 4 * rows * self.w.size


class OrthogonalPenalty(Instruction):
    """Adds rows·factor·mean |uᵢ·uⱼ| over all pairs to the penalty's running sum; u: W's unit-length rows or columns

    lengths (2, n): 1/‖w‖ of each vector, and Σⱼ|uᵢ·uⱼ|. U: W with unit-length vectors. P (n, n): the gradient is P·U
    for rows, U·P for columns; k·sign(uᵢ·uⱼ) with k = 2·factor/(n·(n − 1)·‖wᵢ‖), and on the diagonal −k·Σⱼ|uᵢ·uⱼ|,
    since a vector's length has no effect.
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
    shapes = "W: a b; sums: 1; lengths: 2 n; U: a b; P: n n"

    @property
    def formula(self) -> str:
        which = "columns" if self.columns else "rows"
        u = f"{self.U} = {which} of {self.W}, {self.lengths} = 1/‖w‖, Σ|u·u'|"
        return f"{u}; {self.sums} = {self.factor:g}·mean |u·u'|, {self.P} = slopes"

    @property
    def sizes(self) -> dict[str, int]:
        height, width = self.W.shape
        return {"height": height, "width": width, "columns": int(self.columns)}

    def differentiable(self) -> tuple[Buffer, ...]:
        return ()  # the contribution is added in place, after all others

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.W):
            yield OrthogonalPenaltyGradient(d.total(self.W), self.U, self.P, self.columns)

    def reference(self, xp: Any, W: Array, step: StepState) -> tuple[Array, ...]:
        W = W.T if self.columns else W
        norms = xp.sqrt((W * W).sum(axis=1, keepdims=True))
        inverse = 1 / xp.maximum(norms, LEAST_NORM)
        U, n = W * inverse, len(W)
        diagonal = xp.eye(n, dtype=bool)
        products = xp.where(diagonal, 0, U @ U.T)
        k, totals = self.factor / (n * (n - 1)), xp.abs(products).sum(axis=1)
        sums = step.batch_rows * k * totals.sum(dtype=np.float64)
        longer = xp.where(norms > LEAST_NORM, -totals[:, None], 0)
        P = xp.where(diagonal, longer, xp.sign(products)) * (2 * k * inverse)
        lengths = xp.stack([inverse[:, 0], totals])
        return (sums, lengths, U.T, P.T) if self.columns else (sums, lengths, U, P)

    def flops(self, rows: int) -> int:
        return 2 * self.W.size * self.P.shape[0]


class OrthogonalPenaltyGradient(Instruction):
    """dW += P·U, or U·P for columns, after every other contribution is in"""

    dW: Buffer
    U: Buffer
    P: Buffer
    columns: bool = False

    name = "orthogonal penalty gradient"
    writes = ("dW",)
    shapes = "dW: a b; U: a b; P: n n"
    accumulates = True

    @property
    def formula(self) -> str:
        return f"{self.dW} += {self.U}·{self.P}" if self.columns else f"{self.dW} += {self.P}·{self.U}"

    @property
    def sizes(self) -> dict[str, int]:
        height, width = self.dW.shape
        return {"height": height, "width": width, "columns": int(self.columns)}

    def reference(self, xp: Any, U: Array, P: Array) -> Array:
        return U @ P if self.columns else P @ U

    def flops(self, rows: int) -> int:
        return 2 * self.dW.size * self.P.shape[0]
