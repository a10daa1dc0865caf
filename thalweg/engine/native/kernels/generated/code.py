"""Formulas as native code: statements of kernels, in which repeated parts are computed once."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

import numpy as np

from thalweg.program.formula.language import evaluate, names_in, trees

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
# The functions that aren't called by their names in `maths`; those that one call computes, in the order of its results;
# faster ones for a loop in which every |argument| is at most `maths.NEAR`.
NATIVE = {
    "sqrt": "np.sqrt", "abs": "abs", "arctan": "maths.atan", "arctan2": "maths.atan2", "floor": "np.floor",
    "ceil": "np.ceil", "round": "np.rint", "pow": "maths.signed_power", "where": "select",
}  # fmt: skip
TOGETHER = (("normal", "normal_density"), ("mish_gate", "mish_gate_slope"))
NEAR = {"sin": "maths.near_sin", "cos": "maths.near_cos"}


def literal(value: float) -> str:
    """A number as code."""
    return f"F32({value!r})" if np.isfinite(value) else f"F32({'-' * (value < 0)}np.{abs(value)})"


class Code:
    """Statements t0 = …, t1 = …, all of float32.

    symbols: the code's name for each variable of the formulas. numbers: the variables that are never NaN. near: use the
    faster code of functions that have some, and note their arguments in `bounded`.
    """

    def __init__(self, symbols: Mapping[str, str], numbers: Collection[str] = (), near: bool = False) -> None:
        self.symbols = dict(symbols)
        self.numbers = set(numbers)
        self.near = near
        self.bounded: list[str] = []
        self.lines: list[str] = []
        self.names: dict[str, str] = {}  # the code of a part → its name

    def of(self, text: str | ast.expr) -> str:
        """The name or number that represents an expression."""
        definitions, e = trees(text)
        outer = self.symbols
        for name, part in definitions:
            self.symbols = {**self.symbols, name: self.of(part)}
        result = self.symbol(e)
        self.symbols = outer
        return result

    def symbol(self, e: ast.expr) -> str:
        if isinstance(e, ast.Name) and e.id in self.symbols:
            return self.symbols[e.id]
        if not names_in(e) and not isinstance(e, ast.Compare | ast.BoolOp):
            return literal(float(evaluate(e, {}, np)))
        return self.named(self.code(e))

    def named(self, code: str) -> str:
        """A name for the result of the code; equal code gets the same name."""
        if code not in self.names:
            self.names[code] = f"t{len(self.names)}"
            self.lines.append(f"{self.names[code]} = {code}")
        return self.names[code]

    def code(self, e: ast.expr) -> str:
        match e:
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return f"-{self.of(x)}"
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return f"not {self.of(x)}"
            case ast.BinOp(left=x, op=ast.Pow(), right=y):
                return self.power(x, y)
            case ast.BinOp(left=x, op=op, right=y):
                return f"{self.of(x)} {OPERATORS[type(op)]} {self.of(y)}"
            case ast.BoolOp(op=op, values=parts):
                return (" & " if isinstance(op, ast.And) else " | ").join(f"({self.of(p)})" for p in parts)
            case ast.Compare(left=x, ops=ops, comparators=others):
                sides = [self.of(side) for side in (x, *others)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                return " & ".join(f"({left} {COMPARISONS[type(op)]} {right})" for op, left, right in pairs)
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=[x, y]):
                return self.extreme(x, y, "<" if name == "max" else ">")
            case ast.Call(func=ast.Name(id=name), args=arguments):
                values = [self.of(a) for a in arguments]
                given = f"({', '.join(values)})"
                if self.near and name in NEAR:
                    self.bounded += values
                    return NEAR[name] + given
                both = next((names for names in TOGETHER if name in names), (name,))
                call = NATIVE.get(name, f"maths.{both[0]}") + given
                return self.one_of(call, both, name) if len(both) > 1 else call
        raise TypeError(f"not part of a formula: {ast.unparse(e)}")

    def one_of(self, call: str, results: tuple[str, ...], name: str) -> str:
        """The name of one of several results that are computed together."""
        keys = [f"{call}[{n}]" for n in range(len(results))]
        if keys[0] not in self.names:
            for key in keys:
                self.names[key] = f"t{len(self.names)}"
            self.lines.append(f"{', '.join(self.names[key] for key in keys)} = {call}")
        return keys[results.index(name)]

    def extreme(self, x: ast.expr, y: ast.expr, beaten: str) -> str:
        """The larger or smaller of two, NaN if either is."""
        if names_in(x) <= self.numbers:
            x, y = y, x
        left, right = self.of(x), self.of(y)
        if names_in(y) <= self.numbers:
            return f"select({left} {beaten} {right}, {right}, {left})"
        return f"select(({left} {beaten} {right}) | ({right} != {right}), {right}, {left})"

    def power(self, x: ast.expr, y: ast.expr) -> str:
        """Positive whole exponents as products; others, for x ≥ 0, by the logarithm."""
        base = self.of(x)
        match y:
            case ast.Constant(value=int() | float() as n) if n == int(n) and n > 0:
                return self.product(base, int(n))
        exponent = self.of(y)
        return f"select({exponent} == F32(0), F32(1), maths.power({base}, {exponent}))"

    def product(self, base: str, n: int) -> str:
        if n == 1:
            return base
        half = base if n < 4 else self.named(self.product(base, n // 2))
        return " * ".join([half, half] + [base] * (n % 2))
