"""Codes of numbers by bins. Each column's codes are written in whole vectors, whose last may reach into the next
columns' places; they are written afterwards. Near the end of a row, the codes are written one by one."""

import numpy as np

from thalweg.engine.native.compiler.llvm import apart, compiled, floats, load_f32, select, store_f32
from thalweg.engine.native.compiler.processor import VW
from thalweg.engine.native.kernels.generated.loops import scalar
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32
ZERO, ONE = F32(0), F32(1)

low, end, write = apart(0, 3)[0], apart(1, 3)[0], apart(2, 3)[1]


@scalar
def _linear(x, low, slope):
    """How far x is through a bin, from 0 to 1; NaN stays NaN."""
    z = (x - low) * slope
    z = select(z < ZERO, ZERO, z)
    return select(z > ONE, ONE, z)


@scalar
def _inside(x, low, end):
    """1 if x is in a bin, otherwise 0."""
    return select(x >= low, select(x < end, ONE, ZERO), ZERO)


@compiled
def _linear_codes(x, lows, ends, z, n, whole):
    """n codes of x, or if `whole` as many as a vector holds"""
    if whole:
        for j in range(VW):
            write(z, j, _linear(x, low(lows, j), end(ends, j)))
    else:
        for j in range(n):
            write(z, j, _linear(x, low(lows, j), end(ends, j)))


@compiled
def _indicators(x, lows, ends, z, n, whole):
    """The same for indicators"""
    if whole:
        for j in range(VW):
            write(z, j, _inside(x, low(lows, j), end(ends, j)))
    else:
        for j in range(n):
            write(z, j, _inside(x, low(lows, j), end(ends, j)))


def piecewise_linear(o, c, s, f):
    """z = clip((x − low)·slope, 0, 1)"""
    x, places, lows, slopes, z, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    at = floats(places, columns + 1)
    for row in range(s[ROWS]):
        for column in range(columns):
            first, after = int(at[column]), int(at[column + 1])
            for j in range(first, after, VW):
                u, to = load_f32(x, row * columns + column), z + 4 * (row * bins + j)
                _linear_codes(u, lows + 4 * j, slopes + 4 * j, to, min(VW, after - j), j + VW <= bins)


def bin_indicators(o, c, s, f):
    """z = [low ≤ x < end]"""
    x, places, lows, ends, z, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    at = floats(places, columns + 1)
    for row in range(s[ROWS]):
        for column in range(columns):
            first, after = int(at[column]), int(at[column + 1])
            for j in range(first, after, VW):
                u, to = load_f32(x, row * columns + column), z + 4 * (row * bins + j)
                _indicators(u, lows + 4 * j, ends + 4 * j, to, min(VW, after - j), j + VW <= bins)


def piecewise_linear_adjoint(o, c, s, f):
    """dx = Σ dz·slope·[0 ≤ (x − low)·slope < 1]"""
    x, places, lows, slopes, dz, dx, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]
    at = floats(places, columns + 1)
    for row in range(s[ROWS]):
        for column in range(columns):
            first, n = int(at[column]), int(at[column + 1]) - int(at[column])
            u, part = load_f32(x, row * columns + column), ZERO
            l, k, d = (
                floats(lows + 4 * first, n),
                floats(slopes + 4 * first, n),
                floats(dz + 4 * (row * bins + first), n),
            )
            for j in range(n):
                t = (u - l[j]) * k[j]
                part += select(t >= ZERO, select(t < ONE, d[j] * k[j], ZERO), ZERO)
            store_f32(dx, row * columns + column, part)
