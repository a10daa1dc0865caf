"""PReLU. A row is (A, B, C, D, E): along A, C and E its elements share an α, along B and D each has its own.

The innermost loop goes along E, or along D where E is 1: as with the channels of an image that has an α for each.
"""

import numpy as np

from thalweg.engine.native.activations import scalar
from thalweg.engine.native.llvm import floats, load_f32, select, unknown
from thalweg.engine.native.state import ACCUMULATE, ROWS

F32 = np.float32
ONE = F32(1)


@scalar
def slopes_of_own(h, alpha, z, y, n):
    """y = z·(h > 0 ? 1 : α), an α for each element; y may be z, and both may be h."""
    k, target = floats(alpha, n), floats(y, n)
    if h == y:
        one = unknown(ONE)
        for i in range(n):
            x = target[i] * one  # see activations.each
            target[i] = x * select(x > F32(0), ONE, k[i])
    elif z == y:
        x = floats(h, n)
        for i in range(n):
            target[i] *= select(x[i] > F32(0), ONE, k[i])
    else:
        x, source = floats(h, n), floats(z, n)
        for i in range(n):
            target[i] = source[i] * select(x[i] > F32(0), ONE, k[i])


@scalar
def slopes_of_shared(h, k, z, y, n):
    """The same with one α for all."""
    target = floats(y, n)
    if h == y:
        one = unknown(ONE)
        for i in range(n):
            x = target[i] * one
            target[i] = x * select(x > F32(0), ONE, k)
    elif z == y:
        x = floats(h, n)
        for i in range(n):
            target[i] *= select(x[i] > F32(0), ONE, k)
    else:
        x, source = floats(h, n), floats(z, n)
        for i in range(n):
            target[i] = source[i] * select(x[i] > F32(0), ONE, k)


@scalar
def slopes(h, alpha, z, y, rows, A, B, C, D, E):
    """y = z·(h > 0 ? 1 : α)"""
    for place in range(rows * A * B * C):
        own, at = alpha + 4 * (place // C % B) * D, 4 * place * D * E
        if E == 1:
            slopes_of_own(h + at, own, z + at, y + at, D)
        else:
            for j in range(D):
                there = at + 4 * j * E
                slopes_of_shared(h + there, load_f32(own, j), z + there, y + there, E)


def prelu(o, c, s, f):
    """a = h·(h > 0 ? 1 : α)"""
    slopes(o[0], o[1], o[0], o[2], s[ROWS], o[3], o[4], o[5], o[6], o[7])


def prelu_adjoint(o, c, s, f):
    """dh = da·(h > 0 ? 1 : α)"""
    slopes(o[0], o[1], o[2], o[3], s[ROWS], o[4], o[5], o[6], o[7], o[8])


def prelu_gradient(o, c, s, f):
    """dα = Σ da·min(h, 0)"""
    B, C, D, E = o[4], o[5], o[6], o[7]
    if not s[ACCUMULATE]:
        floats(o[2], B * D)[:] = F32(0)
    for place in range(s[ROWS] * o[3] * B * C):
        total, at = floats(o[2] + 4 * (place // C % B) * D, D), 4 * place * D * E
        if E == 1:
            h, da = floats(o[0] + at, D), floats(o[1] + at, D)
            for j in range(D):
                total[j] += da[j] * select(h[j] > F32(0), F32(0), h[j])
        else:
            for j in range(D):
                h, da = floats(o[0] + at + 4 * j * E, E), floats(o[1] + at + 4 * j * E, E)
                part = F32(0)
                for i in range(E):
                    part += da[i] * select(h[i] > F32(0), F32(0), h[i])
                total[j] += part
