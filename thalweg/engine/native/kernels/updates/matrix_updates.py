"""Optimizer steps on whole arrays of weights: by hand, as the lanes share them, dealt out in order of size."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg import gemm

F32 = np.float32


@inlined
def mine(turn, lane, lanes):
    """Whether the array of this turn is this lane's. Three lanes take turns 0, 1, 2, 2, 1, 0, 0, …: sums even out."""
    place = turn % (2 * lanes)
    return lane == (place if place < lanes else 2 * lanes - 1 - place)


@inlined
def squares(x):
    """Σ x²"""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@kernel
def lamb(
    w, dw, m, v, size, turn, factor: float, beta_1: float, beta_2: float, epsilon: float,
    *, lane, lanes, update, learning_rate,
):  # fmt: skip
    """m, v as in adam; u = m̂/(√v̂ + ε); w −= learning_rate·‖w‖/‖u‖·u"""
    if not mine(turn, lane, lanes):
        return
    w, dw, m, v = floats(w, size), floats(dw, size), floats(m, size), floats(v, size)
    t = float(update)
    new_1, new_2, epsilon = F32(1 - beta_1), F32(1 - beta_2), F32(epsilon)
    of_m, of_v = F32(1 / (1 - beta_1**t)), F32(1 / (1 - beta_2**t))
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
    rate = F32(learning_rate * factor * ratio)
    for i in range(w.size):
        w[i] -= rate * (of_m * m[i] / (math.sqrt(v[i] * of_v) + epsilon))


@kernel
def adafactor(
    w, dw, r, c, size, turn, matrices, rows, columns, factor: float, decay: float, epsilon_1: float, epsilon_2:
    float, limit: float,
    *, lane, lanes, update, learning_rate,
):  # fmt: skip
    """r, c = means of dw² + ε₁; u = dw/√(r·c/mean r); w −= max(ε₂, rms w)·min(lr, 1/√t)·u/max(1, rms(u)/limit)"""
    if not mine(turn, lane, lanes):
        return
    t = float(update)
    new, old, epsilon = F32(t**decay), F32(1 - t**decay), F32(epsilon_1)
    all_w = floats(w, size)
    rms = math.sqrt(squares(all_w) / size)
    rate = max(epsilon_2, rms) * min(learning_rate * factor, 1 / math.sqrt(t))
    if columns == 0:
        all_dw, v = floats(dw, size), floats(r, size)
        total = 0.0
        for i in range(size):
            g = all_dw[i]
            v1 = old * v[i] + new * (g * g + epsilon)
            v[i] = v1
            u = np.float64(g / math.sqrt(v1))
            total += u * u
        step = F32(rate / max(1.0, math.sqrt(total / size) / limit))
        for i in range(size):
            all_w[i] -= step * (all_dw[i] / math.sqrt(v[i]))
        return
    total = 0.0
    for k in range(matrices):
        total += means_of_squares(dw, r, c, k, rows, columns, new, old, epsilon)
    step = F32(rate / max(1.0, math.sqrt(total / size) / limit))
    for k in range(matrices):
        of_rows, of_columns = floats(r + 4 * k * rows, rows), floats(c + 4 * k * columns, columns)
        mean = mean_of(of_rows)
        for i in range(rows):
            at = 4 * (k * rows + i) * columns
            w_row, dw_row = floats(w + at, columns), floats(dw + at, columns)
            share = np.float64(of_rows[i]) / mean
            for j in range(columns):
                w_row[j] -= step * F32(dw_row[j] / math.sqrt(share * np.float64(of_columns[j])))


@inlined
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


@inlined
def mean_of(x):
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i])
    return total / x.size


@kernel
def muon(
    w, dw, m, scratch, size, turn, rows, columns, steps, nesterov, factor: float, momentum: float, a: float, b:
    float, c: float, scale_of_step: float,
    *, lane, lanes, learning_rate,
):  # fmt: skip
    """m = momentum·m + dw; w −= learning_rate·scale·orthogonal(dw + momentum·m, or m)"""
    if not mine(turn, lane, lanes):
        return
    short, long = min(rows, columns), max(rows, columns)
    x, other, turned = scratch, scratch + 4 * size, scratch + 8 * size
    gram = scratch + 12 * size
    square = gram + 4 * short * short
    keep = F32(momentum)
    w, dw, m, g = floats(w, size), floats(dw, size), floats(m, size), floats(other, size)
    for i in range(size):
        m[i] = keep * m[i] + dw[i]
    for i in range(size):
        g[i] = dw[i] + keep * m[i] if nesterov else m[i]
    scale = F32(1 / (math.sqrt(squares(g)) + 1e-7))
    for i in range(size):
        g[i] *= scale
    if rows > columns:
        gemm.transpose(other, rows, columns, x, 0, columns)
    else:
        floats(x, size)[:] = g
    a, b, c2 = F32(a), F32(b), F32(c)
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
    step, result = F32(learning_rate * factor * scale_of_step), floats(x, size)
    for i in range(size):
        w[i] -= step * result[i]
