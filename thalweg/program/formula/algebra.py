"""Formulas as SymPy expressions: the functions they are made of, and their derivatives.

Only formulas need SymPy, so this module is imported when the first one is read. Numbers are exact fractions. At a kink
of a formula, the derivative is that of the piece that gives the value there: for `max(a, b)` and `min(a, b)` the second
if both are equal, for `abs` and `sign` 0 at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from thalweg.program.formula import functions as language

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
    """Φ(x), the share of the standard normal distribution below x."""

    def fdiff(self, argindex: int = 1) -> Expression:
        return density(self.args[0])


class density(sp.Function):
    """φ(x) = Φ'(x)"""

    def fdiff(self, argindex: int = 1) -> Expression:
        return -self.args[0] * self


class gate(sp.Function):
    """tanh(ln(1 + eˣ)), the factor by which mish multiplies x."""

    def fdiff(self, argindex: int = 1) -> Expression:
        return gate_slope(self.args[0])


class gate_slope(sp.Function):
    """The derivative of `gate`."""


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
    """x and y, of two conditions."""


class either(sp.Function):
    """x or y, of two conditions."""


class negation(sp.Function):
    """not x, of a condition."""


class where(sp.Function):
    """where(condition, x, y): each piece has its own derivative."""

    @classmethod
    def eval(cls, condition: Expression, x: Expression, y: Expression) -> Expression:
        return x if x == y else None

    def _eval_derivative(self, symbol: Expression) -> Expression:
        condition, x, y = self.args
        return where(condition, x.diff(symbol), y.diff(symbol))


class largest(sp.Function):
    """max(x, y), NaN if either is."""

    def _eval_derivative(self, symbol: Expression) -> Expression:
        x, y = self.args
        return where(less(y, x), x.diff(symbol), y.diff(symbol))


class least(sp.Function):
    """min(x, y), NaN if either is."""

    def _eval_derivative(self, symbol: Expression) -> Expression:
        x, y = self.args
        return where(less(x, y), x.diff(symbol), y.diff(symbol))


# The closed list of functions that a formula may call → (number of arguments, what the call becomes).
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


# The functions and conditions that have another name in the language of formulas.
NAMES: dict[Any, str] = {
    size: "abs",
    largest: "max",
    least: "min",
    sp.atan: "arctan",
    share: "normal",
    density: "normal_density",
    gate: "mish_gate",
    gate_slope: "mish_gate_slope",
    less: "{0} < {1}",
    less_equal: "{0} <= {1}",
    both: "({0} and {1})",
    either: "({0} or {1})",
    negation: "not {0}",
}


def known_function(kind: Any) -> bool:
    """Whether the language includes a SymPy function."""
    return kind in NAMES or kind.__name__ in language.FUNCTIONS
