"""NumPy's functions on values, and NumPy as references call it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import Size
from thalweg.program.graphs.traced_values import (
    FUNCTIONS,
    Shape,
    Value,
    axes_of,
    axis_of,
    broadcast,
    constant,
    kind_of,
    reduced,
    reshaped,
    to_kind,
    transposed,
    value_of,
)


def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Value:
    total = reduced("sum", x, axis, keepdims=keepdims)
    result: Value = total / math.prod(x.shape[a] for a in axes_of(axis, x.ndim))
    return result


def gathered(x: Value, places: tuple[Any, ...]) -> Value:
    """x[i, j, …], with whole numbers for the first axes."""
    kinds = [isinstance(p, Value | np.ndarray | list | int) for p in places]
    if not all(kinds):
        others = [p for p, kind in zip(places, kinds, strict=True) if not kind]
        if kinds.count(True) == 1 and all(p == slice(None) for p in others):
            return take(x, places[kinds.index(True)], kinds.index(True))
        raise ThalwegError("such an index has no rule; write xp.take(x, places, axis), one axis after the other")
    rows: Any = 0
    for p, size in zip(places, x.shape, strict=False):
        rows = rows * size + counted_place(p, size)
    return take(reshaped(x, (-1, *x.shape[len(places) :])), rows, 0)


MASK = "a mask as an index has no rule; write xp.where(mask, x, 0)"


def counted_place(p: Any, size: int) -> Any:
    """A place along an axis, or an array of them, counted from the first."""
    if isinstance(p, int):
        return axis_of(p, size)
    p = value_of(p)
    if p.dtype.kind == "b":
        raise ThalwegError(MASK)
    if p.function == "constant":
        places = p.options["elements"]
        return constant(np.where(places < 0, places + size, places))
    return p if p.function == "arange" else where(p < 0, p + size, p)


def take(x: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Value:
    x, indices = value_of(x), value_of(indices)
    if indices.dtype.kind == "b":
        raise ThalwegError(MASK)
    if mode != "raise":
        raise ThalwegError(f"take with mode={mode!r} has no rule; write xp.clip, or %, of the places")
    if axis is None:
        x, axis = reshaped(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return Value("take", (x, indices), shape, x.dtype, {"axis": axis})


def take_along_axis(x: Any, indices: Any, axis: int) -> Value:
    x, indices = value_of(x), value_of(indices)
    axis = axis_of(axis, x.ndim)
    both = broadcast(*((*v.shape[:axis], 1, *v.shape[axis + 1 :]) for v in (x, indices)))
    shape = tuple(indices.shape[a] if a == axis else n for a, n in enumerate(both))
    return Value("take_along_axis", (x, indices), shape, x.dtype, {"axis": axis})


def where(condition: Any, one: Any, other: Any) -> Value:
    kinds = [kind_of(x) for x in (one, other)]
    dtype = np.result_type(*(np.dtype(x.dtype) if isinstance(x, Value) else x for x in (one, other)))
    parts = (value_of(condition), to_kind(one, kinds, dtype), to_kind(other, kinds, dtype))
    return Value("where", parts, broadcast(*(p.shape for p in parts)), dtype)


def concatenate(parts: Any, axis: int = 0) -> Value:
    values = [value_of(part) for part in parts]
    axis = axis_of(axis, values[0].ndim)
    if len({(*v.shape[:axis], *v.shape[axis + 1 :]) for v in values}) > 1:
        raise ValueError(f"arrays of shapes {', '.join(str(v.shape) for v in values)} don't meet along axis {axis}")
    shape = list(values[0].shape)
    shape[axis] = sum(v.shape[axis] for v in values)
    return Value(
        "concatenate", tuple(values), tuple(shape), np.result_type(*(v.dtype for v in values)), {"axis": axis}
    )  # fmt: skip


def stack(parts: Any, axis: int = 0) -> Value:
    values = [value_of(part) for part in parts]
    axis = axis_of(axis, values[0].ndim + 1)
    return concatenate([expand_dims(v, axis) for v in values], axis)


def expand_dims(x: Value, axis: int) -> Value:
    axis = axis_of(axis, x.ndim + 1)
    return reshaped(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def split(x: Value, parts: Any, axis: int = 0) -> list[Value]:
    size = x.shape[axis]
    ends = [*parts, size] if not isinstance(parts, int) else [size // parts * (k + 1) for k in range(parts)]
    starts = [0, *ends[:-1]]
    before = (slice(None),) * axis_of(axis, x.ndim)
    return [x[(*before, slice(start, end))] for start, end in zip(starts, ends, strict=True)]


def pad(x: Value, widths: Any, mode: str = "constant", constant_values: float = 0.0) -> Value:
    pairs = isinstance(widths, list | tuple) and all(isinstance(w, list | tuple) for w in widths)
    if not pairs or len(widths) != x.ndim:
        widths = np.broadcast_to(np.asarray(widths), (x.ndim, 2)).tolist()
    widths = tuple((a, b) for a, b in widths)
    if mode != "constant":
        raise ThalwegError(f"padding by {mode!r} has no rule; write xp.concatenate of x and parts of it")
    if not any(map(any, widths)):
        return x
    shape = tuple(n + a + b for n, (a, b) in zip(x.shape, widths, strict=True))
    return Value("pad", (x,), shape, x.dtype, {"widths": widths, "value": float(constant_values)})


def moveaxis(x: Value, source: Any, destination: Any) -> Value:
    moved, to = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    axes = [a for a in range(x.ndim) if a not in moved]
    for place, axis in sorted(zip(to, moved, strict=True)):
        axes.insert(place, axis)
    return transposed(x, axes)


def flip(x: Value, axis: Any = None) -> Value:
    axes = axes_of(axis, x.ndim)
    return x[tuple(slice(None, None, -1 if a in axes else None) for a in range(x.ndim))]


def einsum(text: str, *operands: Any, optimize: Any = False) -> Value:
    """Of two arrays, as a product of matrices."""
    sources, arrow, result = text.replace(" ", "").partition("->")
    names = sources.split(",")
    if not arrow or "." in text or len(names) != 2 or any(len(set(n)) != len(n) for n in names):
        raise ThalwegError(
            f"einsum {text!r} has no rule; write one of two arrays, with -> and each letter once in either"
        )
    one, other = names
    x, y = (value_of(o) for o in operands)
    sizes = dict(zip(one + other, x.shape + y.shape, strict=True))
    x, one = summed(x, one, set(one) - set(other) - set(result))
    y, other = summed(y, other, set(other) - set(one) - set(result))
    both = [n for n in one if n in other and n in result]
    inner = [n for n in one if n in other and n not in result]
    left, right = ([n for n in own if n not in both + inner] for own in (one, other))
    a = transposed(x, [one.index(n) for n in (*both, *left, *inner)])
    b = transposed(y, [other.index(n) for n in (*both, *inner, *right)])
    batch = [sizes[n] for n in both]
    rows, middle, columns = (math.prod(sizes[n] for n in of) for of in (left, inner, right))
    product = reshaped(a, (*batch, rows, middle)) @ reshaped(b, (*batch, middle, columns))
    product = reshaped(product, tuple(sizes[n] for n in (*both, *left, *right)))
    return transposed(product, [(*both, *left, *right).index(n) for n in result])


def summed(x: Value, names: str, over: set[str]) -> tuple[Value, str]:
    axes = tuple(k for k, n in enumerate(names) if n in over)
    return (x.sum(axis=axes) if axes else x), "".join(n for n in names if n not in over)


def cumulative(name: str) -> Callable[..., Value]:
    def own(x: Value, axis: Any = None, dtype: Any = None) -> Value:
        if dtype is None and x.dtype.kind in "biu" and x.dtype.itemsize < 8:
            dtype = np.int64  # as NumPy has it
        x = x if dtype is None else x.astype(dtype)
        if axis is None:
            x, axis = reshaped(x, (-1,)), 0
        return Value(name, (x,), x.shape, x.dtype, {"axis": axis_of(axis, x.ndim)})

    return own


def broadcast_to(x: Any, shape: Shape) -> Value:
    x = value_of(x)
    return x if x.shape == tuple(shape) else Value("broadcast_to", (x,), tuple(shape), x.dtype)


def repeat(x: Value, repeats: int, axis: Any = None) -> Value:
    if axis is None:
        x, axis = reshaped(x, (-1,)), 0
    axis = axis_of(axis, x.ndim)
    wide = broadcast_to(
        reshaped(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])),
        (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]),
    )
    return reshaped(wide, (*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]))


def sort(x: Value, axis: int = -1) -> Value:
    return Value("sort", (x,), x.shape, x.dtype, {"axis": axis_of(axis, x.ndim)})


def argsort(x: Value, axis: int = -1, kind: Any = None, stable: Any = None) -> Value:
    return Value("argsort", (x,), x.shape, np.dtype(np.int64), {"axis": axis_of(axis, x.ndim)})


def lexsort(keys: Any, axis: int = -1) -> Value:
    keys = keys if isinstance(keys, Value) else stack(keys)
    return Value("lexsort", (keys,), keys.shape[1:], np.dtype(np.int64), {})


def bincount(places: Value, weights: Any, minlength: int) -> Value:
    """(minlength,): the sum of the weights at each place."""
    operands = (value_of(places), value_of(weights))
    return Value("bincount", operands, (minlength,), np.dtype(np.float64), {})


def clip(x: Any, low: Any, high: Any) -> Value:
    result: Any = x if low is None else np.maximum(x, low)
    return value_of(result if high is None else np.minimum(result, high))


def like(number: float) -> Callable[..., Any]:
    return lambda x, dtype=None: Tracing.full(x.shape, number, dtype or x.dtype)


FUNCTIONS |= {
    "gathered": gathered,
    "where": where, "concatenate": concatenate, "stack": stack, "split": split, "pad": pad, "take": take,
    "take_along_axis": take_along_axis, "moveaxis": moveaxis, "flip": flip, "einsum": einsum, "clip": clip,
    "broadcast_to": broadcast_to, "repeat": repeat, "sort": sort, "argsort": argsort, "lexsort": lexsort,
    "bincount": bincount, "mean": mean, "transpose": lambda x, axes=None: x.transpose(*(axes or ())),
    "swapaxes": lambda x, one, other: x.swapaxes(one, other), "reshape": lambda x, shape: reshaped(x, shape),
    "ravel": lambda x: x.ravel(), "ndim": lambda x: x.ndim, "shape": lambda x: x.shape, "cumsum": cumulative("cumsum"),
    "cumprod": cumulative("cumprod"), "ones_like": like(1), "zeros_like": like(0),
    "full_like": lambda x, fill_value, dtype=None: Tracing.full(x.shape, fill_value, dtype or x.dtype),
    "result_type": lambda *all: np.result_type(*(x.dtype if isinstance(x, Value) else x for x in all)),
    "expand_dims": expand_dims,
    **{name: partial(reduced, name) for name in ("sum", "max", "min", "prod", "all", "any", "argmax", "argmin")},
    "amax": partial(reduced, "max"),
    "amin": partial(reduced, "min"),
}  # fmt: skip


class Tracing:
    """NumPy as references call it: what depends on the number of rows becomes a value, too."""

    __name__ = "numpy"

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def asarray(x: Any, dtype: Any = None) -> Any:
        if isinstance(x, Value):
            return x if dtype is None else x.astype(dtype)
        return np.asarray(x, dtype)

    @staticmethod
    def take(x: Any, indices: Any, axis: Any = None, **how: Any) -> Any:
        """np.take itself asks x alone whether it is a value."""
        return (take if isinstance(indices, Value) else np.take)(x, indices, axis, **how)

    @staticmethod
    def full(shape: Any, number: Any, dtype: Any = None) -> Any:
        whole = shape if isinstance(shape, tuple | list) else (shape,)
        if isinstance(number, Value):
            return broadcast_to(number if dtype is None else number.astype(dtype), tuple(whole))
        if not any(isinstance(n, Size) for n in whole):
            return np.full(whole, number, dtype)
        return broadcast_to(np.asarray(number, dtype), tuple(whole))

    def ones(self, shape: Any, dtype: DTypeLike = float) -> Any:
        return self.full(shape, 1, dtype)

    def zeros(self, shape: Any, dtype: DTypeLike = float) -> Any:
        return self.full(shape, 0, dtype)

    @staticmethod
    def arange(count: int, *more: Any, dtype: Any = None) -> Any:
        start, stop = (count, more[0]) if more else (0, count)
        if not isinstance(stop - start, Size):
            return np.arange(count, *more, dtype=dtype)
        if more[1:] not in ((), (1,)):
            raise ThalwegError("xp.arange with a step and open ends has no rule; write step * xp.arange(count)")
        numbers: Any = Value("arange", (), (stop - start,), np.dtype(dtype or np.int64))
        return numbers + start if start else numbers
