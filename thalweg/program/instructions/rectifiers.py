"""The activations that are made of straight or square pieces, element by element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg.program.instructions.activations import Elementwise
from thalweg.program.ir.instruction import Array


@dataclass(frozen=True, eq=False)
class Relu(Elementwise):
    """a = max(h, 0); the slope at 0 is taken as 0, as in Keras and PyTorch. NaN stays NaN.

    With Keras's three arguments: min(h, max_value) for h > threshold, otherwise negative_slope·(h − threshold). This
    general form has a kernel of its own. Its slope at the threshold is 0, and that of a leaky relu negative_slope.
    """

    negative_slope: float = 0.0
    max_value: float = math.inf
    threshold: float = 0.0

    name = "relu"
    formula_text = "max({h}, 0)"
    slope_text = "[{a} > 0]"
    limits: ClassVar = {"negative_slope": (0.0, math.inf), "max_value": (0.0, math.inf), "threshold": (0.0, math.inf)}

    @property
    def plain(self) -> bool:
        return self.constants == (0.0, math.inf, 0.0)

    @property
    def title(self) -> str:
        return "relu" if self.plain else "general relu"

    @property
    def slope_of(self) -> str:  # type: ignore[override]
        return "a" if self.plain else "h"

    @property
    def formula(self) -> str:
        if self.plain:
            return super().formula
        low, top, slope = (f"{v:g}" for v in (self.threshold, self.max_value, self.negative_slope))
        return f"{self.a} = ({self.h} > {low} ? min({self.h}, {top}) : {slope}·({self.h} − {low}))"

    @property
    def at_threshold(self) -> float:
        """The slope at h = threshold."""
        leaky = self.max_value == math.inf and self.threshold == 0
        return self.negative_slope if leaky else 0.0

    def value(self, xp: Any, h: Array) -> Array:
        if self.plain:
            return xp.maximum(h, 0)
        low = self.negative_slope * (xp.minimum(h, self.threshold) - self.threshold) + 0  # not −0
        return xp.where(h > self.threshold, xp.minimum(h, self.max_value), low)

    def slope(self, xp: Any, v: Array) -> Array:
        if self.plain:
            return v > 0
        above = xp.where(v < self.max_value, 1.0, 0.0)
        below = xp.where(v < self.threshold, self.negative_slope, self.at_threshold)
        return xp.where(v > self.threshold, above, below)


@dataclass(frozen=True, eq=False)
class LeakyRelu(Elementwise):
    """a = h for h > 0, otherwise negative_slope·h"""

    negative_slope: float = 0.2

    name = "leaky relu"
    formula_text = "({h} > 0 ? {h} : {negative_slope}·{h})"
    slope_text = "[{h} > 0, otherwise {negative_slope}]"
    slope_of = "h"  # the sign of a is not that of h when the slope is 0 or negative

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(h > 0, h, self.negative_slope * h)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.where(v > 0, 1.0, self.negative_slope)


@dataclass(frozen=True, eq=False)
class Relu6(Elementwise):
    """a = min(max(h, 0), 6)"""

    name = "relu6"
    formula_text = "min(max({h}, 0), 6)"
    slope_text = "[0 < {a} < 6]"
    cost = 2

    def value(self, xp: Any, h: Array) -> Array:
        return xp.clip(h, 0, 6)

    def slope(self, xp: Any, v: Array) -> Array:
        return (v > 0) & (v < 6)


@dataclass(frozen=True, eq=False)
class HardSigmoid(Elementwise):
    """a = min(max(h/6 + ½, 0), 1)"""

    name = "hard sigmoid"
    formula_text = "min(max({h}/6 + ½, 0), 1)"
    slope_text = "[0 < {a} < 1]/6"
    cost = 4

    def value(self, xp: Any, h: Array) -> Array:
        return xp.clip(h / 6 + 0.5, 0, 1)

    def slope(self, xp: Any, v: Array) -> Array:
        return ((v > 0) & (v < 1)) / 6


@dataclass(frozen=True, eq=False)
class HardSilu(Elementwise):
    """a = h·min(max(h/6 + ½, 0), 1), also called hard swish"""

    name = "hard silu"
    formula_text = "{h}·min(max({h}/6 + ½, 0), 1)"
    slope_text = "({h} ≤ −3 ? 0 : {h} ≥ 3 ? 1 : {h}/3 + ½)"
    slope_of = "h"
    cost = 5

    def value(self, xp: Any, h: Array) -> Array:
        return h * xp.clip(h / 6 + 0.5, 0, 1)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.where(v <= -3, 0, xp.where(v >= 3, 1, v / 3 + 0.5))


@dataclass(frozen=True, eq=False)
class HardTanh(Elementwise):
    """a = min(max(h, −1), 1)"""

    name = "hard tanh"
    formula_text = "min(max({h}, −1), 1)"
    slope_text = "[−1 < {a} < 1]"
    cost = 2

    def value(self, xp: Any, h: Array) -> Array:
        return xp.clip(h, -1, 1)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.abs(v) < 1


@dataclass(frozen=True, eq=False)
class HardShrink(Elementwise):
    """a = h for |h| > threshold, otherwise 0"""

    threshold: float = 0.5

    name = "hard shrink"
    formula_text = "(|{h}| > {threshold} ? {h} : 0)"
    slope_text = "[{a} ≠ 0]"
    limits: ClassVar = {"threshold": (0.0, math.inf)}

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(xp.abs(h) <= self.threshold, 0, h)

    def slope(self, xp: Any, v: Array) -> Array:
        return v != 0


@dataclass(frozen=True, eq=False)
class SoftShrink(Elementwise):
    """a = h − threshold for h > threshold, h + threshold for h < −threshold, otherwise 0"""

    threshold: float = 0.5

    name = "soft shrink"
    formula_text = "({h} > {threshold} ? {h} − {threshold} : {h} < −{threshold} ? {h} + {threshold} : 0)"
    slope_text = "[{a} ≠ 0]"
    limits: ClassVar = {"threshold": (0.0, math.inf)}
    cost = 3

    def value(self, xp: Any, h: Array) -> Array:
        return h - xp.clip(h, -self.threshold, self.threshold)

    def slope(self, xp: Any, v: Array) -> Array:
        return v != 0


@dataclass(frozen=True, eq=False)
class SparsePlus(Elementwise):
    """a = 0 for h ≤ −1, (h + 1)²/4 for h < 1, otherwise h"""

    name = "sparse plus"
    formula_text = "({h} ≤ −1 ? 0 : {h} < 1 ? ({h} + 1)²/4 : {h})"
    slope_text = "min(√{a}, 1)"
    cost = 5

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(h >= 1, h, (xp.clip(h, -1, 1) + 1) ** 2 / 4)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.minimum(xp.sqrt(v), 1)


@dataclass(frozen=True, eq=False)
class SparseSigmoid(Elementwise):
    """a = min(max((h + 1)/2, 0), 1)"""

    name = "sparse sigmoid"
    formula_text = "min(max(({h} + 1)/2, 0), 1)"
    slope_text = "[0 < {a} < 1]/2"
    cost = 4

    def value(self, xp: Any, h: Array) -> Array:
        return xp.clip((h + 1) / 2, 0, 1)

    def slope(self, xp: Any, v: Array) -> Array:
        return ((v > 0) & (v < 1)) / 2


@dataclass(frozen=True, eq=False)
class Threshold(Elementwise):
    """a = h for h > threshold, otherwise default_value"""

    threshold: float
    default_value: float

    name = "threshold"
    formula_text = "({h} > {threshold} ? {h} : {default_value})"
    slope_text = "[{h} > {threshold}]"
    slope_of = "h"

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(h <= self.threshold, self.default_value, h)

    def slope(self, xp: Any, v: Array) -> Array:
        return v > self.threshold


@dataclass(frozen=True, eq=False)
class Step(Elementwise):
    """a = 1 for h ≥ 0, otherwise 0; the slope is 0 everywhere"""

    name = "step"
    formula_text = "({h} ≥ 0 ? 1 : 0)"
    slope_text = "0·{a}"

    def value(self, xp: Any, h: Array) -> Array:
        return xp.heaviside(h, 1)

    def slope(self, xp: Any, v: Array) -> Array:
        return 0 * v
