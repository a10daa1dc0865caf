"""Formulas as SymPy expressions: the functions they are made of, their derivatives, and their values in NumPy.

Only a formula needs SymPy, so this module is imported when the first one is read. Numbers are exact fractions. Where a
formula has a kink, the derivative is that of the piece which gives the value there: the second one of `max(a, b)` and
`min(a, b)` where both are equal, 0 for `abs` and `sign` at 0.
"""

from __future__ import annotations

import re
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


# --- better forms ------------------------------------------------------------------------------------------------


def stable(expression: Expression) -> Expression:
    """The same function in forms that neither overflow nor cancel: ln(1 + eᵘ) → softplus(u), 1/(1 + eᵘ) → σ(−u), …"""

    def rest_of(sum_: Expression, one: int) -> Expression:
        """u where the expression is u + one."""
        return sum_ - one if sum_.is_Add and one in sum_.args else None

    def better(e: Expression) -> Expression:
        if isinstance(e, sp.Abs):  # SymPy's own form of √x²
            return size(e.args[0])
        if isinstance(e, sp.sign):
            return sign(e.args[0])
        if isinstance(e, sp.log):
            inside = e.args[0]
            if isinstance(inside, sp.cosh):
                return logcosh(inside.args[0])
            if isinstance(inside, sigmoid):
                return -softplus(-inside.args[0])
            u = rest_of(inside, 1)
            if u is not None:
                return softplus(u.args[0]) if isinstance(u, sp.exp) else log1p(u)
        if e.is_Pow and e.exp == -1:
            u = rest_of(e.base, 1)
            if u is not None and isinstance(u, sp.exp):
                return sigmoid(-u.args[0])
        if e.is_Add:
            u = rest_of(e, -1)
            if u is not None and isinstance(u, sp.exp):
                return expm1(u.args[0])
            u = rest_of(e, 1)
            if u is not None and isinstance(u, expm1):
                return sp.exp(u.args[0])
        return e

    return expression.replace(lambda e: True, better)


def derivative(expression: Expression, symbol: Expression) -> Expression:
    """∂expression/∂symbol, in the shorter of two forms."""
    result = stable(expression.diff(symbol))
    return min(result, sp.factor_terms(result), key=sp.count_ops)


# --- as text ------------------------------------------------------------------------------------------------------


class _Printer(sp.StrPrinter):
    def _print_Float(self, e: Expression) -> str:
        return f"{float(e):.12g}"

    def _print_Pow(self, e: Expression, rational: bool = False) -> str:
        root = abs(e.exp) == 0.5
        if not root:
            written: str = super()._print_Pow(e, rational)
            return written
        return f"sqrt({self._print(e.base)})" if e.exp > 0 else f"1/sqrt({self._print(e.base)})"

    def _print_size(self, e: Expression) -> str:
        return f"|{self._print(e.args[0])}|"

    def _print_largest(self, e: Expression) -> str:
        return f"max({self.stringify(e.args, ', ')})"

    def _print_least(self, e: Expression) -> str:
        return f"min({self.stringify(e.args, ', ')})"

    def _print_logcosh(self, e: Expression) -> str:
        return f"log(cosh({self._print(e.args[0])}))"

    def _print_less(self, e: Expression) -> str:
        return self.stringify(e.args, " < ")

    def _print_less_equal(self, e: Expression) -> str:
        return self.stringify(e.args, " ≤ ")

    def _print_both(self, e: Expression) -> str:
        return self.stringify(e.args, " and ")

    def _print_either(self, e: Expression) -> str:
        return f"({self.stringify(e.args, ' or ')})"

    def _print_contrary(self, e: Expression) -> str:
        return f"not ({self._print(e.args[0])})"

    def _print_where(self, e: Expression) -> str:
        condition, x, y = map(self._print, e.args)
        return f"({condition} ? {x} : {y})"


def text(expression: Expression, names: Mapping[str, str]) -> str:
    """The expression as a listing shows it, its symbols under other names."""
    new: dict[Any, Any] = {s: sp.Symbol(names[s.name]) for s in expression.free_symbols if s.name in names}
    new |= {n: sp.Float(float(n)) for n in expression.atoms(sp.Rational) if not n.is_Integer}
    renamed = expression.xreplace(new)
    written: str = _Printer({"order": "none"}).doprint(renamed)
    written = re.sub(r"\*\*2(?![\d./])", "²", re.sub(r"\*\*3(?![\d./])", "³", written))
    return written.replace("**", "^").replace("*", "·")
