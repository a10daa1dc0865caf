"""The language of formulas: a text in Python's syntax that is evaluated, printed, or made into code by an engine.

One text states an equation once. `evaluate` gives its value in any array library, `shown` the line of a listing. A text
is data and is never executed. Its last line is the value; the lines before it may each name a part of the value.

>>> text = '''q = max(p, 0.1)
... -log(q) / alpha'''
>>> import numpy as np
>>> evaluate(text, {"p": np.array([0.0, 1.0]), "alpha": 2.0}, np).round(3)
array([ 1.151, -0.   ])
>>> shown(text, {"p": "p1"}, {"alpha": 2.0})
'−ln(q)/2 with q = max(p1, 0.1)'
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

from thalweg.program.formula.functions import FUNCTIONS
from thalweg.program.formula.simplify import COMPARISONS, simplified

Definitions = tuple[tuple[str, ast.expr], ...]

CONSTANTS = {"pi": math.pi, "inf": math.inf}
ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: lambda x, y: power(x, y),
}
SIGNS = {ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠"}
MOST_DIGITS = 64  # an exponent of whole numbers up to which their power stays whole


def power(x: Any, y: Any) -> Any:
    """x to the power of y. That of Python's whole numbers becomes a real one, before it takes all memory."""
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        return x**y
    if isinstance(x, int) and (abs(y) > MOST_DIGITS or abs(x) > 1 << 32):
        x = float(x) if abs(x) < 10**300 else math.copysign(math.inf, x)
    try:
        return x**y
    except OverflowError:
        return math.inf if x > 0 or y % 2 == 0 else -math.inf


@lru_cache(maxsize=1024)
def parsed(text: str) -> tuple[Definitions, ast.expr]:
    """The parts that a text names, and the syntax tree of its value."""
    definitions = []
    for statement in ast.parse(text.strip()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                definitions.append((name, value))
            case ast.Expr(value=value):
                return tuple(definitions), value
    raise TypeError(f"not a formula: {text!r}")


def trees(text: str | ast.expr) -> tuple[Definitions, ast.expr]:
    return parsed(text) if isinstance(text, str) else ((), text)


def of_text(text: str, given: Mapping[str, ast.expr]) -> ast.expr:
    """The value of a text with expressions in place of its names."""
    return simplified(parsed(text)[1], given)


def within(outer: str, text: str) -> str:
    """A text whose value is `outer` with the value of `text` in place of {}."""
    *definitions, value = text.strip().split("\n")
    return "\n".join([*definitions, outer.format(f"({value})")])


def assigned(name: str, text: str) -> str:
    """A text as statements that give a name its value."""
    *definitions, value = text.strip().split("\n")
    return "\n".join([*definitions, f"{name} = {value}"])


@lru_cache(maxsize=4096)
def names_in(text: str | ast.expr) -> frozenset[str]:
    """The variables, arguments and parameters of a formula, without the names that it defines."""
    definitions, value = trees(text)
    found: set[str] = set()
    for part in (value, *(part for _, part in definitions)):
        called = {id(n.func) for n in ast.walk(part) if isinstance(n, ast.Call)}
        found |= {n.id for n in ast.walk(part) if isinstance(n, ast.Name) and id(n) not in called}
    return frozenset(found - set(CONSTANTS) - {name for name, _ in definitions})


def evaluate(text: str | ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
    """The value, with the functions of an array library."""
    definitions, value = trees(text)
    for name, part in definitions:
        values = {**values, name: evaluate(part, values, xp)}

    def of(e: ast.expr) -> Any:
        match e:
            case ast.Constant(value=number):
                return number
            case ast.Name(id=name):
                return values[name] if name in values else CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return -of(x)
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return xp.logical_not(of(x))
            case ast.BinOp(left=x, op=op, right=y):
                return ARITHMETIC[type(op)](of(x), of(y))
            case ast.BoolOp(op=op, values=parts):
                return reduce(xp.logical_and if isinstance(op, ast.And) else xp.logical_or, map(of, parts))
            case ast.Compare(left=x, ops=ops, comparators=others):
                pairs = zip(ops, pairwise(map(of, (x, *others))), strict=True)
                return reduce(lambda a, b: xp.logical_and(a, b), (COMPARISONS[type(op)](*pair) for op, pair in pairs))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name].value(xp, *(of(a) for a in arguments))
        raise TypeError(f"not part of a formula: {ast.unparse(e)}")

    return of(value)


# --- as a listing shows it --------------------------------------------------------------------------------------------

CHOICE, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)  # precedence, from the loosest to the tightest
SYMBOLS = {
    ast.Add: (" + ", SUM),
    ast.Sub: (" − ", SUM),
    ast.Mult: ("·", PRODUCT),
    ast.Div: ("/", PRODUCT),
    ast.Mod: (" mod ", PRODUCT),
}
EXPONENTS = {2: "²", 3: "³"}


def shown(
    text: str | ast.expr, names: Mapping[str, str], numbers: Mapping[str, float] | None = None, least: int = CHOICE
) -> str:
    """The formula in mathematical notation, with its variables renamed and its arguments as numbers.

    least: the formula is put in brackets if its precedence is lower than this.
    """
    definitions, value = trees(text)
    given: dict[str, Any] = {name: ast.Constant(float(number)) for name, number in (numbers or {}).items()}
    parts = []
    for name, part in definitions:
        simple = simplified(part, given)
        if isinstance(simple, ast.Name | ast.Constant):
            given[name] = simple
        else:
            parts.append(f"{name} = {_shown(simple, names)[0]}")
    line, holds = _shown(simplified(value, given), names)
    line = line if holds >= least else f"({line})"
    return f"{line} with {', '.join(parts)}" if parts else line


def _shown(e: ast.expr, names: Mapping[str, str]) -> tuple[str, int]:
    """The text of an expression, and its precedence."""

    def at_least(x: ast.expr, least: int) -> str:
        text, holds = _shown(x, names)
        return text if holds >= least else f"({text})"

    match e:
        case ast.Constant(value=int() | float() as number):
            sign = "−" * (number < 0)
            return sign + f"{abs(number):.12g}".replace("inf", "∞"), SIGN if sign else ATOM
        case ast.Name(id=name):
            text = names.get(name, {"pi": "π", "inf": "∞"}.get(name, name))
            return text, ATOM if text.isalnum() else ATOM - (text[0] in "-−")
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return f"−{at_least(x, PRODUCT)}", SIGN if _shown(x, names)[1] >= POWER else PRODUCT
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return f"not {at_least(x, ATOM)}", CHOICE
        case ast.BinOp(left=x, op=ast.Pow(), right=ast.Constant(value=int() | float() as n)) if n in EXPONENTS:
            return f"{at_least(x, ATOM)}{EXPONENTS[int(n)]}", POWER
        case ast.BinOp(left=x, op=ast.Pow(), right=y):
            return f"{at_least(x, ATOM)}^{at_least(y, ATOM)}", POWER
        case ast.BinOp(left=x, op=op, right=y):
            sign, holds = SYMBOLS[type(op)]
            stronger = SIGN + 1 if holds == PRODUCT and _negative(y) else holds + isinstance(op, ast.Sub | ast.Div)
            return f"{at_least(x, holds)}{sign}{at_least(y, stronger)}", holds
        case ast.BoolOp(op=op, values=parts):
            return f" {'and' if isinstance(op, ast.And) else 'or'} ".join(at_least(p, SUM) for p in parts), CHOICE
        case ast.Compare(left=x, ops=ops, comparators=others):
            rest = "".join(f" {SIGNS[type(op)]} {at_least(y, SUM)}" for op, y in zip(ops, others, strict=True))
            return at_least(x, SUM) + rest, SUM
        case ast.Call(func=ast.Name(id="where"), args=[condition, ast.Constant(value=1), ast.Constant(value=0)]):
            return f"[{_shown(condition, names)[0]}]", ATOM
        case ast.Call(func=ast.Name(id="exp"), args=[x]):
            plain = isinstance(x, ast.UnaryOp) and isinstance(x.operand, ast.Name)
            return f"e^{at_least(x, CHOICE if plain else ATOM)}", POWER
        case ast.Call(func=ast.Name(id="sqrt"), args=[ast.Name() as x]):
            return f"√{at_least(x, ATOM)}", ATOM
        case ast.Call(func=ast.Name(id=name), args=arguments):
            form = FUNCTIONS[name].shown
            if "{0}" in form:
                return form.format(*(_shown(a, names)[0] for a in arguments)), ATOM
            return _shown(of_text(form, {"x": arguments[0]}), names)
    raise TypeError(f"not part of a formula: {ast.unparse(e)}")


def _negative(e: ast.expr) -> bool:
    return isinstance(e, ast.UnaryOp) or (isinstance(e, ast.Constant) and isinstance(e.value, float) and e.value < 0)
