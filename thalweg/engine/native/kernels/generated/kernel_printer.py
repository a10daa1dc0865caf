"""Loops of references in the language of kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.loops.indices import Index, Looked, Variable
from thalweg.program.loops.nests import (
    Apply,
    Condition,
    Element,
    Expression,
    Guarded,
    If,
    Local,
    Loop,
    Number,
    Set,
    Sort,
    Step,
    Store,
    When,
    While,
    expressions_of,
    steps_of,
)
from thalweg.program.loops.printer import INFIX, MATHS, Printer, Type, bare, indented

SHORT = {"float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "uint32": "U32", "uint64": "U64"}
SHORT |= {"bool": "U8", "uint8": "U8"}
OPERATORS = INFIX | {
    "logical_and": "&", "logical_or": "|", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
    "left_shift": "<<", "right_shift": ">>",
}  # fmt: skip
VECTORS = {name: name for name in ("exp", "log", "tanh", "expm1", "log1p", "erf", "sinh", "cosh", "sin", "cos")}
VECTORS |= {"arctan": "atan", "arctan2": "atan2", "floor_divide": "floor_divide", "remainder": "mod"}
VECTORS |= {"signed_power": "signed_power"}
"""NumPy's names of the functions in linalg/mathematics, which are those of float32."""
SCALARS = (
    *MATHS, "rint", "exp2", "copysign", "power", "sign", "absolute", "maximum", "minimum", "isfinite"
)  # fmt: skip
"""Those that the language itself knows, one at a time in float64."""


class KernelPrinter(Printer):
    """Prints steps; notes what of the step's state they need."""

    counter = ""

    def __init__(self) -> None:
        super().__init__()
        self.state: set[str] = set()
        self.keys: dict[str, str] = {}  # how one is made → its name

    # --- numbers

    def number(self, value: Any, dtype: Type) -> str:
        if dtype.kind == "b":
            return str(bool(value))
        if dtype.kind != "f":
            return f"{short(dtype)}({int(value)})"
        value = float(value)
        if not np.isfinite(value):
            name = "np.nan" if np.isnan(value) else f"{'-' * (value < 0)}np.inf"
        else:
            name = repr(value)
        return f"{short(dtype)}({name})"

    def converted(self, text: str, one: Type, other: Type) -> str:
        if one == other:
            return text
        return f"({text} != 0)" if other.kind == "b" else f"{short(other)}({bare(text)})"

    def value(self, e: Expression, dtype: Type) -> str:
        if dtype.kind == "b":
            return f"U8({bare(self.text(e))})"
        return bare(self.converted(self.text(e), e.dtype, dtype))

    def text(self, e: Expression) -> str:
        if isinstance(e, Element) and (there := self.there(e.index)):
            outside = self.number(np.nan if e.dtype.kind == "f" else 0, e.dtype)
            return f"({self.element(e)} if {there} else {outside})"
        return self.element(e)

    def element(self, e: Expression) -> str:
        match e:
            case Guarded(conditions=conditions, inside=inside, outside=outside):
                return f"({self.text(inside)} if {self.conditions(conditions)} else {self.text(outside)})"
            case Element(array=array, index=index) if array.dtype.kind == "b":
                return f"({array.name}[{self.index(index)}] != U8(0))"
            case Local(name=name) if name in STATE:
                self.state.add(name)
                return self.converted(name, np.dtype(np.float64 if name in REAL else np.int64), e.dtype)
        return super().text(e)

    def applied(self, e: Apply) -> str:
        f, kinds = e.function, [o.dtype for o in e.operands]
        if f == "where":
            one, other = (self.converted(self.text(o), o.dtype, e.dtype) for o in e.operands[1:])
            return f"{choice(e.dtype)}({bare(self.text(e.operands[0]))}, {bare(one)}, {bare(other)})"
        kind = np.result_type(*kinds)
        if f == "astype":
            return self.converted(self.text(e.operands[0]), kind, e.dtype)
        if e.dtype.kind == "f" and kind.kind != "f":
            kind = e.dtype
        if f == "power" and isinstance(e.operands[1], Number) and e.operands[1].value in (2, 0.5):
            f, e = ("square" if e.operands[1].value == 2 else "sqrt"), Apply(f, e.operands[:1], e.dtype)
        operands = [self.converted(self.text(o), o.dtype, kind) for o in e.operands]
        if f == "power" and kind == np.float32 and not is_whole(e.operands[1]):  # LLVM makes products of whole ones
            f = "signed_power"
        return self.called(f, operands, kind, e.dtype)

    def called(self, f: str, operands: Sequence[str], kind: Type, result: Type) -> str:
        """A function of operands of a type."""
        if kind.kind == "b" and f in ("add", "multiply"):
            f = "logical_or" if f == "add" else "logical_and"
        if f in OPERATORS:
            text = f"({operands[0]} {OPERATORS[f]} {operands[1]})"
            return f"{short(result)}{text}" if result.kind in "iu" and result.itemsize < 8 else text
        inner = ", ".join(map(bare, operands))
        match f:
            case "negative":
                return f"(-{operands[0]})"
            case "positive":
                return operands[0]
            case "logical_not" | "invert" if kind.kind == "b":
                return f"(not {operands[0]})"
            case "square":
                return f"({operands[0]} * {operands[0]})"
            case "reciprocal":
                return f"({self.number(1, kind)} / {operands[0]})"
            case "maximum" | "minimum" if kind.kind == "f":
                one, other = operands
                sign = ">" if f == "maximum" else "<"
                return f"{choice(kind)}(({one} {sign} {other}) | ({one} != {one}), {inner})"
            case "ndtr" if kind == np.float32:
                return f"maths.normal({inner})[0]"
        if f in VECTORS and kind == np.float32:
            return f"maths.{VECTORS[f]}({inner})"
        if f not in SCALARS:
            raise ThalwegError(f"no kernel knows {f} of {kind}")
        return f"{short(kind)}(np.{f}({inner}))" if f not in ("isfinite",) else f"np.{f}({inner})"

    def smaller(self, one: str, other: str, dtype: Type) -> str:
        return f"(({one} < {other}) | (({one} == {one}) & ({other} != {other})))"

    def drawn(self, stream: int, index: str) -> str:
        self.state |= {"seed", "iteration", "first_row"}
        made = f"halves(seed, iteration, {stream})"
        return f"uniform({self.keys.setdefault(made, f'key{len(self.keys)}')}, {index})"

    # --- indices

    def index(self, index: Index) -> str:
        texts = [multiple(self.term(term), factor) for term, factor in ordered(index)]
        if index.first != 0 or not texts:
            texts.append(str(index.first))
        return " + ".join(texts).replace("+ -", "- ")

    def conditions(self, conditions: Iterable[Condition]) -> str:
        found = []
        for c in conditions:
            index = self.index(c.index)
            found += [f"({index} >= {c.low})"] * (c.index.low < c.low)
            found += [f"({index} < {c.high})"] * (c.index.high >= c.high)
        return " & ".join(found)

    def there(self, index: Index, written: bool = False) -> str:
        """The condition that what is looked up is in its array, as no kernel can raise; "" where nothing is.

        A place to read may be counted from the end, below 0; a bin that is written may not, as in NumPy.
        """
        numbers = [(self.place(self.text(of.element)), str(of.count)) for of in looked_up(index)]
        low = "0" if written else "-({})"
        return " & ".join(f"({number} >= {low.format(count)}) & ({number} < {count})" for number, count in numbers)

    def term(self, term: Any) -> str:
        if isinstance(term, Looked):
            number = self.place(self.text(term.element))
            return f"({number} if {number} >= I64(0) else {number} + {term.count})"
        by = getattr(term, "by", None)
        if by is None:
            return super().term(term)
        sign = "//" if type(term).__name__ == "Quotient" else "%"
        return f"(({self.index(term.index)}) {sign} ({by}))"

    def quotient(self, text: str, by: int) -> str:
        return f"(({text}) // ({by}))"

    def place(self, text: str) -> str:
        return f"I64({bare(text)})"

    # --- steps

    def defined(self, local: Local, changes: bool) -> str:
        return local.name

    def step(self, step: Step) -> Iterator[str]:
        match step:
            case Loop(variable=v, body=body):
                over = "independent" if is_independent(step) else "range"
                yield f"for {v.name} in {over}({v.count}):"
                yield from indented(self.steps(body))
            case If(conditions=conditions, body=body):
                yield f"if {self.conditions(conditions)}:"
                yield from indented(self.steps(body))
            case When(test=test, body=body):
                yield f"if {bare(self.text(test))}:"
                yield from indented(self.steps(body))
            case Store(array=array, index=index, value=value, adds=adds):
                there = self.there(index, written=True)
                if there:
                    yield f"if {there}:"
                place = f"{array.name}[{self.index(index)}]"
                yield f"{'    ' * bool(there)}{place} {'+' * adds}= {self.value(value, array.dtype)}"
            case While() | Sort():
                raise ThalwegError("no kernel sorts")
            case _:
                yield from (line.removesuffix(";") for line in super().step(step))


def looked_up(index: Index) -> Iterator[Looked]:
    """The terms of an index that are elements of arrays."""
    for term, _ in index.terms:
        if isinstance(term, Looked):
            yield term
        elif not isinstance(term, Variable):
            yield from looked_up(term.index)


def is_whole(e: Expression) -> bool:
    return isinstance(e, Number) and float(e.value).is_integer()


def choice(dtype: Type) -> str:
    return "select" if dtype == np.float32 else "np.where"


def short(dtype: Type) -> str:
    """The language's name of a type."""
    if dtype.name not in SHORT:
        raise ThalwegError(f"no kernel knows numbers of {dtype}")
    return SHORT[dtype.name]


def multiple(text: str, factor: int) -> str:
    if factor == 1:
        return text
    return f"-{text}" if factor == -1 else f"{text} * ({factor})"


def ordered(index: Index) -> list[tuple[Any, int]]:
    """The terms of an index, in an order that doesn't depend on how it came about."""
    return sorted(index.terms, key=lambda pair: str(getattr(pair[0], "name", "~")))


def is_independent(loop: Loop) -> bool:
    """Whether no time around the innermost loop needs what another writes."""
    steps = list(steps_of(loop.body))
    if any(isinstance(s, Loop | When | While | Sort) for s in steps):
        return False
    written = {s.array: s.index for s in steps if isinstance(s, Store)}
    if any(moved(s.index, loop.variable) is False for s in steps if isinstance(s, Store)):
        return False
    reads = [e for e in expressions_of(loop.body) if isinstance(e, Element)]
    sums = all(is_sum(s) for s in steps if isinstance(s, Set))
    return sums and all(e.index == written.get(e.array, e.index) for e in reads)


def moved(index: Index, variable: Variable) -> bool:
    """Whether an element lies elsewhere each time around."""
    return index.factor(variable) != 0 and all(
        isinstance(term, Variable) for term, _ in index.terms
    )  # what is divided, or looked up, may be the same again


def is_sum(s: Set) -> bool:
    """Whether a number becomes itself and something more."""
    v = s.value
    return isinstance(v, Apply) and v.function in ("add", "multiply") and any(o is s.local for o in v.operands)


STATE = ("iteration", "update", "learning_rate", "penalties", "batch_rows", "first_row")
REAL = ("learning_rate", "penalties")
