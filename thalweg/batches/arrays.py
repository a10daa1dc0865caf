"""Arrays at the boundary: checked once, and turned into contiguous rows of the engine's float type."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.support.checks import number
from thalweg.support.frames import as_array

Array = NDArray[Any]
Shape = tuple[int, ...]


def to_array(values: ArrayLike, what: str) -> Array:
    """`values` as an array of numbers with at least one row."""
    subclass = isinstance(values, np.ndarray) and type(values) is not np.ndarray
    if subclass and np.ma.is_masked(values):  # np.ma is imported when it is looked at, which takes 10 ms
        raise DataError(f"{what} has masked values; fill them in, or leave their rows out")
    try:
        array = as_array(values, what)
    except DataError:
        raise
    except ValueError:
        raise ShapeError(f"{what} has rows of different lengths; every row needs the same shape") from None
    if array.dtype.kind == "O" and array.ndim == 0:  # something NumPy can't interpret
        hint = "; call its toarray()" if hasattr(values, "toarray") else ""
        kind = "None" if values is None else f"a {type(values).__name__}"
        raise DataError(f"{what} has to be numbers, got {kind}{hint}")
    if array.dtype.kind not in "buif":
        held = {"O": "mixed", "U": "text", "S": "text"}.get(array.dtype.kind, array.dtype.name)
        raise DataError(f"{what} has to be numbers, got {held} values; thalweg.data reads tables with text and dates")
    if array.ndim == 0:
        raise ShapeError(f"{what} has to be an array of rows, got the single number {array}")
    if len(array) == 0:
        raise DataError(f"{what} has no rows")
    return array


def contiguous(array: Array, dtype: DTypeLike, what: str) -> Array:
    """The array in the engine's float type, in C order; copied only if it isn't so already.

    Numbers too large for float32 would silently become infinite, so they raise; and so does a memory-mapped file whose
    copy is larger than the machine's memory.
    """
    needed = array.size * np.dtype(dtype).itemsize
    if needed > memory_there() and (array.dtype != dtype or not array.flags.c_contiguous) and is_mapped(array):
        raise DataError(
            f"{what} is a memory-mapped file of {array.dtype}, whose copy as {np.dtype(dtype)} takes "
            f"{needed / 1e9:,.1f} GB, more than this machine has: give thalweg.data.OnDisk({what}, …), read in "
            f"parts, or save it as {np.dtype(dtype)}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array, dtype=dtype)
        narrower = array.dtype.kind in "uif" and array.dtype.itemsize > result.dtype.itemsize
        doubtful = narrower and not np.isfinite(result.sum())  # a finite sum has no infinite part
    if doubtful:
        lost = np.isinf(result) & ~np.isinf(array)
        if lost.any():
            row = int(np.argwhere(lost)[0][0])
            raise DataError(f"{what} holds a number too large for float32 in row {row}: scale the data first")
    return result


@cache
def memory_there() -> float:
    """The bytes of this machine's memory; infinity where the system doesn't say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")


def is_mapped(array: Any) -> bool:
    """Whether an array, or what it is a view of, is a memory-mapped file."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array is not None


def input_rows(x: ArrayLike, shape: Shape, dtype: DTypeLike, what: str = "x") -> Array:
    """x as (rows, *shape). Bytes (uint8) stay bytes: the engine converts a batch when it gathers it."""
    array = fitted(to_array(x, what), shape, what)
    return contiguous(array, np.uint8 if array.dtype == np.uint8 else dtype, what)


def fitted(array: Array, shape: Shape, what: str = "x") -> Array:
    """An array as (rows, *shape); raises if it has another shape."""
    if array.shape[1:] != shape:
        if (*array.shape[1:], 1) == shape:
            array = array.reshape(len(array), *shape)
        else:
            hint = "; a single row is x[None]" if array.shape in (shape, shape[:-1]) else ""
            raise ShapeError(
                f"the network takes inputs of shape ({', '.join(map(str, ('rows', *shape)))}), "
                f"{what} has the shape ({', '.join(map(str, array.shape))}){hint}"
            )
    return array


def same_rows(x: Array, y: Array, what: str = "y") -> None:
    """Raises if x and y don't have equally many rows."""
    if len(x) != len(y):
        raise ShapeError(f"x has {len(x)} rows but {what} has {len(y)}")


def row_weights(
    sample_weight: ArrayLike | None,
    class_weight: Mapping[int, float] | None,
    y: Array,
    dtype: DTypeLike,
    steps: Shape = (),
) -> Array | None:
    """One weight per row as (rows, 1), or per step as (rows, *steps): the product of both kinds, None without either.

    y is (rows, 1) class numbers, or (rows, classes) one-hot.
    """
    weights: Array | None = None
    if sample_weight is not None:
        weights = to_array(sample_weight, "sample_weight").astype(np.float64)
        rows = len(weights) if weights.ndim else 0
        by_step = bool(steps) and weights.shape in ((rows, *steps), (rows, *steps, 1))
        if not by_step and weights.shape not in ((rows,), (rows, 1)):
            shown = ", ".join(map(str, ("rows", *steps)))
            also = f", or one for each step, ({shown})" if steps else ""
            raise ShapeError(f"sample_weight has to be one weight a row{also}, got the shape {weights.shape}")
        weights = weights.reshape((rows, *steps) if by_step else -1)
        same_rows(y, weights, "sample_weight")
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise DataError("sample_weight has to be finite and not negative")
    if class_weight is not None:
        weights = by_class(class_weight, y) * (1.0 if weights is None else weights)
    if weights is None:
        return None
    return contiguous(weights if weights.ndim > 1 else weights.reshape(-1, 1), dtype, "sample_weight")


def by_class(class_weight: Mapping[int, float], y: Array) -> Array:
    """The weight of each row's class."""
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise ArgumentError(f"class_weight is a dict from class number to weight, got {class_weight!r}")
    if y.ndim != 2:
        raise ArgumentError("class_weight needs one class a row")
    labels = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    missing = sorted(set(np.unique(labels).tolist()) - set(class_weight))
    if missing:
        raise ArgumentError(f"class_weight has no weight for class {missing[0]:g}; it has {sorted(class_weight)}")
    keys = np.array(sorted(class_weight))
    values = np.array([number(f"class_weight's weight of class {k}", class_weight[k]) for k in keys.tolist()])
    return values[np.searchsorted(keys, labels)]


def split_off(arrays: dict[str, Array], share: float) -> tuple[dict[str, Array], dict[str, Array]]:
    """The first rows for training and the last `share` for validation, as Keras's validation_split."""
    first = split_place(len(next(iter(arrays.values()))), share)
    return {name: a[:first] for name, a in arrays.items()}, {name: a[first:] for name, a in arrays.items()}


def split_place(rows: int, share: float) -> int:
    """How many rows remain for training if the last `share` is kept for validation."""
    try:
        inside = 0 < share < 1
    except TypeError:  # text
        inside = False
    if not inside:
        raise ArgumentError(f"validation_split has to be between 0 and 1, got {share!r}")
    first = int(rows * (1 - share))
    if first in (0, rows):
        raise DataError(f"validation_split={share:g} of {rows} rows leaves no row on one side")
    return first
