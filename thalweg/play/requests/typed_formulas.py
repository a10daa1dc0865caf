"""Formulas that are small enough to be compiled while somebody waits.

A formula is differentiated and compiled, which takes seconds where functions of functions of functions multiply. A
link may carry any formula, so what takes longer than a page should wait is refused before anything begins.
"""

from __future__ import annotations

import ast

from thalweg.play.requests.refusal import RefusedError

CALLS, DEPTH, EXPONENTS, OPERATIONS = 8, 3, 24, 40
"""Functions and conditions in all, and within each other; whole exponents together; operators."""


def modest(text: str) -> str:
    """The text, if it is a name, or a formula of modest size; what isn't even Python is left to be refused as such.

    >>> modest("x*tanh(log(1+exp(x)))")
    'x*tanh(log(1+exp(x)))'
    >>> modest("tanh(tanh(tanh(tanh(x))))")
    Traceback (most recent call last):
    thalweg.play.requests.refusal.RefusedError: the formula is too large for the page: at most 8 functions, 3 within \
each other, exponents that add up to 24, and 40 operators
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    nodes = list(ast.walk(tree))
    calls = sum(isinstance(node, (ast.Call, ast.IfExp)) for node in nodes)
    operations = sum(isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare)) for node in nodes)
    exponents = sum(exponent(node) for node in nodes)
    if calls > CALLS or operations > OPERATIONS or exponents > EXPONENTS or depth(tree) > DEPTH:
        raise RefusedError(
            f"the formula is too large for the page: at most {CALLS} functions, {DEPTH} within each other, exponents "
            f"that add up to {EXPONENTS}, and {OPERATIONS} operators",
            f"公式太大了：最多 {CALLS} 個函數、巢狀 {DEPTH} 層、指數總和 {EXPONENTS}、{OPERATIONS} 個運算子",
        )
    return text


def exponent(node: ast.AST) -> float:
    """The size of a power's whole exponent."""
    match node:
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int() | float() as value)):
            return abs(value)
        case ast.BinOp(op=ast.Pow()):
            return 2.0
    return 0.0


def depth(node: ast.AST) -> int:
    """How many functions are within each other."""
    below = max((depth(child) for child in ast.iter_child_nodes(node)), default=0)
    return below + isinstance(node, (ast.Call, ast.IfExp))
