"""Kernels for formulas: numba code printed from a formula's expression, one small module for each kernel.

The code is made of the functions in mathematics.py, so that it vectorises like the built-in kernels, and uses their
loops. A kernel's name is a hash of its module's text, so that it is found where compiled kernels are kept. Whatever the
user wrote, only numbers and the names t0, t1, … can appear in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.program.formula.parsing import VALUE
from thalweg.program.instructions.formula_activation import FormulaActivation, FormulaAdjoint, ParameterGradient
from thalweg.program.instructions.losses.formula_loss import FormulaLoss
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import Instruction

IMPORTS = """import numba
import numpy as np

from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.kernels.activations import adjoint, scalar, value
from thalweg.engine.native.compiler.llvm import FLAGS, floats, select, unknown
from thalweg.engine.native.kernels.losses.loss_loops import total, total_and_slopes
from thalweg.engine.native.layouts.state import ACCUMULATE, BATCH_ROWS, ROWS

F32 = np.float32
"""

PLAIN = """

def {name}(o, c, s, f):
    {loop}(function, o, s, ())
"""

# One activation's value or adjoint with parameters, a number for each unit. o: {operands}, positions, units.
UNITS = """

def {name}(o, c, s, f):
    units = o[{last} + 2]
    {parameters}
    one = unknown(F32(1))
    for r in range(s[ROWS] * o[{last} + 1]):
        x, y = floats(o[0] + 4 * r * units, units), floats(o[{last}] + 4 * r * units, units)
        if o[{source}] == o[{last}]:
            for j in range(units):
                y[j] = {in_place}
        else:
            z = floats(o[{source}] + 4 * r * units, units)
            for j in range(units):
                y[j] = {apart}
"""

GRADIENT = """

def {name}(o, c, s, f):
    units = o[{last} + 2]
    {parameters}
    y = floats(o[{last}], units)
    if not s[ACCUMULATE]:
        for j in range(units):
            y[j] = F32(0)
    for r in range(s[ROWS] * o[{last} + 1]):
        x, z = floats(o[0] + 4 * r * units, units), floats(o[{source}] + 4 * r * units, units)
        for j in range(units):
            y[j] += z[j] * {call}
"""


LOSS = """

def {name}(o, c, s, f):
    {loop}(function, o, c, s)
"""


class Code:
    """Statements t0 = …, t1 = … for the parts of an expression; a part that occurs twice is computed once."""

    def __init__(self, symbols: dict[str, str]) -> None:
        self.symbols = symbols
        self.lines: list[str] = []
        self.names: dict[Any, str] = {}

    def of(self, e: Any) -> str:
        """The name, or the number, that stands for an expression."""
        from thalweg.program.formula.algebra import evaluate

        if e.is_Symbol:
            return self.symbols[e.name]
        if not e.free_symbols:
            return f"F32({float(evaluate(e, {}))!r})"
        if e not in self.names:
            if (twins := self.twins(e)) is None:
                text = self.text(e)
                self.names[e] = f"t{len(self.names)}"
                self.lines.append(f"{self.names[e]} = {text}")
            else:
                first, second, function = twins
                call = f"maths.{function}({self.of(e.args[0])})"
                for twin in (first, second):
                    self.names[twin] = f"t{len(self.names)}"
                self.lines.append(f"{self.names[first]}, {self.names[second]} = {call}")
        return self.names[e]

    def twins(self, e: Any) -> tuple[Any, Any, str] | None:
        """A function and its derivative that are computed together, of which e is one; and by what."""
        from thalweg.program.formula.algebra import density, gate, gate_slope, share

        for first, second, function in ((share, density, "normal"), (gate, gate_slope, "mish_gate")):
            if isinstance(e, (first, second)):
                return first(e.args[0]), second(e.args[0]), function
        return None

    def text(self, e: Any) -> str:
        from thalweg.program.formula import algebra

        if e.is_Add:
            return " + ".join(self.of(a) for a in e.args)
        if e.is_Mul:
            above = [a for a in e.args if not (a.is_Pow and a.exp.is_Number and a.exp < 0)]
            below = [self.of(1 / a) for a in e.args if a not in above]
            product = " * ".join(self.of(a) for a in above) or "F32(1)"
            return f"({product}) / ({' * '.join(below)})" if below else product
        if e.is_Pow:
            return self.power(e)
        match e:
            case algebra.where():
                return f"select({', '.join(self.of(a) for a in e.args)})"
            case algebra.less():
                return "{} < {}".format(*(self.of(a) for a in e.args))
            case algebra.less_equal():
                return "{} <= {}".format(*(self.of(a) for a in e.args))
            case algebra.both():
                return "({}) & ({})".format(*(self.of(a) for a in e.args))
            case algebra.either():
                return "({}) | ({})".format(*(self.of(a) for a in e.args))
            case algebra.contrary():
                return f"not {self.of(e.args[0])}"
            case algebra.largest() | algebra.least():
                return self.extreme(e, "<" if isinstance(e, algebra.largest) else ">")
            case algebra.sign():
                x = self.of(e.args[0])
                return f"select({x} > F32(0), F32(1), select({x} < F32(0), F32(-1), {x}))"
            case algebra.size():
                return f"abs({self.of(e.args[0])})"
        return f"maths.{e.func.__name__}({self.of(e.args[0])})"

    def extreme(self, e: Any, beaten: str) -> str:
        """The larger or smaller of two, NaN if one is: a number is never NaN."""
        x, y = e.args
        if not x.free_symbols:
            x, y = y, x
        left, right = self.of(x), self.of(y)
        if not y.free_symbols:
            return f"select({left} {beaten} {right}, {right}, {left})"
        return f"select(({left} {beaten} {right}) | ({right} != {right}), {right}, {left})"

    def power(self, e: Any) -> str:
        base, exponent = e.base, e.exp
        if exponent.is_Number and exponent < 0:
            return f"F32(1) / {self.of(base**-exponent)}"
        if exponent.is_Integer:
            n = int(exponent)
            half = self.of(base ** (n // 2))
            return f"{half} * {half}" if n % 2 == 0 else f"{half} * {half} * {self.of(base)}"
        if exponent.is_Number and (2 * exponent).is_Integer:
            whole = int(exponent - exponent % 1)
            root = f"np.sqrt({self.of(base)})"
            return f"{root} * {self.of(base**whole)}" if whole else root
        return f"maths.power({self.of(base)}, {self.of(exponent)})"


def function(expressions: Sequence[Any], symbols: dict[str, str], arguments: Sequence[str], how: str) -> str:
    """A scalar function of the arguments that computes the expressions."""
    code = Code(symbols)
    results = ", ".join(code.of(e) for e in expressions)
    body = "".join(f"    {line}\n" for line in code.lines)
    return f"\n\n@{how}\ndef function({', '.join(arguments)}):\n{body}    return {results}\n"


def is_formula(i: Instruction) -> bool:
    of = i.of if isinstance(i, LossAndGradient) else i
    return isinstance(of, (FormulaActivation, FormulaAdjoint, ParameterGradient, FormulaLoss))


def kernel_of_formula(i: Instruction) -> Kernel:
    """The kernel that carries out an instruction whose computation is a formula, not yet compiled."""
    if isinstance(i, (FormulaLoss, LossAndGradient)):
        return kernel_of_loss(i)
    assert isinstance(i, (FormulaActivation, FormulaAdjoint, ParameterGradient))
    of = i if isinstance(i, FormulaActivation) else i.of
    formula, count = of.formula_of_h, len(of.parameters)
    x = formula.variables[0]
    symbols = {x: "x", VALUE: "x"} | {name: f"p{n}" for n, name in enumerate(formula.parameters)}
    arguments = [f"p{n}" for n in range(count)]
    if isinstance(i, FormulaActivation):
        expression, by = formula.expression, ""
    else:
        by = x if isinstance(i, FormulaAdjoint) else formula.parameters[i.number]
        expression = formula.slopes[by]
    text = IMPORTS + function([expression], symbols, ["x", *(arguments or ["k"])], "scalar")
    if not count:
        return generated(text + PLAIN, {"loop": "adjoint" if by else "value"})
    parameters = "\n    ".join(f"p{n} = floats(o[{n + 1}], units)" for n in range(count))
    call = f"function({{x}}, {', '.join(f'p{n}[j]' for n in range(count))})"
    last, source = count + (2 if by else 1), count + 1 if by else 0
    words: dict[str, Any] = {"last": last, "source": source, "parameters": parameters}
    if isinstance(i, ParameterGradient):
        return generated(text + GRADIENT, words | {"call": call.format(x="x[j]")})
    if by:
        in_place = apart = call.format(x="x[j]")
        return generated(text + UNITS, words | {"in_place": f"y[j] * {in_place}", "apart": f"z[j] * {apart}"})
    return generated(text + UNITS, words | {"in_place": call.format(x="y[j] * one"), "apart": call.format(x="z[j]")})


def kernel_of_loss(i: FormulaLoss | LossAndGradient) -> Kernel:
    """The kernel of a loss that is a formula, or of the loss and its gradient."""
    loss = i.of if isinstance(i, LossAndGradient) else i
    assert isinstance(loss, FormulaLoss)
    f = loss.function
    expression, slope = f.expression, f.slopes["y_pred"]
    if VALUE in {s.name for s in slope.free_symbols}:
        slope = slope.subs({s: expression for s in slope.free_symbols if s.name == VALUE})
    symbols, arguments = {"y_true": "y", "y_pred": "p"}, ["y", "p", "k1", "k2", "k3"]
    text = IMPORTS + function([expression, slope], symbols, arguments, "numba.njit(forceinline=True, **FLAGS)")
    return generated(text + LOSS, {"loop": "total_and_slopes" if isinstance(i, LossAndGradient) else "total"})


def generated(template: str, words: dict[str, Any]) -> Kernel:
    """The kernel of a module with this text; `{name}` and other words are put in."""
    head, mark, tail = template.rpartition("\n\ndef {name}")
    body = head + mark.replace("{name}", "NAME") + tail.format(**words) if "{" in tail else template
    name = "formula_" + hashlib.sha256(body.encode()).hexdigest()[:24]
    return Kernel("formulas", name, body.replace("def NAME", f"def {name}"))
