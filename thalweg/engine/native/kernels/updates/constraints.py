"""Constraints on weights after the update: by hand, as the lanes share an array."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.updates.gradients import share
from thalweg.engine.native.language.callables import inlined

F32 = np.float32
COLUMNS = 64  # whose sums of squares are computed at a time
squares_on_stack = stack(COLUMNS)


@inlined
def factor(squares, low, high, rate):
    """The factor by which a vector of this squared length is scaled."""
    norm = math.sqrt(squares)
    desired = rate * min(max(norm, low), high) + (1.0 - rate) * norm
    return F32(desired / (1e-7 + norm))


@inlined
def scale_row(address, size, low, high, rate):
    """Scales a vector whose elements are contiguous."""
    w = floats(address, size)
    squares = F32(0)
    for i in range(size):
        squares += w[i] * w[i]
    scale = factor(np.float64(squares), low, high, rate)
    for i in range(size):
        w[i] *= scale


@inlined
def scale_columns(address, size, stride, count, low, high, rate):
    """Scales `count` vectors side by side, of `size` elements that are `stride` apart."""
    squares = floats(squares_on_stack(), COLUMNS)
    squares[:count] = F32(0)
    for i in range(size):
        w = floats(address + 4 * i * stride, count)
        for j in range(count):
            squares[j] += w[j] * w[j]
    for j in range(count):
        squares[j] = factor(np.float64(squares[j]), low, high, rate)
    for i in range(size):
        w = floats(address + 4 * i * stride, count)
        for j in range(count):
            w[j] *= squares[j]


@kernel
def norm_constraint(W, outer, reduced, inner, low: float, high: float, rate: float, *, lane, lanes):
    """w ·= (rate·clip(‖w‖, low, high) + (1 − rate)·‖w‖)/(‖w‖ + ε)"""
    first, after, left, right = 0, outer, 0, inner
    if outer > 1:
        first, after = outer * lane // lanes, outer * (lane + 1) // lanes
    else:
        left, right = share(inner, lane, lanes)
    for group in range(first, after):
        at = W + 4 * group * reduced * inner
        if inner == 1:
            if right > left:
                scale_row(at, reduced, low, high, rate)
        else:
            for begin in range(left, right, COLUMNS):
                scale_columns(at + 4 * begin, reduced, inner, min(COLUMNS, right - begin), low, high, rate)
