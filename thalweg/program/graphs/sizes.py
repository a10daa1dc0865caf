"""Sizes that stay open in what is made of a graph: whole numbers that know how they were computed.

A size decides as the number that it is, such as whether an axis is 1; what is written of it names it. So one text
serves all shapes for which the same is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from thalweg.errors import ThalwegError

Terms = dict[tuple[str, ...], int]
"""A sum of products: names, sorted → factor."""


class Size(int):
    """A whole number, and its text: a sum of products of names.

    >>> n = Size.named("n", 5)
    >>> m = n * 2 + 1
    >>> int(m), str(m), str(m * n // n), m > 3
    (11, '1 + 2 * n', '1 + 2 * n', True)
    """

    terms: Terms

    @classmethod
    def made(cls, number: int, terms: Terms) -> Any:
        """A size; a plain number if no name is left."""
        kept = {names: factor for names, factor in terms.items() if factor}
        if set(kept) <= {()}:
            return kept.get((), 0)
        size = cls(number)
        size.terms = kept
        return size

    @classmethod
    def named(cls, name: str, number: int) -> Any:
        return cls.made(number, {(name,): 1})

    def __str__(self) -> str:
        texts = [times(names, factor) for names, factor in sorted(self.terms.items())]
        return " + ".join(texts).replace("+ -", "- ")

    __repr__ = __str__

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        terms = dict(self.terms)
        for names, factor in terms_of(other).items():
            terms[names] = terms.get(names, 0) + factor
        return Size.made(int(self) + int(other), terms)

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __pos__(self) -> Any:
        return self

    def __sub__(self, other: Any) -> Any:
        return self + other * -1 if isinstance(other, int) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return self * -1 + other

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        terms: Terms = {}
        for (one, f), (two, g) in product(self.terms.items(), terms_of(other).items()):
            names = tuple(sorted((*one, *two)))
            terms[names] = terms.get(names, 0) + f * g
        return Size.made(int(self) * int(other), terms)

    __rmul__ = __mul__

    def __floordiv__(self, by: Any) -> Any:
        return divided(self, by)

    def __truediv__(self, by: Any) -> Any:
        return self.decided() / by

    def __rtruediv__(self, x: Any) -> Any:
        return x / self.decided()

    def __pow__(self, by: Any, modulus: Any = None) -> Any:
        return pow(self.decided(), by, modulus)

    def __rpow__(self, x: Any, modulus: Any = None) -> Any:
        return pow(x, self.decided(), modulus)

    def decided(self) -> int:
        """The number, where what is computed of it isn't a size.

        Raises:
            ThalwegError: it is made of the number of rows, which stays open.
        """
        if of_rows(self):
            raise ThalwegError("the number of rows isn't known: divide arrays by it, or multiply them")
        return int(self)

    def __rfloordiv__(self, x: Any) -> Any:
        return divided(x, self)

    def __mod__(self, by: Any) -> Any:
        return rest(self, by)

    def __rmod__(self, x: Any) -> Any:
        return rest(x, self)


def times(names: tuple[str, ...], factor: int) -> str:
    return " * ".join([*[str(factor)] * (factor != 1 or not names), *names])


def terms_of(x: int) -> Terms:
    return x.terms if isinstance(x, Size) else {(): int(x)}


def names_of(size: int) -> Iterator[str]:
    """The names that a size is made of; one that is a quotient or a remainder counts as a name."""
    if isinstance(size, Size):
        for names in size.terms:
            yield from names


def of_rows(size: int) -> bool:
    """Whether it is made of the number of rows."""
    return any("rows" in name for name in names_of(size))


def divided(x: int, by: int) -> Any:
    """⌊x/by⌋, term by term if all are multiples."""
    if int(by) == 1 and not isinstance(by, Size):
        return x
    if 0 <= int(x) < int(by) and not of_rows(x) and not of_rows(by):
        return 0
    found = shares(x, by)
    if found is not None and int(x) % int(by) == 0:
        return Size.made(int(x) // int(by), found)
    return Size.named(f"(({x}) // ({by}))", int(x) // int(by))


def rest(x: int, by: int) -> Any:
    """x mod by"""
    number = int(x) % int(by)
    if shares(x, by) is not None and number == 0:
        return 0
    if 0 <= int(x) < int(by) and not of_rows(x) and not of_rows(by):
        return x
    return Size.named(f"(({x}) % ({by}))", number)


def shares(x: int, by: int) -> Terms | None:
    """The terms of x/by if each is a multiple of the single term of by."""
    divisors = list(terms_of(by).items())
    if len(divisors) != 1 or not divisors[0][1]:
        return None
    ((names, factor),) = divisors
    result: Terms = {}
    for own, f in terms_of(x).items():
        left = list(own)
        for name in names:
            if name not in left:
                return None
            left.remove(name)
        if f % factor:
            return None
        result[tuple(left)] = f // factor
    return result


ROWS: Any = Size.named("rows", 2**31 - 1)
"""The number of rows where that is left open. It decides as a number that no axis has: a large prime."""
