"""Functions for which ONNX has no operator, or none that keeps NaN, by others that it has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.program.graphs.traced_values import Shape, Value


def operator(name: str, *operands: Value, shape: Shape, dtype: DTypeLike = np.float32, **attributes: Any) -> Value:
    """What an operator of ONNX's computes."""
    return Value(name, operands, shape, np.dtype(dtype), attributes)


def isnan(x: Value) -> Any:
    return operator("IsNaN", x, shape=x.shape, dtype=bool)


def is_real(x: Value) -> bool:
    return x.dtype.kind == "f"


def like(x: Value, number: float) -> Any:
    """A number of an array's type."""
    return np.asarray(number, x.dtype)


def by_operator(name: str, v: Value, x: Value) -> Any:
    """A function of x with the options of v, by an operator that may lose NaN."""
    return operator(name, x, shape=v.shape, dtype=v.dtype, **v.options)


def extreme(name: str) -> Callable[..., Any]:
    """The largest or smallest element; NaN if there is one."""

    def own(v: Value, x: Any) -> Any:
        found = by_operator(name, v, x)
        return np.where(isnan(x).any(**v.options), like(v, math.nan), found) if is_real(x) else found

    return own


def truth(name: str) -> Callable[..., Any]:
    """any, all: of numbers, which can be compared."""

    def own(v: Value, x: Any) -> Any:
        return operator(name, x.astype(bool).astype(np.float32), shape=v.shape, **v.options).astype(bool)

    return own


def place_of_extreme(name: str) -> Callable[..., Any]:
    """argmax, argmin: the place of the first NaN if there is one."""

    def own(v: Value, x: Any) -> Any:
        found = by_operator(name, v, x)
        if not is_real(x):
            return found
        first = by_operator("ArgMax", v, isnan(x).astype(np.float32))
        return np.where(isnan(x).any(**v.options), first, found)

    return own


def argsort(v: Value, x: Any) -> Any:
    """From the smallest element to the largest, then NaN; of the same ones, the first comes first."""
    axis = v.options["axis"]
    if not is_real(x):
        return ascending(x, axis)
    first = ascending(np.where(isnan(x), like(x, math.inf), x), axis)
    strange = np.take_along_axis(isnan(x).astype(np.float32), first, axis)
    return np.take_along_axis(first, ascending(strange, axis), axis)


def ascending(x: Any, axis: int) -> Any:
    """Where the elements are from the smallest to the largest."""
    return operator("TopK", x, shape=x.shape, dtype=np.int64, axis=axis)


def sort(v: Value, x: Any) -> Any:
    axis = v.options["axis"]
    return np.take_along_axis(x, np.argsort(x, axis=axis), axis)


def lexsort(v: Value, keys: Any) -> Any:
    """Sorted by each key from the first on; what is alike for a key stays in the order of those before."""
    axis = v.ndim - 1
    found = np.argsort(keys[0], axis=axis)
    for key in list(keys)[1:]:
        found = np.take_along_axis(found, np.argsort(np.take_along_axis(key, found, axis), axis=axis), axis)
    return found


def cumprod(v: Value, x: Any) -> Any:
    """In about log₂ n steps: each element is multiplied by the one 1, 2, 4, … places before it."""
    axis = v.options["axis"]
    n, apart = x.shape[axis], 1
    before = (slice(None),) * axis
    while apart < n:
        earlier = x[(*before, slice(None, n - apart))]
        x = x * np.pad(earlier, [(apart * (a == axis), 0) for a in range(x.ndim)], constant_values=1)
        apart *= 2
    return x


def expm1(v: Value, x: Any) -> Any:
    """tanh(x/2)·(eˣ + 1), which is exact near 0, too."""
    return np.tanh(x / 2) * (np.exp(x) + 1)


def log1p(v: Value, x: Any) -> Any:
    """ln u with u = 1 + x; near 0 times x / (u − 1), which makes up for what u has lost (Kahan)."""
    u = x + 1
    log, change = np.log(u), u - 1
    return np.where(x < 1, np.where(change == 0, x, log * (x / change)), log)


def ndtr(v: Value, x: Any) -> Any:
    return (operator("Erf", x * math.sqrt(0.5), shape=x.shape, dtype=x.dtype) + 1) * 0.5


def arctan2(v: Value, y: Any, x: Any) -> Any:
    """The angle of (x, y): that of the slope |y| / |x|, in its quadrant."""
    steep = np.arctan(abs(y) / abs(x))
    steep = np.where((y == 0) & (x == 0), like(v, 0), steep)
    steep = np.where((abs(y) == math.inf) & (abs(x) == math.inf), like(v, math.pi / 4), steep)
    turned = np.where(negative(x), math.pi - steep, steep)
    return np.where(negative(y), -turned, turned)


def negative(x: Any) -> Any:
    """Whether the sign is negative, that of −0 too."""
    return np.where(x == 0, 1 / x, x) < 0


def trunc(v: Value, x: Any) -> Any:
    return np.sign(x) * np.floor(abs(x))


def isfinite(v: Value, x: Any) -> Any:
    return abs(x) < math.inf


def where(v: Value, condition: Any, x: Any, y: Any) -> Any:
    """Of truth values, which onnxruntime doesn't choose among."""
    if v.dtype.kind != "b":
        return None
    chosen = condition.astype(bool)
    return (chosen & x) | (~chosen & y)


def not_equal(v: Value, x: Any, y: Any) -> Any:
    return isnan(x) if x is y and is_real(x) else np.logical_not(x == y)


def remainder(v: Value, x: Any, y: Any) -> Any:
    """With the sign of the divisor: what C's fmod leaves has that of the dividend."""
    x, y = x.astype(v.dtype), y.astype(v.dtype)
    if not is_real(v):
        return operator("Mod", x, y, shape=v.shape, dtype=v.dtype)
    rest, below = left(x, y)
    return np.where(below, rest + y, rest)


def left(x: Any, y: Any) -> tuple[Any, Any]:
    """What fmod leaves of x, and whether this lies on the other side of 0 than y."""
    rest = np.fmod(x, y)
    return rest, (rest != 0) & ((rest < 0) != (y < 0))


def floor_divide(v: Value, x: Any, y: Any) -> Any:
    x, y = x.astype(v.dtype), y.astype(v.dtype)
    if not is_real(v):
        return operator("Div", x - x % y, y, shape=v.shape, dtype=v.dtype)
    rest, below = left(x, y)
    return np.where(y == 0, x / y, np.rint((x - rest) / y) - below)


def fmod(v: Value, x: Any, y: Any) -> Any:
    return operator("Mod", x, y, shape=v.shape, dtype=v.dtype, fmod=1)


def concatenate(v: Value, *parts: Any) -> Any:
    """Columns x = 0, x = 1, … side by side as one comparison with all of these numbers; None where there are none."""
    if v.options["axis"] != v.ndim - 1:
        return None
    runs: list[list[Any]] = []
    for part in parts:
        if runs and compared(part) is not None and compared(part) is compared(runs[-1][-1]):
            runs[-1].append(part)
        else:
            runs.append([part])
    if len(runs) == len(parts):
        return None
    joined = [together(run) if len(run) > 1 else run[0] for run in runs]
    return joined[0] if len(joined) == 1 else np.concatenate(joined, axis=v.ndim - 1)


def compared(part: Value) -> Value | None:
    """The numbers (rows,) that (rows, 1) compares with a number."""
    (of,) = part.operands if part.function == "reshape" and part.shape[1:] == (1,) else (part,)
    number = of.operands[1] if of.function == "equal" else None
    return of.operands[0] if number is not None and number.function == "constant" and number.ndim == 0 else None


def together(run: list[Value]) -> Any:
    numbers = np.stack([part.operands[0].operands[1].options["elements"] for part in run])
    return compared(run[0])[:, None] == numbers  # type: ignore[index]


DECOMPOSED: dict[str, Callable[..., Any]] = {
    "max": extreme("ReduceMax"), "min": extreme("ReduceMin"), "any": truth("ReduceMax"), "all": truth("ReduceMin"),
    "argmax": place_of_extreme("ArgMax"), "argmin": place_of_extreme("ArgMin"), "argsort": argsort, "sort": sort,
    "lexsort": lexsort, "cumprod": cumprod, "expm1": expm1, "log1p": log1p, "ndtr": ndtr, "arctan2": arctan2,
    "trunc": trunc, "isfinite": isfinite, "not_equal": not_equal, "remainder": remainder,
    "floor_divide": floor_divide, "fmod": fmod, "concatenate": concatenate, "where": where,
}  # fmt: skip
"""A function's name → the same value by others, of the value and its operands; None if there is none."""
