"""Codes of numbers by bins. Each column's codes are written in whole vectors, whose last may reach into the next
columns' places; these are written afterwards. Near the end of a row, the codes are written one by one."""

import numpy as np
from llvmlite import ir

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I32, floats, load_f32, pointer, select, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, emitted, inlined
from thalweg.engine.native.language.types import float32, int64

ZERO, ONE = np.float32(0), np.float32(1)
TOGETHER = 8  # rows for which a column's edges are read together; their codes stay in the L1 cache
VECTOR = ir.VectorType(F32, VW)


def _linear_vector(builder, x, low, slope):
    """How far x is through each bin, from 0 to 1; NaN stays NaN."""
    zero, one = (ir.Constant(VECTOR, [number] * VW) for number in (0.0, 1.0))
    z = builder.fmul(builder.fsub(x, low), slope)
    z = builder.select(builder.fcmp_ordered("<", z, zero), zero, z)
    return builder.select(builder.fcmp_ordered(">", z, one), one, z)


def _inside_vector(builder, x, low, end):
    """1 for a bin that holds x, otherwise 0."""
    zero, one = (ir.Constant(VECTOR, [number] * VW) for number in (0.0, 1.0))
    inside = builder.and_(builder.fcmp_ordered(">=", x, low), builder.fcmp_ordered("<", x, end))
    return builder.select(inside, one, zero)


def _of_whole_vectors(codes):
    """The intrinsic that writes a vector of codes of x. LLVM doesn't make one of a loop as short as this."""

    @emitted(None, float32, int64, int64, int64)
    def write(builder, x, lows, ends, z):
        lane = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), x, ir.Constant(I32, 0))
        x = builder.shuffle_vector(lane, lane, ir.Constant(ir.VectorType(I32, VW), [0] * VW))
        low, end, z = (pointer(builder, place, VECTOR) for place in (lows, ends, z))
        builder.store(codes(builder, x, builder.load(low, align=4), builder.load(end, align=4)), z, align=4)

    return write


_write_linear, _write_inside = _of_whole_vectors(_linear_vector), _of_whole_vectors(_inside_vector)


@inlined
def _linear(x, low, slope):
    z = (x - low) * slope
    z = select(z < ZERO, ZERO, z)
    return select(z > ONE, ONE, z)


@inlined
def _inside(x, low, end):
    return select(x >= low, select(x < end, ONE, ZERO), ZERO)


@compiled
def _codes(x, places, lows, ends, z, columns, bins, rows, linear):
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
                            a, b = load_f32(low, k), load_f32(high, k)
                            store_f32(z, r * bins + j + k, _linear(u, a, b) if linear else _inside(u, a, b))
                elif linear:
                    for r in range(row, end):
                        _write_linear(load_f32(x, r * columns + column), low, high, z + 4 * (r * bins + j))
                else:
                    for r in range(row, end):
                        _write_inside(load_f32(x, r * columns + column), low, high, z + 4 * (r * bins + j))


@kernel
def piecewise_linear(x, places, lows, ends, z, columns, bins, *, rows):
    """z = clip((x − low)·slope, 0, 1), with the slopes in the place of ends"""
    _codes(x, places, lows, ends, z, columns, bins, rows, True)


@kernel
def bin_indicators(x, places, lows, ends, z, columns, bins, *, rows):
    """z = [low ≤ x < end]"""
    _codes(x, places, lows, ends, z, columns, bins, rows, False)


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
