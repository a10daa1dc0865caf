"""Penalties on the angles between a matrix's vectors: by hand, as the lanes share the products."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.updates.gradients import share, stretch
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg.mathematics import sign

F32 = np.float32
ONE = F32(1)
LEAST_NORM = 1e-7


@inlined
def inverse_root(squares):
    """1/‖w‖, where ‖w‖ is at least LEAST_NORM"""
    return F32(1 / max(math.sqrt(np.float64(squares)), LEAST_NORM))


@inlined
def products_of_rows(W, U, P, inverses, totals, n, width, first, after, k):
    """uᵢ·uⱼ for this share's rows i and all rows j: their sums, and their slopes in P."""
    for i in range(n):
        w, u = floats(W + 4 * i * width, width), floats(U + 4 * i * width, width)
        squares = F32(0)
        for j in range(width):
            squares += w[j] * w[j]
        inverses[i] = inverse_root(squares)
        for j in range(width):
            u[j] = w[j] * inverses[i]
    gemm.product(U + 4 * first * width, width, 1, U, width, 1, P + 4 * first * n, n, 0, 0, 0, after - first, n, width)
    for i in range(first, after):
        p, total, scale = floats(P + 4 * i * n, n), F32(0), k * inverses[i]
        p[i] = F32(0)
        for j in range(n):
            total += abs(p[j])
        for j in range(n):
            p[j] = scale * sign(p[j])
        totals[i] = total


@inlined
def products_of_columns(W, U, P, inverses, totals, height, n, first, after, k):
    """The same for columns: uᵢ·uⱼ is in row j and column i of P."""
    inverses[:] = F32(0)
    for i in range(height):
        w = floats(W + 4 * i * n, n)
        for j in range(n):
            inverses[j] += w[j] * w[j]
    for j in range(n):
        inverses[j] = inverse_root(inverses[j])
    for i in range(height):
        w, u = floats(W + 4 * i * n, n), floats(U + 4 * i * n, n)
        for j in range(n):
            u[j] = w[j] * inverses[j]
    gemm.gemm(U, 1, n, U + 4 * first, n, P + 4 * first, n, 0, 0, n, after - first, height)
    for i in range(first, after):
        floats(P + 4 * i * (n + 1), 1)[0] = F32(0)
        totals[i] = F32(0)
    for j in range(n):
        p = floats(P + 4 * j * n, n)
        for i in range(first, after):
            totals[i] += abs(p[i])
        for i in range(first, after):
            p[i] = k * inverses[i] * sign(p[i])


@kernel
def orthogonal_penalty(W, sums, lengths, U, P, height, width, columns, factor: float, *, batch_rows, lane, lanes):
    """sums += rows·factor·mean |u·u'|; U: unit-length vectors; P: slopes; for this lane's share of the vectors"""
    n = width if columns else height
    first, after = share(n, lane, lanes)  # without a vector of its own, a lane makes all of U nevertheless
    inverses, totals = floats(lengths, n), floats(lengths + 4 * n, n)
    mean = factor / (np.float64(n) * np.float64(n - 1))
    k = F32(2 * mean)
    if columns:
        products_of_columns(W, U, P, inverses, totals, height, n, first, after, k)
    else:
        products_of_rows(W, U, P, inverses, totals, n, width, first, after, k)
    result = 0.0
    for i in range(first, after):
        inside = inverses[i] < F32(1 / LEAST_NORM)  # otherwise the vector is 0, and its length is not divided out
        floats(P + 4 * i * (n + 1), 1)[0] = -k * inverses[i] * totals[i] if inside else F32(0)
        result += np.float64(totals[i])
    doubles(sums, 1)[0] += batch_rows * mean * result


@kernel
def orthogonal_penalty_gradient(dW, U, P, height, width, columns, dW_offset, *, first, after):
    """dW += P·U, or U·P for columns: whole rows of dW together, and the partial rows at a stretch's ends"""
    first, after = stretch(height * width, dW_offset, first, after)
    left, right, n = U if columns else P, P if columns else U, width if columns else height
    while first < after:
        row, column = first // width, first % width
        many = 1 if column else max(1, (after - first) // width)
        span = min(width - column, after - first)
        gemm.gemm(left + 4 * row * n, n, 1, right + 4 * column, width, dW + 4 * first, width, 0, 1, many, span, n)
        first += many * span
