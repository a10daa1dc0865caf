"""Operations along axes: sums, means, extremes, norms, softmax, cumulative sums."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.ops.operation import across_rows, inner_axis, operand, operation, row_axes
from thalweg.ops.pointwise import divide, maximum, multiply, sqrt, square, subtract
from thalweg.ops.tensor import FUNCTIONS, OverRows, Traced, program_of, refuse
from thalweg.program.instructions.rowwise import LogSoftmax, Softmax
from thalweg.program.ir.instruction import Buffer

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "cumsum", "l2_normalize",
    "log_softmax", "logsumexp", "max", "mean", "min", "moments", "norm", "normalize", "prod", "softmax", "std",
    "sum", "var",
]  # fmt: skip


def along(name: str, numpy: Callable[..., Any], doc: str) -> Any:
    """A reduction over axes; over all of them, rows included, a sum or a mean is one over the batch."""

    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        program = program_of([x])
        x = Traced(program, operand(program, x))
        axes = row_axes(x, axis, name)
        inner = tuple(a for a in axes if a >= 0)
        if builtins.len(inner) == builtins.len(axes):
            return program.reduce(name, x.buffer, inner, keepdims) if inner else x.buffer
        if name not in ("sum", "mean") or keepdims or builtins.len(inner) < builtins.len(x.buffer.shape):
            raise across_rows(name)
        value = program.reduce(name, x.buffer, inner, False) if inner else x.buffer
        return OverRows(Traced(program, value), name == "sum")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(lambda x, axis=None, keepdims=False: numpy(np.asarray(x), axis=axes_of(axis), keepdims=keepdims))(
        function
    )


def axes_of(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    most = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - most), axis=axis, keepdims=True)) + most
    return total if keepdims else np.squeeze(total, axis=axis)


SHARED = """ over axes; None: all of them.

In a network axis 0 are the rows: """
sum = along("sum", np.sum, f"""Σ x{SHARED}over them there is a sum of the batch, for a loss.

>>> float(sum([1.0, 2.0]))
3.0
""")  # fmt: skip
mean = along("mean", np.mean, f"""The mean of x{SHARED}over them there is the mean of the batch, for a loss.

>>> float(mean([1.0, 2.0]))
1.5
""")  # fmt: skip
max = along("max", np.max, f"""The largest of x{SHARED}each has its own.

>>> float(max([1.0, 2.0]))
2.0
""")  # fmt: skip
min = along("min", np.min, f"""The smallest of x{SHARED}each has its own.

>>> float(min([1.0, 2.0]))
1.0
""")  # fmt: skip
prod = along("prod", np.prod, f"""The product of x{SHARED}each has its own.

>>> float(prod([3.0, 2.0]))
6.0
""")  # fmt: skip
logsumexp = along("logsumexp", _logsumexp, f"""ln Σ eˣ, without overflow,{SHARED}each has its own.

>>> float(logsumexp([1000.0])).is_integer()
True
""")  # fmt: skip
amax, amin = max, min


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 where one of x is not 0, over axes.

    >>> bool(any([0, 1]))
    True
    """
    return max(truth(x), axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """1 where all of x are not 0, over axes.

    >>> bool(all([0, 1]))
    False
    """
    return min(truth(x), axis, keepdims)


def truth(x: Any) -> Any:
    return FUNCTIONS["not_equal"](x, 0)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many of x are not 0, over axes.

    >>> int(count_nonzero([0, 1, 2]))
    2
    """
    return sum(truth(x), axis)


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
    """Σ w·x / Σ w over axes; without weights the mean.

    >>> float(average([1.0, 3.0], weights=[3.0, 1.0]))
    1.5
    """
    return mean(x, axis) if weights is None else divide(sum(multiply(x, weights), axis), sum(weights, axis))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """‖x‖ of vectors along an axis: √Σx² (ord 2, the default), Σ|x| (1), or the largest |x| (inf).

    >>> float(norm([3.0, 4.0]))
    5.0
    """
    if ord in (None, 2, "euclidean", "fro"):
        return sqrt(sum(square(x), axis, keepdims))
    if ord == 1:
        return sum(FUNCTIONS["abs"](x), axis, keepdims)
    if ord == float("inf"):
        return max(FUNCTIONS["abs"](x), axis, keepdims)
    raise refuse(f"norm has the orders 1, 2 and inf, not {ord!r}")


def normalize(x: Any, axis: int = -1, order: Any = 2, epsilon: float = 1e-12) -> Any:
    """x/‖x‖ along an axis, ‖x‖ being at least epsilon.

    >>> normalize([3.0, 4.0]).tolist()
    [0.6, 0.8]
    """
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
        log: Traced = subtract(x, logsumexp(x, axis, True))
        return (log if kind is LogSoftmax else FUNCTIONS["exp"](log)).buffer
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


@operation(lambda x, axis=-1: np.log(_softmax(x, axis)))
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


@operation(np.cumsum)
def cumsum(x: Any, axis: int | None = None) -> Any:
    """Sums of the first 1, 2, … numbers along an axis.

    >>> cumsum([1, 2, 3]).tolist()
    [1, 3, 6]
    """
    program = program_of([x])
    x = Traced(program, operand(program, x))
    if axis is None:
        raise refuse("cumsum needs an axis in a network")
    return program.reduce("cumsum", x.buffer, (inner_axis(x, axis, "cumsum"),))
