"""Loops in languages that write them as C does. What differs from one to the other is left to a subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.loops.indices import Index, Looked, Quotient, Remainder, Variable, Within
from thalweg.program.loops.nests import (
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
    While,
)

Type = np.dtype[Any]
INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "equal": "==", "not_equal": "!=", "logical_and": "&&", "logical_or": "||",
}  # fmt: skip
MATHS = {
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt", "sin": "sin", "cos": "cos",
    "tan": "tan", "tanh": "tanh", "sinh": "sinh", "cosh": "cosh", "arctan": "atan", "arctan2": "atan2",
    "arcsin": "asin", "arccos": "acos", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "floor": "floor",
    "ceil": "ceil", "trunc": "trunc", "log2": "log2", "log10": "log10", "cbrt": "cbrt", "hypot": "hypot",
}  # fmt: skip
"""NumPy's names of operators and functions, as all these languages write them."""


class Printer(ABC):
    """Prints steps; notes what they need.

    Attributes:
        streams: of random numbers that are drawn.
    """

    counter: ClassVar[str]  # what stands before a loop's variable

    def __init__(self) -> None:
        self.streams: set[int] = set()

    # --- what a language says in its own way

    @abstractmethod
    def number(self, value: Any, dtype: Type) -> str:
        """A number, to the bit."""

    @abstractmethod
    def applied(self, e: Apply) -> str: ...

    @abstractmethod
    def converted(self, text: str, one: Type, other: Type) -> str:
        """A number of one type as one of another; the text is a whole."""

    @abstractmethod
    def quotient(self, text: str, by: int) -> str: ...

    @abstractmethod
    def place(self, text: str) -> str:
        """A number of an array as an index."""

    @abstractmethod
    def drawn(self, stream: int, index: str) -> str: ...

    @abstractmethod
    def defined(self, local: Local, changes: bool) -> str:
        """What stands before " = ", where a number gets its name."""

    @abstractmethod
    def value(self, e: Expression, dtype: Type) -> str:
        """The text of a number that goes where those of a type are, without outer parentheses."""

    @abstractmethod
    def smaller(self, one: str, other: str, dtype: Type) -> str:
        """Whether a number comes before another; NaN comes last."""

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
                return self.quotient(self.index(index), by)
            case Remainder(index=index, by=by):
                return f"({self.index(index)}) % {by}"
            case Within(index=index):
                return f"({self.index(index)})"
            case Looked(element=element):
                text = self.text(element)
                return text if element.dtype.kind in "iu" and element.dtype.itemsize <= 4 else self.place(text)
        raise ThalwegError(f"no index is made of {term}")

    def conditions(self, conditions: Iterable[Condition]) -> str:
        found = []
        for c in conditions:
            index = self.index(c.index)
            found += [f"{index} >= {c.low}"] * (c.index.low < c.low)
            found += [f"{index} < {c.high}"] * (c.index.high >= c.high)
        return " && ".join(found)

    # --- numbers

    def text(self, e: Expression) -> str:
        match e:
            case Number(value=value, dtype=dtype):
                return self.number(value, dtype)
            case Element(array=array, index=index):
                return f"{array.name}[{self.index(index)}]"
            case Local(name=name):
                return name
            case Apply():
                return self.applied(e)
            case Position(index=index, dtype=dtype):
                return self.converted(f"({self.index(index)})", np.dtype(np.int32), dtype)
            case Guarded(conditions=conditions, inside=inside, outside=outside):
                return f"({self.conditions(conditions)} ? {self.text(inside)} : {self.text(outside)})"
            case Drawn(stream=stream, index=index):
                self.streams.add(stream)
                return self.drawn(stream, self.index(index))

    # --- steps

    def block(self, block: Block) -> Iterator[str]:
        """The lines of a block, after its formula."""
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
                yield from self.nested(f"for ({self.counter} {v.name} = 0; {v.name} < {v.count}; {v.name}++)", body)
            case If(conditions=conditions, body=body):
                yield from self.nested(f"if ({self.conditions(conditions)})", body)
            case When(test=test, body=body):
                yield from self.nested(f"if ({bare(self.text(test))})", body)
            case While(test=test, body=body):
                yield from self.nested(f"while ({bare(self.text(test))})", body)
            case Let(local=local, value=value, changes=changes):
                yield f"{self.defined(local, changes)} = {self.value(value, local.dtype)};"
            case Set(local=local, value=value):
                yield f"{local.name} = {self.value(value, local.dtype)};"
            case Store(array=array, index=index, value=value, adds=adds):
                yield f"{array.name}[{self.index(index)}] {'+' * adds}= {self.value(value, array.dtype)};"
            case Fail(value=value):
                yield f"return {bare(self.text(value))};"
            case Sort():
                yield from self.sorted(step)

    def nested(self, head: str, body: Sequence[Step]) -> Iterator[str]:
        yield f"{head} {{"
        yield from indented(self.steps(body))
        yield "}"

    def sorted(self, s: Sort) -> Iterator[str]:
        """Insertion: what is larger moves on."""
        a, begin = s.array.name, self.index(s.index)
        before = f"{a}[{begin} + (q - 1) * {s.stride}]"
        yield f"for ({self.counter} p = 1; p < {s.count}; p++) {{"
        yield f"    {self.defined(Local('own', s.array.dtype), False)} = {a}[{begin} + p * {s.stride}];"
        yield f"    {self.counter} q = p;"
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
            x, y = (f"{array.name}[{self.index(index)} + {self.place(of)} * {s.stride}]" for of in (one, other))
            less, more = self.smaller(x, y, array.dtype), self.smaller(y, x, array.dtype)
            text = f"({less} || (!{more} && {text}))" if text else less
        return text


def comment(text: str) -> str:
    """A text that ends no comment, begins none, and has no trigraphs."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


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
