"""Formulas with numbers put in, for a listing: 1·x, x + 0 and 0·x go, and the numbers of a product are multiplied."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping


def simplified(e: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    """The expression with names replaced. It is for people: 0·x is 0 even where x is not finite."""
    match e:
        case ast.Name(id=name):
            return given.get(name, e)
        case ast.UnaryOp(op=op, operand=x):
            inner = simplified(x, given)
            return inner if isinstance(op, ast.USub) and number(inner) == 0 else ast.UnaryOp(op, inner)
        case ast.BinOp(left=x, op=op, right=y):
            return joined(simplified(x, given), op, simplified(y, given))
        case ast.BoolOp(op=op, values=parts):
            return ast.BoolOp(op, [simplified(part, given) for part in parts])
        case ast.Compare(left=x, ops=ops, comparators=others):
            return ast.Compare(simplified(x, given), ops, [simplified(y, given) for y in others])
        case ast.Call(func=ast.Name(id=name) as function, args=arguments):
            inner_ones = [simplified(a, given) for a in arguments]
            if name in ("min", "max") and number(inner_ones[1]) == (math.inf if name == "min" else -math.inf):
                return inner_ones[0]
            return ast.Call(function, inner_ones, [])
    return e


def number(e: ast.expr) -> float | None:
    """The number that an expression is, if it is one."""
    return e.value if isinstance(e, ast.Constant) and isinstance(e.value, int | float) else None


def joined(x: ast.expr, op: ast.operator, y: ast.expr) -> ast.expr:
    """x op y, without what makes no difference."""
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
    """x·y: a sign comes first, then a number, and what y is divided by last."""
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
    """e, whose first factor is a number, times a number."""
    if isinstance(e, ast.BinOp):
        return joined(multiplied(e.left, by), e.op, e.right)
    first, second = number(e), number(by)
    assert first is not None
    assert second is not None
    return ast.Constant(first * second)
