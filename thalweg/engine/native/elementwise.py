"""Elementwise kernels: a scalar function for each value and slope, and the loops that vectorise over them.

A result may overwrite its operand. LLVM vectorises a loop over two arrays behind a check that they don't overlap, and
takes a scalar loop if they do; so the case of one array has a loop of its own. The loops are inlined into each kernel
because numba can't keep a function on disk that is handed another as an argument.
"""

import numba
import numpy as np

from thalweg.engine.native import mathematics as maths
from thalweg.engine.native.counter import key, uniform
from thalweg.engine.native.llvm import FLAGS, floats
from thalweg.engine.native.state import FIRST_ROW, ITERATION, ROWS, SEED

F32 = np.float32
U32, U64 = np.uint32, np.uint64


@numba.njit(inline="always", **FLAGS)
def each(function, h, a, n, constant):
    """a = f(h; constant), element by element."""
    y = floats(a, n)
    if h == a:
        for i in range(n):
            y[i] = function(y[i], constant)
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
    return F32(0) if h <= F32(0) else h  # in this order NaN stays NaN


@numba.njit(inline="always", **FLAGS)
def relu_slope(a, constant):
    return F32(1) if a > F32(0) else F32(0)


@numba.njit(inline="always", **FLAGS)
def leaky_relu_value(h, constant):
    return h if h > F32(0) else constant * h


@numba.njit(inline="always", **FLAGS)
def leaky_relu_slope(h, constant):
    return F32(1) if h > F32(0) else constant


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


@numba.njit(**FLAGS)
def softmax_rows(h, a, rows, classes):
    """a = e^(h − max h)/Σ: maxima row by row, the exponentials in one long loop, sums row by row."""
    x, y = floats(h, rows * classes), floats(a, rows * classes)
    for r in range(rows):
        top = x[r * classes]
        for j in range(r * classes + 1, (r + 1) * classes):
            top = x[j] if not x[j] <= top else top
        for j in range(r * classes, (r + 1) * classes):
            y[j] = x[j] - top
    for i in range(rows * classes):
        y[i] = maths.exp(y[i])
    for r in range(rows):
        total = F32(0)
        for j in range(r * classes, (r + 1) * classes):
            total += y[j]
        scale = F32(1) / total
        for j in range(r * classes, (r + 1) * classes):
            y[j] *= scale


def softmax(o, c, s, f):
    softmax_rows(o[0], o[1], s[ROWS] * o[2], o[3])


def softmax_adjoint(o, c, s, f):
    """dh = a·(da − Σ da·a)"""
    rows, classes = s[ROWS] * o[3], o[4]
    a, da, dh = floats(o[0], rows * classes), floats(o[1], rows * classes), floats(o[2], rows * classes)
    for r in range(rows):
        total = F32(0)
        for j in range(r * classes, (r + 1) * classes):
            total += da[j] * a[j]
        for j in range(r * classes, (r + 1) * classes):
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
            a[i] = a[i] * scale if uniform(low, high, first + U32(i)) >= rate else F32(0)
    else:
        h = floats(o[0], n)
        for i in range(n):
            a[i] = h[i] * scale if uniform(low, high, first + U32(i)) >= rate else F32(0)
