"""Losses of each output by itself: ℓ is a sum of f(y, p) over the outputs of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.program.instructions.activations import Sigmoid
from thalweg.program.instructions.losses.loss_instruction import EPSILON, Loss
from thalweg.program.ir.instruction import Array


@dataclass(frozen=True, eq=False)
class SquaredError(Loss):
    """ℓ = coefficient·Σ (ŷ − y)²"""

    name = "squared error"
    formula_text = "({p} − {y})²"
    slope_text = "({p} − {y})"
    slope_factor = 2

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return (p - y) ** 2

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return 2 * (p - y)


@dataclass(frozen=True, eq=False)
class AbsoluteError(Loss):
    """ℓ = coefficient·Σ |ŷ − y|; the slope at 0 is 0."""

    name = "absolute error"
    formula_text = "|{p} − {y}|"
    slope_text = "sign({p} − {y})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.abs(p - y)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.sign(p - y)


@dataclass(frozen=True, eq=False)
class PercentageError(Loss):
    """ℓ = coefficient·Σ 100·|ŷ − y|/max(|y|, ε)"""

    name = "percentage error"
    formula_text = "100·|{p} − {y}|/|{y}|"
    slope_text = "sign({p} − {y})/|{y}|"
    slope_factor = 100

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return 100 * xp.abs(p - y) / xp.maximum(xp.abs(y), EPSILON)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return 100 * xp.sign(p - y) / xp.maximum(xp.abs(y), EPSILON)


@dataclass(frozen=True, eq=False)
class SquaredLogarithmicError(Loss):
    """ℓ = coefficient·Σ (log(1 + ŷ) − log(1 + y))², both at least ε (slope 0 below)."""

    name = "squared logarithmic error"
    formula_text = "(log(1 + {p}) − log(1 + {y}))²"
    slope_text = "(log(1 + {p}) − log(1 + {y}))/(1 + {p})"
    slope_factor = 2

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return (xp.log1p(xp.maximum(p, EPSILON)) - xp.log1p(xp.maximum(y, EPSILON))) ** 2

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        q = xp.maximum(p, EPSILON)
        slope = 2 * (xp.log1p(q) - xp.log1p(xp.maximum(y, EPSILON))) / (1 + q)
        return xp.where(p < EPSILON, 0, slope)


@dataclass(frozen=True, eq=False)
class LogCosh(Loss):
    """ℓ = coefficient·Σ log cosh(ŷ − y)"""

    name = "log cosh"
    formula_text = "log cosh({p} − {y})"
    slope_text = "tanh({p} − {y})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        size = xp.abs(p - y)  # log cosh x = log(1 + 2·sinh²(x/2)), and x + log(1 + e^−2x) − log 2 where that overflows
        near = xp.log1p(2 * xp.sinh(xp.minimum(size, 1) / 2) ** 2)
        return xp.where(size < 1, near, size + xp.log1p(xp.exp(-2 * size)) - xp.log(2))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.tanh(p - y)


@dataclass(frozen=True, eq=False)
class Huber(Loss):
    """ℓ = coefficient·Σ ½e² for |e| ≤ delta, otherwise delta·|e| − ½delta², with e = ŷ − y"""

    delta: float = 1.0

    name = "huber"
    formula_text = "(|{p} − {y}| ≤ {delta} ? ½({p} − {y})² : {delta}·|{p} − {y}| − ½·{delta}²)"
    slope_text = "clip({p} − {y}, −{delta}, {delta})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        e = xp.abs(p - y)
        return xp.where(e <= self.delta, 0.5 * e * e, self.delta * e - 0.5 * self.delta**2)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.clip(p - y, -self.delta, self.delta)


@dataclass(frozen=True, eq=False)
class Quantile(Loss):
    """ℓ = coefficient·Σ max(q·e, (q − 1)·e), with e = y − ŷ; the slope at 0 is 0."""

    quantile: float = 0.5

    name = "quantile"
    formula_text = "max({quantile}·({y} − {p}), ({quantile} − 1)·({y} − {p}))"
    slope_text = "([{p} > {y}] − {quantile})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.maximum(self.quantile * (y - p), (self.quantile - 1) * (y - p))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        e = p - y
        return xp.where(e > 0, 1 - self.quantile, xp.where(e < 0, -self.quantile, e))


@dataclass(frozen=True, eq=False)
class Poisson(Loss):
    """ℓ = coefficient·Σ ŷ − y·log(ŷ + ε)"""

    name = "poisson"
    formula_text = "({p} − {y}·log {p})"
    slope_text = "(1 − {y}/{p})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return p - y * xp.log(p + EPSILON)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return 1 - y / (p + EPSILON)


@dataclass(frozen=True, eq=False)
class KLDivergence(Loss):
    """ℓ = coefficient·Σ y·log(y/ŷ), both kept in [ε, 1] (slope 0 outside)."""

    name = "kl divergence"
    formula_text = "{y}·log({y}/{p})"
    slope_text = "(−{y}/{p})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        y = xp.clip(y, EPSILON, 1)
        return y * xp.log(y / xp.clip(p, EPSILON, 1))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.where((p < EPSILON) | (p > 1), 0, -xp.clip(y, EPSILON, 1) / xp.clip(p, EPSILON, 1))


def signed(xp: Any, y: Array) -> Array:
    """The targets of a hinge: −1 or 1; 0 counts as −1."""
    return xp.where(y == 0, -1, y)


@dataclass(frozen=True, eq=False)
class Hinge(Loss):
    """ℓ = coefficient·Σ max(1 − y·ŷ, 0), y −1 (or 0) or 1; the slope at the kink is 0."""

    name = "hinge"
    formula_text = "max(1 − {y}·{p}, 0)"
    slope_text = "[{y}·{p} < 1]·(−{y})"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.maximum(1 - signed(xp, y) * p, 0)

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.where(1 - signed(xp, y) * p > 0, -signed(xp, y), 0)


@dataclass(frozen=True, eq=False)
class SquaredHinge(Loss):
    """ℓ = coefficient·Σ max(1 − y·ŷ, 0)², y −1 (or 0) or 1"""

    name = "squared hinge"
    formula_text = "max(1 − {y}·{p}, 0)²"
    slope_text = "max(1 − {y}·{p}, 0)·(−{y})"
    slope_factor = 2

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.maximum(1 - signed(xp, y) * p, 0) ** 2

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return -2 * signed(xp, y) * xp.maximum(1 - signed(xp, y) * p, 0)


@dataclass(frozen=True, eq=False)
class SmoothedLoss(Loss):
    """Base of the binary cross-entropies: y becomes y·(1 − s) + s/2."""

    label_smoothing: float = 0.0

    def targets(self, xp: Any, y: Array, p: Array) -> Array:
        return y * (1 - self.label_smoothing) + 0.5 * self.label_smoothing


@dataclass(frozen=True, eq=False)
class BinaryCrossentropy(SmoothedLoss):
    """ℓ = −coefficient·Σ y·log p + (1 − y)·log(1 − p), p a probability, kept in [ε, 1 − ε] (slope 0 outside)."""

    name = "binary crossentropy"
    formula_text = "−{y}·log {p} − (1 − {y})·log(1 − {p})"
    slope_text = "({p} − {y})/({p}·(1 − {p}))"

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        p = xp.clip(p, EPSILON, 1 - EPSILON)
        return -(y * xp.log(p) + (1 - y) * xp.log(1 - p))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        inside = (p >= EPSILON) & (p <= 1 - EPSILON)
        q = xp.clip(p, EPSILON, 1 - EPSILON)
        return xp.where(inside, (q - y) / (q * (1 - q)), 0)


def sigmoid(xp: Any, h: Array) -> Array:
    e = xp.exp(-xp.abs(h))  # never overflows
    return xp.where(h >= 0, 1 / (1 + e), e / (1 + e))


@dataclass(frozen=True, eq=False)
class BinaryCrossentropyLogits(SmoothedLoss):
    """ℓ = coefficient·Σ max(h, 0) − h·y + log(1 + e^−|h|): sigmoid and binary cross-entropy in one, for any h."""

    name = "binary crossentropy logits"
    formula_text = "log(1 + e^{p}) − {y}·{p}"
    slope_text = "(σ({p}) − {y})"
    activation = Sigmoid

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return xp.maximum(p, 0) - p * y + xp.log1p(xp.exp(-xp.abs(p)))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        return sigmoid(xp, p) - y


@dataclass(frozen=True, eq=False)
class BinaryFocalCrossentropy(SmoothedLoss):
    """ℓ = coefficient·Σ α_t·(1 − p_t)^γ·BCE(y, p), p_t = y·p + (1 − y)·(1 − p), α_t = y·α + (1 − y)·(1 − α).

    A negative α stands for α_t = 1. BCE is clipped as in `BinaryCrossentropy`.
    """

    gamma: float = 2.0
    alpha: float = -1.0

    name = "binary focal crossentropy"
    formula_text = "(1 − p_t)^{gamma}·BCE({y}, {p})"
    slope_text = "∂((1 − p_t)^{gamma}·BCE({y}, {p}))/∂{p}"

    def balance(self, xp: Any, y: Array) -> Array:
        return y * self.alpha + (1 - y) * (1 - self.alpha) if self.alpha >= 0 else xp.ones_like(y)

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        q = xp.clip(p, EPSILON, 1 - EPSILON)
        missing = y * (1 - p) + (1 - y) * p  # 1 − p_t
        return -self.balance(xp, y) * missing**self.gamma * (y * xp.log(q) + (1 - y) * xp.log(1 - q))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        q = xp.clip(p, EPSILON, 1 - EPSILON)
        missing = y * (1 - p) + (1 - y) * p
        entropy = -(y * xp.log(q) + (1 - y) * xp.log(1 - q))
        inner = xp.where(q == p, (q - y) / (q * (1 - q)), 0)
        outer = self.gamma * missing ** (self.gamma - 1) * (1 - 2 * y) if self.gamma else 0
        return self.balance(xp, y) * (missing**self.gamma * inner + outer * entropy)


@dataclass(frozen=True, eq=False)
class BinaryFocalCrossentropyLogits(BinaryFocalCrossentropy):
    """`BinaryFocalCrossentropy` of p = σ(h)."""

    name = "binary focal crossentropy logits"
    formula_text = "(1 − p_t)^{gamma}·BCE({y}, σ({p}))"
    slope_text = "∂((1 − p_t)^{gamma}·BCE({y}, σ({p})))/∂{p}"
    activation = Sigmoid

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return super().value(xp, y, sigmoid(xp, p))

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        s = sigmoid(xp, p)
        return super().slope(xp, y, s) * s * (1 - s)
