"""What a kernel calls: functions that are compiled for the types of their arguments, functions that emit code, arrays
over an address, types; and functions of Python's, of `math` and of NumPy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from thalweg.engine.native.language.number_operators import cast
from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.things import Thing, Value, of_type
from thalweg.engine.native.language.types import Array, Number, Type, codes, float64, int64
from thalweg.engine.native.layouts.record import Record

independent = range
"""The range of a loop in which no time needs what another writes: several are computed at once, and without a check."""


class Compiled:
    """A function of kernels, which Python calls as it is."""

    def __init__(self, function: Callable[..., Any], inline: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.function, self.inline = function, inline

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)


def compiled(function: Callable[..., Any]) -> Compiled:
    """A function that is compiled once for each combination of its arguments' types, and of what is known of them."""
    return Compiled(function)


def inlined(function: Callable[..., Any]) -> Compiled:
    """The same, which becomes part of the code that calls it."""
    return Compiled(function, inline=True)


class InKernels:
    """Base of what only kernels call."""

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"{getattr(self, '__name__', type(self).__name__)} can be called only in a kernel")


class Emitted(InKernels):
    """A function that emits code: (builder, *values) → value, or None."""

    def __init__(self, emit: Callable[..., Any], result: Type, given: Sequence[Number]) -> None:
        functools.update_wrapper(self, emit)
        self.emit, self.result, self.given = emit, result, given

    def call(self, b: ir.IRBuilder, arguments: Sequence[Thing]) -> Thing:
        """The value of a call."""
        if len(arguments) != len(self.given):
            raise Broken("arguments", called=self.emit.__name__, count=len(arguments), taken=len(self.given))
        found = self.emit(b, *(cast(b, x, kind) for x, kind in zip(arguments, self.given, strict=True)))
        several = isinstance(self.result, tuple)
        parts = [b.extract_value(found, k) for k in range(len(codes(self.result)))] if several else [found]
        return of_type(self.result, iter(parts))


def emitted(result: Type = None, *given: Number, names: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Emitted]:
    """Makes a function that emits code, (builder, *values), callable from kernels.

    result, given: the types; without, it returns nothing and takes int64s. names: of what a function with *values
    takes.
    """

    def decorate(emit: Callable[..., Any]) -> Emitted:
        taken = names or list(inspect.signature(emit).parameters)[1:]
        return Emitted(emit, result, given or [int64] * len(taken))

    return decorate


class View(InKernels):
    """What makes an array of an address and the size of each axis: floats(address, n)."""

    def __init__(self, item: Number, axes: int = 1) -> None:
        self.type = Array(item, axes)

    def call(self, b: ir.IRBuilder, arguments: Sequence[Thing]) -> Value:
        """The array."""
        if len(arguments) != 1 + self.type.axes:
            raise Broken("arguments", called=f"a view, {self.type},", count=len(arguments), taken=1 + self.type.axes)
        address, *sizes = (cast(b, x, int64) for x in arguments)
        return Value(self.type, (b.inttoptr(address, self.type.item.code.as_pointer()), *sizes))


def recorded(b: ir.IRBuilder, record: type[Record], arguments: Sequence[Thing]) -> Value:
    """A record of an array, or of an address."""
    if len(arguments) != 1:
        raise Broken("arguments", called=record.__name__, count=len(arguments), taken=1)
    item, place = float64 if record.real else int64, arguments[0]
    if isinstance(place, Value) and place.type == Array(item):
        pointer = place.parts[0]
    else:
        pointer = b.inttoptr(cast(b, place, int64), item.code.as_pointer())
    return Value(Array(item, record=record), (pointer, ir.Constant(int64.code, record.size)))


class Special(InKernels):
    """A function of things, which it is given as they are: (builder, *things) → thing."""

    def __init__(self, function: Callable[..., Thing]) -> None:
        self.function = function

    def call(self, b: ir.IRBuilder, arguments: Sequence[Thing]) -> Thing:
        """The value of a call."""
        try:
            inspect.signature(self.function).bind(b, *arguments)
        except TypeError:
            taken = len(inspect.signature(self.function).parameters) - 1
            raise Broken("arguments", called="it", count=len(arguments), taken=taken) from None
        return self.function(b, *arguments)
