"""Index arithmetic of loops: sums of whole multiples of variables, whose ranges are known, so that most quotients and
remainders vanish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.program.graphs.traced_values import Shape


@dataclass(frozen=True)
class Variable:
    """What a loop counts: 0 … count − 1."""

    name: str
    count: int


@dataclass(frozen=True)
class Quotient:
    """⌊index / by⌋"""

    index: Index
    by: int
    count: int


@dataclass(frozen=True)
class Remainder:
    """index mod by"""

    index: Index
    by: int
    count: int


@dataclass(frozen=True)
class Within:
    """An index that a condition keeps between 0 and count − 1 where it is used."""

    index: Index
    count: int


@dataclass(frozen=True)
class Looked:
    """An index that is an array's element."""

    element: Any
    count: int


Term = Variable | Quotient | Remainder | Within | Looked


@dataclass(frozen=True)
class Index:
    """first + Σ factor·term, of whole numbers. Every term is between 0 and its count − 1."""

    terms: tuple[tuple[Term, int], ...] = ()
    first: int = 0

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.first + other)
        factors = dict(self.terms)
        for term, factor in other.terms:
            factors[term] = factors.get(term, 0) + factor
        return joined(factors, self.first + other.first)

    def __mul__(self, by: int) -> Index:
        return Index(tuple((t, f * by) for t, f in self.terms), self.first * by) if by else ZERO

    @property
    def low(self) -> int:
        """The least that it can be."""
        return self.first + sum(min(0, f * (t.count - 1)) for t, f in self.terms)

    @property
    def high(self) -> int:
        """The most that it can be."""
        return self.first + sum(max(0, f * (t.count - 1)) for t, f in self.terms)

    def factor(self, term: Term) -> int:
        """How much further it is when the term is 1 more, as far as it stands for itself."""
        return dict(self.terms).get(term, 0)

    def split(self, by: int) -> tuple[Index, Index]:
        """(quotient, remainder) by a number."""
        if by == 1:
            return self, ZERO
        whole = Index(tuple((t, f // by) for t, f in self.terms if f % by == 0), self.first // by)
        rest = Index(tuple((t, f) for t, f in self.terms if f % by), self.first % by)
        if rest.low < 0:  # so that languages which round quotients towards 0 agree
            up = -(rest.low // by)
            whole, rest = whole + -up, rest + up * by
        if rest.high < by:
            return whole, rest
        most = rest.high // by + 1
        return whole + of(Quotient(rest, by, most)), of(Remainder(rest, by, by))


def joined(factors: dict[Term, int], first: int) -> Index:
    """The sum of multiples of terms, where (i div n)·n + i mod n is i again."""
    for term, factor in factors.items():
        if isinstance(term, Remainder):
            other = Quotient(term.index, term.by, (term.index.high // term.by) + 1)
            if factor and factors.get(other) == factor * term.by:
                rest = {t: f for t, f in factors.items() if t not in (term, other)}
                return joined(rest, first) + term.index * factor
    return Index(tuple((t, f) for t, f in factors.items() if f), first)


ZERO = Index()


def of(term: Term) -> Index:
    """A term as an index; one that is always 0 is left out."""
    return Index(((term, 1),)) if term.count > 1 else ZERO


def within(index: Index, count: int) -> Index:
    """The index where a condition keeps it between 0 and count − 1."""
    if index.low >= 0 and index.high < count:
        return index
    return of(Within(index, count))


def strides(shape: Shape) -> list[int]:
    """How far apart neighbours along each axis lie."""
    found = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        found[axis] = found[axis + 1] * shape[axis + 1]
    return found


def flat(at: Sequence[Index], shape: Shape) -> Index:
    """The place of an element in an array as it lies in memory."""
    result = ZERO
    for index, stride in zip(at, strides(shape), strict=True):
        result = result + index * stride
    return result


def unravelled(index: Index, shape: Shape) -> tuple[Index, ...]:
    """The indices of the element at a place."""
    result: list[Index] = []
    for size in reversed(shape):
        if size == 1:
            result.append(ZERO)
            continue
        if index.low >= 0 and index.high < size:
            index, rest = ZERO, index
        else:
            index, rest = index.split(size)
        result.append(rest)
    return tuple(reversed(result))


def aligned(at: Sequence[Index], shape: Shape) -> tuple[Index, ...]:
    """The indices of the element that broadcasting puts at a place of a larger array."""
    own = at[len(at) - len(shape) :]
    return tuple(ZERO if size == 1 else index for index, size in zip(own, shape, strict=True))
