"""Linear algebra of small matrices, along the last two axes: each place of the axes before them has its own.

In a network every function goes through the columns one after the other, as a scan; its derivative follows from that.

>>> import numpy as np
>>> from thalweg import ops
>>> ops.linalg.det(np.diag([2.0, 3.0])).item()
6.0
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.absent import answer_for
from thalweg.ops.arrangement import concatenate, expand_dims, ndim, shape, squeeze, swapaxes, tril, triu
from thalweg.ops.contractions import matmul, per_row
from thalweg.ops.creation import ones_like, zeros_like
from thalweg.ops.indexing import one_hot
from thalweg.ops.loops import carried, scan, writer
from thalweg.ops.operation import operation
from thalweg.ops.pointwise import abs as size_of
from thalweg.ops.pointwise import mod, sqrt, where
from thalweg.ops.summaries import argmax, cumsum, norm
from thalweg.ops.summaries import sum as total
from thalweg.ops.tensor import refuse

__all__ = ["cholesky", "det", "inv", "norm", "solve", "solve_triangular"]


def square(what: str, a: Any) -> int:
    """The number of rows of square matrices."""
    sizes = shape(a)
    if len(sizes) < 2 + int(per_row(a)) or sizes[-1] != sizes[-2]:
        raise refuse(f"{what} takes square matrices along the last two axes, got the shape {sizes}")
    return int(sizes[-1])


def columns(a: Any) -> tuple[Any, Any]:
    """For each step of a scan the vector with a 1 at its place, as a column and as a row beside matrices like a."""
    n, ones = int(shape(a)[-1]), (1,) * (ndim(a) - 2 - int(per_row(a)))
    return np.eye(n).reshape(n, *ones, n, 1), np.eye(n).reshape(n, *ones, 1, n)


def eliminated(a: Any, b: Any = None) -> tuple[Any, Any]:
    """(a⁻¹·b, the determinant of a), by Gauss and Jordan: the pivot is the largest of a column's unused rows."""
    n = int(shape(a)[-1])

    def step(carry: Any, at_step: Any) -> Any:
        both, order, unused, value = carry
        down, across = at_step
        column = total(both[..., :n] * across, -1, True)
        pivot_at = argmax(where(unused, size_of(column), -1.0), -2)
        at = swapaxes(one_hot(pivot_at, n), -1, -2)
        pivot = total(column * at, -2, True)
        both = both - (column - at) * (total(both * at, -2, True) / pivot)
        before = total(unused * (1.0 - cumsum(at, -2)), -2, True)  # unused rows above it: each is an exchange
        value = value * pivot * (1.0 - 2.0 * mod(before, 2.0))
        return (both, order + down * swapaxes(at, -1, -2), unused - at, value), None

    both = a if b is None else concatenate([a, b], -1)
    first = both, zeros_like(a), ones_like(a[..., :1]), ones_like(a[..., :1, :1])
    (both, order, _, value), _ = scan(step, first, columns(a))
    return (None if b is None else matmul(order, both[..., n:])), value[..., 0, 0]


def of_vectors(a: Any, b: Any) -> bool:
    """Whether b has a vector for each matrix of a, rather than a matrix."""
    if ndim(b) not in (ndim(a), ndim(a) - 1):
        raise refuse(f"solve takes b with as many axes as a, or one less, got the shapes {shape(a)} and {shape(b)}")
    return ndim(b) == ndim(a) - 1


def alike(a: Any, b: Any) -> list[Any]:
    """Both with numbers for each row, if one of them has."""
    program = writer([a, b])
    return [carried(x, program) for x in (a, b)]


def of_arrays(what: str, function: Any, *arrays: Any) -> Any:
    """What NumPy computes."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise refuse(f"{what}: {str(error).lower()}") from None


def _solve(a: Any, b: Any) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    square("solve", a)
    if of_vectors(a, b):
        return of_arrays("solve", np.linalg.solve, a, b[..., None])[..., 0]
    return of_arrays("solve", np.linalg.solve, a, b)


@operation(_solve)
def solve(a: Any, b: Any) -> Any:
    """a⁻¹·b: the x with a·x = b, for matrices a (…, n, n) and b (…, n, k), or vectors b (…, n).

    A matrix without an inverse gives infinite numbers in a network, and raises on arrays.

    >>> solve([[2.0, 0.0], [1.0, 1.0]], [2.0, 3.0]).tolist()
    [1.0, 2.0]
    """
    square("solve", a)
    if of_vectors(a, b):
        return squeeze(solve(a, expand_dims(b, -1)), -1)
    return eliminated(*alike(a, b))[0]


def inv(x: Any) -> Any:
    """x⁻¹ of matrices x (…, n, n); see `solve`.

    >>> inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return solve(x, zeros_like(x, "float32" if isinstance(x, list) else None) + np.eye(square("inv", x)))


@operation(lambda x: of_arrays("det", np.linalg.det, np.asarray(x)))
def det(x: Any) -> Any:
    """The determinant of matrices x (…, n, n).

    >>> round(float(det([[1.0, 2.0], [3.0, 4.0]])), 6)
    -2.0
    """
    square("det", x)
    return eliminated(x)[1]


def _solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    return _solve(np.tril(a) if lower else np.triu(a), b)


@operation(_solve_triangular)
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """a⁻¹·b of the upper triangle of a, or of the lower one; what is on the other side of the diagonal isn't read.

    >>> solve_triangular([[2.0, 9.0], [1.0, 1.0]], [2.0, 3.0], lower=True).tolist()
    [1.0, 2.0]
    """
    square("solve_triangular", a)
    if of_vectors(a, b):
        return squeeze(solve_triangular(a, expand_dims(b, -1), lower), -1)
    a, b = alike(tril(a) if lower else triu(a), b)

    def step(x: Any, at_step: Any) -> Any:
        down, across = at_step
        line = total(a * down, -2, True)
        rest = total(b * down, -2, True) - matmul(line, x)
        return x + down * (rest / total(line * across, -1, True)), None

    return scan(step, zeros_like(matmul(a, b)), columns(a), reverse=not lower)[0]


def _cholesky(x: Any, upper: bool = False) -> Any:
    x = np.asarray(x)
    square("cholesky", x)
    found = of_arrays("cholesky", np.linalg.cholesky, (x + np.swapaxes(x, -1, -2)) / 2)
    return np.swapaxes(found, -1, -2) if upper else found


@operation(_cholesky)
def cholesky(x: Any, upper: bool = False) -> Any:
    """The lower triangle L with L·Lᵀ = x, for symmetric, positive definite x (…, n, n); with `upper` its transpose.

    Of x that isn't symmetric, (x + xᵀ)/2 is taken; one that isn't positive definite gives NaN in a network, and raises
    on arrays.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]]).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    n = square("cholesky", x)
    x = (x + swapaxes(x, -1, -2)) / 2.0
    down, across = columns(x)
    from_here = np.cumsum(down, axis=-2)

    def step(found: Any, at_step: Any) -> Any:
        here, beside, below = at_step
        line = total(found * here, -2, True)
        column = (total(x * beside, -1, True) - total(found * line, -1, True)) * below
        return found + column / sqrt(total(column * here, -2, True)) * beside, None

    found, _ = scan(step, zeros_like(x), (down, across, from_here), n)
    return swapaxes(found, -1, -2) if upper else found


answer_for(__name__)
