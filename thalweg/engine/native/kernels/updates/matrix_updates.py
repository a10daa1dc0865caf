"""Optimizer steps on whole arrays of weights. Each array is one lane's; they are dealt out in order of size."""

import math

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, floats
from thalweg.engine.native.layouts.state import LANE, LANES, LEARNING_RATE, UPDATE
from thalweg.engine.native.linalg import gemm

F32 = np.float32


@numba.njit(inline="always", **FLAGS)
def mine(turn, s):
    """Whether the array of this turn is this lane's. Three lanes take turns 0, 1, 2, 2, 1, 0, 0, …: sums even out."""
    place = turn % (2 * s[LANES])
    return s[LANE] == (place if place < s[LANES] else 2 * s[LANES] - 1 - place)


@numba.njit(inline="always", **FLAGS)
def squares(x):
    """Σ x²"""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


def lamb(o, c, s, f):
    """m, v as in adam; u = m̂/(√v̂ + ε); w −= learning_rate·‖w‖/‖u‖·u"""
    if not mine(o[6], s):
        return
    w, dw, m, v = floats(o[0], o[4]), floats(o[1], o[4]), floats(o[2], o[4]), floats(o[3], o[4])
    t = float(s[UPDATE])
    new_1, new_2, epsilon = F32(1 - c[1]), F32(1 - c[2]), F32(c[3])
    of_m, of_v = F32(1 / (1 - c[1] ** t)), F32(1 / (1 - c[2] ** t))
    norm = 0.0
    for i in range(w.size):
        g = dw[i]
        m1 = m[i] + new_1 * (g - m[i])
        v1 = v[i] + new_2 * (g * g - v[i])
        m[i] = m1
        v[i] = v1
        u = np.float64(of_m * m1 / (math.sqrt(v1 * of_v) + epsilon))
        norm += u * u
    of_w = squares(w)
    ratio = math.sqrt(of_w / norm) if of_w > 0 and norm > 0 else 1.0
    rate = F32(f[LEARNING_RATE] * c[0] * ratio)
    for i in range(w.size):
        w[i] -= rate * (of_m * m[i] / (math.sqrt(v[i] * of_v) + epsilon))


def adafactor(o, c, s, f):
    """r, c = means of dw² + ε₁; u = dw/√(r·c/mean r); w −= max(ε₂, rms w)·min(lr, 1/√t)·u/max(1, rms(u)/limit)"""
    w_address, dw_address, r_address, c_address = o[0], o[1], o[2], o[3]
    size, turn, matrices, rows, columns = o[4], o[6], o[7], o[8], o[9]
    if not mine(turn, s):
        return
    t = float(s[UPDATE])
    new, old, epsilon = F32(t ** c[1]), F32(1 - t ** c[1]), F32(c[2])
    w = floats(w_address, size)
    rms = math.sqrt(squares(w) / size)
    rate = max(c[3], rms) * min(f[LEARNING_RATE] * c[0], 1 / math.sqrt(t))
    if columns == 0:
        dw, v = floats(dw_address, size), floats(r_address, size)
        total = 0.0
        for i in range(size):
            g = dw[i]
            v1 = old * v[i] + new * (g * g + epsilon)
            v[i] = v1
            u = np.float64(g / math.sqrt(v1))
            total += u * u
        step = F32(rate / max(1.0, math.sqrt(total / size) / c[4]))
        for i in range(size):
            w[i] -= step * (dw[i] / math.sqrt(v[i]))
        return
    total = 0.0
    for k in range(matrices):
        total += means_of_squares(dw_address, r_address, c_address, k, rows, columns, new, old, epsilon)
    step = F32(rate / max(1.0, math.sqrt(total / size) / c[4]))
    for k in range(matrices):
        of_rows, of_columns = floats(r_address + 4 * k * rows, rows), floats(c_address + 4 * k * columns, columns)
        mean = mean_of(of_rows)
        for i in range(rows):
            at = 4 * (k * rows + i) * columns
            w_row, dw_row = floats(w_address + at, columns), floats(dw_address + at, columns)
            share = np.float64(of_rows[i]) / mean
            for j in range(columns):
                w_row[j] -= step * F32(dw_row[j] / math.sqrt(share * np.float64(of_columns[j])))


@numba.njit(inline="always", **FLAGS)
def means_of_squares(dw_address, r_address, c_address, k, rows, columns, new, old, epsilon):
    """Updates r and c of the k-th matrix of a stack; returns Σ u² over it.

    r·c/mean r is in float64: LLVM may multiply first, and the product of two small squares underflows in float32.
    """
    of_rows, of_columns = floats(r_address + 4 * k * rows, rows), floats(c_address + 4 * k * columns, columns)
    per_row = new / F32(rows)
    for j in range(columns):
        of_columns[j] *= old
    for i in range(rows):
        dw = floats(dw_address + 4 * (k * rows + i) * columns, columns)
        total = F32(0)
        for j in range(columns):
            g = dw[j]
            square = g * g + epsilon
            total += square
            of_columns[j] += per_row * square
        of_rows[i] = old * of_rows[i] + new * (total / F32(columns))
    mean = mean_of(of_rows)
    result = 0.0
    for i in range(rows):
        dw = floats(dw_address + 4 * (k * rows + i) * columns, columns)
        share = np.float64(of_rows[i]) / mean
        for j in range(columns):
            g = np.float64(dw[j])
            result += g * g / (share * np.float64(of_columns[j]))
    return result


@numba.njit(inline="always", **FLAGS)
def mean_of(x):
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i])
    return total / x.size


def muon(o, c, s, f):
    """m = momentum·m + dw; w −= learning_rate·scale·orthogonal(dw + momentum·m, or m)"""
    size, turn, rows, columns, steps, nesterov = o[4], o[6], o[7], o[8], o[9], o[10]
    if not mine(turn, s):
        return
    short, long = min(rows, columns), max(rows, columns)
    x, other, turned = o[3], o[3] + 4 * size, o[3] + 8 * size
    gram = o[3] + 12 * size
    square = gram + 4 * short * short
    keep = F32(c[1])
    w, dw, m, g = floats(o[0], size), floats(o[1], size), floats(o[2], size), floats(other, size)
    for i in range(size):
        m[i] = keep * m[i] + dw[i]
    if nesterov:
        for i in range(size):
            g[i] = dw[i] + keep * m[i]
    else:
        for i in range(size):
            g[i] = m[i]
    scale = F32(1 / (math.sqrt(squares(g)) + 1e-7))
    for i in range(size):
        g[i] *= scale
    if rows > columns:
        gemm.transpose(other, rows, columns, x, 0, columns)
    else:
        start = floats(x, size)
        for i in range(size):
            start[i] = g[i]
    a, b, c2 = F32(c[2]), F32(c[3]), F32(c[4])
    for _ in range(steps):
        gemm.transpose(x, short, long, turned, 0, long)
        gemm.gemm(x, long, 1, turned, short, gram, short, 0, 0, short, short, long)
        gemm.gemm(gram, short, 1, gram, short, square, short, 0, 0, short, short, short)
        of_gram, of_square = floats(gram, short * short), floats(square, short * short)
        for i in range(short * short):
            of_square[i] = b * of_gram[i] + c2 * of_square[i]
        before, after = floats(x, size), floats(other, size)
        for i in range(size):
            after[i] = a * before[i]
        gemm.gemm(square, short, 1, x, long, other, long, 0, 1, short, long, short)
        x, other = other, x
    if rows > columns:
        gemm.transpose(x, short, long, other, 0, long)
        x = other
    step, result = F32(f[LEARNING_RATE] * c[0] * c[5]), floats(x, size)
    for i in range(size):
        w[i] -= step * result[i]
