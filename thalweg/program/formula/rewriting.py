"""Formulas in better forms: the same functions, faster and without overflow or cancellation; and as texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from thalweg.program.formula.algebra import (
    NAMES,
    Expression,
    expm1,
    gate,
    largest,
    less,
    less_equal,
    log1p,
    logcosh,
    share,
    sigmoid,
    sign,
    size,
    softplus,
    where,
)

KEEPING_SIGN = (expm1, sp.tanh, sp.sinh, sp.atan, sp.erf)  # f(x) > 0 where x > 0, f(x) < 0 where x < 0


def stable(expression: Expression) -> Expression:
    """The same function in better forms: ln(1 + eᵘ) → softplus(u), 1/(1 + eᵘ) → σ(−u), 1 + erf(u) → 2Φ(√2·u), …"""
    return expression.replace(lambda e: True, better)


def better(e: Expression) -> Expression:
    """The better form of one node, whose parts are already in theirs."""
    if isinstance(e, sp.Abs):  # SymPy's own form of √x²
        return size(e.args[0])
    if isinstance(e, sp.sign):
        return sign(e.args[0])
    if isinstance(e, sp.tanh) and isinstance(e.args[0], softplus):
        return gate(e.args[0].args[0])
    if isinstance(e, sp.log):
        return logarithm(e)
    if isinstance(e, (less, less_equal)) and sp.S.Zero in e.args:
        return e.func(*(bare(a) for a in e.args))
    if e.is_Pow and e.exp == -1 and e.base.is_Add:
        u = e.base - 1
        return sigmoid(-u.args[0]) if isinstance(u, sp.exp) else e
    if e.is_Mul:
        factor, rest = e.as_coeff_Mul()
        if factor != 1 and isinstance(rest, where):
            condition, x, y = rest.args
            return where(condition, factor * x, factor * y)
        for f in e.args:
            if isinstance(f, sign) and f.args[0] in e.args:  # u·sign(u)
                return e / f / f.args[0] * size(f.args[0])
    return sums_with_one(e) if e.is_Add else e


def logarithm(e: Expression) -> Expression:
    """ln u"""
    inside = e.args[0]
    if isinstance(inside, sp.cosh):
        return logcosh(inside.args[0])
    if isinstance(inside, sigmoid):
        return -softplus(-inside.args[0])
    if inside.is_Add and 1 in inside.args:
        u = inside - 1
        return softplus(u.args[0]) if isinstance(u, sp.exp) else log1p(u)
    return e


def sums_with_one(e: Expression) -> Expression:
    """c·eᵘ − c → c·expm1(u) and back; c ± c·erf(u) → 2c·Φ(±√2·u); c ± c·tanh(u) → 2c·σ(±2u); others unchanged."""
    number, rest = e.as_coeff_Add()
    if number == 0:
        return e
    for term in sp.Add.make_args(rest):
        factor, f = term.as_coeff_Mul()
        others = rest - term
        if isinstance(f, sp.exp) and number == -factor:
            return others + factor * expm1(f.args[0])
        if isinstance(f, expm1) and number == factor:
            return others + factor * sp.exp(f.args[0])
        if isinstance(f, (sp.erf, sp.tanh)) and abs(number) == abs(factor):
            direction = 1 if number == factor else -1
            if isinstance(f, sp.erf):
                return others + 2 * number * share(times(direction * math.sqrt(2), f.args[0]))
            return others + 2 * number * sigmoid(2 * direction * f.args[0])
    return e


def times(factor: float, u: Expression) -> Expression:
    """factor·u, rounded so that √2·(x/√2) is x again."""
    number, rest = u.as_coeff_Mul()
    return sp.Rational(f"{factor * float(number):.14g}") * rest


def bare(e: Expression) -> Expression:
    """An expression with the sign of e: u for c·tanh(u), c > 0; otherwise e itself."""
    factor, f = e.as_coeff_Mul()
    if factor > 0 and (f.is_Symbol or isinstance(f, KEEPING_SIGN)):
        return f if f.is_Symbol else bare(f.args[0])
    return e


# --- derivatives -----------------------------------------------------------------------------------------------------


def derivative(expression: Expression, symbol: Expression) -> Expression:
    """∂expression/∂symbol, in the shorter of two forms unless its numbers are much larger."""
    result = stable(expression.diff(symbol))
    factored = sp.factor_terms(result)
    return min(result, factored, key=lambda e: (reach(e) > reach(result) + 3, sp.count_ops(e)))


def reach(expression: Expression) -> float:
    """The largest |log₁₀|n|| of all numbers n ≠ 0 in the expression."""
    return max((abs(math.log10(abs(float(n)))) for n in expression.atoms(sp.Number) if n != 0), default=0.0)


def from_value(expression: Expression, slope: Expression, x: Expression, value: Expression) -> Expression:
    """The slope in terms of the value alone, if possible: 1 − a² for tanh, [a > 0] for max(x, 0)."""
    if expression == x:
        return slope
    shorter = slope.subs(expression, value)
    if x not in shorter.free_symbols and shorter != slope:
        return shorter
    in_pieces = pieces_from_value(expression, x, value)
    return slope if in_pieces is None else in_pieces


def pieces_from_value(expression: Expression, x: Expression, value: Expression) -> Expression | None:
    """The slope of a `where` on the sign of x whose pieces keep that sign: the value then shows which piece applies."""
    if isinstance(expression, largest) and expression.args == (x, 0):
        expression = where(less(sp.S.Zero, x), x, sp.S.Zero)
    if not isinstance(expression, where):
        return None
    condition, *pieces = expression.args
    if not isinstance(condition, (less, less_equal)) or set(condition.args) != {sp.S.Zero, x}:
        return None
    strict = condition == less(sp.S.Zero, x)  # then a piece that is 0 can be told from the other
    slopes = []
    for piece in pieces:
        constant = piece == 0 and strict and piece is pieces[1]
        slopes.append(sp.S.Zero if constant else of_sign(piece, x, value))
    if None in slopes:
        return None
    return where(condition.subs(x, value), *slopes)


def of_sign(piece: Expression, x: Expression, value: Expression) -> Expression | None:
    """The slope of c·x or c·f(x), c > 0 and f(x) with the sign of x, from its value; None for others."""
    factor, f = piece.as_coeff_Mul()
    if bare(piece) != x:
        return None
    slope = piece.diff(x) if f == x else piece.diff(x).subs(f, value / factor)
    return None if x in slope.free_symbols else slope


# --- as texts -----------------------------------------------------------------------------------------------------


class _Printer(sp.StrPrinter):  # type: ignore[misc]  # sympy has no types
    """Prints in the language of formulas."""

    def _print_Float(self, e: Expression) -> str:
        return repr(float(e))

    def _print_Exp1(self, e: Expression) -> str:
        return "exp(1)"

    def _print_Pow(self, e: Expression, rational: bool = False) -> str:
        """Writes negative powers as quotients and square roots as sqrt."""
        if e.exp.is_Number and e.exp < 0:
            return f"1/{self.parenthesize(1 / e, PRECEDENCE['Pow'])}"
        if e.exp.is_Number and (2 * e.exp).is_Integer and not e.exp.is_Integer:
            root, rest = f"sqrt({self._print(e.base)})", e.base ** (e.exp - sp.Rational(1, 2))
            return root if rest == 1 else f"({self.parenthesize(rest, PRECEDENCE['Mul'])}*{root})"
        written: str = super()._print_Pow(e, rational)
        return written

    def _print_Function(self, e: Expression) -> str:
        name, arguments = NAMES.get(e.func, e.func.__name__), [self._print(a) for a in e.args]
        if "{0}" in name:
            return name.format(*arguments)
        return f"{name}({', '.join(arguments)})"


def text(expression: Expression, names: Mapping[str, str]) -> str:
    """The expression in the language of formulas, with its symbols renamed."""
    new: dict[Any, Any] = {s: sp.Symbol(names[s.name]) for s in expression.free_symbols if s.name in names}
    roots = {e.exp for e in expression.atoms(sp.Pow) if (2 * e.exp).is_Integer}
    new |= {n: sp.Float(float(n), 17) for n in expression.atoms(sp.Rational) - roots if not n.is_Integer}
    written: str = _Printer({"order": "none"}).doprint(expression.xreplace(new))
    return written
