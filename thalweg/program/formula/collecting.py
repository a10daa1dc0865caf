"""Sums and products of expressions, with like terms and like factors collected in the order of their first appearance.

A user's formula is read in this form, so that `x + x`, `2*x` and `x*2` are one. Its numbers are exact fractions until
it becomes a text; a sum is number + Σ coefficient·term, a product is number·Π base**exponent.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce

import numpy as np

from thalweg.program.formula.language import evaluate
from thalweg.program.formula.simplify import number
from thalweg.program.formula.statements import replaced

Parts = dict[str, tuple[ast.expr, Fraction]]  # by the key of an expression: it, and its coefficient or exponent
SHORT = 8  # operations of what may be written twice
HALF = Fraction(1, 2)
LARGEST_WHOLE = 10**15  # what is larger is written as a float


def exact(value: float | Fraction) -> Fraction:
    """The number that stands in a text: 0.1 is a tenth."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def constant(value: float | Fraction) -> ast.expr:
    return ast.Constant(exact(value))  # type: ignore[arg-type]  # fractions aren't Python's


def call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), list(arguments), [])


def key(e: ast.AST) -> str:
    """A text that is the same for equal expressions. The expression keeps it, as each is compared with many."""
    kept: dict[str, str] = e.__dict__
    if "key" not in kept:
        match e:
            case ast.Constant(value=value):
                kept["key"] = str(value)
            case ast.Name(id=name):
                kept["key"] = name
            case _:
                inner = ",".join(map(key, ast.iter_child_nodes(e)))
                kept["key"] = f"{type(e).__name__}({inner})" if inner else type(e).__name__
    return kept["key"]


def operations(e: ast.expr) -> int:
    """The number of operators, functions and comparisons, however often the same ones occur."""
    return key(e).count("(")


def is_sum(e: ast.expr) -> bool:
    return isinstance(e, ast.BinOp) and isinstance(e.op, ast.Add | ast.Sub)


def collect(parts: Parts, e: ast.expr, count: Fraction) -> None:
    """Adds to the coefficient or exponent of an expression; what comes to 0 is left out."""
    name = key(e)
    if name in parts:
        count += parts.pop(name)[1] if parts[name][1] == -count else parts[name][1]
    if count:
        parts[name] = (e, count)


@dataclass
class Sum:
    number: Fraction = Fraction(0)
    terms: Parts = field(default_factory=dict)

    def add(self, e: ast.expr, factor: Fraction | int = 1) -> Sum:
        """Adds factor·e."""
        match e:
            case ast.BinOp(left=x, op=ast.Add() | ast.Sub() as op, right=y):
                self.add(x, factor).add(y, factor if isinstance(op, ast.Add) else -factor)
            case ast.Constant():
                self.number += factor * exact(number(e) or 0)
            case _:
                coefficient, rest = parted(e)
                if is_sum(rest):
                    self.add(rest, factor * coefficient)
                else:
                    collect(self.terms, rest, factor * coefficient)
        return self

    def written(self) -> ast.expr:
        """As an expression: a positive number first, a negative one last."""
        terms = [*self.terms.values()]
        if self.number or not terms:
            terms.insert(0 if self.number > 0 else len(terms), (constant(1), self.number))
        result = times(terms[0][1], terms[0][0])
        for e, coefficient in terms[1:]:
            op = ast.Add() if coefficient > 0 else ast.Sub()
            result = ast.BinOp(result, op, times(abs(coefficient), e))
        return result


@dataclass
class Product:
    number: Fraction = Fraction(1)
    factors: Parts = field(default_factory=dict)

    @classmethod
    def of(cls, e: ast.expr, factor: Fraction | int = 1) -> Product:
        return cls(Fraction(factor)).multiply(e)

    def multiply(self, e: ast.expr, exponent: int = 1) -> Product:
        """Multiplies by e, or divides by it for exponent −1."""
        match e:
            case ast.BinOp(left=x, op=ast.Mult() | ast.Div() as op, right=y):
                self.multiply(x, exponent).multiply(y, exponent if isinstance(op, ast.Mult) else -exponent)
            case ast.UnaryOp(op=ast.USub(), operand=x):
                self.number = -self.number
                self.multiply(x, exponent)
            case ast.Constant():
                self.number *= exact(number(e) or 0) ** exponent
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant() as n):
                self.raise_by(base, exponent * exact(number(n) or 0))
            case _:
                self.raise_by(e, Fraction(exponent))
        return self

    def raise_by(self, base: ast.expr, n: Fraction) -> None:
        """Multiplies by baseⁿ."""
        collect(self.factors, base, n)

    def written(self) -> ast.expr:
        """As an expression: the number first, and one quotient for all negative exponents."""
        above = [part for base, n in self.factors.values() if n > 0 for part in raised(base, n)]
        below = [part for base, n in self.factors.values() if n < 0 for part in raised(base, -n)]
        if self.number == -1 and above:
            above[0] = ast.UnaryOp(ast.USub(), above[0])
        elif self.number != 1 or not above:
            above.insert(0, constant(self.number))
        return ast.BinOp(chain(above), ast.Div(), chain(below)) if below else chain(above)


def raised(base: ast.expr, n: Fraction) -> list[ast.expr]:
    """The factors of a power: u·√u for u**1.5, if u is short."""
    if n.denominator == 2 and n > 1 and operations(base) <= SHORT:
        return [*raised(base, n - HALF), *raised(base, HALF)]
    return [base if n == 1 else ast.BinOp(base, ast.Pow(), constant(n))]


def chain(factors: list[ast.expr]) -> ast.expr:
    """Their product."""
    return reduce(lambda x, y: ast.BinOp(x, ast.Mult(), y), factors)


def parted(e: ast.expr) -> tuple[Fraction, ast.expr]:
    """The number by which an expression begins, and the rest."""
    kept: dict[str, tuple[Fraction, ast.expr]] = e.__dict__
    if "parted" not in kept:
        p = Product.of(e)
        kept["parted"] = p.number, e if p.number == 1 else Product(Fraction(1), p.factors).written()
    return kept["parted"]


def times(factor: Fraction | int, e: ast.expr) -> ast.expr:
    return e if factor == 1 else Product.of(e, factor).written()


def folded(e: ast.expr) -> ast.expr:
    """The number that an expression of numbers is.

    Raises:
        ArithmeticError: it is infinite, or isn't real.
    """
    with np.errstate(all="ignore"):
        value = evaluate(plain(e), {}, np)
    if isinstance(value, complex) or not np.isfinite(value):
        raise ArithmeticError
    return constant(float(value))


# --- as a text -------------------------------------------------------------------------------------------------------


def text(e: ast.expr) -> str:
    """The expression in the language of formulas; its numbers are rounded only now.

    Raises:
        OverflowError: a number is too large.
    """
    return re.sub(r" (\*\*?|/) ", r"\1", ast.unparse(plain(e)))


def plain(e: ast.expr) -> ast.expr:
    """The expression with Python's numbers, and roots instead of halves in exponents."""

    def other(e: ast.expr) -> ast.expr | None:
        match e:
            case ast.Constant():
                n = exact(number(e) or 0)
                size = ast.Constant(abs(int(n) if n.denominator == 1 and abs(n) <= LARGEST_WHOLE else float(n)))
                return ast.UnaryOp(ast.USub(), size) if n < 0 else size
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant() as exponent):
                if number(exponent) == HALF:
                    return call("sqrt", plain(base))
            case ast.UnaryOp(op=ast.USub(), operand=ast.BinOp(left=x, op=ast.Sub(), right=y)):
                return ast.BinOp(plain(y), ast.Sub(), plain(x))
        return None

    return replaced(e, other)
