"""Elementwise kernels: a scalar function for each value and slope, and the loops that vectorise over them.

A result may overwrite its operand. LLVM vectorises a loop over two arrays behind a check that they don't overlap, and
takes a scalar loop if they do; so the case of one array has a loop of its own. The loops are inlined into each kernel
because numba can't keep a function on disk that is handed another as an argument.
"""

import numba
import numpy as np

from thalweg.engine.native import mathematics as maths
from thalweg.engine.native.counter import key, uniform
from thalweg.engine.native.llvm import FLAGS, bits_float, float_bits, floats, select, unknown
from thalweg.engine.native.state import FIRST_ROW, ITERATION, ROWS, SEED

F32 = np.float32
I32 = np.int32
U32, U64 = np.uint32, np.uint64


@numba.njit(inline="always", **FLAGS)
def each(function, h, a, n, constant):
    """a = f(h; constant), element by element.

    On AVX2, LLVM makes of "store a choice between x and what lies there" a masked store of x, which takes some
    processors six times as long. The 1 of which it doesn't know that it is one hides what lies there.
    """
    y = floats(a, n)
    if h == a:
        one = unknown(F32(1))
        for i in range(n):
            y[i] = function(y[i] * one, constant)
    else:
        x = floats(h, n)
        for i in range(n):
            y[i] = function(x[i], constant)


@numba.njit(inline="always", **FLAGS)
def each_adjoint(slope, v, da, dh, n, constant):
    """dh = da·f'(v; constant), element by element."""
    x, y = floats(v, n), floats(dh, n)
    if da == dh:
        for i in range(n):
            y[i] *= slope(x[i], constant)
    else:
        d = floats(da, n)
        for i in range(n):
            y[i] = d[i] * slope(x[i], constant)


@numba.njit(inline="always", **FLAGS)
def sigmoid_value(h, constant):
    return maths.sigmoid(h)


@numba.njit(inline="always", **FLAGS)
def sigmoid_slope(a, constant):
    return a * (F32(1) - a)


@numba.njit(inline="always", **FLAGS)
def tanh_value(h, constant):
    return maths.tanh(h)


@numba.njit(inline="always", **FLAGS)
def tanh_slope(a, constant):
    return F32(1) - a * a


@numba.njit(inline="always", **FLAGS)
def relu_value(h, constant):
    return select(h < F32(0), F32(0), h)  # in this order NaN stays NaN


@numba.njit(inline="always", **FLAGS)
def relu_slope(a, constant):
    return select(a > F32(0), F32(1), F32(0))


@numba.njit(inline="always", **FLAGS)
def leaky_relu_value(h, constant):
    return select(h > F32(0), h, constant * h)


@numba.njit(inline="always", **FLAGS)
def leaky_relu_slope(h, constant):
    return select(h > F32(0), F32(1), constant)


def sigmoid(o, c, s, f):
    each(sigmoid_value, o[0], o[1], s[ROWS] * o[2], F32(0))


def sigmoid_adjoint(o, c, s, f):
    each_adjoint(sigmoid_slope, o[0], o[1], o[2], s[ROWS] * o[3], F32(0))


def tanh(o, c, s, f):
    each(tanh_value, o[0], o[1], s[ROWS] * o[2], F32(0))


def tanh_adjoint(o, c, s, f):
    each_adjoint(tanh_slope, o[0], o[1], o[2], s[ROWS] * o[3], F32(0))


def relu(o, c, s, f):
    each(relu_value, o[0], o[1], s[ROWS] * o[2], F32(0))


def relu_adjoint(o, c, s, f):
    each_adjoint(relu_slope, o[0], o[1], o[2], s[ROWS] * o[3], F32(0))


def leaky_relu(o, c, s, f):
    each(leaky_relu_value, o[0], o[1], s[ROWS] * o[2], F32(c[0]))


def leaky_relu_adjoint(o, c, s, f):
    each_adjoint(leaky_relu_slope, o[0], o[1], o[2], s[ROWS] * o[3], F32(c[0]))


@numba.njit(inline="always", **FLAGS)
def ordered(bits):
    """Bits of a float ↔ an int32 that is as much larger as the float is: maxima of integers are vectorised."""
    return I32(bits ^ (I32(bits >> I32(31)) & I32(0x7FFFFFFF)))


@numba.njit(inline="always", **FLAGS)
def row_maximum(x, n):
    """The largest of a row. A NaN may or may not win."""
    top = ordered(float_bits(x[0]))
    for j in range(n):
        top = max(top, ordered(float_bits(x[j])))
    return bits_float(ordered(top))


@numba.njit(**FLAGS)
def softmax_rows(h, a, rows, classes):
    """a = e^(h − max h)/Σ: maxima row by row, the exponentials in one long loop, sums row by row.

    A row is an array of its own: numba lets a negative index count from the end, and an index that starts at r·classes
    might be one, for all that LLVM knows.
    """
    for r in range(rows):
        x, y = floats(h + 4 * r * classes, classes), floats(a + 4 * r * classes, classes)
        top = row_maximum(x, classes)
        if h == a:
            for j in range(classes):
                y[j] -= top
        else:
            for j in range(classes):
                y[j] = x[j] - top
    all_rows = floats(a, rows * classes)
    for i in range(rows * classes):
        all_rows[i] = maths.exp(all_rows[i])
    for r in range(rows):
        y = floats(a + 4 * r * classes, classes)
        total = F32(0)
        for j in range(classes):
            total += y[j]  # NaN if any is
        scale = F32(1) / total
        for j in range(classes):
            y[j] *= scale


def softmax(o, c, s, f):
    softmax_rows(o[0], o[1], s[ROWS] * o[2], o[3])


def softmax_adjoint(o, c, s, f):
    """dh = a·(da − Σ da·a)"""
    classes = o[4]
    for r in range(s[ROWS] * o[3]):
        start = 4 * r * classes
        a, da, dh = floats(o[0] + start, classes), floats(o[1] + start, classes), floats(o[2] + start, classes)
        total = F32(0)
        for j in range(classes):
            total += da[j] * a[j]
        if o[1] == o[2]:
            for j in range(classes):
                dh[j] = a[j] * (dh[j] - total)
        else:
            for j in range(classes):
                dh[j] = a[j] * (da[j] - total)


def add(o, c, s, f):
    """z = x + y; x, y or both may be z."""
    n = o[3] * (s[ROWS] if o[4] else 1)
    z, y = floats(o[2], n), floats(o[1], n)
    if o[0] == o[2]:
        for i in range(n):
            z[i] += y[i]
    else:
        x = floats(o[0], n)
        for i in range(n):
            z[i] = x[i] + y[i]


def copy(o, c, s, f):
    """z = x"""
    n = s[ROWS] * o[2]
    if o[0] != o[1]:
        x, z = floats(o[0], n), floats(o[1], n)
        for i in range(n):
            z[i] = x[i]


def dropout(o, c, s, f):
    """a = h·keep/(1 − rate); the counter of an element is its place in the batch."""
    size, rate, scale = o[2], F32(c[0]), F32(1.0 / (1.0 - c[0]))
    n, first = s[ROWS] * size, U32(U64(s[FIRST_ROW] * size))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    a = floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            a[i] = select(uniform(low, high, first + U32(i)) >= rate, a[i] * scale, F32(0))
    else:
        h = floats(o[0], n)
        for i in range(n):
            a[i] = select(uniform(low, high, first + U32(i)) >= rate, h[i] * scale, F32(0))
