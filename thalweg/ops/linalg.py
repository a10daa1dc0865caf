"""Linear algebra of small matrices, along the last two axes: each place of the axes before them has its own.

In a network every function goes through the columns one after the other, as a scan; its derivative follows from that.

>>> import numpy as np
>>> from thalweg import ops
>>> ops.linalg.det(np.diag([2.0, 3.0])).item()
6.0
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from thalweg.ops.arrangement import concatenate, expand_dims, ndim, shape, squeeze, swapaxes, tril, triu
from thalweg.ops.contractions import matmul, per_row
from thalweg.ops.creation import ones_like, zeros_like
from thalweg.ops.indexing import one_hot
from thalweg.ops.loops import carried, scan, writer
from thalweg.ops.operation import operation
from thalweg.ops.pointwise import abs as size_of
from thalweg.ops.pointwise import arctan2, cast, cos, equal, mod, sign, sin, sqrt, stop_gradient, where
from thalweg.ops.summaries import amax, argmax, cumsum, norm
from thalweg.ops.summaries import sum as total
from thalweg.ops.tensor import refuse
from thalweg.support.naming import answer_for, choose

__all__ = ["cholesky", "det", "eigh", "inv", "lstsq", "norm", "qr", "solve", "solve_triangular", "svd"]

MODES = ("reduced", "complete")
SWEEPS, LARGEST = 10, 32


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


def _qr(x: Any, mode: str = "reduced") -> Any:
    kind: Any = choose("mode of qr", mode, MODES)
    q, r = np.linalg.qr(np.asarray(x), kind)
    return q, r


@operation(_qr)
def qr(x: Any, mode: str = "reduced") -> Any:
    """(q, r) with q·r = x, qᵀ·q = 1, and zeros in r below its diagonal, for matrices x (…, m, n).

    Each column in turn is mirrored (Householder 1958), with LAPACK's signs.

    Args:
        x: the matrices.
        mode: "reduced": q (…, m, k) and r (…, k, n), k the smaller of m and n; "complete": (…, m, m) and (…, m, n).

    >>> q, r = qr([[3.0, 1.0], [4.0, 2.0]])
    >>> r.round(3).tolist()
    [[-5.0, -2.2], [0.0, 0.4]]
    """
    choose("mode of qr", mode, MODES)
    m, n = matrices("qr", x)
    program = writer([x])
    x = carried(x, program)
    ones, count = (1,) * (ndim(x) - 2 - int(per_row(x))), min(m - 1, n)
    unit = carried(zeros_like(matmul(x, swapaxes(x, -1, -2))) + np.eye(m), program)
    if not count:
        return unit, x
    down = np.eye(m)[:count].reshape(count, *ones, m, 1)
    across = np.eye(n)[:count].reshape(count, *ones, 1, n)

    def step(carry: Any, at_step: Any) -> Any:
        r, q = carry
        here, beside, from_here = at_step
        column = total(r * beside, -1, True) * from_here
        pivot = total(column * here, -2, True)
        rest = total((column - pivot * here) ** 2, -2, True)  # 0: below the pivot nothing is left to be removed
        length = sqrt(where(rest > 0, rest + pivot * pivot, 1.0))
        v = column + where(pivot < 0, -length, length) * here
        factor = where(rest > 0, 2.0 / where(rest > 0, total(v * v, -2, True), 1.0), 0.0)
        mirror = v * factor
        return (r - mirror * total(r * v, -2, True), q - matmul(q, v) * swapaxes(mirror, -1, -2)), None

    (r, q), _ = scan(step, (x, unit), (down, across, np.cumsum(down, axis=-2)))
    kept = m if mode == "complete" else min(m, n)
    return q[..., :kept], triu(r[..., :kept, :])


def matrices(what: str, x: Any) -> tuple[int, int]:
    """The numbers of rows and columns of matrices."""
    sizes = shape(x)
    if len(sizes) < 2 + int(per_row(x)):
        raise refuse(f"{what} takes matrices along the last two axes, got the shape {sizes}")
    return int(sizes[-2]), int(sizes[-1])


def _lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    sizes = matrices("lstsq", a)
    if of_vectors(a, b):
        return _lstsq(a, b[..., None], rcond)[..., 0]
    least = np.finfo(np.result_type(a, np.float32)).eps * max(sizes) if rcond is None else rcond
    return np.linalg.pinv(a, least) @ b


@operation(_lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """The x with the least Σ (a·x − b)², for matrices a (…, m, n) and b (…, m, k), or vectors b (…, m); of several the
    shortest

    Columns of a that depend on others, or rows if there are more columns, give infinite numbers or NaN in a network;
    on arrays, singular values below rcond times the largest count as 0.

    >>> lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]).round(6).tolist()
    [1.0, 2.0]
    """
    if rcond is not None:
        raise refuse("lstsq in a network takes no rcond: it computes no singular values")
    m, n = matrices("lstsq", a)
    if of_vectors(a, b):
        return squeeze(lstsq(a, expand_dims(b, -1)), -1)
    a, b = alike(a, b)
    if m >= n:
        q, r = qr(a)
        return solve_triangular(r, matmul(swapaxes(q, -1, -2), b))
    q, r = qr(swapaxes(a, -1, -2))
    return matmul(q, solve_triangular(swapaxes(r, -1, -2), b, lower=True))


def turns(n: int) -> Any:
    """For each step of a sweep the pairs that are turned, all numbers of n once: (steps, n, n), 1 for two of a pair.

    As in a tournament (Brent and Luk 1985): the first stays, the others move round.
    """
    ring = list(range(n + n % 2))
    pairs = np.zeros((len(ring) - 1, n, n))
    for step in range(len(ring) - 1):
        for p, q in zip(ring, ring[: len(ring) // 2 - 1 : -1], strict=False):
            if max(p, q) < n:
                pairs[step, p, q] = pairs[step, q, p] = 1
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return pairs


def turned(x: Any, n: int) -> Any:
    """Vectors v with vᵀ·x·v nearly diagonal, and its diagonal as a row: by Jacobi's turns, in ten sweeps."""
    ones = (1,) * (ndim(x) - 2 - int(per_row(x)))
    pairs = np.tile(turns(n), (SWEEPS, 1, 1))
    number = np.arange(n)
    first = np.where(pairs @ number >= number, 1.0, -1.0)  # of two alike, one turns as much as the other, backwards
    unit = np.eye(n)

    def step(carry: Any, at_step: Any) -> Any:
        x, v = carry
        pair, order, paired = at_step
        own = total(x * unit, -1, True)
        ahead = (matmul(pair, own) - own) * paired
        between = total(x * pair, -1, True)
        between = between + matmul(pair, between)  # twice; the same for both of a pair, whatever was rounded
        side = where(equal(ahead, 0.0), order, sign(ahead))
        angle = where(equal(between, 0.0), 0.0, 0.5 * arctan2(between * side, size_of(ahead)))
        turn = cos(angle) * unit + sin(angle) * pair
        return (matmul(swapaxes(turn, -1, -2), matmul(x, turn)), matmul(v, turn)), None

    steps = len(pairs)
    at_steps = (
        pairs.reshape(steps, *ones, n, n),
        first.reshape(steps, *ones, n, 1),
        pairs.sum(-1).reshape(steps, *ones, n, 1),
    )
    (x, v), _ = scan(step, (x, zeros_like(x) + unit), at_steps)
    return v, total(x * unit, -2, True)


def followed(x: Any, v: Any) -> Any:
    """The vectors v of x as they are, with the derivative of a step towards the eigenvectors nearby.

    That is a step of Ogita and Aishima, 2018. Between vectors of values that are alike, it only keeps right angles.
    """
    n = int(shape(x)[-1])
    across = swapaxes(v, -1, -2)
    rest, found = np.eye(n) - matmul(across, v), matmul(across, matmul(x, v))
    values = total(found * np.eye(n), -2, True) / (1.0 - total(rest * np.eye(n), -2, True))
    gap = values - swapaxes(values, -1, -2)
    alike = size_of(gap) <= 1e-6 * amax(size_of(values), -1, True)
    turn = where(alike, rest / 2.0, (found + values * rest) / where(alike, 1.0, gap))
    return v + matmul(v, turn - stop_gradient(turn))


def _eigh(x: Any) -> Any:
    x = np.asarray(x)
    square("eigh", x)
    values, vectors = of_arrays("eigh", np.linalg.eigh, (x + np.swapaxes(x, -1, -2)) / 2)
    return values, vectors


@operation(_eigh)
def eigh(x: Any) -> Any:
    """The eigenvalues (…, n) of symmetric matrices x (…, n, n), from the least on, and their vectors (…, n, n) in
    columns, each up to its sign

    Of x that isn't symmetric, (x + xᵀ)/2 is taken. In a network n is at most 32: there, ten sweeps of turns, each of
    which makes n/2 elements 0 (Jacobi 1846). The derivative isn't that of the turns, but of the vectors that they
    find; between vectors whose values are equal there is none.

    >>> values, vectors = eigh([[2.0, 1.0], [1.0, 2.0]])
    >>> values.round(6).tolist(), (vectors**2).round(6).tolist()
    ([1.0, 3.0], [[0.5, 0.5], [0.5, 0.5]])
    """
    n = square("eigh", x)
    if n > LARGEST:
        raise refuse(f"eigh in a network takes matrices of up to {LARGEST} rows, got {n}")
    x = carried((x + swapaxes(x, -1, -2)) / 2.0, writer([x]))
    v, values = turned(x, n)
    beside = swapaxes(values, -1, -2)
    number = np.arange(n)
    before = (number[:, None] > number).astype(float)  # of equal ones the first comes first
    rank = total(where(equal(beside, values), before, cast(beside > values, "float32")), -1)
    v = matmul(v, one_hot(rank, n))
    v = stop_gradient(v + matmul(v, np.eye(n) - matmul(swapaxes(v, -1, -2), v)) / 2.0)  # what rounding has bent
    for _ in range(2):  # the second one for second derivatives
        v = followed(x, v)
    return total(v * matmul(x, v), -2) / total(v * v, -2), v


def _svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    found = of_arrays("svd", partial(np.linalg.svd, full_matrices=full_matrices, compute_uv=compute_uv), np.asarray(x))
    return tuple(found) if compute_uv else found


@operation(_svd)
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(u, s, vᵀ) with u·diag(s)·vᵀ = x, for matrices x (…, m, n): the singular values from the largest on, and vectors
    at right angles, each pair up to its sign

    In a network m + n is at most 32: they are the eigenvectors of the matrix with x above its diagonal and xᵀ below
    (Lanczos 1961), see `eigh`. There, singular values of 0 have no vectors of length 1.

    Args:
        x: the matrices.
        full_matrices: whether u is (…, m, m) and vᵀ (…, n, n), or both have the k-th axis, of the smaller of m and n.
        compute_uv: whether to return u and vᵀ, not s alone.

    >>> svd([[0.0, 2.0], [3.0, 0.0]], compute_uv=False).round(6).tolist()
    [3.0, 2.0]
    """
    m, n = matrices("svd", x)
    if m + n > LARGEST:
        raise refuse(f"svd in a network takes matrices whose rows and columns are at most {LARGEST}, got {m} and {n}")
    x = carried(x, writer([x]))
    across = swapaxes(x, -1, -2)
    above = concatenate([zeros_like(matmul(x, across)), x], -1)
    below = concatenate([across, zeros_like(matmul(across, x))], -1)
    values, vectors = eigh(concatenate([above, below], -2))
    count = min(m, n)
    s = values[..., : -count - 1 : -1]
    if not compute_uv:
        return s
    found = vectors[..., : -count - 1 : -1] * 2**0.5
    u, v = found[..., :m, :], found[..., m:, :]
    if full_matrices and m > n:  # of eigenvalues of 0
        u = concatenate([u, vectors[..., :m, n:m]], -1)
    if full_matrices and n > m:
        v = concatenate([v, vectors[..., m:, m:n]], -1)
    return u, s, swapaxes(v, -1, -2)


answer_for(__name__)
