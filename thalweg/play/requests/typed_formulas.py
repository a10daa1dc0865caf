"""Formulas that are small enough to be compiled while somebody waits.

A formula is differentiated and compiled, which takes seconds where functions of functions of functions multiply. A
link may carry any formula, so what would take longer than a page should wait is refused before anything begins; what is
within these limits is compiled in half a second.
"""

from __future__ import annotations

import ast

from thalweg.play.requests.refusal import RefusedError

CALLS, DEPTH, EXPONENTS, OPERATIONS = 8, 3, 24, 40
"""Functions and conditions in all, and within each other; whole exponents together; operators."""
POWER = 3
"""Functions that a power counts as whose exponent is no number: it is compiled with its logarithm and special cases."""


def modest(text: str) -> str:
    """The text, if it is a name, or a formula of modest size; what isn't even Python is left to be refused as such.

    >>> modest("x*tanh(log(1+exp(x)))")
    'x*tanh(log(1+exp(x)))'
    >>> modest("tanh(tanh(tanh(tanh(x))))")
    Traceback (most recent call last):
    thalweg.play.requests.refusal.RefusedError: the formula is too large for the page: at most 8 functions, 3 within \
each other, exponents that add up to 24, and 40 operators; a power such as x**x counts as 3 functions
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    nodes = list(ast.walk(tree))
    calls = sum(map(weight, nodes))
    operations = sum(isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) for node in nodes)
    exponents = sum(exponent(node) for node in nodes)
    if calls > CALLS or operations > OPERATIONS or exponents > EXPONENTS or depth(tree) > DEPTH:
        raise RefusedError(
            "the formula is too large for the page: at most {calls} functions, {depth} within each other, "
            "exponents that add up to {exponents}, and {operations} operators; a power such as x**x counts "
            "as {power} functions",
            calls=CALLS,
            depth=DEPTH,
            exponents=EXPONENTS,
            operations=OPERATIONS,
            power=POWER,
        )
    return text


def weight(node: ast.AST) -> int:
    """How many functions a part of a formula counts as."""
    return POWER if varies(node) else int(isinstance(node, (ast.Call, ast.IfExp)))


def varies(node: ast.AST) -> bool:
    """Whether it is a power with an exponent that isn't a number."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and exponent_of(node.right) is None


def exponent_of(node: ast.AST) -> float | None:
    """The number that an exponent is, as in x**2 and x**-0.5; None if it isn't one."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return abs(value)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return exponent_of(operand)
    return None


def exponent(node: ast.AST) -> float:
    """The size of a power's exponent, if it is a number."""
    power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
    return (exponent_of(node.right) or 0.0) if power else 0.0  # type: ignore[attr-defined]


def depth(node: ast.AST) -> int:
    """How many functions are within each other."""
    below = max((depth(child) for child in ast.iter_child_nodes(node)), default=0)
    return below + bool(weight(node))
