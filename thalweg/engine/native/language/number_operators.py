"""Numbers in LLVM's code: conversions, operators, comparisons.

As NumPy has them, except that what would be an error is a value: a whole number divided by 0 is 0. Real numbers may be
reordered and contracted (`FLAGS`), but NaN and infinity stay what they are.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from thalweg.engine.native.language.rules import Broken
from thalweg.engine.native.language.things import Known, Thing, Value, computed, constant
from thalweg.engine.native.language.types import Array, Number, boolean, common, float64, int64, widened

ENDLESS = 4096  # bits of a whole power, or factors of one, before it takes all memory
FLAGS = ("reassoc", "contract", "nsz")
WHOLE, REAL = (
    {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor"},
    {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"},
)
PYTHON: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def number(thing: Thing) -> Value:
    """A thing as a number of the code."""
    found = computed(thing)
    if not isinstance(found, Value) or isinstance(found.type, Array):
        raise Broken("value", what=told(thing))
    return found


def told(thing: Thing) -> str:
    """What a thing is, for people."""
    if isinstance(thing, tuple):
        return f"a tuple of {len(thing)}"
    return repr(thing.type) if isinstance(thing, Value) else getattr(thing.value, "__name__", repr(thing.value))


def cast(b: ir.IRBuilder, thing: Thing, to: Number) -> ir.Value:
    """A number as one of another type, as NumPy's astype: whole numbers lose their upper bits, real ones their
    fraction."""
    x = number(thing)
    source, (value,) = x.type, x.parts
    if source is to:
        return value
    if to.kind == "b":
        return truth(b, x)
    if source.kind != "f" and to.kind == "i":
        if source.bits >= to.bits:
            return value if source.bits == to.bits else b.trunc(value, to.code)
        return (b.sext if source.signed else b.zext)(value, to.code)
    if source.kind != "f":
        return (b.sitofp if source.signed else b.uitofp)(value, to.code)
    if to.kind == "i":
        return (b.fptosi if to.signed else b.fptoui)(value, to.code)
    return (b.fpext if to.bits > source.bits else b.fptrunc)(value, to.code)


def truth(b: ir.IRBuilder, thing: Thing) -> ir.Value:
    """Whether a thing counts as true: numbers but 0, NaN too."""
    if isinstance(thing, Known):
        return ir.Constant(ir.IntType(1), bool(thing.value))
    if not isinstance(thing, Value) or isinstance(thing.type, Array):
        raise Broken("condition", what=told(thing))
    (value,) = thing.parts
    if thing.type.kind == "b":
        return value
    zero = ir.Constant(value.type, 0)
    if thing.type.kind == "f":
        return b.fcmp_unordered("!=", value, zero, flags=FLAGS)
    return b.icmp_signed("!=", value, zero)


def of_truth(value: ir.Value) -> Value:
    return Value(boolean, (value,))


def together(b: ir.IRBuilder, x: Thing, y: Thing) -> tuple[Number, ir.Value, ir.Value]:
    """Two numbers in the type in which they meet."""
    first, second = number(x), number(y)
    kind = common(first.type, second.type)
    kind = kind if kind.kind == "b" else widened(kind)
    return kind, cast(b, first, kind), cast(b, second, kind)


def operated(b: ir.IRBuilder, op: ast.operator, x: Thing, y: Thing) -> Thing:
    """x op y"""
    kind = type(op)
    if is_python(x) and is_python(y):
        return of_python(kind, x.value, y.value)  # type: ignore[union-attr]
    x, y = number(x), number(y)
    if kind in (ast.LShift, ast.RShift):
        to = widened(x.type)
        value, by = cast(b, x, to), cast(b, y, int64)
        return Value(to, ((b.shl if kind is ast.LShift else b.ashr if to.signed else b.lshr)(value, by),))
    to, u, v = together(b, x, y)
    if to.kind == "b" and kind not in (ast.BitAnd, ast.BitOr, ast.BitXor):
        to, u, v = int64, cast(b, x, int64), cast(b, y, int64)
    if kind is ast.Pow:
        return powered(b, to, x, u, v)
    if kind is ast.Div and to.kind == "i":
        u, v, to = cast(b, Value(to, (u,)), float64), cast(b, Value(to, (v,)), float64), float64
    if to.kind == "f" and kind in REAL:
        return Value(to, (getattr(b, REAL[kind])(u, v, flags=FLAGS),))
    if to.kind != "f" and kind in WHOLE:
        return Value(to, (getattr(b, WHOLE[kind])(u, v),))
    if kind is ast.FloorDiv and to.kind != "f":  # of real numbers, ⌊x/y⌋ isn't what Python's // gives: 1 // 0.1 is 9
        return Value(to, (divided(b, to, u, v),))
    if kind is ast.Mod:
        return Value(to, (remainder(b, u, v) if to.kind == "f" else divided(b, to, u, v, rest=True),))
    raise Broken("operands", what=f"the operator {kind.__name__}", first=x.type, second=y.type)


def of_python(kind: type, x: Any, y: Any) -> Thing:
    """x op y, of what is known."""
    if kind is ast.Pow and isinstance(x, int) and isinstance(y, int) and y * x.bit_length() > ENDLESS:
        x = float(x)
    try:
        return Known(PYTHON[kind](x, y))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise Broken("known", what=f"the operator {kind.__name__} of {x!r} and {y!r}", error=error) from None


def is_python(thing: Thing) -> bool:
    """Whether a thing is a number of Python's own that is known: two of them stay known."""
    return isinstance(thing, Known) and not isinstance(thing.value, np.generic)


def divided(b: ir.IRBuilder, kind: Number, u: ir.Value, v: ir.Value, rest: bool = False) -> ir.Value:
    """⌊u/v⌋ of whole numbers, or the rest, which has the sign of v; 0 for v = 0. Processors divide neither by 0 nor the
    least number by −1: so it is divided by 1 then."""
    zero, one = ir.Constant(kind.code, 0), ir.Constant(kind.code, 1)
    if isinstance(v, ir.Constant) and v.constant not in (0, -1):
        by, odd = v, None
    else:
        odd = b.icmp_unsigned("<=", b.add(v, one), one) if kind.signed else b.icmp_unsigned("==", v, zero)
        by = b.select(odd, one, v)
    if not kind.signed:
        found = (b.urem if rest else b.udiv)(u, by)
    else:
        found, left = b.sdiv(u, by), b.srem(u, by)
        off = b.and_(b.icmp_signed("!=", left, zero), b.icmp_signed("<", b.xor(left, by), zero))
        found = b.add(left, b.select(off, by, zero)) if rest else b.sub(found, b.zext(off, kind.code))
    return found if odd is None or rest else b.select(odd, b.mul(u, v), found)


def remainder(b: ir.IRBuilder, u: ir.Value, v: ir.Value) -> ir.Value:
    """u mod v of real numbers, with the sign of v."""
    left, zero = b.frem(u, v, flags=FLAGS), ir.Constant(u.type, 0)
    signs = [b.zext(b.fcmp_ordered("<", x, zero), ir.IntType(32)) for x in (left, v)]
    off = b.and_(b.fcmp_unordered("!=", left, zero), b.icmp_signed("!=", *signs))
    return b.select(off, b.fadd(left, v), left)


def powered(b: ir.IRBuilder, kind: Number, x: Value, u: ir.Value, v: ir.Value) -> Value:
    """xⁿ, for a known whole n > 0, not too large, by multiplying; otherwise, of real numbers, by C's pow."""
    exponent = v.constant if isinstance(v, ir.Constant) else None
    if exponent is not None and 1 <= exponent <= ENDLESS and exponent == int(exponent):
        found: Thing = x
        for _ in range(int(exponent) - 1):
            found = operated(b, ast.Mult(), found, x)
        return number(found)
    if kind.kind != "f":
        raise Broken("operands", what="a power", first=x.type, second="a number that isn't a known whole one")
    function = b.module.declare_intrinsic("llvm.pow", [kind.code])
    return Value(kind, (b.call(function, (u, v), fastmath=FLAGS),))


def intrinsic(b: ir.IRBuilder, name: str, *values: ir.Value) -> ir.Value:
    """One of LLVM's functions of real numbers."""
    return b.call(b.module.declare_intrinsic(name, [values[0].type]), values, fastmath=FLAGS)


def compared(b: ir.IRBuilder, op: ast.cmpop, x: Thing, y: Thing) -> Value:
    """x op y, a truth value; `is` tells whether two things are the same that are known."""
    if isinstance(op, ast.Is | ast.IsNot):
        if not isinstance(x, Known) or not isinstance(y, Known):
            raise Broken("operands", what="`is`", first=told(x), second=told(y))
        return constant(boolean, (x.value is y.value) == isinstance(op, ast.Is))
    if type(op) not in SIGNS:
        raise Broken("construct", what="`in`", instead="compare one by one")
    kind, u, v = together(b, x, y)
    sign = SIGNS[type(op)]
    if kind.kind == "f":
        return of_truth((b.fcmp_unordered if sign == "!=" else b.fcmp_ordered)(sign, u, v, flags=FLAGS))
    return of_truth((b.icmp_signed if kind.signed else b.icmp_unsigned)(sign, u, v))


def negated(b: ir.IRBuilder, op: ast.unaryop, thing: Thing) -> Thing:
    """−x, +x, ~x or not x"""
    if isinstance(op, ast.Not):
        return of_truth(b.not_(truth(b, thing)))
    if isinstance(op, ast.UAdd):
        return thing
    if isinstance(thing, Known) and thing.is_number:
        return Known(operator.neg(thing.value) if isinstance(op, ast.USub) else operator.invert(thing.value))
    x = number(thing)
    if isinstance(op, ast.Invert):
        kind = widened(x.type)
        return Value(kind, (b.not_(cast(b, x, kind)),))
    zero = constant(x.type, -0.0) if x.type.kind == "f" else Known(0)  # −0 − 0 is −0; reordered as any difference
    return operated(b, ast.Sub(), zero, x)
