"""Noise kernels; the counter of an element is its place in the batch."""

import numba
import numpy as np

from thalweg.engine.native import mathematics as maths
from thalweg.engine.native.counter import key, uniform
from thalweg.engine.native.llvm import FLAGS, floats, select
from thalweg.engine.native.state import FIRST_ROW, ITERATION, ROWS, SEED

F32 = np.float32
U32, U64 = np.uint32, np.uint64


@numba.njit(inline="always", **FLAGS)
def normal(low, high, counter):
    """A number of mean 0 and variance 1 from two of the counter's (Box and Muller)."""
    u = uniform(low, high, U32(counter + counter))
    v = uniform(low, high, U32(counter + counter + U32(1)))
    return np.sqrt(F32(-2) * maths.log(F32(1) - u)) * maths.cos(F32(6.2831853) * v)


def gaussian_noise(o, c, s, f):
    """a = h + amount·z"""
    amount, n, first = F32(c[0]), s[ROWS] * o[2], U32(U64(s[FIRST_ROW] * o[2]))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    h, a = floats(o[0], n), floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            a[i] += amount * normal(low, high, U32(first + U32(i)))
    else:
        for i in range(n):
            a[i] = h[i] + amount * normal(low, high, U32(first + U32(i)))


def gaussian_dropout(o, c, s, f):
    """a = h·(1 + amount·z)"""
    amount, n, first = F32(c[0]), s[ROWS] * o[2], U32(U64(s[FIRST_ROW] * o[2]))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    h, a = floats(o[0], n), floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            a[i] *= F32(1) + amount * normal(low, high, U32(first + U32(i)))
    else:
        for i in range(n):
            a[i] = h[i] * (F32(1) + amount * normal(low, high, U32(first + U32(i))))


def alpha_dropout(o, c, s, f):
    """a = scale·(keep ? h : −1.758) + shift"""
    rate, scale, shift = F32(c[0]), F32(c[1]), F32(c[2])
    n, first = s[ROWS] * o[2], U32(U64(s[FIRST_ROW] * o[2]))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    h, a = floats(o[0], n), floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            keep = uniform(low, high, U32(first + U32(i))) >= rate
            a[i] = scale * select(keep, a[i], F32(-1.7580993)) + shift
    else:
        for i in range(n):
            keep = uniform(low, high, U32(first + U32(i))) >= rate
            a[i] = scale * select(keep, h[i], F32(-1.7580993)) + shift


def alpha_dropout_adjoint(o, c, s, f):
    """dh = scale·keep·da"""
    rate, scale = F32(c[0]), F32(c[1])
    n, first = s[ROWS] * o[2], U32(U64(s[FIRST_ROW] * o[2]))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    h, a = floats(o[0], n), floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            keep = uniform(low, high, U32(first + U32(i))) >= rate
            a[i] = select(keep, scale * a[i], F32(0))
    else:
        for i in range(n):
            keep = uniform(low, high, U32(first + U32(i))) >= rate
            a[i] = select(keep, scale * h[i], F32(0))
