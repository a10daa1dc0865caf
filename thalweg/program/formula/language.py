"""The language of formulas: a text in Python's syntax that is evaluated, printed, or made into a kernel.

One text states an equation once. `evaluate` gives its value in any array library, `shown` the line of a listing, and
`engine/native/kernels/generated/code.py` the native code. A text is data: nothing of it is ever executed.

>>> text = "where(h > 0, h, alpha * expm1(h))"
>>> import numpy as np
>>> evaluate(text, {"h": np.array([-1.0, 2.0]), "alpha": 1.0}, np).round(3)
array([-0.632,  2.   ])
>>> shown(text, {"h": "h1", "alpha": "0.5"})
'(h1 > 0 ? h1 : 0.5·expm1(h1))'
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from thalweg.program.formula.functions import FUNCTIONS

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf}
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SIGNS = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}


@lru_cache(maxsize=1024)
def parsed(text: str) -> ast.expr:
    """The tree of an expression."""
    return ast.parse(text.strip(), mode="eval").body


def names_in(text: str | ast.expr) -> set[str]:
    """The variables, constants and parameters of an expression."""
    tree = parsed(text) if isinstance(text, str) else text
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    return found - set(CONSTANTS)


def evaluate(text: str | ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
    """The value, with the functions of an array library."""

    def of(e: ast.expr) -> Any:
        match e:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return values[name] if name in values else CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return -of(x)
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return xp.logical_not(of(x))
            case ast.BinOp(left=x, op=op, right=y):
                return ARITHMETIC[type(op)](of(x), of(y))
            case ast.BoolOp(op=op, values=parts):
                join = xp.logical_and if isinstance(op, ast.And) else xp.logical_or
                result = of(parts[0])
                for part in parts[1:]:
                    result = join(result, of(part))
                return result
            case ast.Compare(left=x, ops=ops, comparators=others):
                sides = [of(side) for side in (x, *others)]
                result = COMPARISONS[type(ops[0])](sides[0], sides[1])
                for op, left, right in zip(ops[1:], sides[1:], sides[2:], strict=False):
                    result = xp.logical_and(result, COMPARISONS[type(op)](left, right))
                return result
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name].value(xp, *(of(a) for a in arguments))
        raise TypeError(f"not part of a formula: {ast.unparse(e)}")

    return of(parsed(text) if isinstance(text, str) else text)


# --- as a listing shows it --------------------------------------------------------------------------------------------

CHOICE, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)  # how tightly an expression holds together
SYMBOLS = {
    ast.Add: (" + ", SUM),
    ast.Sub: (" − ", SUM),
    ast.Mult: ("·", PRODUCT),
    ast.Div: ("/", PRODUCT),
    ast.Mod: (" mod ", PRODUCT),
}
EXPONENTS = {2: "²", 3: "³"}


def shown(text: str | ast.expr, names: Mapping[str, str]) -> str:
    """The expression in the signs of mathematics, its variables under other names."""
    return _shown(parsed(text) if isinstance(text, str) else text, names)[0]


def _shown(e: ast.expr, names: Mapping[str, str]) -> tuple[str, int]:
    """The text of an expression, and how tightly it holds together."""

    def at_least(x: ast.expr, least: int) -> str:
        text, holds = _shown(x, names)
        return text if holds >= least else f"({text})"

    match e:
        case ast.Constant(value=value):
            return f"{value:.12g}", ATOM
        case ast.Name(id=name):
            text = names.get(name, {"pi": "π", "inf": "∞"}.get(name, name))
            return text, ATOM if not text.startswith(("-", "−")) else SIGN
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return f"−{at_least(x, SIGN)}", SIGN
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return f"not {at_least(x, ATOM)}", CHOICE
        case ast.BinOp(left=x, op=ast.Pow(), right=ast.Constant(value=n)) if n in EXPONENTS:
            return f"{at_least(x, ATOM)}{EXPONENTS[n]}", POWER
        case ast.BinOp(left=x, op=ast.Pow(), right=y):
            return f"{at_least(x, ATOM)}^{at_least(y, ATOM)}", POWER
        case ast.BinOp(left=x, op=op, right=y):
            sign, holds = SYMBOLS[type(op)]
            stronger = holds + isinstance(op, (ast.Sub, ast.Div))  # a − (b − c), a/(b·c)
            return f"{at_least(x, holds)}{sign}{at_least(y, stronger)}", holds
        case ast.BoolOp(op=op, values=parts):
            return f" {'and' if isinstance(op, ast.And) else 'or'} ".join(at_least(p, SUM) for p in parts), CHOICE
        case ast.Compare(left=x, ops=ops, comparators=others):
            rest = "".join(f" {SIGNS[type(op)]} {at_least(y, SUM)}" for op, y in zip(ops, others, strict=True))
            return at_least(x, SUM) + rest, CHOICE + 1
        case ast.Call(func=ast.Name(id="where"), args=[condition, ast.Constant(value=1), ast.Constant(value=0)]):
            return f"[{at_least(condition, CHOICE)}]", ATOM
        case ast.Call(func=ast.Name(id="exp"), args=[x]):
            return f"e^{at_least(x, SIGN if isinstance(x, ast.UnaryOp) else ATOM)}", POWER
        case ast.Call(func=ast.Name(id="sqrt"), args=[ast.Name() as x]):
            return f"√{_shown(x, names)[0]}", ATOM
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name].shown.format(*(_shown(a, names)[0] for a in arguments)), ATOM
    raise TypeError(f"not part of a formula: {ast.unparse(e)}")
