"""Loops over arrays: what a statement computes, as a language without arrays of its own writes it.

`fusing.py` makes them of graphs, `direct.py` of those instructions for which there is a better way than their
reference. A target prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg.program.loops.indices import Index, Variable, of

FLOAT, TRUTH = np.dtype(np.float32), np.dtype(bool)
# Where an array lies.
GIVEN, RESULT, WEIGHT, TABLE, VECTOR, MEMORY = "given", "result", "weight", "table", "vector", "memory"


@dataclass(eq=False, slots=True)
class Array:
    """Numbers that lie beside each other.

    Attributes:
        name: as the target calls it; "" until it has one.
        where: GIVEN by the caller, a RESULT for the caller, a WEIGHT or a TABLE (constants: `numbers`), a stretch of a
            flat VECTOR that lasts, or MEMORY, which is shared by arrays that aren't needed together.
        region, offset: of a stretch: the vector, and where it begins.
    """

    name: str
    size: int
    dtype: np.dtype[Any]
    where: str = MEMORY
    numbers: np.ndarray[Any, Any] | None = None
    region: str = ""
    offset: int = 0

    def overlaps(self, other: Array) -> bool:
        """Whether what is written to one changes the other."""
        if self is other:
            return True
        beside = self.offset < other.offset + other.size and other.offset < self.offset + self.size
        return self.where == other.where == VECTOR and self.region == other.region and beside

    def lies_as(self, other: Array) -> bool:
        """Whether it is the same numbers."""
        return self is other or (self.overlaps(other) and (self.offset, self.size) == (other.offset, other.size))


# --- what has a value


@dataclass(eq=False, slots=True)
class Number:
    value: Any
    dtype: np.dtype[Any]


@dataclass(eq=False, slots=True)
class Element:
    array: Array
    index: Index

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype


@dataclass(eq=False, slots=True)
class Local:
    """A number that has a name: within the loop, or the block, that it stands in."""

    name: str
    dtype: np.dtype[Any]


@dataclass(eq=False, slots=True)
class Apply:
    """An elementwise function, by NumPy's name, of operands of one type; "astype" of one of another type."""

    function: str
    operands: tuple[Expression, ...]
    dtype: np.dtype[Any]


@dataclass(eq=False, slots=True)
class Position:
    """An index as a number."""

    index: Index
    dtype: np.dtype[Any]


@dataclass(eq=False, slots=True)
class Guarded:
    """One of two numbers; only this one is computed."""

    conditions: tuple[Condition, ...]
    inside: Expression
    outside: Expression

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.inside.dtype


@dataclass(eq=False, slots=True)
class Drawn:
    """A random number in [0, 1): that of a counter in a stream; float32."""

    stream: int
    index: Index
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))


Expression = Number | Element | Local | Apply | Position | Guarded | Drawn


@dataclass(frozen=True)
class Condition:
    """low ≤ index < high"""

    index: Index
    low: int
    high: int

    @property
    def always(self) -> bool:
        return self.low <= self.index.low and self.index.high < self.high


# --- what is done


@dataclass(eq=False, slots=True)
class Loop:
    variable: Variable
    body: list[Step]


@dataclass(eq=False, slots=True)
class If:
    conditions: tuple[Condition, ...]
    body: list[Step]


@dataclass(eq=False, slots=True)
class Let:
    """A name for a number; `changes`: it is set again."""

    local: Local
    value: Expression
    changes: bool = False


@dataclass(eq=False, slots=True)
class Set:
    local: Local
    value: Expression


@dataclass(eq=False, slots=True)
class When:
    """What is done if a number isn't 0."""

    test: Expression
    body: list[Step]


@dataclass(eq=False, slots=True)
class While:
    """What is done again and again as long as a number isn't 0."""

    test: Expression
    body: list[Step]


@dataclass(eq=False, slots=True)
class Store:
    """An element becomes a number; or it is added."""

    array: Array
    index: Index
    value: Expression
    adds: bool = False


@dataclass(eq=False, slots=True)
class Fail:
    """Ends the routine, which returns a number."""

    value: Expression


@dataclass(eq=False, slots=True)
class Sort:
    """Sorts `count` numbers, `stride` apart from `index` on, in place, NaN last; equal ones keep their order.

    With `keys`, whose arrays are as long, what is sorted are numbers of elements, by the last key, then the one before
    it, and so on.
    """

    array: Array
    index: Index
    count: int
    stride: int
    keys: tuple[tuple[Array, Index], ...] = ()


Step = Loop | If | When | While | Let | Set | Store | Fail | Sort


@dataclass(eq=False, slots=True)
class Block:
    """What stands for an instruction.

    Attributes:
        formula: as the listing prints it.
        steps: what is done.
        merged: (number of the step, array that it writes, array over which it may be written): arrays that may share
            their memory, if the second isn't needed any more.
    """

    formula: str
    steps: list[Step]
    merged: list[tuple[int, Array, Array]] = field(default_factory=list)


# --- making and walking


def nest(variables: Iterable[Variable], body: list[Step]) -> list[Step]:
    """The body in loops; those that run once are left out."""
    for variable in reversed(list(variables)):
        if variable.count > 1:
            body = [Loop(variable, body)]
    return body


def within_ids(number: Expression, count: int) -> Expression:
    """Whether a number is an id: a whole one from 0 on, below `count`."""
    known: Expression = Apply("equal", (number, Apply("floor", (number,), number.dtype)), TRUTH)
    for function, end in (("greater_equal", 0), ("less", count)):
        test = Apply(function, (number, Number(number.dtype.type(end), number.dtype)), TRUTH)
        known = Apply("logical_and", (test, known), TRUTH)
    return known


INNER = ("i", "t", "s", "n")  # variables, numbers, sums, places


class Names:
    """Names that aren't taken. Those of loops' variables and of numbers come again in every block."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.used = {name.lower() for name in taken}
        self.numbers: dict[str, int] = {}

    def restart(self) -> None:
        """Begins a block."""
        for start in INNER:
            self.numbers.pop(start, None)

    def fresh(self, start: str, end: str = "") -> str:
        number = self.numbers.get(start, 0) + 1
        while f"{start}{number}{end}".lower() in self.used:
            number += 1
        self.numbers[start] = number
        return f"{start}{number}{end}"

    def variables(self, shape: Sequence[int]) -> list[Variable]:
        return [Variable(self.fresh("i"), count) for count in shape]

    def local(self, dtype: Any, start: str = "t") -> Local:
        return Local(self.fresh(start), np.dtype(dtype))


def indices(variables: Iterable[Variable]) -> tuple[Index, ...]:
    return tuple(of(variable) for variable in variables)


def steps_of(steps: Iterable[Step]) -> Iterator[Step]:
    """All steps, those within loops and conditions too."""
    for step in steps:
        yield step
        if isinstance(step, Loop | If | When | While):
            yield from steps_of(step.body)


def expressions_of(steps: Iterable[Step]) -> Iterator[Expression]:
    """All numbers that are computed, each with its parts."""
    for step in steps_of(steps):
        match step:
            case Let(value=value) | Set(value=value) | Fail(value=value):
                yield from parts(value)
            case Store(value=value, index=index):
                yield from parts(value)
                yield from looked(index)
            case When(test=test) | While(test=test):
                yield from parts(test)
            case Sort(index=index):
                yield from looked(index)
            case If(conditions=conditions):
                for condition in conditions:
                    yield from looked(condition.index)


def parts(value: Expression) -> Iterator[Expression]:
    yield value
    match value:
        case Apply(operands=operands):
            for operand in operands:
                yield from parts(operand)
        case Guarded(conditions=conditions, inside=inside, outside=outside):
            for condition in conditions:
                yield from looked(condition.index)
            yield from parts(inside)
            yield from parts(outside)
        case Element(index=index) | Position(index=index) | Drawn(index=index):
            yield from looked(index)


def looked(index: Index) -> Iterator[Expression]:
    """The elements that an index is made of."""
    for term, _ in index.terms:
        inner = getattr(term, "element", None)
        if inner is not None:
            yield from parts(inner)
        if hasattr(term, "index"):
            yield from looked(term.index)


def arrays_read(steps: Iterable[Step]) -> list[Array]:
    """The arrays that are read, in the order in which they come; also those that are added to."""
    every = list(steps)
    found = [e.array for e in expressions_of(every) if isinstance(e, Element)]
    for step in steps_of(every):
        if isinstance(step, Store) and step.adds:
            found.append(step.array)
        elif isinstance(step, Sort):
            found += [step.array, *(array for array, _ in step.keys)]
    return list(dict.fromkeys(found))


def arrays_written(steps: Iterable[Step]) -> list[Array]:
    return list(dict.fromkeys(s.array for s in steps_of(list(steps)) if isinstance(s, Store | Sort)))
