"""What a kernel calls: functions that are compiled for the types of their arguments, functions that emit code, arrays
over an address, types; and functions of Python's, of `math` and of NumPy."""

from __future__ import annotations

import ast
import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from thalweg.engine.native.language.arithmetic import (
    cast,
    compared,
    intrinsic,
    is_python,
    number,
    of_truth,
    told,
    truth,
)
from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.types import (
    OF_PYTHON,
    Array,
    Number,
    Type,
    boolean,
    codes,
    common,
    float64,
    int64,
)
from thalweg.engine.native.language.values import Known, Thing, Value, constant, of_type


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


class Emitted:
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


class View:
    """What makes an array of an address and the size of each axis: floats(address, n)."""

    def __init__(self, item: Number, axes: int = 1) -> None:
        self.type = Array(item, axes)

    def call(self, b: ir.IRBuilder, arguments: Sequence[Thing]) -> Value:
        """The array."""
        if len(arguments) != 1 + self.type.axes:
            raise Broken("arguments", called=f"a view, {self.type},", count=len(arguments), taken=1 + self.type.axes)
        address, *sizes = (cast(b, x, int64) for x in arguments)
        return Value(self.type, (b.inttoptr(address, self.type.item.code.as_pointer()), *sizes))


class Special:
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


def extreme(sign: ast.cmpop, of_python: Callable[..., Any]) -> Special:
    """min or max of several numbers, or of a tuple: of equal ones the first, and where one is NaN the one before."""

    def function(b: ir.IRBuilder, *things: Thing) -> Thing:
        several = things[0] if len(things) == 1 and isinstance(things[0], tuple) else things
        if all(map(is_python, several)):
            return Known(of_python(*(x.value for x in several)))
        best = number(several[0])
        for thing in several[1:]:
            x = number(thing)
            kind = common(best.type, x.type)  # type: ignore[arg-type]
            old, new = cast(b, best, kind), cast(b, x, kind)
            better = compared(b, sign, Value(kind, (new,)), Value(kind, (old,)))
            best = Value(kind, (b.select(better.parts[0], new, old),))
        return best

    return Special(function)


def real(name: str, to: Number | None = None) -> Special:
    """One of LLVM's functions of a real number; whole numbers become float64."""

    def function(b: ir.IRBuilder, thing: Thing) -> Thing:
        x = number(thing)
        kind = x.type if x.type.kind == "f" else float64  # type: ignore[union-attr]
        found = Value(kind, (intrinsic(b, name, cast(b, x, kind)),))  # type: ignore[arg-type]
        return found if to is None else Value(to, (cast(b, found, to),))

    return Special(function)


def converted(to: Number) -> Special:
    """A type, called with a number."""

    def function(b: ir.IRBuilder, thing: Thing) -> Thing:
        if isinstance(thing, Known) and thing.is_number:
            return constant(to, to.python(thing.value))
        return Value(to, (cast(b, thing, to),))

    return Special(function)


def size(b: ir.IRBuilder, thing: Thing) -> Thing:
    """|x|"""
    x = number(thing)
    assert isinstance(x.type, Number)
    if x.type.kind == "f":
        return Value(x.type, (intrinsic(b, "llvm.fabs", x.parts[0]),))
    value, zero = cast(b, x, int64), ir.Constant(int64.code, 0)
    return Value(int64, (b.select(b.icmp_signed("<", value, zero), b.sub(zero, value), value),))


def finite(b: ir.IRBuilder, thing: Thing) -> Thing:
    """Whether a real number is neither infinite nor NaN, whatever else may be assumed of numbers."""
    x = number(thing)
    absolute = b.call(b.module.declare_intrinsic("llvm.fabs", [x.parts[0].type]), [x.parts[0]])
    return of_truth(b.fcmp_ordered("<", absolute, ir.Constant(absolute.type, math.inf)))


def length(b: ir.IRBuilder, thing: Thing) -> Thing:
    """How long a tuple is, or an array."""
    if isinstance(thing, tuple):
        return Known(len(thing))
    if not isinstance(thing, Value) or not isinstance(thing.type, Array):
        raise Broken("value", what=told(thing))
    return Value(int64, (thing.parts[1],))


LIBRARY: dict[Any, Special] = {
    min: extreme(ast.Lt(), min), max: extreme(ast.Gt(), max), len: Special(length),
    **dict.fromkeys((abs, np.abs, math.fabs), Special(size)),
    **dict.fromkeys((math.isfinite, np.isfinite), Special(finite)),
    **dict.fromkeys((math.sqrt, np.sqrt), real("llvm.sqrt")),
    math.floor: real("llvm.floor", int64), math.ceil: real("llvm.ceil", int64),
    np.floor: real("llvm.floor"), np.ceil: real("llvm.ceil"), np.trunc: real("llvm.trunc"), np.rint: real("llvm.rint"),
    math.exp: real("llvm.exp"), math.log: real("llvm.log"), math.sin: real("llvm.sin"), math.cos: real("llvm.cos"),
    bool: Special(lambda b, x: Value(boolean, (truth(b, x),))),
    **{kind: converted(number_type) for kind, number_type in OF_PYTHON.items() if kind is not bool},
}  # fmt: skip
"""Functions of Python's, of `math` and of NumPy, as NumPy computes them."""
KNOWN = "abs, bool, float, int, len, max, min, and some of math and NumPy: sqrt, floor, ceil, trunc, rint, isfinite …"
