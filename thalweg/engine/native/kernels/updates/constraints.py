"""Constraints on weights after the update, each lane on its own share of an array."""

import math

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, floats, stack
from thalweg.engine.native.kernels.updates.gradients import share
from thalweg.engine.native.layouts.state import LANE, LANES

F32 = np.float32
COLUMNS = 64  # whose sums of squares are computed at a time
squares_on_stack = stack(COLUMNS)


@numba.njit(inline="always", **FLAGS)
def factor(squares, c):
    """The factor by which a vector of this squared length is scaled."""
    norm = math.sqrt(squares)
    desired = c[2] * min(max(norm, c[0]), c[1]) + (1.0 - c[2]) * norm
    return F32(desired / (1e-7 + norm))


@numba.njit(inline="always", **FLAGS)
def scale_row(address, size, c):
    """Scales a vector whose elements are contiguous."""
    w = floats(address, size)
    squares = F32(0)
    for i in range(size):
        squares += w[i] * w[i]
    scale = factor(np.float64(squares), c)
    for i in range(size):
        w[i] *= scale


@numba.njit(inline="always", **FLAGS)
def scale_columns(address, size, stride, count, c):
    """Scales `count` vectors side by side, of `size` elements that are `stride` apart."""
    squares = floats(squares_on_stack(), COLUMNS)
    for j in range(count):
        squares[j] = F32(0)
    for i in range(size):
        w = floats(address + 4 * i * stride, count)
        for j in range(count):
            squares[j] += w[j] * w[j]
    for j in range(count):
        squares[j] = factor(np.float64(squares[j]), c)
    for i in range(size):
        w = floats(address + 4 * i * stride, count)
        for j in range(count):
            w[j] *= squares[j]


def norm_constraint(o, c, s, f):
    """w ·= (rate·clip(‖w‖, low, high) + (1 − rate)·‖w‖)/(‖w‖ + ε)"""
    outer, size, inner = o[1], o[2], o[3]
    first, after, left, right = 0, outer, 0, inner
    if outer > 1:
        first, after = outer * s[LANE] // s[LANES], outer * (s[LANE] + 1) // s[LANES]
    else:
        left, right = share(inner, s[LANE], s[LANES])
    for group in range(first, after):
        W = o[0] + 4 * group * size * inner
        if inner == 1:
            if right > left:
                scale_row(W, size, c)
        else:
            for begin in range(left, right, COLUMNS):
                scale_columns(W + 4 * begin, size, inner, min(COLUMNS, right - begin), c)
