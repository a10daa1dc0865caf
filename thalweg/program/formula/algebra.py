"""Formulas as SymPy expressions: the functions they are made of, their derivatives, and their values in NumPy.

Only a formula needs SymPy, so this module is imported when the first one is read. Numbers are exact fractions. Where a
formula has a kink, the derivative is that of the piece which gives the value there: the second one of `max(a, b)` and
`min(a, b)` where both are equal, 0 for `abs` and `sign` at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

Array = NDArray[Any]
Expression = Any  # a SymPy expression; SymPy has no types


class sigmoid(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return self * (1 - self)


class softplus(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return sigmoid(self.args[0])


class expm1(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return self + 1


class log1p(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return 1 / (1 + self.args[0])


class logcosh(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return sp.tanh(self.args[0])


class share(sp.Function):
    """Φ(x), the standard normal distribution's share below x."""

    def fdiff(self, argindex: int = 1) -> Expression:
        return density(self.args[0])


class density(sp.Function):
    """φ(x) = Φ'(x)"""

    def fdiff(self, argindex: int = 1) -> Expression:
        return -self.args[0] * self


class gate(sp.Function):
    """tanh(ln(1 + eˣ)), by which mish multiplies."""

    def fdiff(self, argindex: int = 1) -> Expression:
        return gate_slope(self.args[0])


class gate_slope(sp.Function):
    """Its derivative."""


class sign(sp.Function):
    def fdiff(self, argindex: int = 1) -> Expression:
        return sp.S.Zero


class size(sp.Function):
    """|x|"""

    def fdiff(self, argindex: int = 1) -> Expression:
        return sign(self.args[0])


class less(sp.Function):
    """x < y, a condition."""


class less_equal(sp.Function):
    """x ≤ y, a condition."""


class both(sp.Function):
    """Two conditions."""


class either(sp.Function):
    """One of two conditions."""


class contrary(sp.Function):
    """Not a condition."""


class where(sp.Function):
    """where(condition, x, y): each piece has its own derivative."""

    @classmethod
    def eval(cls, condition: Expression, x: Expression, y: Expression) -> Expression:
        return x if x == y else None

    def _eval_derivative(self, symbol: Expression) -> Expression:
        condition, x, y = self.args
        return where(condition, x.diff(symbol), y.diff(symbol))


class largest(sp.Function):
    """max(x, y), NaN where one is."""

    def _eval_derivative(self, symbol: Expression) -> Expression:
        x, y = self.args
        return where(less(y, x), x.diff(symbol), y.diff(symbol))


class least(sp.Function):
    """min(x, y), NaN where one is."""

    def _eval_derivative(self, symbol: Expression) -> Expression:
        x, y = self.args
        return where(less(x, y), x.diff(symbol), y.diff(symbol))


CONDITIONS = (less, less_equal, both, either, contrary)

# The closed list: what a formula may call → (how many arguments, what it becomes).
FUNCTIONS: dict[str, tuple[int, Callable[..., Expression]]] = {
    "exp": (1, sp.exp),
    "expm1": (1, expm1),
    "log": (1, sp.log),
    "log1p": (1, log1p),
    "sqrt": (1, sp.sqrt),
    "square": (1, lambda x: x**2),
    "abs": (1, size),
    "sign": (1, sign),
    "min": (2, least),
    "max": (2, largest),
    "sin": (1, sp.sin),
    "cos": (1, sp.cos),
    "tan": (1, lambda x: sp.sin(x) / sp.cos(x)),
    "arctan": (1, sp.atan),
    "atan": (1, sp.atan),
    "sinh": (1, sp.sinh),
    "cosh": (1, sp.cosh),
    "tanh": (1, sp.tanh),
    "sigmoid": (1, sigmoid),
    "softplus": (1, softplus),
    "relu": (1, lambda x: largest(x, sp.S.Zero)),
    "erf": (1, sp.erf),
    "pow": (2, sp.Pow),
    "where": (3, where),
}


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _logcosh(x: Array) -> Array:
    t = np.abs(x)
    return np.where(t < 1, np.log1p(2 * np.sinh(np.minimum(t, 1) / 2) ** 2), t + np.log1p(np.exp(-2 * t)) - np.log(2))


def _share(x: Array) -> Array:
    from scipy.special import ndtr

    return ndtr(x)


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)


def _gate_slope(x: Array) -> Array:
    """With n = eˣ(eˣ + 2), (1 − tanh²(ln(1 + eˣ)))·σ(x) = 4(n + 1)/(n + 2)²·σ(x)."""
    u = np.exp(np.minimum(x, 30))
    n = u * (u + 2)
    return 4 * (n + 1) / (n + 2) ** 2 * _sigmoid(x)


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return erf(x)


NUMPY: dict[Any, Callable[..., Any]] = {
    sp.exp: np.exp,
    expm1: np.expm1,
    sp.log: np.log,
    log1p: np.log1p,
    size: np.abs,
    sign: np.sign,
    least: np.minimum,
    largest: np.maximum,
    sp.sin: np.sin,
    sp.cos: np.cos,
    sp.atan: np.arctan,
    sp.sinh: np.sinh,
    sp.cosh: np.cosh,
    sp.tanh: np.tanh,
    sigmoid: _sigmoid,
    softplus: _softplus,
    logcosh: _logcosh,
    share: _share,
    density: _density,
    gate: lambda x: np.tanh(_softplus(x)),
    gate_slope: _gate_slope,
    sp.erf: _erf,
    less: np.less,
    less_equal: np.less_equal,
    both: np.logical_and,
    either: np.logical_or,
    contrary: np.logical_not,
    where: np.where,
}


def evaluate(expression: Expression, values: Mapping[str, Any]) -> Any:
    """The expression's value with NumPy, in the precision of the values."""
    if expression.is_Symbol:
        return values[expression.name]
    if expression.is_Number or expression.is_NumberSymbol:
        return float(expression)
    arguments = [evaluate(a, values) for a in expression.args]
    if expression.is_Add:
        return sum(arguments[1:], start=arguments[0])
    if expression.is_Mul:
        product = arguments[0]
        for factor in arguments[1:]:
            product = product * factor
        return product
    if expression.is_Pow:
        if expression.base is sp.E:
            return np.exp(arguments[1])
        return np.power(arguments[0], arguments[1])
    return NUMPY[expression.func](*arguments)
