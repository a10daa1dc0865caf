"""Operations along axes: sums, means, extremes, norms, softmax, cumulative sums and products."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.ops.arrangement import ndim, reshape, shape
from thalweg.ops.creation import ones_like
from thalweg.ops.operation import across_rows, inner_axis, operand, operation, row_axes
from thalweg.ops.pointwise import divide, exp, log, maximum, minimum, multiply, sqrt, square, subtract
from thalweg.ops.tensor import FUNCTIONS, Operators, OverRows, Traced, program_of, refuse
from thalweg.program.instructions.rowwise import LogSoftmax, Softmax
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "cumprod", "cumsum",
    "l2_normalize", "log_softmax", "logsumexp", "max", "mean", "min", "moments", "norm", "normalize", "prod",
    "softmax", "std", "sum", "var",
]  # fmt: skip

_numpy: Any = np  # its stubs overload `keepdims` by True and False, and have nothing for a bool


def along(name: str, numpy: Callable[..., Any], doc: str) -> Any:
    """A reduction over axes; over all of them, rows included, a sum or a mean is one over the batch."""

    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        program = program_of([x])
        x = Traced(program, operand(program, x))
        axes = row_axes(x, axis, name)
        inner = tuple(a for a in axes if a >= 0)
        if builtins.len(inner) == builtins.len(axes):
            return program.reduce(name, x.buffer, inner, keepdims) if inner else x.buffer
        if name not in ("sum", "mean") or keepdims:
            raise across_rows(name)
        value = program.reduce(name, x.buffer, inner, False) if inner else x.buffer
        return OverRows(Traced(program, value), name == "sum")

    def of_array(x: Any, axis: Any = None, keepdims: bool = False, **named: Any) -> Any:
        return numpy(np.asarray(x), axis=axes_of(axis), keepdims=keepdims, **named)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(of_array)(function)


def axes_of(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of floats in float64, as it may exceed the largest float32 where the mean doesn't."""
    if x.dtype.kind != "f":
        return _numpy.mean(x, axis=axis, keepdims=keepdims)
    return _numpy.mean(x, axis=axis, keepdims=keepdims, dtype=np.float64).astype(x.dtype)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    x = x.astype(np.result_type(x, np.float32))
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


SHARED = """ over axes; None: all of them.

In a network axis 0 are the rows: """
sum = along("sum", np.sum, f"""Σ x{SHARED}over them there is a sum of the batch, for a loss.

>>> float(sum([1.0, 2.0]))
3.0
""")  # fmt: skip
mean = along("mean", _mean, f"""The mean of x{SHARED}over them there is the mean of the batch, for a loss.

>>> float(mean([1.0, 2.0]))
1.5
""")  # fmt: skip
largest = along("max", np.max, "The largest of x over axes.")
smallest = along("min", np.min, "The smallest of x over axes.")
prod = along("prod", np.prod, f"""The product of x{SHARED}each has its own.

>>> float(prod([3.0, 2.0]))
6.0
""")  # fmt: skip
logsumexp = along("logsumexp", _logsumexp, f"""ln Σ eˣ, without overflow,{SHARED}each has its own.

>>> float(logsumexp([1000.0])).is_integer()
True
""")  # fmt: skip


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: float | None = None) -> Any:
    """The largest of x over axes, and of `initial` if it is given; None: all axes. In a network each row has its own.

    >>> float(max([1.0, 2.0])), float(max([1.0, 2.0], initial=5.0))
    (2.0, 5.0)
    """
    return extreme(largest, maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: float | None = None) -> Any:
    """The smallest of x over axes, and of `initial` if it is given; None: all axes. In a network each row has its own.

    >>> float(min([1.0, 2.0])), float(min([1.0, 2.0], initial=0.5))
    (1.0, 0.5)
    """
    return extreme(smallest, minimum, x, axis, keepdims, initial)


def extreme(of_x: Any, of_two: Any, x: Any, axis: Any, keepdims: bool, initial: float | None) -> Any:
    if initial is None:
        return of_x(x, axis, keepdims)
    if not isinstance(x, Operators):
        return of_x(x, axis, keepdims, initial=initial)  # an empty array has one too
    return of_two(of_x(x, axis, keepdims), initial)


amax, amin = max, min


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 where one of x is not 0, over axes.

    >>> bool(any([0, 1])), bool(any([]))
    (True, False)
    """
    if isinstance(x, Operators):
        return largest(truth(x), axis, keepdims)
    return _numpy.any(x, axes_of(axis), keepdims=keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 where all of x are not 0, over axes.

    >>> bool(all([0, 1])), bool(all([]))
    (False, True)
    """
    if isinstance(x, Operators):
        return smallest(truth(x), axis, keepdims)
    return _numpy.all(x, axes_of(axis), keepdims=keepdims)


def truth(x: Any) -> Any:
    return FUNCTIONS["not_equal"](x, 0)


def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """How many of x are not 0, over axes.

    >>> int(count_nonzero([0, 1, 2]))
    2
    """
    return sum(truth(x), axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance, mean (x − mean x)², over axes.

    >>> float(var([1.0, 3.0]))
    1.0
    """
    return mean(square(subtract(x, mean(x, axis, True))), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation, √ var, over axes.

    >>> float(std([1.0, 3.0]))
    1.0
    """
    return sqrt(var(x, axis, keepdims))


def moments(x: Any, axes: Any, keepdims: bool = False) -> tuple[Any, Any]:
    """Mean and variance over axes.

    >>> [float(m) for m in moments([1.0, 3.0], 0)]
    [2.0, 1.0]
    """
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Σ w·x / Σ w over axes; without weights the mean. Weights have the shape of x, or are those of one axis.

    >>> float(average([1.0, 3.0], weights=[3.0, 1.0]))
    1.5
    >>> average(np.array([[1.0, 2.0], [3.0, 6.0]]), axis=0, weights=[3.0, 1.0]).tolist()
    [1.5, 3.0]
    """
    if weights is None:
        return mean(x, axis)
    if isinstance(axis, (int, np.integer)) and ndim(weights) == 1 < ndim(x):
        sizes = [1] * ndim(x)
        sizes[axis] = int(shape(weights)[0])
        weights = reshape(weights, sizes)
    elif len(shape(weights)) != len(shape(x)):
        raise refuse(
            f"average's weights have the shape of x, {shape(x)}, or are one for each place along one axis; "
            f"got the shape {shape(weights)} and axis={axis}"
        )
    return divide(sum(multiply(x, weights), axis), sum(multiply(weights, ones_like(x)), axis))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """‖x‖ of vectors along an axis, or of matrices along two; None: of all numbers, or of one vector or matrix.

    Of vectors, (Σ|x|ᵖ)^(1/p) with p = ord, 2 by default; the largest and smallest |x| (inf, -inf); how many aren't 0
    (0).
    Of matrices, √Σx² ("fro", the default), the largest or smallest Σ|x| of a column (1, -1) or a row (inf, -inf); on
    arrays also the largest or smallest singular value (2, -2), or the sum of all ("nuc").

    >>> float(norm([3.0, 4.0])), float(norm([[1.0, 2.0], [3.0, 4.0]], 1))
    (5.0, 6.0)
    """
    axes = tuple(range(ndim(x))) if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if ord in (None, "euclidean") or (ord == 2 and builtins.len(axes) == 1):
        return sqrt(sum(square(x), axis, keepdims))
    if builtins.len(axes) == 1:
        return norm_of_vectors(x, ord, axes[0], keepdims)
    if builtins.len(axes) == 2:
        return norm_of_matrices(x, ord, axes, keepdims)
    raise refuse(f"norm of order {ord!r} is that of vectors along one axis or matrices along two, got axis={axis!r}")


def norm_of_vectors(x: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    size = FUNCTIONS["abs"](x)
    if isinstance(ord, (str, complex)):
        raise refuse(f"norm of vectors has a number as its order, not {ord!r}")
    if ord == 0:
        return count_nonzero(x, axis, keepdims)
    if builtins.abs(ord) == float("inf"):
        return (largest if ord > 0 else smallest)(size, axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims)
    power = FUNCTIONS["power"]
    return power(sum(power(size, float(ord)), axis, keepdims), 1 / float(ord))


def norm_of_matrices(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord == "fro":
        return sqrt(sum(square(x), axes, keepdims))
    if ord in (1, -1, float("inf"), -float("inf")):
        down, across = axes
        first, second = (down, across) if builtins.abs(ord) == 1 else (across, down)
        sums = sum(FUNCTIONS["abs"](x), first, True)
        found = (largest if ord > 0 else smallest)(sums, second, True)
        return found if keepdims else FUNCTIONS["squeeze"](found, axes)
    if ord in (2, -2, "nuc") and not isinstance(x, Operators):
        return _numpy.linalg.norm(x, ord, axes, keepdims)
    where = "on arrays alone 2, -2 and 'nuc', which need singular values" if ord in (2, -2, "nuc") else "no others"
    raise refuse(f"norm of matrices has the orders 'fro', 1, -1, inf and -inf, {where}; got {ord!r}")


def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float = 1e-12) -> Any:
    """x/‖x‖ along an axis, or over several, ‖x‖ being at least epsilon.

    >>> normalize([3.0, 4.0]).tolist()
    [0.6, 0.8]
    """
    if order == 2:  # a vector of zeros has a gradient, too: it is that of x/epsilon
        return divide(x, maximum(sqrt(maximum(sum(square(x), axis, True), epsilon**2)), epsilon))
    return divide(x, maximum(norm(x, order, axis, True), epsilon))


l2_normalize = normalize


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def last(x: Any, axis: int, kind: Any) -> Buffer:
    """Softmax and its relatives along an axis, which is made the last one."""
    program = program_of([x])
    x = Traced(program, operand(program, x))
    place, rank = inner_axis(x, axis, "softmax"), builtins.len(x.buffer.shape)
    if not x.buffer.per_row:  # the instructions are of each row
        below = subtract(x, largest(x, axis, True))
        logs: Traced = subtract(below, log(sum(exp(below), axis, True)))
        return (logs if kind is LogSoftmax else exp(logs)).buffer
    if place == rank - 1:
        return program.rowwise(kind, x.buffer)
    order = [k for k in range(rank) if k != place] + [place]
    moved = program.rowwise(kind, program.permute(x.buffer, tuple(order)))
    return program.permute(moved, tuple(int(k) for k in np.argsort(order)))


@operation(_softmax)
def softmax(x: Any, axis: int = -1) -> Any:
    """eˣ / Σ eˣ along an axis.

    >>> softmax(np.zeros(2)).tolist()
    [0.5, 0.5]
    """
    return last(x, axis, Softmax)


def _log_softmax(x: Any, axis: int = -1) -> Any:
    below = x - np.max(x, axis=axis, keepdims=True)
    return below - np.log(np.sum(np.exp(below), axis=axis, keepdims=True))


@operation(_log_softmax)
def log_softmax(x: Any, axis: int = -1) -> Any:
    """x − ln Σ eˣ along an axis.

    >>> log_softmax(np.zeros(1)).tolist()
    [0.0]
    """
    return last(x, axis, LogSoftmax)


def index(name: str, numpy: Callable[..., Any], doc: str) -> Any:
    """The place of an extreme along an axis."""

    def function(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        program = program_of([x])
        x = Traced(program, operand(program, x))
        if axis is None:
            raise refuse(f"{name} needs an axis in a network")
        return program.reduce(name, x.buffer, (inner_axis(x, axis, name),), keepdims)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(numpy)(function)


argmax = index(
    "argmax", np.argmax, "The place of the largest along an axis; no derivative.\n\n>>> int(argmax([1, 3, 2]))\n1\n"
)
argmin = index(
    "argmin", np.argmin, "The place of the smallest along an axis; no derivative.\n\n>>> int(argmin([1, 3, 2]))\n0\n"
)


def running(name: str, numpy: Callable[..., Any], doc: str) -> Any:
    """What the first 1, 2, … numbers along an axis give together."""

    def function(x: Any, axis: int | None = None) -> Any:
        program = program_of([x])
        x = Traced(program, operand(program, x))
        if axis is None:
            raise refuse(f"{name} needs an axis in a network")
        return program.reduce(name, x.buffer, (inner_axis(x, axis, name),))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(numpy)(function)


cumsum = running(
    "cumsum",
    np.cumsum,
    "Sums of the first 1, 2, … numbers along an axis.\n\n>>> cumsum([1, 2, 3]).tolist()\n[1, 3, 6]\n",
)
cumprod = running(
    "cumprod",
    np.cumprod,
    "Products of the first 1, 2, … numbers along an axis.\n\n>>> cumprod([1, 2, 3]).tolist()\n[1, 2, 6]\n",
)
