"""Loops as JavaScript: the text of numbers and expressions. What isn't stored is of double precision there."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.loops import printer
from thalweg.program.loops.nests import Apply, Expression, Local
from thalweg.program.loops.printer import Printer, Type, bare

ARRAYS = {
    "float32": "Float32Array", "float64": "Float64Array", "int64": "Float64Array", "int32": "Int32Array",
    "int8": "Int8Array", "uint8": "Uint8Array", "uint16": "Uint16Array", "bool": "Uint8Array",
}  # fmt: skip
"""Arrays that hold a type's numbers: whole ones are exact up to 2⁵³."""
INFIX = printer.INFIX | {"power": "**"}
BITS = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}  # of truth values
SHORT = {**BITS, "left_shift": "<<", "right_shift": ">>"}  # of whole numbers of 32 bits, as JavaScript takes all for
MATHS = printer.MATHS | {"absolute": "abs", "sign": "sign", "maximum": "max", "minimum": "min"}
"""The names in Math. Its max and min of NaN are NaN, as NumPy's are."""
OWN = {
    "rint": """function rint(x) {
    const r = Math.round(x);
    return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}""",
    "erfc": """/* To 1.2e-7 of itself (Press et al., Numerical Recipes). */
function erfc(x) {
    const t = 1 / (1 + 0.5 * Math.abs(x));
    const terms = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
        1.00002368, -1.26551223];
    const y = t * Math.exp(terms.reduce((sum, term) => sum * t + term, 0) - x * x);
    return x < 0 ? 2 - y : y;
}""",
    "erf": """function erf(x) {
    if (Math.abs(x) > 0.5) {
        return 1 - erfc(x);
    }
    let term = x;
    let sum = x;
    for (let n = 1; n < 12; n++) {
        term *= (-x * x) / n;
        sum += term / (2 * n + 1);
    }
    return sum * 2 / Math.sqrt(Math.PI);
}""",
    "ndtr": """function ndtr(x) {
    return 0.5 * erfc(-x * Math.SQRT1_2);
}""",
    "remainder": """function remainder(a, b) {
    const c = a % b;
    return c !== 0 && (c < 0) !== (b < 0) ? c + b : c;
}""",
    "floor_divide": """function floor_divide(a, b) {
    return Math.floor(a / b);
}""",
    "smaller": """function smaller(a, b) {
    return a < b || (a === a && b !== b);
}""",
}
"""Functions that JavaScript lacks."""
NEEDS = {"erf": ("erfc",), "ndtr": ("erfc",)}
BY_TEXT = {
    "negative": "(-{0})", "logical_not": "(!{0})", "where": "({0} ? {1} : {2})", "isfinite": "Number.isFinite({0})",
    "isnan": "Number.isNaN({0})", "square": "({0} ** 2)", "reciprocal": "(1 / {0})", "positive": "{0}",
    "exp2": "(2 ** {0})", "logical_xor": "(!{0} != !{1})",
}  # fmt: skip


class JavaScriptPrinter(Printer):
    """Prints JavaScript; notes the functions that it lacks."""

    counter: ClassVar[str] = "let"

    def __init__(self) -> None:
        super().__init__()
        self.own: set[str] = set()

    def number(self, value: Any, dtype: Type) -> str:
        if dtype.kind == "b":
            return str(bool(value)).lower()
        if dtype.kind != "f":
            return f"({int(value)})" if value < 0 else str(int(value))
        if not np.isfinite(value):
            return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"
        text = repr(float(value)).removesuffix(".0")
        return f"({text})" if text.startswith("-") else text

    def quotient(self, text: str, by: int) -> str:
        return f"Math.floor(({text}) / {by})"

    def place(self, text: str) -> str:
        return text

    def drawn(self, stream: int, index: str) -> str:
        raise ThalwegError("JavaScript draws no random numbers")

    def defined(self, local: Local, changes: bool) -> str:
        return f"{'let' if changes else 'const'} {local.name}"

    def value(self, e: Expression, dtype: Type) -> str:
        return bare(self.text(e))

    def converted(self, text: str, one: Type, other: Type) -> str:
        if other.kind == one.kind or one.kind == "b" or (one.kind in "iu" and other.kind == "f"):
            return f"Math.fround({bare(text)})" if other == np.float32 and one == np.float64 else text
        return f"({text} != 0)" if other.kind == "b" else f"Math.trunc({bare(text)})"

    def smaller(self, one: str, other: str, dtype: Type) -> str:
        self.own.add("smaller")
        return f"smaller({one}, {other})"

    def applied(self, e: Apply) -> str:
        f, kind = e.function, np.result_type(*(o.dtype for o in e.operands))
        operands = [self.text(o) for o in e.operands]
        if f == "astype":
            return self.converted(operands[0], kind, e.dtype)
        if f in INFIX and not (kind.kind == "b" and f == "add"):
            return f"({operands[0]} {INFIX[f]} {operands[1]})"
        if kind.kind == "b" and f in (*BITS, "add", "maximum", "minimum", "invert"):
            text = {"add": "({0} || {1})", "maximum": "({0} || {1})", "minimum": "({0} && {1})", "invert": "(!{0})"}
            return text.get(f, f"({{0}} {BITS.get(f)} {{1}})").format(*operands)
        if f in SHORT and kind == np.int32:
            return f"({operands[0]} {SHORT[f]} {operands[1]})"
        if f in BY_TEXT:
            return BY_TEXT[f].format(*operands)
        if f in MATHS:
            return f"Math.{MATHS[f]}({', '.join(map(bare, operands))})"
        if f not in OWN:
            raise ThalwegError(f"JavaScript can't say {f} of {kind.name}; try numpy")
        self.own |= {f, *NEEDS.get(f, ())}
        return f"{f}({', '.join(map(bare, operands))})"
