"""Pooling, channel by channel: the loops over the channels are the vectors."""

import numpy as np

from thalweg.engine.native.llvm import compiled, floats, stack
from thalweg.engine.native.state import ROWS

F32 = np.float32
CHANNELS = 256  # that an adjoint takes at a time

_rest = stack(CHANNELS)


@compiled
def _reached(i, n, s, d, before, taps):
    """(first tap, tap after the last) of output i that lie on an image of n elements; tap t sees i·s + t·d − before."""
    return max(0, (before - i * s + d - 1) // d), min(taps, (n - 1 + before - i * s) // d + 1)


@compiled
def _copy(x, a, n):
    """a = x"""
    u, v = floats(x, n), floats(a, n)
    for k in range(n):
        v[k] = u[k]


@compiled
def _fill(a, n):
    """a = 0"""
    v = floats(a, n)
    for k in range(n):
        v[k] = F32(0)


@compiled
def _larger(x, a, n):
    """a = max(a, x); NaN stays NaN."""
    u, v = floats(x, n), floats(a, n)
    for k in range(n):
        v[k] = v[k] if v[k] >= u[k] or v[k] != v[k] else u[k]


@compiled
def _take(x, a, rest, dx, n):
    """Where x is the largest element a: dx += rest, of which nothing is left."""
    u, v, r, w = floats(x, n), floats(a, n), floats(rest, n), floats(dx, n)
    for k in range(n):
        here = u[k] == v[k]
        w[k] += r[k] if here else F32(0)
        r[k] = F32(0) if here else r[k]


@compiled
def _add(x, a, n, scale, first):
    """a (+)= x/scale"""
    u, v, factor = floats(x, n), floats(a, n), F32(1) / F32(scale)
    if first:
        for k in range(n):
            v[k] = factor * u[k]
    else:
        for k in range(n):
            v[k] += factor * u[k]


def max_pooling(o, c, s, f):
    """a = the largest element of each window"""
    x, a, H, W, C, OH, OW = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    kh, kw, sh, sw, dh, dw, top, left = o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]
    for image in range(s[ROWS]):
        for i in range(OH):
            t0, t1 = _reached(i, H, sh, dh, top, kh)
            for j in range(OW):
                u0, u1 = _reached(j, W, sw, dw, left, kw)
                to = a + 4 * ((image * OH + i) * OW + j) * C
                for t in range(t0, t1):
                    for u in range(u0, u1):
                        at = x + 4 * ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C
                        if t == t0 and u == u0:
                            _copy(at, to, C)
                        else:
                            _larger(at, to, C)


def max_pooling_adjoint(o, c, s, f):
    """dx = Σ of da over the windows whose first largest element it is"""
    x, a, da, dx, H, W, C, OH, OW = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    kh, kw, sh, sw, dh, dw, top, left = o[10], o[11], o[12], o[13], o[14], o[15], o[16], o[17]
    for image in range(s[ROWS]):
        _fill(dx + 4 * image * H * W * C, H * W * C)
        for i in range(OH):
            t0, t1 = _reached(i, H, sh, dh, top, kh)
            for j in range(OW):
                u0, u1 = _reached(j, W, sw, dw, left, kw)
                for k in range(0, C, CHANNELS):
                    n, place = min(CHANNELS, C - k), 4 * (((image * OH + i) * OW + j) * C + k)
                    rest = _rest()
                    _copy(da + place, rest, n)
                    for t in range(t0, t1):
                        for u in range(u0, u1):
                            at = ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C + k
                            _take(x + 4 * at, a + place, rest, dx + 4 * at, n)


def average_pooling(o, c, s, f):
    """a = the mean of each window"""
    x, a, H, W, C, OH, OW = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    kh, kw, sh, sw, dh, dw, top, left = o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]
    for image in range(s[ROWS]):
        for i in range(OH):
            t0, t1 = _reached(i, H, sh, dh, top, kh)
            for j in range(OW):
                u0, u1 = _reached(j, W, sw, dw, left, kw)
                to = a + 4 * ((image * OH + i) * OW + j) * C
                for t in range(t0, t1):
                    for u in range(u0, u1):
                        at = x + 4 * ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C
                        _add(at, to, C, (t1 - t0) * (u1 - u0), t == t0 and u == u0)


def average_pooling_adjoint(o, c, s, f):
    """dx = Σ of da/elements over the windows that cover the element"""
    da, dx, H, W, C, OH, OW = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    kh, kw, sh, sw, dh, dw, top, left = o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]
    for image in range(s[ROWS]):
        _fill(dx + 4 * image * H * W * C, H * W * C)
        for i in range(OH):
            t0, t1 = _reached(i, H, sh, dh, top, kh)
            for j in range(OW):
                u0, u1 = _reached(j, W, sw, dw, left, kw)
                of = da + 4 * ((image * OH + i) * OW + j) * C
                for t in range(t0, t1):
                    for u in range(u0, u1):
                        at = dx + 4 * ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C
                        _add(of, at, C, (t1 - t0) * (u1 - u0), False)
