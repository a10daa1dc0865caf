"""Pooling, channel by channel: the loops over the channels are the vectors."""

import numpy as np

from thalweg.engine.native.llvm import compiled, floats
from thalweg.engine.native.state import ROWS
from thalweg.engine.native.windows import give, largest

F32 = np.float32


@compiled
def _reached(i, n, s, d, before, taps):
    """(first tap, tap after the last) of output i that lie on an image of n elements; tap t sees i·s + t·d − before."""
    return max(0, (before - i * s + d - 1) // d), min(taps, (n - 1 + before - i * s) // d + 1)


@compiled
def _fill(a, n):
    """a = 0"""
    v = floats(a, n)
    for k in range(n):
        v[k] = F32(0)


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
                at = x + 4 * ((image * H + i * sh + t0 * dh - top) * W + j * sw + u0 * dw - left) * C
                to = a + 4 * ((image * OH + i) * OW + j) * C
                largest(at, dh * W * C, dw * C, t1 - t0, u1 - u0, to, C)


def max_pooling_adjoint(o, c, s, f):
    """dx = Σ of da over the windows whose first largest element it is"""
    x, a, da, dx, H, W, C, OH, OW = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    kh, kw, sh, sw, dh, dw, top, left = o[10], o[11], o[12], o[13], o[14], o[15], o[16], o[17]
    overlap = kh > sh or kw > sw
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == W  # every element is in one window
    for image in range(s[ROWS]):
        if not tiled:
            _fill(dx + 4 * image * H * W * C, H * W * C)
        for i in range(OH):
            t0, t1 = _reached(i, H, sh, dh, top, kh)
            for j in range(OW):
                u0, u1 = _reached(j, W, sw, dw, left, kw)
                at = 4 * ((image * H + i * sh + t0 * dh - top) * W + j * sw + u0 * dw - left) * C
                of = 4 * ((image * OH + i) * OW + j) * C
                give(x + at, dh * W * C, dw * C, t1 - t0, u1 - u0, a + of, da + of, dx + at, overlap, C)


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
