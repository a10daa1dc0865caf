"""Functions of Python's, of `math` and of NumPy that a kernel calls: of numbers, as NumPy computes them."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir

from thalweg.engine.native.language.callables import Special
from thalweg.engine.native.language.number_operators import (
    FLAGS,
    cast,
    compared,
    intrinsic,
    is_python,
    negated,
    number,
    of_truth,
    operated,
    together,
    told,
    truth,
)
from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.things import Known, Thing, Value, constant
from thalweg.engine.native.language.types import OF_PYTHON, Array, Number, boolean, common, float32, float64, int64


def extreme(sign: ast.cmpop, of_python: Callable[..., Any]) -> Special:
    """min or max of several numbers, or of a tuple: of equal ones the first, and where one is NaN the one before."""

    def function(b: ir.IRBuilder, *things: Thing) -> Thing:
        several = things[0] if len(things) == 1 and isinstance(things[0], tuple) else things
        if all(map(is_python, several)):
            return Known(of_python(*(x.value for x in several)))  # type: ignore[union-attr]
        best = number(several[0])
        for thing in several[1:]:
            x = number(thing)
            kind = common(best.type, x.type)
            old, new = cast(b, best, kind), cast(b, x, kind)
            better = compared(b, sign, Value(kind, (new,)), Value(kind, (old,)))
            best = Value(kind, (b.select(better.parts[0], new, old),))
        return best

    return Special(function)


def real(name: str, to: Number | None = None) -> Special:
    """One of LLVM's functions of a real number; whole numbers become float64."""

    def function(b: ir.IRBuilder, thing: Thing) -> Thing:
        x = number(thing)
        kind = x.type if x.type.kind == "f" else float64
        found = Value(kind, (intrinsic(b, name, cast(b, x, kind)),))
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
    if x.type.kind == "f":
        return Value(x.type, (intrinsic(b, "llvm.fabs", x.parts[0]),))
    value, zero = cast(b, x, int64), ir.Constant(int64.code, 0)
    return Value(int64, (b.select(b.icmp_signed("<", value, zero), b.sub(zero, value), value),))


def finite(b: ir.IRBuilder, thing: Thing) -> Thing:
    """Whether a real number is neither infinite nor NaN, whatever else may be assumed of numbers."""
    x = number(thing)
    absolute = b.call(b.module.declare_intrinsic("llvm.fabs", [x.parts[0].type]), [x.parts[0]])
    return of_truth(b.fcmp_ordered("<", absolute, ir.Constant(absolute.type, math.inf)))


def clipped(b: ir.IRBuilder, x: Thing, low: Thing, high: Thing) -> Thing:
    """x, at least low and at most high; NaN of NaN."""
    return larger(ast.Lt()).call(b, (larger(ast.Gt()).call(b, (x, low)), high))


def length(b: ir.IRBuilder, thing: Thing) -> Thing:
    """How long a tuple is, or an array."""
    if isinstance(thing, tuple):
        return Known(len(thing))
    if not isinstance(thing, Value) or not isinstance(thing.type, Array):
        raise Broken("value", what=told(thing))
    return Value(int64, (thing.parts[1],))


def of_c(name: str, count: int = 1) -> Special:
    """A function of real numbers of C's library, in float32 if all are; whole numbers become float64."""

    def function(b: ir.IRBuilder, *things: Thing) -> Thing:
        if len(things) != count:
            raise Broken("arguments", called=name, count=len(things), taken=count)
        kinds = {number(thing).type for thing in things}
        kind = float32 if kinds == {float32} else float64
        code = ir.FunctionType(kind.code, [kind.code] * count)
        called = name + "f" * (kind is float32)
        declared = b.module.globals.get(called) or ir.Function(b.module, code, called)
        return Value(kind, (b.call(declared, [cast(b, thing, kind) for thing in things], fastmath=FLAGS),))

    return Special(function)


def larger(sign: ast.cmpop) -> Special:
    """np.maximum or np.minimum: NaN if either is."""

    def function(b: ir.IRBuilder, x: Thing, y: Thing) -> Thing:
        first, second = number(x), number(y)
        mine = b.or_(compared(b, sign, first, second).parts[0], compared(b, ast.NotEq(), first, first).parts[0])
        return chosen(b, of_truth(mine), first, second)

    return Special(function)


def chosen(b: ir.IRBuilder, condition: Thing, x: Thing, y: Thing) -> Thing:
    """x where the condition holds, otherwise y; both are computed."""
    kind, u, v = together(b, x, y)
    return Value(kind, (b.select(truth(b, condition), u, v),))


def sign_of(b: ir.IRBuilder, thing: Thing) -> Thing:
    """−1, 0 or 1; NaN of NaN."""
    x = number(thing)
    one = constant(x.type, 1)
    below = chosen(b, compared(b, ast.Lt(), x, Known(0)), negated(b, ast.USub(), one), x)
    return chosen(b, compared(b, ast.Gt(), x, Known(0)), one, below)


OF_OPERATORS = {np.add: ast.Add(), np.subtract: ast.Sub(), np.multiply: ast.Mult(), np.divide: ast.Div()}
OF_LLVM, OF_C = "sqrt exp exp2 log sin cos log2 log10", "tan tanh sinh cosh expm1 log1p cbrt"
"""Functions that `math` and NumPy have under one name: LLVM's, and C's."""
ARCS = "asin acos atan asinh acosh atanh"  # of C and `math`; arcsin … of NumPy

LIBRARY: dict[Any, Special] = {
    min: extreme(ast.Lt(), min), max: extreme(ast.Gt(), max), len: Special(length),
    np.minimum: larger(ast.Lt()), np.maximum: larger(ast.Gt()),
    **dict.fromkeys((abs, np.abs, math.fabs, np.fabs), Special(size)),
    **dict.fromkeys((math.isfinite, np.isfinite), Special(finite)), np.clip: Special(clipped),
    **dict.fromkeys((math.isnan, np.isnan), Special(lambda b, x: compared(b, ast.NotEq(), x, x))),
    **dict.fromkeys(
        (math.isinf, np.isinf), Special(lambda b, x: compared(b, ast.Eq(), size(b, x), Known(math.inf)))
    ),
    **{f: Special(partial(lambda op, b, x, y: operated(b, op, x, y), op)) for f, op in OF_OPERATORS.items()},
    np.negative: Special(lambda b, x: negated(b, ast.USub(), x)),
    math.floor: real("llvm.floor", int64), math.ceil: real("llvm.ceil", int64), round: real("llvm.rint", int64),
    np.floor: real("llvm.floor"), np.ceil: real("llvm.ceil"), np.trunc: real("llvm.trunc"), np.rint: real("llvm.rint"),
    **{getattr(home, name): real(f"llvm.{name}") for home in (math, np) for name in OF_LLVM.split()},
    **{getattr(home, name): of_c(name) for home in (math, np) for name in OF_C.split()},
    **{f: of_c(name) for name in ARCS.split() for f in (getattr(math, name), getattr(np, f"arc{name[1:]}"))},
    math.erf: of_c("erf"), math.erfc: of_c("erfc"), math.lgamma: of_c("lgamma"), math.gamma: of_c("tgamma"),
    **dict.fromkeys((math.atan2, np.arctan2), of_c("atan2", 2)),
    **dict.fromkeys((math.hypot, np.hypot), of_c("hypot", 2)),
    **dict.fromkeys((math.copysign, np.copysign), of_c("copysign", 2)), math.fmod: of_c("fmod", 2),
    **dict.fromkeys((pow, math.pow, np.power), Special(lambda b, x, y: operated(b, ast.Pow(), x, y))),
    np.square: Special(lambda b, x: operated(b, ast.Mult(), x, x)), np.where: Special(chosen),
    np.sign: Special(sign_of), bool: Special(lambda b, x: Value(boolean, (truth(b, x),))),
    **{kind: converted(number_type) for kind, number_type in OF_PYTHON.items() if kind is not bool},
}  # fmt: skip
KNOWN = "numbers' functions of Python, math and NumPy: abs, min, max, len, float, int, sqrt, exp, log, tanh, where …"
