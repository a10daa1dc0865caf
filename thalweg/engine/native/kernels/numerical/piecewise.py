"""Codes of numbers by bins: by hand, in whole vectors, of columns with as many bins as they have.

The last vector of a column may reach into the next columns' places; these are written afterwards. Near the end of a
row, the codes are written one by one.
"""

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import apart, floats, load_f32, select, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined

ZERO, ONE = np.float32(0), np.float32(1)
load_low, load_end, store = apart(0, 3)[0], apart(1, 3)[0], apart(2, 3)[1]
TOGETHER = 8  # rows for which a column's edges are read together; their codes stay in the L1 cache


@inlined
def _linear(x, low, slope):
    z = (x - low) * slope
    z = select(z < ZERO, ZERO, z)
    return select(z > ONE, ONE, z)


@inlined
def _inside(x, low, end):
    return select(x >= low, select(x < end, ONE, ZERO), ZERO)


@inlined
def _vector(code, x, lows, ends, z):
    """A vector of codes of x"""
    for k in range(VW):
        store(z, k, code(x, load_low(lows, k), load_end(ends, k)))


@inlined
def _codes(code, x, places, lows, ends, z, columns, bins, rows):
    """All codes, some rows at a time"""
    at = floats(places, columns + 1)
    for row in range(0, rows, TOGETHER):
        end = min(row + TOGETHER, rows)
        for column in range(columns):
            after = int(at[column + 1])
            for j in range(int(at[column]), after, VW):
                low, high = lows + 4 * j, ends + 4 * j
                if j + VW > bins:
                    for r in range(row, end):
                        u = load_f32(x, r * columns + column)
                        for k in range(min(VW, after - j)):
                            store_f32(z, r * bins + j + k, code(u, load_f32(low, k), load_f32(high, k)))
                else:
                    for r in range(row, end):
                        _vector(code, load_f32(x, r * columns + column), low, high, z + 4 * (r * bins + j))


@kernel
def piecewise_linear(x, places, lows, ends, z, columns, bins, *, rows):
    """z = clip((x − low)·slope, 0, 1), with the slopes in the place of ends"""
    _codes(_linear, x, places, lows, ends, z, columns, bins, rows)


@kernel
def bin_indicators(x, places, lows, ends, z, columns, bins, *, rows):
    """z = [low ≤ x < end]"""
    _codes(_inside, x, places, lows, ends, z, columns, bins, rows)


@kernel
def piecewise_linear_adjoint(x, places, lows, slopes, dz, dx, columns, bins, *, rows):
    """dx = Σ dz·slope·[0 ≤ (x − low)·slope < 1]"""
    at = floats(places, columns + 1)
    for row in range(rows):
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
