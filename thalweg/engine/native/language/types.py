"""The types of the kernels' language, and the one that two numbers meet in.

A value is a number, an array over an address, a tuple of values, or known when the kernel is compiled: a function, a
type, a module, a text. Arrays own no memory and check no index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from thalweg.engine.native.layouts.record import Record

POINTER = 64  # bits of an address, and of a whole number


@dataclass(frozen=True, eq=False)
class Number:
    """A type of numbers. Called in Python, it makes one: float32(0).

    Attributes:
        kind: "i" whole, "f" real, "b" a truth value.
        python: NumPy's type of the same numbers.
    """

    name: str
    kind: str
    bits: int
    signed: bool
    python: Any

    def __call__(self, value: Any) -> Any:
        return self.python(value)

    def __repr__(self) -> str:
        return self.name

    @property
    def code(self) -> ir.Type:
        """LLVM's type."""
        if self.kind == "f":
            return ir.FloatType() if self.bits == 32 else ir.DoubleType()
        return ir.IntType(self.bits)

    @property
    def bytes(self) -> int:
        """Of one in memory."""
        return max(1, self.bits // 8)


int8, int32, int64 = (Number(f"int{b}", "i", b, True, getattr(np, f"int{b}")) for b in (8, 32, 64))
uint8, uint32, uint64 = (Number(f"uint{b}", "i", b, False, getattr(np, f"uint{b}")) for b in (8, 32, 64))
float32, float64 = (Number(f"float{b}", "f", b, True, getattr(np, f"float{b}")) for b in (32, 64))
boolean = Number("bool", "b", 1, False, np.bool_)
NUMBERS = (int8, int32, int64, uint8, uint32, uint64, float32, float64, boolean)
OF_PYTHON: dict[type, Number] = {t.python: t for t in NUMBERS} | {int: int64, float: float64, bool: boolean}
"""The types of numbers that are known when a kernel is compiled."""


@dataclass(frozen=True)
class Array:
    """The type of an array of numbers, with one axis or two, row after row; or of a record, whose places have names."""

    item: Number
    axes: int = 1
    record: type[Record] | None = None

    def __repr__(self) -> str:
        return self.record.__name__ if self.record else f"array of {self.item}" + ", in rows" * (self.axes - 1)


Type = Number | Array | tuple[Any, ...] | None
"""A tuple of types is that of a tuple of values; None that of nothing."""


def codes(kind: Type) -> list[ir.Type]:
    """LLVM's types of a value's parts: an array has a pointer, and the size of each axis."""
    if kind is None:
        return []
    if isinstance(kind, tuple):
        return [part for inner in kind for part in codes(inner)]
    if isinstance(kind, Array):
        return [kind.item.code.as_pointer(), *[ir.IntType(POINTER)] * kind.axes]
    return [kind.code]


def common(x: Number, y: Number) -> Number:
    """The type in which two numbers meet: float32 and a whole number in float64, whole numbers in 64 bits.

    >>> common(float32, float64), common(float32, int32), common(float32, boolean), common(int32, uint8)
    (float64, float64, float32, int64)
    """
    if x is y:
        return x
    if x.kind == y.kind == "f":
        return float64
    if "f" in (x.kind, y.kind):
        real, other = (x, y) if x.kind == "f" else (y, x)
        return real if other.kind == "b" else float64
    return int64 if any(t.signed or t.kind == "b" for t in (x, y)) else uint64


def widened(kind: Number) -> Number:
    """What whole numbers are computed in: 64 bits."""
    if kind.kind == "f":
        return kind
    return int64 if kind.signed or kind.kind == "b" else uint64
