"""Losses: how far the predictions are from the truth, and the first derivative of the backward pass.

For one row, ℓ is a sum over its outputs times `coefficient`. The loss of a batch is the mean over its rows, or the sum
(`total`), each row times its sample weight: L = Σ wᵢ·ℓᵢ / rows. Each instruction adds rows·L to a running float64 sum,
so that the mean over an epoch counts every row the same; its adjoint writes ∂L/∂(the operand it reads).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg.program.instruction import Adjoints, Array, Buffer, Instruction, Values, rows_of

EPSILON = 1e-7  # Keras's: probabilities are kept this far from 0 and 1 before their logarithm is taken


def times(factor: float) -> str:
    """A factor as printed before a product: nothing for 1."""
    return "" if factor == 1 else f"{factor:g}·"


def scale(total: bool, coefficient: float, m: Values) -> float:
    """∂L/∂(Σ over outputs) for a row of weight 1."""
    return coefficient if total else coefficient / m.batch_rows


@dataclass(frozen=True, eq=False)
class Loss(Instruction):
    """Adds rows·L to `sums`. A subclass gives ℓ and its derivative by `p`, the predictions or the logits."""

    p: Buffer
    y: Buffer
    weight: Buffer | None
    sums: Buffer
    coefficient: float
    total: bool = False
    smoothing: float = 0.0

    writes = ("sums",)
    reduces = True
    formula_text: ClassVar[str]
    slope_text: ClassVar[str]
    slope_factor: ClassVar[float] = 1  # before the slope, as printed
    whole_rows: ClassVar[bool] = False  # ℓ needs all classes of a row at once, not one output by itself

    def value(self, y: Array, p: Array) -> Array:
        """The summands of ℓ, or ℓ itself where `whole_rows`."""
        raise NotImplementedError

    def slope(self, y: Array, p: Array) -> Array:
        """∂(Σ summands)/∂p"""
        raise NotImplementedError

    @property
    def formula(self) -> str:
        text = self.formula_text.format(p=self.p, y=self.y)
        over_rows = "Σ" if self.total else "mean"
        weight = "" if self.weight is None else f"{self.weight}·"
        if self.whole_rows or self.p.size == 1:
            return f"{self.sums} = {over_rows} {times(self.coefficient)}{weight}{text}"
        if not self.total and math.isclose(self.coefficient * self.p.size, 1):
            return f"{self.sums} = mean {weight}{text}"
        return f"{self.sums} = {over_rows} over rows of {times(self.coefficient)}{weight}Σ {text}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.p.size, self.p.shape[-1], int(self.total))

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.coefficient, self.smoothing)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.p,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.p):
            yield LossGradient(self, self.p, self.y, self.weight, d.into(self.p))

    def reference(self, m: Values) -> None:
        rows = rows_of(self.value(self.targets(m), m[self.p])).sum(axis=1)
        if self.weight is not None:
            rows = rows * m[self.weight][:, 0]
        m[self.sums][0] += float(rows.sum()) * self.coefficient * (m.batch_rows if self.total else 1)

    def targets(self, m: Values) -> Array:
        """The targets, smoothed if asked."""
        return m[self.y]

    def flops(self, rows: int) -> int:
        return 4 * rows * self.p.size


@dataclass(frozen=True, eq=False)
class LossGradient(Instruction):
    """dp = ∂L/∂p for the loss `of`."""

    of: Loss
    p: Buffer
    y: Buffer
    weight: Buffer | None
    dp: Buffer

    name = "gradient"
    writes = ("dp",)

    @property
    def title(self) -> str:
        return f"{self.of.title} gradient"

    @property
    def formula(self) -> str:
        text = self.of.slope_text.format(p=self.p, y=self.y)
        factor = times(self.of.coefficient * self.of.slope_factor)
        weight = "" if self.weight is None else f"{self.weight}·"
        return f"{self.dp} = {factor}{weight}{text}" + ("" if self.of.total else "/rows")

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.of.sizes

    @property
    def constants(self) -> tuple[float, ...]:
        return self.of.constants

    def reference(self, m: Values) -> None:
        slope = self.of.slope(self.of.targets(m), m[self.p])
        if self.weight is not None:
            slope = (rows_of(slope) * m[self.weight]).reshape(slope.shape)
        m[self.dp][:] = slope * scale(self.of.total, self.of.coefficient, m)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.p.size


@dataclass(frozen=True, eq=False)
class SquaredError(Loss):
    """ℓ = coefficient·Σ (ŷ − y)²"""

    name = "squared error"
    formula_text = "({p} − {y})²"
    slope_text = "({p} − {y})"
    slope_factor = 2

    def value(self, y: Array, p: Array) -> Array:
        return (p - y) ** 2

    def slope(self, y: Array, p: Array) -> Array:
        return 2 * (p - y)


@dataclass(frozen=True, eq=False)
class AbsoluteError(Loss):
    """ℓ = coefficient·Σ |ŷ − y|; the slope at 0 is 0."""

    name = "absolute error"
    formula_text = "|{p} − {y}|"
    slope_text = "sign({p} − {y})"

    def value(self, y: Array, p: Array) -> Array:
        return np.abs(p - y)

    def slope(self, y: Array, p: Array) -> Array:
        return np.sign(p - y)


@dataclass(frozen=True, eq=False)
class BinaryCrossentropy(Loss):
    """ℓ = −coefficient·Σ y·log p + (1 − y)·log(1 − p), p a probability, kept in [ε, 1 − ε] (slope 0 outside)."""

    name = "binary crossentropy"
    formula_text = "−{y}·log {p} − (1 − {y})·log(1 − {p})"
    slope_text = "({p} − {y})/({p}·(1 − {p}))"

    def targets(self, m: Values) -> Array:
        return m[self.y] * (1 - self.smoothing) + 0.5 * self.smoothing

    def value(self, y: Array, p: Array) -> Array:
        p = np.clip(p, EPSILON, 1 - EPSILON)
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    def slope(self, y: Array, p: Array) -> Array:
        inside = (p >= EPSILON) & (p <= 1 - EPSILON)
        q = np.clip(p, EPSILON, 1 - EPSILON)
        return np.where(inside, (q - y) / (q * (1 - q)), 0)


@dataclass(frozen=True, eq=False)
class BinaryCrossentropyLogits(Loss):
    """ℓ = coefficient·Σ max(h, 0) − h·y + log(1 + e^−|h|): sigmoid and binary cross-entropy in one, for any h."""

    name = "binary crossentropy logits"
    formula_text = "log(1 + e^{p}) − {y}·{p}"
    slope_text = "(σ({p}) − {y})"

    def targets(self, m: Values) -> Array:
        return m[self.y] * (1 - self.smoothing) + 0.5 * self.smoothing

    def value(self, y: Array, p: Array) -> Array:
        return np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p)))

    def slope(self, y: Array, p: Array) -> Array:
        e = np.exp(-np.abs(p))
        return np.where(p >= 0, 1 / (1 + e), e / (1 + e)) - y


def log_sum_exp(h: Array) -> Array:
    top = h.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(h - top).sum(axis=-1, keepdims=True))


def one_hot(labels: Array, like: Array) -> Array:
    """(rows, …, 1) whole numbers → (rows, …, classes)"""
    return (labels == np.arange(like.shape[-1])).astype(like.dtype)


@dataclass(frozen=True, eq=False)
class CategoricalCrossentropy(Loss):
    """ℓ = −Σ y·log(p/Σp), p probabilities, kept in [ε, 1 − ε] (slope 0 outside)."""

    name = "categorical crossentropy"
    whole_rows = True
    formula_text = "−Σ {y}·log {p}"
    slope_text = "(−{y}/{p})"

    def targets(self, m: Values) -> Array:
        return m[self.y] * (1 - self.smoothing) + self.smoothing / self.y.shape[-1]

    def value(self, y: Array, p: Array) -> Array:
        q = np.clip(p / p.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
        return -(y * np.log(q)).sum(axis=-1)

    def slope(self, y: Array, p: Array) -> Array:
        total = p.sum(axis=-1, keepdims=True)
        q = p / total
        y = np.where((q >= EPSILON) & (q <= 1 - EPSILON), y, 0)
        return (y.sum(axis=-1, keepdims=True) - y / np.clip(q, EPSILON, 1)) / total


@dataclass(frozen=True, eq=False)
class CategoricalCrossentropyLogits(Loss):
    """ℓ = Σ y·(log Σeʰ − h): softmax and cross-entropy in one, stable for logits of any size."""

    name = "categorical crossentropy logits"
    whole_rows = True
    formula_text = "−Σ {y}·log softmax({p})"
    slope_text = "(softmax({p}) − {y})"

    def targets(self, m: Values) -> Array:
        return m[self.y] * (1 - self.smoothing) + self.smoothing / self.y.shape[-1]

    def value(self, y: Array, p: Array) -> Array:
        return (y * (log_sum_exp(p) - p)).sum(axis=-1)

    def slope(self, y: Array, p: Array) -> Array:
        return np.exp(p - log_sum_exp(p)) * y.sum(axis=-1, keepdims=True) - y


@dataclass(frozen=True, eq=False)
class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """ℓ = −log(p_y/Σp) for a class number y."""

    name = "sparse categorical crossentropy"
    formula_text = "−log {p}[{y}]"
    slope_text = "(−[{y}]/{p})"

    def targets(self, m: Values) -> Array:
        return one_hot(m[self.y], m[self.p])


@dataclass(frozen=True, eq=False)
class SparseCategoricalCrossentropyLogits(CategoricalCrossentropyLogits):
    """ℓ = log Σeʰ − h_y for a class number y: softmax and cross-entropy in one."""

    name = "sparse categorical crossentropy logits"
    formula_text = "−log softmax({p})[{y}]"
    slope_text = "(softmax({p}) − [{y}])"

    def targets(self, m: Values) -> Array:
        return one_hot(m[self.y], m[self.p])


@dataclass(frozen=True, eq=False)
class Penalty(Instruction):
    """Adds rows·(l1·Σ|W| + l2·Σ W²) to the penalty's running sum, once a step."""

    W: Buffer
    sums: Buffer
    l1: float
    l2: float
    vector: int  # elements of the whole parameter vector, of which W is a stretch

    name = "penalty"
    writes = ("sums",)

    @property
    def formula(self) -> str:
        terms = [f"{self.l1:g}·Σ|{self.W}|"] * bool(self.l1) + [f"{self.l2:g}·Σ {self.W}²"] * bool(self.l2)
        return f"{self.sums} = " + " + ".join(terms)

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.W.size, self.W.offset, self.vector)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.l1, self.l2)

    def differentiable(self) -> tuple[Buffer, ...]:
        return ()  # the contribution is added in place, after all others

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.W):
            yield PenaltyGradient(self.W, d.total(self.W), self.l1, self.l2, self.vector)

    def reference(self, m: Values) -> None:
        W = m[self.W].astype(np.float64)
        m[self.sums][0] += m.batch_rows * float(self.l1 * np.abs(W).sum() + self.l2 * (W * W).sum())

    def flops(self, rows: int) -> int:
        return 3 * self.W.size


@dataclass(frozen=True, eq=False)
class PenaltyGradient(Instruction):
    """dW += l1·sign(W) + 2·l2·W, after every other contribution is in."""

    W: Buffer
    dW: Buffer
    l1: float
    l2: float
    vector: int

    name = "penalty gradient"
    writes = ("dW",)
    accumulates = True

    @property
    def formula(self) -> str:
        terms = [f"{self.l1:g}·sign({self.W})"] * bool(self.l1) + [f"{2 * self.l2:g}·{self.W}"] * bool(self.l2)
        return f"{self.dW} += " + " + ".join(terms)

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.W.size, self.W.offset, self.vector)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.l1, self.l2)

    def reference(self, m: Values) -> None:
        m[self.dW][:] += self.l1 * np.sign(m[self.W]) + 2 * self.l2 * m[self.W]

    def flops(self, rows: int) -> int:
        return 4 * self.W.size
