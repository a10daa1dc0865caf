"""Texts from elsewhere: refused unless they keep to the language of formulas, before anything evaluates them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from thalweg.errors import FormulaError
from thalweg.program.formula.functions import FUNCTIONS
from thalweg.program.formula.language import ARITHMETIC, CONSTANTS
from thalweg.program.formula.simplify import COMPARISONS

LONGEST = 100_000  # characters: a derivative is longer than what a user writes
DEEPEST = 200  # levels of brackets and operators


def check_text(text: str, known: Collection[str] | None = None) -> None:
    """Raises unless these are statements of the language, or parts and a value.

    known: the names that it may use; None: any.
    """
    body = tree(text)
    if not body:
        raise FormulaError("a formula is empty")
    names = None if known is None else {*known, *CONSTANTS}
    for s in body:
        check_statement(s, names, last=s is body[-1])


def tree(text: str) -> list[ast.stmt]:
    if len(text) > LONGEST:
        raise FormulaError(f"a formula has {len(text):,} characters, the most are {LONGEST:,}")
    try:
        return ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(f"{text[:50]!r} isn't a formula") from None


def check_statement(s: ast.stmt, names: set[str] | None, last: bool) -> None:
    """A name that is assigned is known from there on."""
    match s:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            check_value(value, names)
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if type(op) in ARITHMETIC:
            check_value(ast.BinOp(ast.Name(name, ast.Load()), op, value), names)
        case ast.If(test=test, body=body, orelse=other):
            check_value(test, names)
            for part in (*body, *other):
                check_statement(part, names, last=False)
            return
        case ast.Expr(value=value) if last:
            check_value(value, names)
            return
        case _:
            raise FormulaError(f"a formula can't contain {type(s).__name__.lower()} statements")
    if names is not None:
        names.add(name)


def check_value(e: ast.expr, names: set[str] | None, depth: int = 0) -> None:
    """Raises at the first part that isn't one of the language, or a power of numbers, which may be endless."""
    if depth > DEEPEST:
        raise FormulaError(f"a formula is nested more than {DEEPEST} levels deep")
    match e:
        case ast.Constant(value=bool()):
            raise FormulaError("a formula can't contain True and False")
        case ast.Constant(value=int() | float() as n):
            if not -1e300 < n < 1e300:
                raise FormulaError("a number in a formula is too large")
        case ast.Name(id=name):
            if names is not None and name not in names:
                raise FormulaError(f"a formula uses {name!r}, which nothing says")
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if len(arguments) != arity(name):
                raise FormulaError(f"a formula calls {name} with {len(arguments)} arguments")
        case ast.BinOp(op=ast.Pow()) if not any(isinstance(n, ast.Name) for n in ast.walk(e)):
            raise FormulaError("a formula can't contain a power of numbers")
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            pass
        case ast.Compare(ops=ops) if all(type(op) in COMPARISONS for op in ops):
            pass
        case ast.UnaryOp(op=ast.USub() | ast.Not()) | ast.BoolOp():
            pass
        case _:
            raise FormulaError(f"a formula can't contain this: {type(e).__name__.lower()}")
    for part in parts(e):
        check_value(part, names, depth + 1)


def parts(e: ast.expr) -> Iterator[ast.expr]:
    """The expressions inside, without the name of a function."""
    function = getattr(e, "func", None)
    return (child for child in ast.iter_child_nodes(e) if isinstance(child, ast.expr) and child is not function)


def arity(name: str) -> int:
    """How many arguments a function takes; −1 of an unknown one."""
    if name not in FUNCTIONS:
        return -1
    places = re.findall(r"\{(\d)\}", FUNCTIONS[name].shown)
    return 1 + max(map(int, places), default=0)
