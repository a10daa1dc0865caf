"""Operations that move numbers: shapes, axes, parts, joining, repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.ops.operation import across_rows, inner_axis, operand, operation, row_axes
from thalweg.ops.tensor import Operators, Traced, program_of, refuse
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "arange", "array", "broadcast_to", "concatenate", "convert_to_numpy", "convert_to_tensor", "copy", "diagonal",
    "expand_dims", "eye", "flip", "full", "get_item", "linspace", "moveaxis", "ndim", "one_hot", "ones", "ones_like", "pad",
    "ravel", "repeat", "reshape", "roll", "shape", "size", "split", "squeeze", "stack", "swapaxes", "take",
    "take_along_axis", "tile", "transpose", "tril", "triu", "unstack", "zeros", "zeros_like", "full_like", "meshgrid",
]  # fmt: skip


class Rows:
    """The number of rows of a batch, which isn't known when a network is drawn: the first of `shape(x)`."""

    def __repr__(self) -> str:
        return "rows"

    def _refuse(self, *_: Any) -> Any:
        raise refuse(
            "the number of rows isn't known when a network is drawn: it can be the first number of a shape, nothing else"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = __mod__ = _refuse
    __int__ = __index__ = __float__ = __lt__ = __gt__ = __le__ = __ge__ = _refuse


ROWS = Rows()


def shape(x: Any) -> tuple[Any, ...]:
    """The shape; in a network, a stand-in for the number of rows comes first, to be used in other shapes.

    >>> shape(np.zeros((2, 3)))
    (2, 3)
    """
    if not isinstance(x, Operators):
        return np.shape(x)
    return tuple(ROWS if n is None else n for n in x.shape)


def ndim(x: Any) -> int:
    """The number of axes, rows included.

    >>> ndim([[1, 2]])
    2
    """
    return len(shape(x))


def size(x: Any) -> int:
    """How many numbers: of arrays and weights.

    >>> size([[1, 2]])
    2
    """
    return math.prod(int(n) for n in shape(x))


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """x itself; a list as an array.

    >>> convert_to_tensor([1, 2]).tolist()
    [1, 2]
    """
    return x if isinstance(x, Operators) else np.asarray(x, dtype)


array = convert_to_tensor


def convert_to_numpy(x: Any) -> Any:
    """The numbers of an array or a weight.

    >>> convert_to_numpy([1, 2]).tolist()
    [1, 2]
    """
    return np.asarray(x)


copy = convert_to_tensor


def row_target(x: Traced, newshape: Any) -> tuple[int, ...]:
    """The shape of a row in a new shape, whose first number has to be that of the rows."""
    target = tuple(newshape) if isinstance(newshape, (tuple, list)) else (newshape,)
    if not x.buffer.per_row:
        return inferred(x.buffer.size, target, x)
    if not target:
        raise across_rows("reshape")
    first, rest = target[0], target[1:]
    if first is ROWS or first is None:
        return inferred(x.buffer.size, rest, x)
    if first == -1 and -1 not in rest and math.prod(rest) == x.buffer.size:
        return tuple(int(n) for n in rest)
    raise refuse(
        f"reshape of {x.shape} to {target} would change which numbers belong to a row: begin with -1 (or shape(x)[0]) and "
        f"keep the {x.buffer.size} numbers of each row together"
    )


def inferred(count: int, target: Sequence[Any], x: Traced) -> tuple[int, ...]:
    """A shape with at most one −1, which follows from the others."""
    known = math.prod(n for n in target if n != -1)
    unknown = sum(1 for n in target if n == -1)
    if unknown > 1 or known == 0 or count % known or (not unknown and known != count):
        raise refuse(f"a tensor of shape {x.shape} can't take the shape {tuple(target)} in each row: it has {count} numbers")
    return tuple(count // known if n == -1 else int(n) for n in target)


def _reshape(x: Any, newshape: Any) -> Any:
    return np.reshape(x, newshape)


@operation(_reshape)
def reshape(x: Any, newshape: Any) -> Any:
    """The same numbers under another shape; in a network it begins with −1 or `shape(x)[0]`, the rows.

    >>> reshape([1, 2, 3, 4], (2, 2)).tolist()
    [[1, 2], [3, 4]]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    return program.reshape(x.buffer, row_target(x, newshape))


def ravel(x: Any) -> Any:
    """All numbers along one axis; in a network, those of each row.

    >>> ravel([[1], [2]]).tolist()
    [1, 2]
    """
    rows = isinstance(x, Operators) and bool(x.shape) and x.shape[0] is None
    return reshape(x, (-1, math.prod(x.shape[1:])) if rows else (-1,))


@operation(lambda x, axes=None: np.transpose(x, axes))
def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes in another order; without `axes` in the reverse one. In a network axis 0, the rows, stays first.

    >>> transpose([[1, 2]]).tolist()
    [[1], [2]]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    order = tuple(range(len(x.shape)))[::-1] if axes is None else axes
    found = row_axes(x, order, "transpose")
    if sorted(found) != list(range(-int(x.buffer.per_row), len(x.buffer.shape))):
        raise refuse(f"transpose needs each axis of a tensor of shape {x.shape} once, got {axes}")
    if x.buffer.per_row:
        if found[0] != -1:
            raise across_rows("transpose")
        found = found[1:]
    return x.buffer if found == tuple(range(len(found))) else program.permute(x.buffer, found)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """x with one axis at another place.

    >>> moveaxis(np.zeros((2, 3, 4)), 1, 2).shape
    (2, 4, 3)
    """
    rank = ndim(x)
    order = [k for k in range(rank) if k != source % rank]
    order.insert(destination % rank, source % rank)
    return transpose(x, tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged.

    >>> swapaxes(np.zeros((2, 3, 4)), 1, 2).shape
    (2, 4, 3)
    """
    order = list(range(ndim(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, tuple(order))


@operation(np.expand_dims)
def expand_dims(x: Any, axis: int) -> Any:
    """x with another axis, of size 1.

    >>> expand_dims([1, 2], 1).tolist()
    [[1], [2]]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    rank, first = len(x.shape) + 1, int(x.buffer.per_row)
    if not -rank <= axis < rank:
        raise refuse(f"expand_dims of a tensor of shape {x.shape} takes an axis from {-rank} to {rank - 1}, got {axis}")
    place = axis % rank - first
    if place < 0:
        raise across_rows("expand_dims")
    sizes = list(x.buffer.shape)
    return program.reshape(x.buffer, (*sizes[:place], 1, *sizes[place:]))


@operation(lambda x, axis=None: np.squeeze(x, axis))
def squeeze(x: Any, axis: Any = None) -> Any:
    """x without its axes of size 1, or without those given.

    >>> squeeze([[1, 2]]).tolist()
    [1, 2]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    sizes = x.buffer.shape
    places = [k for k, n in enumerate(sizes) if n == 1] if axis is None else list(row_axes(x, axis, "squeeze"))
    if any(k < 0 for k in places):
        raise across_rows("squeeze")
    if any(sizes[k] != 1 for k in places):
        raise refuse(f"squeeze takes axes of size 1, a tensor of shape {x.shape} has others at {axis}")
    return program.reshape(x.buffer, tuple(n for k, n in enumerate(sizes) if k not in places))


def joined(x: Sequence[Any], axis: int, what: str, stacked: bool) -> Buffer:
    """Tensors one after the other along an axis, or along a new one."""
    program = program_of(list(x))
    values = [Traced(program, operand(program, v)) for v in x]
    rows = next((v for v in values if v.buffer.per_row), values[0])
    rank = len(rows.shape) + int(stacked)
    if not -rank <= axis < rank:
        raise refuse(f"{what} of tensors of shape {rows.shape} has no axis {axis}")
    place = axis % rank - int(rows.buffer.per_row)
    if place < 0:
        raise across_rows(what)
    buffers = [v.buffer for v in values]
    if stacked:
        buffers = [program.reshape(b, (*b.shape[:place], 1, *b.shape[place:])) for b in buffers]
    shapes = [b.shape for b in buffers]
    if any(len(s) != len(shapes[0]) or s[:place] + s[place + 1 :] != shapes[0][:place] + shapes[0][place + 1 :] for s in shapes):
        raise refuse(f"{what} along axis {axis} needs shapes that differ only there, got {[v.shape for v in values]}")
    return buffers[0] if len(buffers) == 1 else program.concatenate(buffers, place)


@operation(np.concatenate)
def concatenate(xs: Any, axis: int = 0) -> Any:
    """Tensors one after the other along an axis.

    >>> concatenate([[1], [2]]).tolist()
    [1, 2]
    """
    return joined(xs, axis, "concatenate", False)


@operation(np.stack)
def stack(x: Any, axis: int = 0) -> Any:
    """Tensors of one shape along a new axis.

    >>> stack([[1], [2]]).tolist()
    [[1], [2]]
    """
    return joined(x, axis, "stack", True)


@operation(lambda x, key: np.asarray(x)[key])
def get_item(x: Any, key: Any) -> Any:
    """x[key], with whole numbers, slices, …, None, and lists of whole numbers; in a network, key begins with `:`.

    >>> get_item([[1, 2], [3, 4]], (slice(None), 1)).tolist()
    [2, 4]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    keys = whole_key(x, key if isinstance(key, tuple) else (key,))
    buffer, place = x.buffer, 0
    if x.buffer.per_row:
        if keys[0] != slice(None):
            raise across_rows("x[…]")
        keys = keys[1:]
    sizes: list[int] = []  # the result's, once axes are dropped and added
    slices: list[slice] = []
    taken: list[tuple[int, Any]] = []
    for k in keys:
        if k is None:
            sizes.append(1)
            continue
        n = x.buffer.shape[place]
        if isinstance(k, (int, np.integer)):
            if not -n <= k < n:
                raise refuse(f"place {k} is beyond axis {place + 1} of a tensor of shape {x.shape}")
            slices.append(slice(int(k) % n, int(k) % n + 1, 1))
        elif isinstance(k, slice):
            slices.append(slice(*k.indices(n)))
            sizes.append(len(range(*k.indices(n))))
        else:
            taken.append((place, np.asarray(k)))
            slices.append(slice(0, n, 1))
            sizes.append(len(np.asarray(k)))
        place += 1
    if 0 in sizes:
        raise refuse(f"x[{key!r}] of a tensor of shape {x.shape} is empty")
    if any((s.start, s.stop, s.step) != (0, n, 1) for s, n in zip(slices, buffer.shape, strict=True)):
        buffer = program.slice(buffer, *(tuple(getattr(s, end) for s in slices) for end in ("start", "stop", "step")))
    for axis, indices in taken:
        buffer = program.take(buffer, indices, axis)
    return buffer if buffer.shape == tuple(sizes) else program.reshape(buffer, tuple(sizes))


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
    return [get_item(x, (*before, slice(a, b))) for a, b in zip(cuts, cuts[1:], strict=False)]


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


def moved(x: Any, axis: int, places: Any, what: str) -> Any:
    """The numbers at places along an axis, in their order."""
    return take(x, places(shape_along(x, axis, what)), axis)


def shape_along(x: Any, axis: int, what: str) -> int:
    n = shape(x)[axis]
    if n is ROWS:
        raise across_rows(what)
    return int(n)


def flip(x: Any, axis: int) -> Any:
    """x with an axis reversed.

    >>> flip(np.array([1, 2]), 0).tolist()
    [2, 1]
    """
    return moved(x, axis, lambda n: np.arange(n)[::-1], "flip")


def roll(x: Any, shift: int, axis: int) -> Any:
    """x moved along an axis; what leaves at one end comes back at the other.

    >>> roll(np.array([1, 2, 3]), 1, 0).tolist()
    [3, 1, 2]
    """
    return moved(x, axis, lambda n: np.roll(np.arange(n), shift), "roll")


def repeat(x: Any, repeats: int, axis: int) -> Any:
    """Each number several times, along an axis.

    >>> repeat(np.array([1, 2]), 2, 0).tolist()
    [1, 1, 2, 2]
    """
    return moved(x, axis, lambda n: np.repeat(np.arange(n), repeats), "repeat")


def tile(x: Any, repeats: Any) -> Any:
    """x several times along each axis; 1 for the rows.

    >>> tile(np.array([1, 2]), 2).tolist()
    [1, 2, 1, 2]
    """
    counts = [repeats] if isinstance(repeats, (int, np.integer)) else list(repeats)
    if not isinstance(x, Operators):
        return np.tile(x, counts)
    counts = [1] * (ndim(x) - len(counts)) + counts
    for axis, count in enumerate(counts):
        if count != 1 and not (axis == 0 and count is ROWS):
            x = moved(x, axis, lambda n, count=count: np.tile(np.arange(n), count), "tile")
    return x


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
        raise refuse(f"take along axis {axis} of a tensor of shape {x.shape} has places up to {n - 1}, got {places.max()}")
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


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    return np.pad(x, pad_width, mode, **({} if constant_values is None else {"constant_values": constant_values}))  # type: ignore[call-overload]


@operation(_pad)
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with numbers around it: ((before, after), …) for each axis; (0, 0) for the rows.

    >>> pad([1], ((1, 0),)).tolist()
    [0, 1]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    widths = np.broadcast_to(np.asarray(pad_width), (len(x.shape), 2)).tolist()
    if x.buffer.per_row:
        if any(widths[0]):
            raise across_rows("pad")
        widths = widths[1:]
    if mode == "constant":
        return program.pad(x.buffer, tuple(map(tuple, widths)), float(constant_values or 0))
    buffer = x.buffer
    for axis, (before, after) in enumerate(widths):
        if before or after:
            places = np.pad(np.arange(buffer.shape[axis]), (before, after), mode)  # type: ignore[call-overload]
            buffer = program.take(buffer, places, axis)
    return buffer


@operation(np.broadcast_to)
def broadcast_to(x: Any, shape: Any) -> Any:
    """x repeated along axes of size 1, up to a shape.

    >>> broadcast_to([1], (2,)).tolist()
    [1, 1]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    rows = bool(shape) and (shape[0] is ROWS or shape[0] is None or (shape[0] == -1))
    if x.buffer.per_row and not rows:
        raise across_rows("broadcast_to")
    if not rows:
        return program.broadcast_to(x.buffer, tuple(shape))
    buffer = x.buffer
    if not buffer.per_row and len(buffer.shape) == len(shape):
        buffer = program.reshape(buffer, buffer.shape[1:])
    return program.broadcast_to(buffer, tuple(shape[1:]), per_row=True)


def triangle(x: Any, k: int, upper: bool) -> Any:
    """x times a matrix of ones on one side of a diagonal."""
    rows, columns = (int(n) for n in shape(x)[-2:])
    kept = np.triu(np.ones((rows, columns)), k) if upper else np.tril(np.ones((rows, columns)), k)
    return np.multiply(x, kept) if not isinstance(x, Operators) else x * kept


def tril(x: Any, k: int = 0) -> Any:
    """x with 0 above the k-th diagonal.

    >>> tril(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return triangle(x, k, False)


def triu(x: Any, k: int = 0) -> Any:
    """x with 0 below the k-th diagonal.

    >>> triu(np.ones((2, 2))).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return triangle(x, k, True)


def diagonal(x: Any) -> Any:
    """The numbers x[…, k, k] of square matrices, the last two axes.

    >>> diagonal(np.eye(2)).tolist()
    [1.0, 1.0]
    """
    n = int(shape(x)[-1])
    if not isinstance(x, Operators):
        return np.diagonal(x, axis1=-2, axis2=-1)
    flat = reshape(x, (*shape(x)[:-2], n * n))
    return take(flat, np.arange(n) * (n + 1), -1)


def like(x: Any, value: float) -> Any:
    if not isinstance(x, Operators):
        return np.full_like(np.asarray(x, np.result_type(np.asarray(x), np.int8)), value)
    return x * 0.0 + value


def full(shape: Any, fill_value: Any, dtype: Any = "float32") -> Any:
    """An array of one number; in a network the rows are left to broadcasting: their size is 1.

    >>> full((2,), 3.0).tolist()
    [3.0, 3.0]
    """
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(1 if n is ROWS or n is None else n for n in shape)
    return np.full(sizes, fill_value, dtype)


def zeros(shape: Any, dtype: Any = "float32") -> Any:
    """An array of zeros; see `full`.

    >>> zeros(2).tolist()
    [0.0, 0.0]
    """
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = "float32") -> Any:
    """An array of ones; see `full`.

    >>> ones(2).tolist()
    [1.0, 1.0]
    """
    return full(shape, 1, dtype)


def zeros_like(x: Any) -> Any:
    """0 for every number of x.

    >>> zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return like(x, 0)


def ones_like(x: Any) -> Any:
    """1 for every number of x.

    >>> ones_like([1, 2]).tolist()
    [1, 1]
    """
    return like(x, 1)


def full_like(x: Any, fill_value: float) -> Any:
    """One number for every number of x.

    >>> full_like([1, 2], 7).tolist()
    [7, 7]
    """
    return like(x, fill_value)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, … below stop, as an array.

    >>> arange(3).tolist()
    [0, 1, 2]
    """
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return values if dtype is None else values.astype(dtype)


def linspace(start: float, stop: float, num: int = 50) -> Any:
    """Equally spaced numbers from start to stop, as an array.

    >>> linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.linspace(start, stop, num)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = "float32") -> Any:
    """A matrix with ones on a diagonal, as an array.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return np.eye(N, M, k, dtype or "float32")


def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Matrices of coordinates, of arrays.

    >>> meshgrid([1, 2], [3])[0].tolist()
    [[1, 2]]
    """
    return np.meshgrid(*x, indexing=indexing)  # type: ignore[call-overload]
