"""Codes of numbers by bins. Each column's codes are written in whole vectors, whose last may reach into the next
columns' places; these are written afterwards. Near the end of a row, the codes are written one by one."""

import numpy as np

from thalweg.engine.native.compiler.llvm import apart, floats, load_f32, select, store_f32
from thalweg.engine.native.compiler.processor import VW
from thalweg.engine.native.kernels.generated.loops import scalar
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32
ZERO, ONE = F32(0), F32(1)

TOGETHER = 8  # rows for which a column's edges are loaded once; their codes stay in the L1 cache

first, second, write = apart(0, 3)[0], apart(1, 3)[0], apart(2, 3)[1]


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


def piecewise_linear(o, c, s, f):
    """z = clip((x − low)·slope, 0, 1)"""
    x, places, lows, slopes, z, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    at = floats(places, columns + 1)
    for row in range(0, s[ROWS], TOGETHER):
        end = min(row + TOGETHER, s[ROWS])
        for column in range(columns):
            after = int(at[column + 1])
            for j in range(int(at[column]), after, VW):
                to, low, slope = z + 4 * j, lows + 4 * j, slopes + 4 * j
                if j + VW <= bins:
                    for r in range(row, end):
                        u = load_f32(x, r * columns + column)
                        for k in range(VW):
                            write(to, r * bins + k, _linear(u, first(low, k), second(slope, k)))
                else:
                    for r in range(row, end):
                        u = load_f32(x, r * columns + column)
                        for k in range(min(VW, after - j)):
                            write(to, r * bins + k, _linear(u, first(low, k), second(slope, k)))


def bin_indicators(o, c, s, f):
    """z = [low ≤ x < end]"""
    x, places, lows, ends, z, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    at = floats(places, columns + 1)
    for row in range(0, s[ROWS], TOGETHER):
        end = min(row + TOGETHER, s[ROWS])
        for column in range(columns):
            after = int(at[column + 1])
            for j in range(int(at[column]), after, VW):
                to, low, high = z + 4 * j, lows + 4 * j, ends + 4 * j
                if j + VW <= bins:
                    for r in range(row, end):
                        u = load_f32(x, r * columns + column)
                        for k in range(VW):
                            write(to, r * bins + k, _inside(u, first(low, k), second(high, k)))
                else:
                    for r in range(row, end):
                        u = load_f32(x, r * columns + column)
                        for k in range(min(VW, after - j)):
                            write(to, r * bins + k, _inside(u, first(low, k), second(high, k)))


def piecewise_linear_adjoint(o, c, s, f):
    """dx = Σ dz·slope·[0 ≤ (x − low)·slope < 1]"""
    x, places, lows, slopes, dz, dx, columns, bins = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]
    at = floats(places, columns + 1)
    for row in range(s[ROWS]):
        for column in range(columns):
            begin, n = int(at[column]), int(at[column + 1]) - int(at[column])
            u, part = load_f32(x, row * columns + column), ZERO
            l, k, d = (
                floats(lows + 4 * begin, n),
                floats(slopes + 4 * begin, n),
                floats(dz + 4 * (row * bins + begin), n),
            )
            for j in range(n):
                t = (u - l[j]) * k[j]
                part += select(t >= ZERO, select(t < ONE, d[j] * k[j], ZERO), ZERO)
            store_f32(dx, row * columns + column, part)
