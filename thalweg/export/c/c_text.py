"""Loops as C99: the text of numbers and expressions."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.c.c_functions import INFIX, MATHS, OWN, helper
from thalweg.program.loops.nests import Apply, Expression, Local, Number
from thalweg.program.loops.printer import Printer, Type, bare

TYPES = {
    "float32": "float", "float64": "double", "int64": "int64_t", "int32": "int32_t", "uint32": "uint32_t",
    "uint64": "uint64_t", "uint8": "uint8_t", "uint16": "uint16_t", "bool": "uint8_t", "int8": "int8_t",
}  # fmt: skip


def type_of(dtype: Type) -> str:
    """C's name of a type."""
    if dtype.name not in TYPES:
        raise ThalwegError(f"C has no numbers of type {dtype.name}")
    return TYPES[dtype.name]


class CPrinter(Printer):
    """Prints C99; notes the functions of <math.h> that are needed, and those that C lacks."""

    counter = "int32_t"

    def __init__(self) -> None:
        super().__init__()
        self.maths: set[str] = set()
        self.own: dict[str, str] = {}  # the texts of functions, by name

    def number(self, value: Any, dtype: Type) -> str:
        if dtype.kind == "f":
            suffix = "f" if dtype == np.float32 else ""
            if np.isnan(value):
                return f"(0.0{suffix} / 0.0{suffix})"
            if np.isinf(value):
                return f"({'-' if value < 0 else ''}1.0{suffix} / 0.0{suffix})"
            text = str(dtype.type(value))
            return f"({text}{suffix})" if text.startswith("-") else f"{text}{suffix}"
        if dtype.kind == "u":
            return f"{int(value)}u"
        if int(value) == np.iinfo(np.int64).min:
            return "(-9223372036854775807 - 1)"
        return f"({int(value)})" if value < 0 else str(int(value))

    def quotient(self, text: str, by: int) -> str:
        return f"({text}) / {by}"

    def place(self, text: str) -> str:
        return f"(int32_t)({text})"

    def drawn(self, stream: int, index: str) -> str:
        return f"drawn(key_{stream}, (uint32_t)({index}))"

    def defined(self, local: Local, changes: bool) -> str:
        return f"{'' if changes else 'const '}{type_of(local.dtype)} {local.name}"

    def converted(self, text: str, one: Type, other: Type) -> str:
        if other.kind == "b":
            return f"({text} != 0)"
        return text if one == other else f"(({type_of(other)}){text})"

    def value(self, e: Expression, dtype: Type) -> str:
        text = self.text(e)
        if dtype.kind in "fiu" and e.dtype != dtype and not isinstance(e, Local):
            return f"({type_of(dtype)}){text}" if dtype.itemsize < e.dtype.itemsize or dtype.kind != "f" else text
        return bare(text)

    def smaller(self, one: str, other: str, dtype: Type) -> str:
        return self.called("smaller", dtype, [one, other])

    def applied(self, e: Apply) -> str:
        f, kind = e.function, np.result_type(*(o.dtype for o in e.operands))
        operands = [self.text(o) for o in e.operands]
        if f == "astype":
            return self.converted(operands[0], kind, e.dtype)
        if f == "power" and isinstance(e.operands[1], Number) and e.operands[1].value == 2:
            f, operands = "square", operands[:1]
        if e.dtype.kind == "f" and kind.kind != "f":  # a function of whole numbers that isn't one
            operands, kind = [self.converted(o, kind, e.dtype) for o in operands], e.dtype
        if f in INFIX and not (kind.kind == "b" and f in ("add", "multiply")):
            return f"({operands[0]} {INFIX[f]} {operands[1]})"
        if f in ("negative", "logical_not", "invert"):
            sign = "-" if f == "negative" else "!" if f == "logical_not" or kind.kind == "b" else "~"
            return f"({sign}{operands[0]})"
        if f == "where":
            return f"({operands[0]} ? {operands[1]} : {operands[2]})"
        if f in MATHS and kind.kind == "f":
            name = MATHS[f] + "f" * (kind == np.float32)
            self.maths.add(name)
            return f"{name}({', '.join(map(bare, operands))})"
        if f not in OWN:
            raise ThalwegError(f"C can't say {f} of {kind.name}; try numpy")
        return self.called(f, kind, operands)

    def called(self, function: str, kind: Type, operands: list[str]) -> str:
        """A call of a function that C lacks."""
        name = f"{function}_{type_of(kind)}"
        if name not in self.own:
            self.own[name], needed = helper(function, type_of(kind), kind)
            self.maths |= needed
        return f"{name}({', '.join(map(bare, operands))})"
