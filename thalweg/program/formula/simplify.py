"""Formulas with numbers filled in, for a listing: 1·x, x + 0 and 0·x are simplified, numeric factors multiplied."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def simplified(e: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    """The expression with names replaced, for people to read: 0·x is 0 even where x is not finite."""
    match e:
        case ast.Name(id=name):
            return given.get(name, e)
        case ast.UnaryOp(op=op, operand=x):
            inner = simplified(x, given)
            return inner if isinstance(op, ast.USub) and number(inner) == 0 else ast.UnaryOp(op, inner)
        case ast.BinOp(left=x, op=op, right=y):
            return joined(simplified(x, given), op, simplified(y, given))
    e = rebuilt(e, lambda part: simplified(part, given))
    match e:
        case ast.Call(func=ast.Name(id="where"), args=[test, x, y]) if (holds := truth(test)) is not None:
            return x if holds else y
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[x, bound]):
            return x if number(bound) == (math.inf if name == "min" else -math.inf) else e
    return e


def rebuilt(e: ast.expr, change: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """The expression with each of its parts changed, but for the name of a function."""

    def new(name: str, part: Any) -> Any:
        if isinstance(part, list):
            return [new(name, each) for each in part]
        return change(part) if isinstance(part, ast.expr) and name != "func" else part

    return type(e)(**{name: new(name, part) for name, part in ast.iter_fields(e)})


def truth(e: ast.expr) -> bool | None:
    """Whether a condition on numbers alone holds; None for any other."""
    match e:
        case ast.Compare(left=x, ops=[op], comparators=[y]) if None not in (number(x), number(y)):
            return bool(COMPARISONS[type(op)](number(x), number(y)))
        case ast.BoolOp(op=join, values=parts) if None not in map(truth, parts):
            return all(map(truth, parts)) if isinstance(join, ast.And) else any(map(truth, parts))
    return None


def number(e: ast.expr) -> float | Fraction | None:
    """The value of an expression that is a number, otherwise None."""
    return e.value if isinstance(e, ast.Constant) and isinstance(e.value, int | float | Fraction) else None


def joined(x: ast.expr, op: ast.operator, y: ast.expr) -> ast.expr:
    """x op y, without terms and factors that have no effect."""
    match op, number(x), number(y):
        case (ast.Add(), 0, _) | (ast.Mult(), 1, _):
            return y
        case (ast.Add() | ast.Sub(), _, 0) | (ast.Mult() | ast.Div() | ast.Pow(), _, 1):
            return x
        case (ast.Sub(), 0, _):
            return ast.UnaryOp(ast.USub(), y)
        case (ast.Mult() | ast.Div(), 0, _) | (ast.Mult(), _, 0):
            return ast.Constant(0)
        case (ast.Mult(), _, _):
            return product(x, y)
    return ast.BinOp(x, op, y)


def product(x: ast.expr, y: ast.expr) -> ast.expr:
    """x·y: first a sign, then a number, and last y's divisor."""
    match x, y:
        case _, ast.UnaryOp(op=ast.USub(), operand=inner):
            return ast.UnaryOp(ast.USub(), joined(x, ast.Mult(), inner))
        case _, ast.BinOp(left=above, op=ast.Div(), right=below):
            return ast.BinOp(joined(x, ast.Mult(), above), ast.Div(), below)
        case _, ast.BinOp(left=ast.Constant() as n, op=ast.Mult(), right=rest) if number(leading(x)) is not None:
            return joined(multiplied(x, n), ast.Mult(), rest)
        case ast.Constant(), ast.Constant():
            return multiplied(x, y)
    return ast.BinOp(x, ast.Mult(), y)


def leading(e: ast.expr) -> ast.expr:
    """The first factor."""
    return leading(e.left) if isinstance(e, ast.BinOp) and isinstance(e.op, ast.Mult) else e


def multiplied(e: ast.expr, by: ast.expr) -> ast.expr:
    """e, whose first factor is a number, times the number `by`."""
    if isinstance(e, ast.BinOp):
        return joined(multiplied(e.left, by), e.op, e.right)
    first, second = number(e), number(by)
    assert first is not None
    assert second is not None
    return ast.Constant(first * second)  # type: ignore[arg-type]  # exact numbers of users' formulas are fractions
