"""The activations that are smooth, element by element. Those made of straight pieces are in rectifiers.py."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


@dataclass(frozen=True, eq=False)
class Elementwise(Instruction):
    """a = f(h), element by element. A subclass is one activation: its formula, its slope, and both in NumPy.

    Its fields besides h and a are the function's arguments, numbers that the kernel finds in the same order among its
    constants. The texts have places for them too: {alpha}.
    """

    h: Buffer
    a: Buffer

    writes = ("a",)
    inplace = ("h", "a")

    formula_text: ClassVar[str]  # of {h}
    slope_text: ClassVar[str]  # of {h} or {a}, whichever `slope_of` names
    slope_of: ClassVar[str] = "a"  # with "a", h need not be kept and a may overwrite it
    limits: ClassVar[dict[str, tuple[float, float]]] = {}  # of arguments that can't be any number: from, up to
    cost: ClassVar[int] = 1  # floating-point operations an element, roughly

    def value(self, xp: Any, h: Array) -> Array:
        """f(h)"""
        raise NotImplementedError

    def slope(self, xp: Any, v: Array) -> Array:
        """f'(h), from the operand that `slope_of` names."""
        raise NotImplementedError

    @classmethod
    def argument_names(cls) -> tuple[str, ...]:
        """The function's arguments, as Keras calls them."""
        return tuple(field.name for field in fields(cls)[2:])

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments as they are printed."""
        return {name: f"{getattr(self, name):g}" for name in self.argument_names()}

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.formula_text.format(h=self.h, **self.arguments)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return tuple(float(getattr(self, name)) for name in self.argument_names())

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield ElementwiseAdjoint(self, getattr(self, self.slope_of), d(self.a), d.into(self.h))

    def reference(self, xp: Any, h: Array) -> Array:
        return self.value(xp, h)

    def flops(self, rows: int) -> int:
        return self.cost * rows * self.a.size


@dataclass(frozen=True, eq=False)
class ElementwiseAdjoint(Instruction):
    """dh = da·f'(h), element by element, for the activation `of`."""

    of: Elementwise
    v: Buffer  # h or a
    da: Buffer
    dh: Buffer

    name = "adjoint"
    writes = ("dh",)
    inplace = ("da", "dh")

    @property
    def title(self) -> str:
        return f"{self.of.title} adjoint"

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.da}·{self.of.slope_text.format(h=self.v, a=self.v, **self.of.arguments)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.dh.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return self.of.constants

    def reference(self, xp: Any, v: Array, da: Array) -> Array:
        return da * self.of.slope(xp, v)

    def flops(self, rows: int) -> int:
        return 3 * rows * self.dh.size


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al., NeurIPS 2017


def sigmoid(xp: Any, x: Array) -> Array:
    """1/(1 + e⁻ˣ), without overflow."""
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e) / (1 + e)


def softplus(xp: Any, x: Array) -> Array:
    """ln(1 + eˣ), without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def normal_share(x: Array) -> Array:
    """Φ(x): the standard normal distribution's share below x."""
    from scipy.special import ndtr

    return ndtr(x)


@dataclass(frozen=True, eq=False)
class Sigmoid(Elementwise):
    """a = σ(h) = 1/(1 + e⁻ʰ)"""

    name = "sigmoid"
    formula_text = "σ({h})"
    slope_text = "{a}·(1 − {a})"
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return sigmoid(xp, h)

    def slope(self, xp: Any, v: Array) -> Array:
        return v * (1 - v)


@dataclass(frozen=True, eq=False)
class LogSigmoid(Elementwise):
    """a = ln σ(h) = −ln(1 + e⁻ʰ)"""

    name = "log sigmoid"
    formula_text = "ln σ({h})"
    slope_text = "(1 − e^{a})"
    cost = 20

    def value(self, xp: Any, h: Array) -> Array:
        return -softplus(xp, -h)

    def slope(self, xp: Any, v: Array) -> Array:
        return -xp.expm1(v)


@dataclass(frozen=True, eq=False)
class Tanh(Elementwise):
    """a = tanh(h)"""

    name = "tanh"
    formula_text = "tanh({h})"
    slope_text = "(1 − {a}²)"
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return xp.tanh(h)

    def slope(self, xp: Any, v: Array) -> Array:
        return 1 - v * v


@dataclass(frozen=True, eq=False)
class TanhShrink(Elementwise):
    """a = h − tanh(h)"""

    name = "tanh shrink"
    formula_text = "{h} − tanh({h})"
    slope_text = "tanh²({h})"
    slope_of = "h"
    cost = 14

    def value(self, xp: Any, h: Array) -> Array:
        return h - xp.tanh(h)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.tanh(v) ** 2


@dataclass(frozen=True, eq=False)
class Softplus(Elementwise):
    """a = ln(1 + eʰ)"""

    name = "softplus"
    formula_text = "ln(1 + e^{h})"
    slope_text = "(1 − e^−{a})"
    cost = 20

    def value(self, xp: Any, h: Array) -> Array:
        return softplus(xp, h)

    def slope(self, xp: Any, v: Array) -> Array:
        return -xp.expm1(-v)


@dataclass(frozen=True, eq=False)
class Softsign(Elementwise):
    """a = h/(1 + |h|)"""

    name = "softsign"
    formula_text = "{h}/(1 + |{h}|)"
    slope_text = "(1 − |{a}|)²"
    cost = 3

    def value(self, xp: Any, h: Array) -> Array:
        return h / (1 + xp.abs(h))

    def slope(self, xp: Any, v: Array) -> Array:
        return (1 - xp.abs(v)) ** 2


@dataclass(frozen=True, eq=False)
class Exponential(Elementwise):
    """a = eʰ"""

    name = "exponential"
    formula_text = "e^{h}"
    slope_text = "{a}"
    cost = 10

    def value(self, xp: Any, h: Array) -> Array:
        return xp.exp(h)

    def slope(self, xp: Any, v: Array) -> Array:
        return v


@dataclass(frozen=True, eq=False)
class Silu(Elementwise):
    """a = h·σ(h), also called swish"""

    name = "silu"
    formula_text = "{h}·σ({h})"
    slope_text = "σ({h})·(1 + {h}·(1 − σ({h})))"
    slope_of = "h"
    cost = 13

    def value(self, xp: Any, h: Array) -> Array:
        return h * sigmoid(xp, h)

    def slope(self, xp: Any, v: Array) -> Array:
        return sigmoid(xp, v) * (1 + v * sigmoid(xp, -v))


@dataclass(frozen=True, eq=False)
class Gelu(Elementwise):
    """a = h·Φ(h), Φ the standard normal distribution's share below h.

    `approximate`: h·σ(√(8/π)·(h + 0.044715·h³)), which is ½h·(1 + tanh(√(2/π)·(h + 0.044715·h³))).
    """

    approximate: bool = False

    name = "gelu"
    formula_text = "{h}·Φ({h})"
    slope_text = "(Φ({h}) + {h}·φ({h}))"
    slope_of = "h"
    cost = 30

    @property
    def title(self) -> str:
        return "gelu approximate" if self.approximate else "gelu"

    @staticmethod
    def inner(h: Array) -> Array:
        return math.sqrt(8 / math.pi) * (h + 0.044715 * h**3)

    def value(self, xp: Any, h: Array) -> Array:
        if self.approximate:
            return h * sigmoid(xp, self.inner(h))
        return h * normal_share(h)

    def slope(self, xp: Any, v: Array) -> Array:
        if self.approximate:
            s = sigmoid(xp, self.inner(v))
            return s + v * s * (1 - s) * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * v * v)
        return normal_share(v) + v * xp.exp(-0.5 * v * v) / math.sqrt(2 * math.pi)


@dataclass(frozen=True, eq=False)
class Mish(Elementwise):
    """a = h·tanh(ln(1 + eʰ))"""

    name = "mish"
    formula_text = "{h}·tanh(ln(1 + e^{h}))"
    slope_text = "(t + {h}·(1 − t²)·σ({h})), t = tanh(ln(1 + e^{h}))"
    slope_of = "h"
    cost = 20

    def value(self, xp: Any, h: Array) -> Array:
        return h * xp.tanh(softplus(xp, h))

    def slope(self, xp: Any, v: Array) -> Array:
        t = xp.tanh(softplus(xp, v))
        return t + v * (1 - t * t) * sigmoid(xp, v)


@dataclass(frozen=True, eq=False)
class Golu(Elementwise):
    """a = h·e^(−e⁻ʰ): the gate is Gumbel's distribution"""

    name = "golu"
    formula_text = "{h}·e^(−e^−{h})"
    slope_text = "g·(1 + {h}·e^−{h}), g = e^(−e^−{h})"
    slope_of = "h"
    cost = 20

    def value(self, xp: Any, h: Array) -> Array:
        return h * xp.exp(-xp.exp(-h))

    def slope(self, xp: Any, v: Array) -> Array:
        e = xp.exp(-xp.maximum(v, -30))
        return xp.exp(-e) * (1 + v * e)


@dataclass(frozen=True, eq=False)
class Elu(Elementwise):
    """a = h for h > 0, otherwise alpha·(eʰ − 1)"""

    alpha: float = 1.0

    name = "elu"
    formula_text = "({h} > 0 ? {h} : {alpha}·(e^{h} − 1))"
    slope_text = "({a} > 0 ? 1 : {a} + {alpha})"
    limits: ClassVar = {"alpha": (0.0, math.inf)}
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(h > 0, h, self.alpha * xp.expm1(xp.minimum(h, 0)))

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.where(v > 0, 1, v + self.alpha)


@dataclass(frozen=True, eq=False)
class Celu(Elementwise):
    """a = max(h, 0) + min(0, alpha·(e^(h/alpha) − 1))"""

    alpha: float = 1.0

    name = "celu"
    formula_text = "({h} > 0 ? {h} : {alpha}·(e^({h}/{alpha}) − 1))"
    slope_text = "({a} > 0 ? 1 : {a}/{alpha} + 1)"
    limits: ClassVar = {"alpha": (1e-6, math.inf)}
    cost = 13

    def value(self, xp: Any, h: Array) -> Array:
        return xp.where(h > 0, h, self.alpha * xp.expm1(xp.minimum(h, 0) / self.alpha))

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.where(v > 0, 1, v / self.alpha + 1)


@dataclass(frozen=True, eq=False)
class Selu(Elementwise):
    """a = 1.0507·h for h > 0, otherwise 1.7581·(eʰ − 1)"""

    name = "selu"
    formula_text = "({h} > 0 ? 1.0507·{h} : 1.7581·(e^{h} − 1))"
    slope_text = "({a} > 0 ? 1.0507 : {a} + 1.7581)"
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return SELU_SCALE * xp.where(h > 0, h, SELU_ALPHA * xp.expm1(xp.minimum(h, 0)))

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.where(v > 0, SELU_SCALE, v + SELU_SCALE * SELU_ALPHA)


@dataclass(frozen=True, eq=False)
class Squareplus(Elementwise):
    """a = (h + √(h² + b))/2"""

    b: float = 4.0

    name = "squareplus"
    formula_text = "({h} + √({h}² + {b}))/2"
    slope_text = "4{a}²/(4{a}² + {b})"
    limits: ClassVar = {"b": (1e-6, math.inf)}
    cost = 6

    def value(self, xp: Any, h: Array) -> Array:
        return xp.maximum(h, 0) + self.b / (2 * (xp.sqrt(h * h + self.b) + xp.abs(h)))

    def slope(self, xp: Any, v: Array) -> Array:
        return 4 * v * v / (4 * v * v + self.b)


@dataclass(frozen=True, eq=False)
class Gaussian(Elementwise):
    """a = e^(−h²)"""

    name = "gaussian"
    formula_text = "e^(−{h}²)"
    slope_text = "(−2{h}·e^(−{h}²))"
    slope_of = "h"
    cost = 11

    def value(self, xp: Any, h: Array) -> Array:
        return xp.exp(-h * h)

    def slope(self, xp: Any, v: Array) -> Array:
        return -2 * v * xp.exp(-v * v)


@dataclass(frozen=True, eq=False)
class Sine(Elementwise):
    """a = sin(h)"""

    name = "sine"
    formula_text = "sin({h})"
    slope_text = "cos({h})"
    slope_of = "h"
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return xp.sin(h)

    def slope(self, xp: Any, v: Array) -> Array:
        return xp.cos(v)


@dataclass(frozen=True, eq=False)
class Arctan(Elementwise):
    """a = arctan(h)"""

    name = "arctan"
    formula_text = "arctan({h})"
    slope_text = "1/(1 + {h}²)"
    slope_of = "h"
    cost = 12

    def value(self, xp: Any, h: Array) -> Array:
        return xp.arctan(h)

    def slope(self, xp: Any, v: Array) -> Array:
        return 1 / (1 + v * v)


@dataclass(frozen=True, eq=False)
class BentIdentity(Elementwise):
    """a = h + (√(h² + 1) − 1)/2"""

    name = "bent identity"
    formula_text = "{h} + (√({h}² + 1) − 1)/2"
    slope_text = "(1 + {h}/(2√({h}² + 1)))"
    slope_of = "h"
    cost = 7

    def value(self, xp: Any, h: Array) -> Array:
        return h + h * (h / (xp.sqrt(h * h + 1) + 1)) / 2

    def slope(self, xp: Any, v: Array) -> Array:
        return 1 + v / (2 * xp.sqrt(v * v + 1))
