"""Operations that move numbers: shapes, axes, parts, joining, repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.ops.operation import across_rows, operand, operation, row_axes
from thalweg.ops.tensor import FUNCTIONS, Operators, Traced, program_of, refuse
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "array", "broadcast_to", "concatenate", "convert_to_numpy", "convert_to_tensor", "copy", "expand_dims", "moveaxis",
    "ndim", "pad", "ravel", "reshape", "shape", "size", "squeeze", "stack", "swapaxes", "transpose", "tril", "triu",
]  # fmt: skip


class Rows:
    """The number of rows of a batch, which isn't known when a network is drawn: the first of `shape(x)`."""

    def __repr__(self) -> str:
        return "rows"

    def __reduce__(self) -> str:
        return "ROWS"  # copies of a graph know it as the same

    def _refuse(self, *_: Any) -> Any:
        raise refuse(
            "the number of rows isn't known when a network is drawn: it can be the first number of a shape, no more"
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
        f"reshape of {x.shape} to {target} would change which numbers belong to a row: begin with -1 (or shape(x)[0]) "
        f"and keep the {x.buffer.size} numbers of each row together"
    )


def inferred(count: int, target: Sequence[Any], x: Traced) -> tuple[int, ...]:
    """A shape with at most one −1, which follows from the others."""
    known = math.prod(n for n in target if n != -1)
    unknown = sum(1 for n in target if n == -1)
    if unknown > 1 or known == 0 or count % known or (not unknown and known != count):
        raise refuse(
            f"a tensor of shape {x.shape} can't take the shape {tuple(target)} in each row: it has {count} numbers"
        )
    return tuple(count // known if n == -1 else int(n) for n in target)


def of_one_row(sizes: Any) -> Any:
    """A shape of an array, which is the same for all rows: its size is 1 where the rows of a network are."""
    if not isinstance(sizes, (tuple, list)):
        return 1 if sizes is ROWS else sizes
    return tuple(1 if n is ROWS or n is None else n for n in sizes)


def _reshape(x: Any, newshape: Any) -> Any:
    return np.reshape(x, of_one_row(newshape))


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


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with one axis, or each of several, at another place.

    >>> moveaxis(np.zeros((2, 3, 4)), 1, 2).shape, moveaxis(np.zeros((2, 3, 4)), (0, 1), (2, 0)).shape
    ((2, 4, 3), (3, 4, 2))
    """
    rank = ndim(x)
    both = [list(a) if isinstance(a, (tuple, list)) else [a] for a in (source, destination)]
    if any(not -rank <= k < rank for axes in both for k in axes):
        raise refuse(f"moveaxis has the axes 0 … {rank - 1} of the shape {shape(x)}, got {source} and {destination}")
    old, new = ([k % rank for k in axes] for axes in both)
    if not len(old) == len(new) == len(set(old)) == len(set(new)):
        raise refuse(f"moveaxis takes as many places as axes, each once, got {source} and {destination}")
    order = [k for k in range(rank) if k not in old]
    for place, axis in sorted(zip(new, old, strict=True)):
        order.insert(place, axis)
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
    for k, v in enumerate(values):
        if rows.buffer.per_row and not v.buffer.per_row and len(v.shape) == len(rows.shape) and v.shape[0] == 1:
            buffers[k] = program.reshape(v.buffer, v.buffer.shape[1:])  # (1, …): the same for all rows
    if stacked:
        buffers = [program.reshape(b, (*b.shape[:place], 1, *b.shape[place:])) for b in buffers]
    shapes = [b.shape for b in buffers]
    if any(
        len(s) != len(shapes[0]) or s[:place] + s[place + 1 :] != shapes[0][:place] + shapes[0][place + 1 :]
        for s in shapes
    ):
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


@operation(lambda x, shape: np.broadcast_to(x, of_one_row(shape)))
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


def of_every_row(x: Traced) -> Traced:
    """A weight (1, …), which is a batch of one row in Keras, as that row for all; any other value as it is."""
    buffer = x.buffer
    if buffer.per_row or buffer.shape[:1] != (1,):
        return x
    row = x.program.reshape(buffer, buffer.shape[1:])
    return Traced(x.program, x.program.broadcast_to(row, row.shape, per_row=True))


def triangle(x: Any, k: int, upper: bool) -> Any:
    """x on one side of a diagonal, 0 on the other."""
    if ndim(x) < 2:
        raise refuse(f"{'triu' if upper else 'tril'} takes matrices, along the last two axes, got the shape {shape(x)}")
    if not isinstance(x, Operators):
        return np.triu(x, k) if upper else np.tril(x, k)
    ones = np.ones([int(n) for n in shape(x)[-2:]])
    return FUNCTIONS["where"](np.triu(ones, k) if upper else np.tril(ones, k), x, 0.0)


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
