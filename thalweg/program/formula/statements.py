"""Steps as texts: statements, one per line, that give vectors new values, such as an optimizer's update.

A statement is `name = formula`, or `name += formula` and the like. What depends on no vector is a scalar: it is
computed once, in float64; all else is computed for every element. `if` chooses by a scalar. The same text gives the
new values in any array library (`run`), the line of a listing (`shown_step`), and an engine's code.

>>> text = '''
... rate = learning_rate / (1 - beta**t)
... m += (1 - beta) * (dw - m)
... w -= rate * m'''
>>> import numpy as np
>>> values = {"w": np.array([1.0, 2.0]), "dw": np.array([0.5, -0.5]), "m": np.zeros(2), "beta": 0.9}
>>> run(text, values | {"learning_rate": 0.1, "t": 1}, np)["w"].round(3)
array([0.95, 2.05])
>>> shown_step(text, {"beta": 0.9}, {"w": "W1", "dw": "dW1"})
'rate = learning_rate/(1 − 0.9^t); m += 0.1·(dW1 − m); W1 −= rate·m'
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from thalweg.program.formula.language import SYMBOLS, evaluate, names_in, shown
from thalweg.program.formula.simplify import rebuilt, simplified

OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Compare, ast.BoolOp)


@lru_cache(maxsize=256)
def statements(text: str) -> Sequence[ast.stmt]:
    return ast.parse(text).body


def target(s: ast.stmt) -> str:
    """The name to which a statement assigns."""
    match s:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
            return name
    raise TypeError(f"not part of a step: {ast.unparse(s)}")


def value(s: ast.stmt) -> ast.expr:
    """The value assigned: a + b for a += b."""
    match s:
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=change):
            return ast.BinOp(ast.Name(name, ast.Load()), op, change)
        case ast.Assign(value=e):
            return e
    raise TypeError(f"not part of a step: {ast.unparse(s)}")


def flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The assignments, including those in all branches."""
    for s in body:
        if isinstance(s, ast.If):
            yield from flat([*s.body, *s.orelse])
        else:
            yield s


@lru_cache(maxsize=256)
def targets(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target(s) for s in flat(statements(text))))


def names_of(text: str) -> set[str]:
    tests = [s.test for s in statements(text) if isinstance(s, ast.If)]
    return {name for e in (*tests, *map(value, flat(statements(text)))) for name in names_in(e)} | set(targets(text))


def functions_of(text: str) -> set[str]:
    """The functions that a step calls."""
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {ast.unparse(function) for function in calls}


@lru_cache(maxsize=1024)
def elementwise(text: str, vectors: frozenset[str]) -> frozenset[str]:
    """The names that have a value for every element: the vectors, and what is computed from them."""
    found = set(vectors)
    for s in flat(statements(text)):
        if names_in(value(s)) & found:
            found.add(target(s))
    return frozenset(found)


@lru_cache(maxsize=1024)
def divided(s: ast.stmt, vectors: frozenset[str]) -> tuple[ast.expr, dict[str, ast.expr]]:
    """The value that a statement assigns, with a name for each of its largest parts without a vector, and these."""
    scalars: dict[str, ast.expr] = {}

    def scalar(e: ast.expr) -> ast.expr | None:
        if isinstance(e, ast.Constant) or names_in(e) & vectors:
            return None
        name = f"scalar {len(scalars)}"
        scalars[name] = e
        return ast.Name(name, ast.Load())

    return replaced(value(s), scalar), scalars


def replaced(e: ast.expr, other: Callable[[ast.expr], ast.expr | None]) -> ast.expr:
    """The expression with `other`'s in place of its largest parts for which there is one."""
    found = other(e)
    return rebuilt(e, lambda part: replaced(part, other)) if found is None else found


def typed(xp: Any, scalar: Any, like: Any) -> Any:
    """A number that doesn't change the type of the vectors with which it is computed."""
    if isinstance(scalar, int | float):
        return float(scalar) if isinstance(scalar, float) else scalar  # Python's numbers have no type of their own
    return scalar if scalar.dtype == bool else xp.asarray(scalar, like.dtype)


def run(text: str, values: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    """The values after a step, with the functions of an array library.

    Scalars are computed in their own precision, and take the vectors' type where they meet them. Any of them may be
    traced: if that of an `if` is, both sides are computed.
    """
    vectors = elementwise(text, frozenset(name for name, v in values.items() if xp.ndim(v)))
    like = next(v for v in values.values() if xp.ndim(v))

    def after(body: Sequence[ast.stmt], values: Mapping[str, Any]) -> dict[str, Any]:
        result = dict(values)
        for s in body:
            if isinstance(s, ast.If):
                test = evaluate(s.test, result, xp)
                if isinstance(test, bool | np.bool_):
                    result = after(s.body if test else s.orelse, result)
                    continue
                one, other = after(s.body, result), after(s.orelse, result)
                for name in map(target, flat([s])):
                    sides = [side[name] for side in (one, other) if name in side]
                    result[name] = xp.where(test, *sides) if len(sides) > 1 else sides[0]  # or nothing else reads it
                continue
            e, scalars = divided(s, vectors)
            numbers = {name: evaluate(part, result, xp) for name, part in scalars.items()}
            if isinstance(e, ast.Name) and e.id in numbers:
                new = numbers[e.id]
            else:
                new = evaluate(e, result | {name: typed(xp, v, like) for name, v in numbers.items()}, xp)
            result[target(s)] = xp.full_like(like, new) if target(s) in vectors and not xp.ndim(new) else new
        return result

    return after(statements(text), values)


@lru_cache(maxsize=256)
def operations(text: str, vectors: tuple[str, ...]) -> int:
    """The number of operations per element in a step."""
    found = elementwise(text, frozenset(vectors))
    values = [value(s) for s in flat(statements(text))]
    nodes = (node for e in values for node in ast.walk(e) if isinstance(node, OPERATIONS))
    return sum(bool(names_in(node) & found) for node in nodes if isinstance(node, ast.expr))


def shown_step(text: str, numbers: Mapping[str, float], names: Mapping[str, str], factor: float = 1.0) -> str:
    """A step in mathematical notation, with its numbers filled in and its vectors renamed.

    factor: multiplies the learning rate.
    """
    rate = simplified(ast.BinOp(ast.Constant(factor), ast.Mult(), ast.Name("learning_rate", ast.Load())), {})

    def filled(e: ast.expr) -> ast.expr | None:
        """The number that a part is: 1 - beta with beta = 0.9 becomes 0.1."""
        if isinstance(e, ast.Constant | ast.Compare | ast.BoolOp) or not names_in(e) <= set(numbers):
            return None
        n = evaluate(e, numbers, np)
        return ast.UnaryOp(ast.USub(), ast.Constant(-n)) if n < 0 else ast.Constant(n)

    def lines(body: Sequence[ast.stmt]) -> str:
        return "; ".join(map(line, body))

    def line(s: ast.stmt) -> str:
        if isinstance(s, ast.If):
            rest = f" else ({lines(s.orelse)})" if s.orelse else ""
            return f"if {formula(s.test)}: ({lines(s.body)}){rest}"
        sign = SYMBOLS[type(s.op)][0].strip() if isinstance(s, ast.AugAssign) else ""
        assert isinstance(s, (ast.Assign, ast.AugAssign))
        return f"{names.get(target(s), target(s))} {sign}= {formula(s.value)}"

    def formula(e: ast.expr) -> str:
        return shown(simplified(replaced(e, filled), {"learning_rate": rate}), names)

    return lines(statements(text))
