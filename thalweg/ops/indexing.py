"""Operations that take parts of tensors: indices, slices, places, one-hot vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg.ops.arrangement import ROWS, broadcast_to, moveaxis, ndim, reshape, shape
from thalweg.ops.operation import across_rows, inner_axis, operand, operation
from thalweg.ops.tensor import Operators, Traced, program_of, refuse
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "diagonal", "flip", "get_item", "one_hot", "repeat", "roll", "split", "take", "take_along_axis", "tile", "unstack",
]  # fmt: skip


@operation(lambda x, key: np.asarray(x)[key])
def get_item(x: Any, key: Any) -> Any:
    """x[key], with whole numbers, slices, …, None, and lists of whole numbers; in a network, key begins with `:`.

    >>> get_item([[1, 2], [3, 4]], (slice(None), 1)).tolist()
    [2, 4]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    keys = whole_key(x, key if isinstance(key, tuple) else (key,))
    if x.buffer.per_row:
        if not isinstance(keys[0], slice) or (keys[0].start or 0, keys[0].stop, keys[0].step or 1) != (0, None, 1):
            raise across_rows("x[…]")
        keys = keys[1:]
    check_order(keys)
    sizes: list[int] = []  # the result's, once axes are dropped and added
    slices: list[slice] = []
    taken: list[tuple[int, Any]] = []
    for k in keys:
        if k is None:
            sizes.append(1)
            continue
        n = x.buffer.shape[len(slices)]
        if isinstance(k, slice):
            sizes.append(len(range(*k.indices(n))))
        else:
            places = places_of(x, k, n)
            sizes.extend(places.shape)
            if places.ndim:
                taken.append((len(slices), places))
        slices.append(
            k if isinstance(k, slice) else slice(None) if places.ndim else slice(int(places), int(places) + 1)
        )
    if 0 in sizes:
        raise refuse(f"x[{key!r}] of a tensor of shape {x.shape} is empty")
    buffer = program.slice(x.buffer, *([getattr(s, end) for s in slices] for end in ("start", "stop", "step")))
    for axis, places in taken:
        buffer = program.take(buffer, places.reshape(-1), axis)
    return buffer if buffer.shape == tuple(sizes) else program.reshape(buffer, tuple(sizes))


def places_of(x: Traced, k: Any, n: int) -> Any:
    """The places along an axis of n numbers that a key names: one, or an array."""
    places = np.asarray(k)
    if places.dtype == bool and places.shape == (n,):
        places = np.flatnonzero(places)
    if places.dtype.kind not in "iu" and places.size:
        raise refuse(f"x[…] of a tensor of shape {x.shape} takes whole numbers, slices, …, None and lists, got {k!r}")
    if places.size and not -n <= places.min() <= places.max() < n:
        raise refuse(f"x[…] of a tensor of shape {x.shape} has the places 0 … {n - 1} there, got {k!r}")
    return places.astype(int) % n


def check_order(keys: list[Any]) -> None:
    """Raises for keys by which NumPy would pair the places of several lists, or move axes to the front."""
    arrays = [k for k, key in enumerate(keys) if isinstance(key, (list, tuple, np.ndarray)) and np.ndim(key)]
    advanced = [k for k, key in enumerate(keys) if key is not None and not isinstance(key, slice)]
    if len(arrays) > 1 or (arrays and advanced[-1] - advanced[0] >= len(advanced)):
        raise refuse("x[…] takes one list of places at a time, beside slices: take the parts one after the other")


def whole_key(x: Traced, keys: tuple[Any, ...]) -> list[Any]:
    """A key for every axis."""
    if any(isinstance(k, Operators) for k in keys):
        raise refuse("x[…] takes places that are known when the network is drawn; use take or take_along_axis")
    count = sum(1 for k in keys if k is not None and k is not Ellipsis)
    if count > len(x.shape):
        raise refuse(f"x[…] has {count} places for a tensor of shape {x.shape}")
    rest = [slice(None)] * (len(x.shape) - count)
    dots = [k for k, key in enumerate(keys) if key is Ellipsis]
    if not dots:
        return [*keys, *rest]
    return [*keys[: dots[0]], *rest, *keys[dots[0] + 1 :]]


@operation(lambda x, indices, axis=None: np.take(x, indices, axis))
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The parts of x at places along an axis: known ones, or from a matrix of weights those that a tensor names.

    >>> take([10, 20, 30], [2, 0]).tolist()
    [30, 10]
    """
    program = program_of([x, indices])
    x = Traced(program, operand(program, x))
    if isinstance(indices, Operators):
        return taken_rows(x, Traced(program, operand(program, indices)), 0 if axis is None else axis)
    if axis is None:
        if x.buffer.per_row:
            raise refuse("take needs an axis in a network")
        x, axis = Traced(program, program.reshape(x.buffer, (x.buffer.size,))), 0
    places, place = np.asarray(indices), inner_axis(x, axis, "take")
    n = x.buffer.shape[place]
    if places.size and (places.min() < -n or places.max() >= n):
        raise refuse(
            f"take along axis {axis} of a tensor of shape {x.shape} has places up to {n - 1}, got {places.max()}"
        )
    taken = program.take(x.buffer, places.reshape(-1) % n, place)
    shape_of_it = (*x.buffer.shape[:place], *places.shape, *x.buffer.shape[place + 1 :])
    return taken if taken.shape == shape_of_it else program.reshape(taken, shape_of_it)


def taken_rows(x: Traced, ids: Traced, axis: int) -> Buffer:
    """Rows of a matrix named by the tensor `ids`, as a product with one-hot vectors."""
    program = x.program
    if x.buffer.per_row or len(x.buffer.shape) != 2 or axis % len(x.buffer.shape) != 0:
        raise refuse("take with places computed by the network takes the rows of a matrix of weights, along axis 0")
    return program.matmul(program.one_hot(ids.buffer, x.buffer.shape[0]), x.buffer)


@operation(lambda x, indices, axis=-1: np.take_along_axis(np.asarray(x), np.asarray(indices), axis))
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """The numbers at the places along an axis that `indices`, of the same shape elsewhere, names.

    >>> take_along_axis([[1, 2]], [[1]], 1).tolist()
    [[2]]
    """
    program = program_of([x, indices])
    x = Traced(program, operand(program, x))
    return program.take_along_axis(x.buffer, operand(program, indices), inner_axis(x, axis, "take_along_axis"))


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = "float32") -> Any:
    places = np.asarray(x)
    return np.moveaxis((places[..., None] == np.arange(num_classes)).astype(dtype or "float32"), -1, axis)


@operation(_one_hot)
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = "float32") -> Any:
    """1 at the place that x names, 0 elsewhere, along a new last axis.

    >>> one_hot([1], 3).tolist()
    [[0.0, 1.0, 0.0]]
    """
    program = program_of([x])
    if axis != -1:
        raise refuse(f"one_hot makes a new last axis in a network, got axis={axis}")
    return program.one_hot(operand(program, x), num_classes)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Equal parts along an axis, or the parts between the places given.

    >>> [part.tolist() for part in split([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    """
    rank = ndim(x)
    n = shape(x)[axis]
    if n is ROWS:
        raise across_rows("split")
    if isinstance(indices_or_sections, (int, np.integer)):
        if n % indices_or_sections:
            raise refuse(f"{n} numbers along axis {axis} can't be split into {indices_or_sections} equal parts")
        step = n // indices_or_sections
        cuts = list(range(0, n + 1, step))
    else:
        cuts = [0, *(int(k) for k in indices_or_sections), n]
    before = (slice(None),) * (axis % rank)
    return [get_item(x, (*before, slice(a, b))) for a, b in pairwise(cuts)]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The parts at each place along an axis, without it.

    >>> [int(part) for part in unstack([1, 2])]
    [1, 2]
    """
    rank, n = ndim(x), shape(x)[axis]
    if n is ROWS or num not in (None, n):
        raise across_rows("unstack") if n is ROWS else refuse(f"axis {axis} has {n} places, not {num}")
    before = (slice(None),) * (axis % rank)
    return [get_item(x, (*before, k)) for k in range(n)]


def moved(x: Any, axis: int, places: Callable[[int], Any], what: str) -> Any:
    """The numbers at places along an axis, in their order."""
    return take(x, places(shape_along(x, axis, what)), axis)


def shape_along(x: Any, axis: int, what: str) -> int:
    n = shape(x)[axis]
    if n is ROWS:
        raise across_rows(what)
    return int(n)


def flip(x: Any, axis: Any = None) -> Any:
    """x with an axis reversed, or several; None: all.

    >>> flip(np.array([1, 2]), 0).tolist()
    [2, 1]
    """
    if not isinstance(x, Operators):
        return np.flip(x, tuple(axis) if isinstance(axis, list) else axis)
    for a in range(ndim(x)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,):
        x = moved(x, a, lambda n: np.arange(n)[::-1], "flip")
    return x


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x moved along an axis, or several; what leaves at one end comes back at the other. None: as if it had one axis.

    >>> roll(np.array([1, 2, 3]), 1, 0).tolist(), roll(np.array([[1, 2], [3, 4]]), 1).tolist()
    ([3, 1, 2], [[4, 1], [2, 3]])
    """
    if not isinstance(x, Operators):
        return np.roll(x, shift, axis)
    if axis is None:
        raise across_rows("roll") if x.shape[0] is None else refuse("roll needs an axis in a network")
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, a in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        x = moved(x, a, partial(rolled, by=by), "roll")
    return x


def rolled(n: int, by: int) -> Any:
    """The places 0 … n − 1, moved."""
    return np.roll(np.arange(n), by)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each number several times, along an axis; None: along one axis of all numbers.

    >>> repeat(np.array([1, 2]), 2, 0).tolist(), repeat(np.array([[1, 2], [3, 4]]), 2).tolist()
    ([1, 1, 2, 2], [1, 1, 2, 2, 3, 3, 4, 4])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    if repeats is ROWS and axis % ndim(x) == 0:
        return for_all_rows(x, "repeat")
    return moved(x, axis, lambda n: np.repeat(np.arange(n), repeats), "repeat")


def for_all_rows(x: Any, what: str) -> Any:
    """An array or a weight (1, …), as a tensor with the rows of the batch."""
    if shape(x)[0] != 1:
        raise across_rows(what)
    return broadcast_to(x, (ROWS, *shape(x)[1:])) if isinstance(x, Operators) else x  # arrays broadcast by themselves


def tiled(n: int, count: int) -> Any:
    """The places 0 … n − 1, several times."""
    return np.tile(np.arange(n), count)


def tile(x: Any, repeats: Any) -> Any:
    """x several times along each axis; 1 for the rows.

    >>> tile(np.array([1, 2]), 2).tolist()
    [1, 2, 1, 2]
    """
    counts: list[Any] = [repeats] if isinstance(repeats, (int, np.integer)) else list(repeats)
    if counts[0] is ROWS and len(counts) == ndim(x):
        x, counts[0] = for_all_rows(x, "tile"), 1
    if not isinstance(x, Operators):
        return np.tile(x, counts)
    counts = [1] * (ndim(x) - len(counts)) + counts
    for axis, count in enumerate(counts):
        if count != 1:
            x = moved(x, axis, partial(tiled, count=count), "tile")
    return x


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The numbers x[k, k + offset] of matrices, which lie along two axes, as a new last axis.

    In a network axis 0 are the rows: write axis1=1, axis2=2 for the matrix of each row.

    >>> diagonal(np.eye(2)).tolist(), diagonal(np.array([[1, 2], [3, 4]]), offset=1).tolist()
    ([1.0, 1.0], [2])
    """
    if not isinstance(x, Operators):
        return np.diagonal(x, offset, axis1, axis2)
    x = moveaxis(x, (axis1, axis2), (-2, -1))  # raises for the axis of the rows
    rows, columns = (int(n) for n in shape(x)[-2:])
    places = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    if not places.size:
        raise refuse(f"diagonal of matrices of shape ({rows}, {columns}) is empty for offset={offset}")
    return take(reshape(x, (*shape(x)[:-2], rows * columns)), places, -1)
