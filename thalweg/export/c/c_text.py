"""Loops as C99: the text of numbers, expressions and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.c.c_functions import INFIX, MATHS, OWN, helper
from thalweg.export.loops.indices import Index, Looked, Quotient, Remainder, Variable, Within
from thalweg.export.loops.nests import (
    Apply,
    Block,
    Condition,
    Drawn,
    Element,
    Expression,
    Fail,
    Guarded,
    If,
    Let,
    Local,
    Loop,
    Number,
    Position,
    Set,
    Sort,
    Step,
    Store,
    When,
)

TYPES = {
    "float32": "float", "float64": "double", "int64": "int64_t", "int32": "int32_t", "uint32": "uint32_t",
    "uint64": "uint64_t", "uint8": "uint8_t", "bool": "uint8_t",
}  # fmt: skip


def type_of(dtype: np.dtype[Any]) -> str:
    """C's name of a type."""
    if dtype.name not in TYPES:
        raise ThalwegError(f"C has no numbers of type {dtype.name}")
    return TYPES[dtype.name]


def number(value: Any, dtype: np.dtype[Any]) -> str:
    """A number as C reads it, to the bit."""
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


def comment(text: str) -> str:
    """A text that ends no comment, and begins none."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


class Printer:
    """Prints steps; notes which functions they need."""

    def __init__(self) -> None:
        self.maths: set[str] = set()
        self.own: dict[str, str] = {}  # the texts of functions that C lacks, by name
        self.streams: set[int] = set()

    # --- indices

    def index(self, index: Index) -> str:
        text = ""
        for term, factor in index.terms:
            sign = "-" if factor < 0 else "+"
            times = f" * {abs(factor)}" if abs(factor) != 1 else ""
            text += f" {sign} {self.term(term)}{times}" if text else f"{'-' * (factor < 0)}{self.term(term)}{times}"
        if not text:
            return str(index.first)
        return text + (f" {'-' if index.first < 0 else '+'} {abs(index.first)}" if index.first else "")

    def term(self, term: Any) -> str:
        match term:
            case Variable(name=name):
                return name
            case Quotient(index=index, by=by):
                return f"({self.index(index)}) / {by}"
            case Remainder(index=index, by=by):
                return f"({self.index(index)}) % {by}"
            case Within(index=index):
                return f"({self.index(index)})"
            case Looked(element=element):
                return f"(int32_t)({self.text(element)})"
        raise ThalwegError(f"no index is made of {term}")

    def conditions(self, conditions: Iterable[Condition]) -> str:
        found = []
        for c in conditions:
            index = self.index(c.index)
            found += [f"{index} >= {c.low}"] * (c.index.low < c.low) + [f"{index} < {c.high}"] * (
                c.index.high >= c.high
            )
        return " && ".join(found)

    # --- numbers

    def text(self, e: Expression) -> str:
        match e:
            case Number(value=value, dtype=dtype):
                return number(value, dtype)
            case Element(array=array, index=index):
                return f"{array.name}[{self.index(index)}]"
            case Local(name=name):
                return name
            case Apply():
                return self.applied(e)
            case Position(index=index, dtype=dtype):
                return f"({type_of(dtype)})({self.index(index)})"
            case Guarded(conditions=conditions, inside=inside, outside=outside):
                return f"({self.conditions(conditions)} ? {self.text(inside)} : {self.text(outside)})"
            case Drawn(stream=stream, index=index):
                self.streams.add(stream)
                return f"drawn(key_{stream}, (uint32_t)({self.index(index)}))"

    def applied(self, e: Apply) -> str:
        f, kind = e.function, np.result_type(*(o.dtype for o in e.operands))
        operands = [self.text(o) for o in e.operands]
        if f == "astype":
            return f"({operands[0]} != 0)" if e.dtype.kind == "b" else cast(operands[0], kind, e.dtype)
        if f == "power" and isinstance(e.operands[1], Number) and e.operands[1].value == 2:
            f, operands = "square", operands[:1]
        if e.dtype.kind == "f" and kind.kind != "f":  # a function of whole numbers that isn't one
            operands, kind = [cast(o, kind, e.dtype) for o in operands], e.dtype
        if f in INFIX and not (kind.kind == "b" and f in ("add", "multiply")):
            return f"({operands[0]} {INFIX[f]} {operands[1]})"
        if f in ("negative", "logical_not", "invert"):
            sign = "-" if f == "negative" else "!" if f == "logical_not" or kind.kind == "b" else "~"
            return f"({sign}{operands[0]})"
        if f == "where":
            return f"({operands[0]} ? {operands[1]} : {operands[2]})"
        operands = [bare(o) for o in operands]
        if f in MATHS and kind.kind == "f":
            name = MATHS[f] + "f" * (kind == np.float32)
            self.maths.add(name)
            return f"{name}({', '.join(operands)})"
        if f not in OWN:
            raise ThalwegError(f"C can't say {f} of {kind.name} yet: export to numpy")
        name = f"{f}_{type_of(kind)}"
        if name not in self.own:
            self.own[name], needed = helper(f, type_of(kind), kind)
            self.maths |= needed
        return f"{name}({', '.join(operands)})"

    # --- steps

    def block(self, block: Block) -> Iterator[str]:
        if block.formula:
            yield f"/* {comment(block.formula)} */"
        try:
            lines = list(self.steps(block.steps))
        except ThalwegError as error:
            raise ThalwegError(f"{block.formula}: {error}") from None
        if not any(isinstance(step, Let) for step in block.steps):
            yield from lines
        else:
            yield from ("{", *indented(lines), "}")

    def steps(self, steps: Sequence[Step]) -> Iterator[str]:
        for step in steps:
            yield from self.step(step)

    def step(self, step: Step) -> Iterator[str]:
        match step:
            case Loop(variable=v, body=body):
                yield f"for (int32_t {v.name} = 0; {v.name} < {v.count}; {v.name}++) {{"
                yield from indented(self.steps(body))
                yield "}"
            case If(conditions=conditions, body=body):
                yield f"if ({self.conditions(conditions)}) {{"
                yield from indented(self.steps(body))
                yield "}"
            case When(test=test, body=body):
                yield f"if ({bare(self.text(test))}) {{"
                yield from indented(self.steps(body))
                yield "}"
            case Let(local=local, value=value, changes=changes):
                const = "" if changes else "const "
                yield f"{const}{type_of(local.dtype)} {local.name} = {self.value(value, local.dtype)};"
            case Set(local=local, value=value):
                yield f"{local.name} = {self.value(value, local.dtype)};"
            case Store(array=array, index=index, value=value, adds=adds):
                yield f"{array.name}[{self.index(index)}] {'+' * adds}= {self.value(value, array.dtype)};"
            case Fail(value=value):
                yield f"return {bare(self.text(value))};"
            case Sort():
                yield from self.sorted(step)

    def value(self, e: Expression, dtype: np.dtype[Any]) -> str:
        """The text of a number that goes where those of a type are, without outer parentheses."""
        text = self.text(e)
        if dtype.kind in "fiu" and e.dtype != dtype and not isinstance(e, Local):
            return f"({type_of(dtype)}){text}" if dtype.itemsize < e.dtype.itemsize or dtype.kind != "f" else text
        return bare(text)

    def sorted(self, s: Sort) -> Iterator[str]:
        """Insertion: what is larger moves on."""
        kind, a, begin = s.array.dtype, s.array.name, self.index(s.index)
        yield f"for (int32_t p = 1; p < {s.count}; p++) {{"
        yield f"    const {type_of(kind)} own = {a}[{begin} + p * {s.stride}];"
        yield "    int32_t q = p;"
        before = f"{a}[{begin} + (q - 1) * {s.stride}]"
        yield f"    while (q > 0 && {self.less('own', before, s)}) {{"
        yield f"        {a}[{begin} + q * {s.stride}] = {before};"
        yield "        q--;"
        yield "    }"
        yield f"    {a}[{begin} + q * {s.stride}] = own;"
        yield "}"

    def less(self, one: str, other: str, s: Sort) -> str:
        if not s.keys:
            return self.smaller(one, other, s.array.dtype)
        text = ""
        for array, index in s.keys:  # the last decides first
            x, y = (f"{array.name}[{self.index(index)} + (int32_t){of} * {s.stride}]" for of in (one, other))
            less, more = self.smaller(x, y, array.dtype), self.smaller(y, x, array.dtype)
            text = f"({less} || (!{more} && {text}))" if text else less
        return text

    def smaller(self, one: str, other: str, dtype: np.dtype[Any]) -> str:
        name = f"smaller_{type_of(dtype)}"
        self.own[name] = helper("smaller", type_of(dtype), dtype)[0]
        return f"{name}({one}, {other})"


def cast(text: str, one: np.dtype[Any], other: np.dtype[Any]) -> str:
    """A number of one type as one of another."""
    return text if one == other else f"(({type_of(other)}){text})"


def bare(text: str) -> str:
    """Without parentheses around the whole."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" if line else line for line in lines)
