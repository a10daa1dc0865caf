"""An activation given as two Python functions of one number: its value and its derivative.

Both are read as text, because a module with that text is compiled: it can be kept on disk, and it uses only math,
numpy and numbers. A function that needs more is refused in one sentence.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.program.instructions.activations import Activation
from thalweg.program.ir.instruction import Array, Buffer

BUILTINS = ("abs", "max", "min", "pow", "float", "int", "range", "round", "bool")  # that it may use


@dataclass(frozen=True)
class ScalarFunction:
    """A Python function of one number, and the text from which it is compiled."""

    text: str  # the imports it needs, and a function called `own`
    shown: str  # the expression it returns, if that is all it does; otherwise a call
    function: Any = field(compare=False, repr=False)
    place: tuple[str, int] = field(default=("", 0), compare=False, repr=False)  # the file, and the line before its body

    def __call__(self, h: Array) -> Array:
        """Number by number in Python; NaN where Python raises an error, as for the logarithm of a negative number."""
        with np.errstate(all="ignore"):
            return np.array([self.one(x) for x in np.ravel(h)], dtype=h.dtype).reshape(h.shape)

    def one(self, x: Any) -> float:
        try:
            found = self.function(np.float64(x))
            return math.nan if isinstance(found, complex) else float(found)
        except (ValueError, OverflowError, ZeroDivisionError):  # from the math module; NumPy returns nan or inf
            return math.nan


def scalar_function(what: str, function: Any) -> ScalarFunction:
    """Reads a function's source; `what` names it in errors."""
    if not isinstance(function, FunctionType):
        raise ArgumentError(f"{what} has to be a Python function, got {function!r}")
    if function.__closure__:
        names = ", ".join(function.__code__.co_freevars)
        raise ArgumentError(f"{what} can't use variables of the enclosing function ({names}): write the numbers out")
    node = definition(what, function)
    arguments = node.args
    if len(arguments.args) != 1 or arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
        raise ArgumentError(f"{what} has to take one argument, it takes {ast.unparse(arguments) or 'none'}")
    if arguments.defaults:
        raise ArgumentError(f"{what} has to take one argument without a default")
    argument = arguments.args[0].arg
    body: list[ast.stmt] = node.body if isinstance(node, ast.FunctionDef) else [of_lambda(node)]
    if ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None:
        body = body[1:]
    lines = [*imports(what, function, body, argument), f"def own({argument}):"]
    code = [f"    {line}" for line in written(function, body).splitlines()]
    only = body[0] if len(body) == 1 else None
    expression = only.value if isinstance(only, ast.Return) else None
    shown = f"{function.__name__}({argument})"
    with suppress(RecursionError):  # an expression of hundreds of parts is too long to be shown
        shown = ast.unparse(expression) if expression else shown
    place = (function.__code__.co_filename, body[0].lineno - 1)
    return ScalarFunction("\n".join([*lines, *code]), shown, function, place)


def of_lambda(node: ast.Lambda) -> ast.stmt:
    """The statement that is a lambda's body."""
    return ast.copy_location(ast.Return(node.body), node.body)


def written(function: FunctionType, body: Sequence[ast.stmt]) -> str:
    """The lines of a function's body as they are in its file, so that an error can name one; or those of a lambda."""
    source, _ = inspect.findsource(function)
    lines = source[body[0].lineno - 1 : body[-1].end_lineno]
    if source[body[0].lineno - 1][: body[0].col_offset].strip():  # something stands before it in its line
        return "\n".join(map(ast.unparse, body))
    return textwrap.dedent("".join(lines))


def definition(what: str, function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The part of the source that defines the function; among several lambdas on a line, the one around its code."""
    code, name = function.__code__, function.__name__
    found: list[ast.FunctionDef | ast.Lambda] = []
    with suppress(OSError, TypeError, SyntaxError):
        lines, _ = inspect.findsource(function)
        for node in ast.walk(ast.parse("".join(lines))):
            if isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == code.co_firstlineno:
                found.append(node)
            elif isinstance(node, ast.FunctionDef) and (node.name, first_line(node)) == (name, code.co_firstlineno):
                return node
    if len(found) > 1:
        found = [node for node in found if isinstance(node, ast.Lambda) and surrounds(node.body, code)]
    if not found:
        raise ArgumentError(f"{what} has no source that can be read: define it in a file or a notebook's cell")
    return found[0]


def first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def surrounds(node: ast.expr, code: CodeType) -> bool:
    """Whether all instructions of a function come from this part of its source."""
    begin, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    places = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0) and p[2] != p[3]]
    if not places:  # Python 3.12 records no positions for constants
        return isinstance(node, ast.Constant) and node.value in code.co_consts
    return all(begin <= (p[0], p[2]) and (p[1], p[3]) <= end for p in places)


def imports(what: str, function: FunctionType, body: list[ast.stmt], argument: str) -> list[str]:
    """The lines that import what the function uses from math and NumPy; anything else is refused."""
    names = [n for statement in body for n in ast.walk(statement) if isinstance(n, ast.Name)]
    own = {argument} | {n.id for n in names if isinstance(n.ctx, ast.Store)}
    result = set()
    for name in {n.id for n in names} - own:
        thing = function.__globals__.get(name, getattr(builtins, name, None))
        if isinstance(thing, ModuleType) and thing in (math, np):
            result.add(f"import {thing.__name__} as {name}")
        elif name in BUILTINS and thing is getattr(builtins, name):
            continue
        elif home := next((m for m in (math, np) if is_of(m, thing)), None):
            result.add(f"from {home.__name__} import {getattr(thing, '__name__')} as {name}")  # noqa: B009
        else:
            raise ArgumentError(f"{what} uses {name}, but may use only math, numpy and numbers: write it out")
    return sorted(result)


def is_of(module: ModuleType, thing: Any) -> bool:
    """Whether an object is one of a module's functions."""
    name = getattr(thing, "__name__", None)
    return callable(thing) and isinstance(name, str) and vars(module).get(name) is thing


@dataclass(frozen=True)
class ScalarPair:
    """A named value and its derivative."""

    name: str
    value: ScalarFunction
    derivative: ScalarFunction

    def check(self) -> None:
        """Raises if the derivative differs from the value's central differences, at 200 random and 17 round points.

        At a kink the slopes on both sides differ, and any between them is accepted; but a function can't be all kinks.
        """
        x = np.concatenate([np.arange(-4, 4.1, 0.5), np.random.default_rng(0).uniform(-6, 6, 200)])
        step = 1e-5
        try:
            before, here, after = (self.value(x + d) for d in (-step, 0, step))
            given = self.derivative(x)
        except Exception as error:
            raise ArgumentError(f"the activation {self.name} can't be computed: {error}") from None
        with np.errstate(all="ignore"):
            central, left, right = (after - before) / (2 * step), (here - before) / step, (after - here) / step
            close = 1e-4 * (1 + abs(central))
            between = (np.minimum(left, right) - close <= given) & (given <= np.maximum(left, right) + close)
            wrong = np.isfinite(central) & ~(abs(given - central) <= close)
        if wrong.mean() <= 0.05:
            wrong &= ~between
        if not np.isfinite(here).any():
            raise ArgumentError(f"the activation {self.name} is not a finite number anywhere between -6 and 6")
        if wrong.any():
            i = np.flatnonzero(wrong)[0]
            raise ArgumentError(
                f"the derivative of {self.name} is wrong: at {x[i]:.6g} it is {given[i]:.6g}, "
                f"the value's slope is {central[i]:.6g}"
            )


class CustomActivation(Activation):
    """a = f(h), element by element, with f a compiled Python function."""

    pair: ScalarPair

    name = "custom"
    printed = "{a} = {pair.name}({h})"

    def shown_slope(self, factor: Buffer) -> str:
        return f"{factor}·{self.pair.name}′({self.h})"

    def slope(self, xp: Any, v: Array, parameters: tuple[Array, ...] = ()) -> Array:
        return self.pair.derivative(v)

    def reference(self, xp: Any, h: Array) -> Array:
        return self.pair.value(h)

    def value(self, xp: Any, h: Array) -> Array:
        return self.pair.value(h)
