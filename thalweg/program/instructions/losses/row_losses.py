"""Losses of whole rows: ℓ needs all outputs along the last axis at once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from thalweg.program.instructions.losses.loss_instruction import EPSILON, Loss, class_numbers, times
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import Array, Buffer


def log_sum_exp(xp: Any, h: Array) -> Array:
    top = xp.max(h, axis=-1, keepdims=True)
    return top + xp.log(over_classes(xp, xp.exp(h - top)))


def one_hot(xp: Any, labels: Array, like: Array) -> Array:
    """(rows, …, 1) whole numbers → (rows, …, classes)"""
    return (labels == xp.arange(like.shape[-1])).astype(like.dtype)


def over_classes(xp: Any, x: Array) -> Array:
    return xp.sum(x, axis=-1, keepdims=True)


class RowLoss(Loss):
    """Base: the target is a row of the same width, or with `sparse` a class number.

    The fields that a subclass adds are its constants, three at most.
    """

    whole_rows: ClassVar[bool] = True
    sparse: ClassVar[bool] = False
    formula_text: ClassVar[str]
    slope_text: ClassVar[str]

    @property
    def shapes(self) -> str:  # type: ignore[override]
        y = "1" if self.sparse else "classes"
        return f"p: rows … classes; y: rows … {y}; weight: rows 1; sums: 1"

    @classmethod
    def options(cls) -> list[str]:
        """The names of the constants that a subclass adds."""
        return [field.name for field in fields(cls)[len(fields(Loss)) :]]

    @property
    def sizes(self) -> dict[str, int]:
        columns = {} if self.sparse else {"columns": self.y.shape[-1]}
        return super().sizes | {"classes": self.p.shape[-1]} | columns

    def shown(self, text: str) -> str:
        return text.format(p=self.p, y=self.y, **{name: f"{getattr(self, name):g}" for name in self.options()})

    def shown_value(self, factor: float, weight: str) -> str:
        return f"{times(factor)}{weight}{self.shown(self.formula_text)}"

    def shown_slope(self, factor: float, weight: str) -> str:
        return f"{times(factor)}{weight}{self.shown(self.slope_text)}{'' if self.total else '/rows'}"

    @property
    def labels(self) -> tuple[Buffer, int] | None:
        return (self.y, self.p.shape[-1]) if self.sparse else None

    def targets(self, xp: Any, y: Array, p: Array) -> Array:
        if self.sparse:
            labels, known = class_numbers(xp, y, self.p.shape[-1])
            y = xp.where(known, one_hot(xp, labels, p), np.nan).astype(p.dtype)
        smoothing = getattr(self, "label_smoothing", 0.0)
        return y * (1 - smoothing) + smoothing / self.p.shape[-1]


class CrossentropyOfProbabilities(RowLoss):
    """Base: ℓ = −Σ y·log(p/Σp), p probabilities, kept in [ε, 1 − ε] (slope 0 outside)."""

    label_smoothing: float = 0.0

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        q = xp.clip(p / over_classes(xp, p), EPSILON, 1 - EPSILON)
        return -xp.sum(y * xp.log(q), axis=-1)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        total = over_classes(xp, p)
        q = p / total
        y = xp.where((q >= EPSILON) & (q <= 1 - EPSILON), y, 0)
        return (over_classes(xp, y) - y / xp.clip(q, EPSILON, 1)) / total


class CrossentropyOfLogits(RowLoss):
    """Base: ℓ = Σ y·(log Σeʰ − h): softmax and cross-entropy in one, stable for logits of any size."""

    label_smoothing: float = 0.0

    activation = Softmax

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.sum(y * (log_sum_exp(xp, p) - p), axis=-1)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.exp(p - log_sum_exp(xp, p)) * over_classes(xp, y) - y


class CategoricalCrossentropy(CrossentropyOfProbabilities):
    """ℓ = −Σ y·log(p/Σp) for a row of probabilities y."""

    name = "categorical crossentropy"
    formula_text = "−Σ {y}·log {p}"
    slope_text = "(−{y}/{p})"


class CategoricalCrossentropyLogits(CrossentropyOfLogits):
    """ℓ = Σ y·(log Σeʰ − h) for a row of probabilities y."""

    name = "categorical crossentropy logits"
    formula_text = "−Σ {y}·log softmax({p})"
    slope_text = "(softmax({p}) − {y})"


class SparseCategoricalCrossentropy(CrossentropyOfProbabilities):
    """ℓ = −log(p_y/Σp) for a class number y."""

    name = "sparse categorical crossentropy"
    formula_text = "−log {p}[{y}]"
    slope_text = "(−[{y}]/{p})"
    sparse = True


class SparseCategoricalCrossentropyLogits(CrossentropyOfLogits):
    """ℓ = log Σeʰ − h_y for a class number y: softmax and cross-entropy in one."""

    name = "sparse categorical crossentropy logits"
    formula_text = "−log softmax({p})[{y}]"
    slope_text = "(softmax({p}) − [{y}])"
    sparse = True


class FocalCrossentropy(RowLoss):
    """Base: ℓ = −Σ α·(1 − q)^γ·y·log q, q = p/Σp kept in [ε, 1 − ε] (slope 0 outside)."""

    label_smoothing: float = 0.0
    gamma: float = 2.0
    alpha: float = 0.25

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        q = xp.clip(p / over_classes(xp, p), EPSILON, 1 - EPSILON)
        return -xp.sum(self.alpha * (1 - q) ** self.gamma * y * xp.log(q), axis=-1)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        total = over_classes(xp, p)
        q = p / total
        inside = (q >= EPSILON) & (q <= 1 - EPSILON)
        c = xp.clip(q, EPSILON, 1 - EPSILON)
        outer = self.gamma * (1 - c) ** (self.gamma - 1) * xp.log(c) if self.gamma else 0
        slope = xp.where(inside, self.alpha * y * (outer - (1 - c) ** self.gamma / c), 0)
        return (slope - over_classes(xp, slope * q)) / total


class CategoricalFocalCrossentropy(FocalCrossentropy):
    """`FocalCrossentropy` of probabilities p."""

    name = "categorical focal crossentropy"
    formula_text = "−Σ {alpha}·(1 − {p})^{gamma}·{y}·log {p}"
    slope_text = "∂(−Σ {alpha}·(1 − {p})^{gamma}·{y}·log {p})/∂{p}"


class CategoricalFocalCrossentropyLogits(FocalCrossentropy):
    """`FocalCrossentropy` of p = softmax(h)."""

    name = "categorical focal crossentropy logits"
    formula_text = "−Σ {alpha}·(1 − ŷ)^{gamma}·{y}·log ŷ with ŷ = softmax({p})"
    slope_text = "∂(−Σ {alpha}·(1 − ŷ)^{gamma}·{y}·log ŷ)/∂{p}"
    activation = Softmax

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return super().value(xp, y, xp.exp(p - log_sum_exp(xp, p)))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        s = xp.exp(p - log_sum_exp(xp, p))
        slope = super().slope(xp, y, s)
        return s * (slope - over_classes(xp, slope * s))


class GeneralizedCrossEntropy(RowLoss):
    """ℓ = (1 − p_y^q)/q for a class number y"""

    q: float = 0.5

    name = "generalized cross entropy"
    formula_text = "(1 − {p}[{y}]^{q})/{q}"
    slope_text = "(−[{y}]·{p}^({q} − 1))"
    sparse = True

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return (1 - xp.sum(y * p, axis=-1) ** self.q) / self.q

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return -y * over_classes(xp, y * p) ** (self.q - 1)


class CategoricalHinge(RowLoss):
    """ℓ = max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0); among equal maxima, the first gets the slope."""

    name = "categorical hinge"
    formula_text = "max(max (1 − {y})·{p} − Σ {y}·{p} + 1, 0)"
    slope_text = "[L > 0]·((1 − {y})·[{p} is the largest] − {y})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.maximum(xp.max((1 - y) * p, axis=-1) - xp.sum(y * p, axis=-1) + 1, 0)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        first = one_hot(xp, ((1 - y) * p).argmax(axis=-1)[..., None], p)
        return xp.where(self.value(xp, y, p)[..., None] > 0, (1 - y) * first - y, 0)


class CosineSimilarity(RowLoss):
    """ℓ = −Σ y·ŷ/(‖y‖·‖ŷ‖), the norms at least ε; coefficient −1 makes it the similarity itself."""

    name = "cosine similarity"
    formula_text = "−Σ {y}·{p}/(‖{y}‖·‖{p}‖)"
    slope_text = "∂(−Σ {y}·{p}/(‖{y}‖·‖{p}‖))/∂{p}"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        norms = xp.sqrt(xp.sum(y * y, axis=-1)), xp.sqrt(xp.sum(p * p, axis=-1))
        return -xp.sum(y * p, axis=-1) / (xp.maximum(norms[0], EPSILON) * xp.maximum(norms[1], EPSILON))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        of_y = xp.maximum(xp.sqrt(over_classes(xp, y * y)), EPSILON)
        size = xp.sqrt(over_classes(xp, p * p))
        of_p = xp.maximum(size, EPSILON)
        turning = xp.where(size < EPSILON, 0, over_classes(xp, y * p) * p / of_p**2)
        return -(y - turning) / (of_y * of_p)


class Dice(RowLoss):
    """ℓ = 1 − 2·Σ y·ŷ/(Σ y + Σ ŷ + ε)"""

    name = "dice"
    formula_text = "(1 − 2·Σ {y}·{p}/(Σ {y} + Σ {p}))"
    slope_text = "∂(1 − 2·Σ {y}·{p}/(Σ {y} + Σ {p}))/∂{p}"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return 1 - 2 * xp.sum(y * p, axis=-1) / (xp.sum(y, axis=-1) + xp.sum(p, axis=-1) + EPSILON)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        total = over_classes(xp, y) + over_classes(xp, p) + EPSILON
        return 2 * (over_classes(xp, y * p) / total - y) / total


class Tversky(RowLoss):
    """ℓ = 1 − I/(I + α·Σ (1 − ŷ)·y + β·Σ ŷ·(1 − y) + ε), I = Σ y·ŷ"""

    alpha: float = 0.5
    beta: float = 0.5

    name = "tversky"
    formula_text = "(1 − I/(I + {alpha}·Σ (1 − {p})·{y} + {beta}·Σ {p}·(1 − {y}))) with I = Σ {y}·{p}"
    slope_text = "∂(1 − I/(I + {alpha}·Σ (1 − {p})·{y} + {beta}·Σ {p}·(1 − {y})))/∂{p}"

    def bottom(self, xp: Any, y: Array, p: Array) -> Array:
        return over_classes(xp, y * p + self.alpha * (1 - p) * y + self.beta * p * (1 - y)) + EPSILON

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return 1 - xp.sum(y * p, axis=-1) / self.bottom(xp, y, p)[..., 0]

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        bottom = self.bottom(xp, y, p)
        return (over_classes(xp, y * p) / bottom * (y - self.alpha * y + self.beta * (1 - y)) - y) / bottom


class GaussianLoss(RowLoss):
    """Base: the target is a row of numbers; the outputs are as many means, then as many variances or log variances."""

    eps: float = 1e-6

    shapes = "y: rows … n; p: rows … 2·n; weight: rows 1; sums: 1"

    def targets(self, xp: Any, y: Array, p: Array) -> Array:
        return y


class GaussianNLL(GaussianLoss):
    """ℓ = coefficient·Σ ½(log v + (μ − y)²/v), for outputs (μ…, v…), v at least `eps`."""

    name = "gaussian nll"
    formula_text = "Σ ½(log v + (μ − {y})²/v) with (μ, v) = {p}"
    slope_text = "((μ − {y})/v, ½(1 − (μ − {y})²/v)/v)"

    def split(self, xp: Any, p: Array) -> tuple[Array, Array]:
        mean, variance = xp.split(p, 2, axis=-1)
        return mean, xp.maximum(variance, self.eps)

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        mean, variance = self.split(xp, p)
        return 0.5 * (xp.log(variance) + (mean - y) ** 2 / variance).sum(axis=-1)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        mean, variance = self.split(xp, p)
        of_mean = (mean - y) / variance
        return xp.concatenate([of_mean, 0.5 * (1 / variance - of_mean**2)], axis=-1)


class GaussianNLLLogarithm(GaussianLoss):
    """ℓ = coefficient·Σ ½(s + (μ − y)²·e^−s), for outputs (μ…, s…) with s = log v."""

    name = "gaussian nll logarithm"
    formula_text = "Σ ½(s + (μ − {y})²·e^−s) with (μ, s) = {p}"
    slope_text = "((μ − {y})·e^−s, ½(1 − (μ − {y})²·e^−s))"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        mean, s = xp.split(p, 2, axis=-1)
        return 0.5 * (s + (mean - y) ** 2 * xp.exp(-s)).sum(axis=-1)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        mean, s = xp.split(p, 2, axis=-1)
        of_mean = (mean - y) * xp.exp(-s)
        return xp.concatenate([of_mean, 0.5 * (1 - of_mean * (mean - y))], axis=-1)
