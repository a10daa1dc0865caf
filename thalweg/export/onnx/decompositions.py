"""Functions for which ONNX has no operator, or none that keeps NaN, by others that it has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.export.graph import Shape, Value


def operator(name: str, *operands: Value, shape: Shape, dtype: DTypeLike = np.float32, **attributes: Any) -> Value:
    """What an operator of ONNX's computes."""
    return Value(name, operands, shape, np.dtype(dtype), attributes)


def isnan(x: Value) -> Value:
    return operator("IsNaN", x, shape=x.shape, dtype=bool)


def is_real(x: Value) -> bool:
    return x.dtype.kind == "f"


def by_operator(name: str, v: Value, x: Value) -> Value:
    """A reduction as v is one, by an operator that may lose NaN."""
    return operator(name, x, shape=v.shape, dtype=v.dtype, **v.options)


def extreme(name: str) -> Callable[[Value], Value]:
    """The largest or smallest element; NaN if there is one."""

    def own(v: Value) -> Value:
        (x,) = v.operands
        found = by_operator(name, v, x)
        if not is_real(x):
            return found
        strange: Any = isnan(x).any(**v.options)
        return np.where(strange, np.asarray(math.nan, v.dtype), found)  # type: ignore[no-any-return, call-overload]

    return own


def truth(name: str) -> Callable[[Value], Value]:
    """any, all: of numbers, for which there are such operators."""

    def own(v: Value) -> Value:
        numbers = v.operands[0].astype(bool).astype(np.float32)
        return operator(name, numbers, shape=v.shape, **v.options).astype(bool)

    return own


def place_of_extreme(name: str) -> Callable[[Value], Value]:
    """argmax, argmin: the place of the first NaN if there is one."""

    def own(v: Value) -> Value:
        (x,) = v.operands
        found = by_operator(name, v, x)
        if not is_real(x):
            return found
        first = by_operator("ArgMax", v, isnan(x).astype(np.float32))
        return np.where(isnan(x).any(**v.options), first, found)  # type: ignore[no-any-return, call-overload]

    return own


def order(v: Value) -> Value:
    """argsort: from the smallest element to the largest, then NaN; of the same ones, the first comes first."""
    (x,), axis = v.operands, v.options["axis"]
    if not is_real(x):
        return topmost(x, axis)
    numbers: Any = np.where(isnan(x), np.asarray(math.inf, x.dtype), x)  # type: ignore[call-overload]
    first = topmost(numbers, axis)
    strange = np.take_along_axis(isnan(x).astype(np.float32), first, axis)
    return np.take_along_axis(first, topmost(strange, axis), axis)


def topmost(x: Value, axis: int) -> Value:
    return operator("TopK", x, shape=x.shape, dtype=np.int64, axis=axis)


def in_order(v: Value) -> Value:
    (x,), axis = v.operands, v.options["axis"]
    return np.take_along_axis(x, np.argsort(x, axis=axis), axis)


def lexsort(v: Value) -> Value:
    """By the last key, then by the one before it, …: from the first key on, each time keeping what is alike in order."""
    (keys,), axis = v.operands, v.ndim - 1
    found = np.argsort(keys[0], axis=axis)
    for key in list(keys)[1:]:
        found = np.take_along_axis(found, np.argsort(np.take_along_axis(key, found, axis), axis=axis), axis)
    return found


def cumprod(v: Value) -> Value:
    """In about log₂ n steps: each element is multiplied by the one 1, 2, 4, … places before it."""
    (x,), axis = v.operands, v.options["axis"]
    n, apart = x.shape[axis], 1
    before = (slice(None),) * axis
    while apart < n:
        earlier = x[(*before, slice(None, n - apart))]
        widths = [(apart, 0) if a == axis else (0, 0) for a in range(x.ndim)]
        x = x * np.pad(earlier, widths, constant_values=1)
        apart *= 2
    return x


def expm1(v: Value) -> Value:
    """tanh(x/2)·(eˣ + 1), which is exact near 0, too."""
    (x,) = v.operands
    return np.tanh(x / 2) * (np.exp(x) + 1)  # type: ignore[no-any-return]


def log1p(v: Value) -> Value:
    """ln u with u = 1 + x; near 0 times x / (u − 1), which makes up for what u has lost (Kahan)."""
    (x,) = v.operands
    u = x + 1
    near: Any = np.where(u == 1, x, np.log(u) * x / (u - 1))
    return np.where(abs(x) < 0.5, near, np.log(u))  # type: ignore[no-any-return, call-overload]


def ndtr(v: Value) -> Value:
    (x,) = v.operands
    half = operator("Erf", x * math.sqrt(0.5), shape=x.shape, dtype=x.dtype)
    return (half + 1) * 0.5  # type: ignore[no-any-return]


def arctan2(v: Value) -> Value:
    """The angle of (x, y): that of the slope |y| / |x|, in its quadrant."""
    y, x = v.operands
    steep: Any = np.arctan(abs(y) / abs(x))
    steep = np.where((y == 0) & (x == 0), np.asarray(0, v.dtype), steep)
    steep = np.where(abs(y) + abs(x) == math.inf, np.where(abs(y) == abs(x), math.pi / 4, steep), steep)
    turned: Any = np.where(negative(x), math.pi - steep, steep)
    return np.where(negative(y), -turned, turned)  # type: ignore[no-any-return, call-overload]


def negative(x: Value) -> Any:
    """Whether the sign is negative, that of −0 too."""
    return np.where(x == 0, 1 / x, x) < 0


def trunc(v: Value) -> Value:
    (x,) = v.operands
    return np.sign(x) * np.floor(abs(x))  # type: ignore[no-any-return]


def isfinite(v: Value) -> Value:
    (x,) = v.operands
    return abs(x) < math.inf  # type: ignore[no-any-return]


def not_equal(v: Value) -> Value:
    one, other = v.operands
    return np.logical_not(one == other)  # type: ignore[no-any-return]


def remainder(v: Value) -> Value:
    """With the sign of the divisor: what C's fmod leaves has that of the dividend."""
    x, y = (o.astype(v.dtype) for o in v.operands)
    if not is_real(v):
        return operator("Mod", x, y, shape=v.shape, dtype=v.dtype)
    rest, below = left(x, y)
    return np.where(below, rest + y, rest)  # type: ignore[return-value]


def left(x: Value, y: Value) -> tuple[Any, Any]:
    """What fmod leaves of x, and whether this lies on the other side of 0 than y."""
    rest = np.fmod(x, y)
    return rest, (rest != 0) & ((rest < 0) != (y < 0))


def floor_divide(v: Value) -> Value:
    x, y = (o.astype(v.dtype) for o in v.operands)
    if not is_real(v):
        return operator("Div", x - x % y, y, shape=v.shape, dtype=v.dtype)
    rest, below = left(x, y)
    return np.where(y == 0, x / y, np.rint((x - rest) / y) - below)  # type: ignore[no-any-return, call-overload]


def fmod(v: Value) -> Value:
    return operator("Mod", *v.operands, shape=v.shape, dtype=v.dtype, fmod=1)


DECOMPOSED: dict[str, Callable[[Value], Value]] = {
    "max": extreme("ReduceMax"), "min": extreme("ReduceMin"), "any": truth("ReduceMax"), "all": truth("ReduceMin"),
    "argmax": place_of_extreme("ArgMax"), "argmin": place_of_extreme("ArgMin"), "argsort": order, "sort": in_order,
    "lexsort": lexsort, "cumprod": cumprod, "expm1": expm1, "log1p": log1p, "ndtr": ndtr, "arctan2": arctan2,
    "trunc": trunc, "isfinite": isfinite, "not_equal": not_equal, "remainder": remainder,
    "floor_divide": floor_divide, "fmod": fmod,
}  # fmt: skip
"""A function's name → the same value by others."""
