"""Derivatives in the language of formulas: of users' formulas, and of slopes for gradients that are derived once more.

At a kink, the derivative is that of the piece that gives the value there: for `max(a, b)` and `min(a, b)` the second if
both are equal, for `abs` and `sign` 0 at 0.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from thalweg.errors import ThalwegError
from thalweg.program.formula import operations
from thalweg.program.formula.collecting import call
from thalweg.program.formula.language import of_text, trees
from thalweg.program.formula.simplify import joined, number, simplified

ZERO, ONE = ast.Constant(0), ast.Constant(1)
AS_STATED = ("exp", "expm1", "log", "log1p", "sqrt", "abs", "sin", "cos", "sinh", "cosh", "sigmoid", "erf")
RULES = {  # function of one number → its derivative, h is the number and a the function's value
    **{name: operations.UNARY[name].slope for name in AS_STATED},
    "arctan": "1 / (1 + h * h)",
    "tanh": "1 - a * a",
    "softplus": "sigmoid(h)",
    "logcosh": "tanh(h)",
    "tanh_shrink": "tanh(h) * tanh(h)",
    "normal": "normal_density(h)",
    "normal_density": "-h * a",
    "mish_gate": "mish_gate_slope(h)",
    **dict.fromkeys(("sign", "floor", "ceil", "round", "floor_divide"), "0"),
}


@lru_cache(maxsize=1024)
def derivative(text: str, name: str) -> str | None:
    """The derivative of a text by one of its names; None if it is 0 everywhere.

    Raises:
        ThalwegError: it holds something whose derivative isn't known.

    >>> derivative("1 - a**2", "a")
    '-(2 * a)'
    >>> derivative("where(a > 0, 1, 0)", "a") is None
    True
    """
    definitions, value = trees(text)
    slopes: dict[str, ast.expr] = {name: ONE}
    lines: list[str] = []
    for part, expression in definitions:
        slope = of(expression, slopes)
        lines.append(f"{part} = {ast.unparse(expression)}")
        slopes.pop(part, None)  # a part may hide the name
        if not vanishes(slope):
            lines.append(f"{part}_slope = {ast.unparse(slope)}")
            slopes[part] = ast.Name(f"{part}_slope")
    result = of(value, slopes)
    return None if vanishes(result) else "\n".join([*lines, ast.unparse(result)])


def vanishes(e: ast.expr) -> bool:
    return number(simplified(e, {})) == 0


def of(e: ast.expr, slopes: Mapping[str, ast.expr]) -> ast.expr:
    """The derivative of an expression in which some names have derivatives."""
    match e:
        case ast.Constant():
            return ZERO
        case ast.Name(id=name):
            return slopes.get(name, ZERO)
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return joined(ZERO, ast.Sub(), of(x, slopes))
        case ast.BinOp(left=x, op=ast.Add() | ast.Sub() as op, right=y):
            return joined(of(x, slopes), op, of(y, slopes))
        case ast.BinOp(left=x, op=ast.Mult(), right=y):
            return joined(times(of(x, slopes), y), ast.Add(), times(x, of(y, slopes)))
        case ast.BinOp(left=x, op=ast.Div(), right=y):
            below = of(y, slopes)
            first = joined(of(x, slopes), ast.Div(), y)
            return joined(first, ast.Sub(), joined(times(x, below), ast.Div(), ast.BinOp(y, ast.Mult(), y)))
        case ast.BinOp(left=x, op=ast.Pow(), right=y):
            return of_power(e, x, y, of(x, slopes), of(y, slopes))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return of_call(e, name, arguments, slopes)
    return unknown(e, slopes)


def of_power(e: ast.expr, x: ast.expr, y: ast.expr, dx: ast.expr, dy: ast.expr) -> ast.expr:
    """The derivative of x to the power of y, from theirs."""
    if number(dy) == 0:
        less = joined(y, ast.Sub(), ONE) if (n := number(y)) is None else ast.Constant(n - 1)  # type: ignore[arg-type]
        return times(times(y, joined(x, ast.Pow(), less)), dx)
    by_exponent = times(call("log", x), dy)
    return times(e, joined(by_exponent, ast.Add(), joined(times(y, dx), ast.Div(), x)))


def of_call(e: ast.expr, name: str, arguments: list[ast.expr], slopes: Mapping[str, ast.expr]) -> ast.expr:
    inner = [of(a, slopes) for a in arguments] if name != "where" else [ZERO, *(of(a, slopes) for a in arguments[1:])]
    if all(number(slope) == 0 for slope in inner):
        return ZERO
    if name == "where":
        return call("where", arguments[0], *inner[1:])
    if name in ("min", "max"):
        x, y = arguments
        taken = ast.Compare(x, [ast.Lt() if name == "min" else ast.Gt()], [y])
        return call("where", taken, *inner)
    if name == "pow":
        given = dict(zip("xy", arguments, strict=True))
        first, second = (of_text(slope or "", given) for slope in operations.BINARY["power"].slopes.values())
        return joined(times(first, inner[0]), ast.Add(), times(second, inner[1]))
    return times(of_text(RULES[name], {"h": arguments[0], "a": e}), inner[0]) if name in RULES else unknown(e, slopes)


def times(x: ast.expr, y: ast.expr) -> ast.expr:
    return joined(x, ast.Mult(), y)


def unknown(e: ast.expr, slopes: Mapping[str, ast.expr]) -> ast.expr:
    """0, if nothing in an expression has a derivative; otherwise raises."""
    if any(isinstance(n, ast.Name) and n.id in slopes for n in ast.walk(e)):
        raise ThalwegError(f"the derivative of {ast.unparse(e)} isn't known, so a gradient can't be derived again")
    return ZERO
