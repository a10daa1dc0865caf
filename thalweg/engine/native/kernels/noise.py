"""Random numbers; an element's counter is its place in the batch."""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, floats, select, stack
from thalweg.engine.native.layouts.state import FIRST_ROW, ITERATION, ROWS, SEED
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.hashing import key, uniform

F32 = np.float32
U32, U64 = np.uint32, np.uint64
RUN = 1024  # channels at a time

_keep = stack(RUN)


@numba.njit(inline="always", **FLAGS)
def normal(low, high, counter):
    """A normal number of mean 0 and variance 1 from two of the counter's (Box and Muller)."""
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


def spatial_dropout(o, c, s, f):
    """a = h·keep/(1 − rate); a channel's counter is its place among the channels of the batch."""
    places, channels, rate, scale = o[2], o[3], F32(c[0]), F32(1.0 / (1.0 - c[0]))
    k = key(s[SEED], s[ITERATION], o[4])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    keep = _keep()
    for row in range(s[ROWS]):
        for begin in range(0, channels, RUN):
            w = min(RUN, channels - begin)
            first = U32(U64((s[FIRST_ROW] + row) * channels + begin))
            factor = floats(keep, w)
            for i in range(w):
                factor[i] = select(uniform(low, high, U32(first + U32(i))) >= rate, scale, F32(0))
            for place in range(places):
                at = 4 * ((row * places + place) * channels + begin)
                h, a = floats(o[0] + at, w), floats(o[1] + at, w)
                for i in range(w):
                    a[i] = select(factor[i] > F32(0), h[i] * factor[i], F32(0))


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


def random_normal(o, c, s, f):
    """z = mean + stddev·n"""
    n, first, mean, stddev = s[ROWS] * o[1], U32(U64(s[FIRST_ROW] * o[1])), F32(c[0]), F32(c[1])
    k = key(s[SEED], s[ITERATION], o[2])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    z = floats(o[0], n)
    for i in range(n):
        z[i] = mean + stddev * normal(low, high, U32(first + U32(i)))


def random_uniform(o, c, s, f):
    """z = low + (high − low)·u"""
    n, first, least, width = s[ROWS] * o[1], U32(U64(s[FIRST_ROW] * o[1])), F32(c[0]), F32(c[1] - c[0])
    k = key(s[SEED], s[ITERATION], o[2])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    z = floats(o[0], n)
    for i in range(n):
        z[i] = least + width * uniform(low, high, U32(first + U32(i)))


def random_bernoulli(o, c, s, f):
    """z = value with a probability, otherwise 0"""
    n, first, probability, value = s[ROWS] * o[1], U32(U64(s[FIRST_ROW] * o[1])), F32(c[0]), F32(c[1])
    k = key(s[SEED], s[ITERATION], o[2])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    z = floats(o[0], n)
    for i in range(n):
        z[i] = select(uniform(low, high, U32(first + U32(i))) < probability, value, F32(0))
