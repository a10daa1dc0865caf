"""Gradients before the update and weights around it: each lane on its own stretch of the flat vectors."""

import math

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, doubles, floats
from thalweg.engine.native.layouts.state import ACCUMULATE, AFTER, BUSY, FIRST, LANE, LANES

F32 = np.float32


@numba.njit(inline="always", **FLAGS)
def share(n, lane, lanes):
    """(first, after) of this lane's part of n elements, divided at cache lines."""
    lines = (n + 15) // 16
    return min(n, lines * lane // lanes * 16), min(n, lines * (lane + 1) // lanes * 16)


@numba.njit(inline="always", **FLAGS)
def stretch(size, offset, s):
    """(first, after): the elements of a stretch of the parameter vector that lie in the current slice."""
    first = min(max(s[FIRST] - offset, 0), size)
    return first, max(first, min(s[AFTER] - offset, size))


@numba.njit(inline="always", **FLAGS)
def part(address, first, after):
    return floats(address + 4 * first, after - first)


def reduce(o, c, s, f):
    """dw = Σ dw over the lanes that had a block"""
    first, after = stretch(o[1], o[2], s)
    dw = part(o[0], first, after)
    for lane in range(1, s[BUSY]):
        other = part(o[0] + 4 * lane * o[3], first, after)
        for i in range(dw.size):
            dw[i] += other[i]


def squared_norm(o, c, s, f):
    """n = Σ dw² over this lane's share, into this lane's norms"""
    first, after = stretch(o[2], o[3], s)
    dw, n = part(o[0], first, after), doubles(o[1] + 8 * o[4] * s[LANE], 1)
    total = 0.0
    for i in range(dw.size):
        g = np.float64(dw[i])
        total += g * g
    n[0] = n[0] + total if s[ACCUMULATE] else total


def clip_norm(o, c, s, f):
    """dw ·= limit/max(√Σn, limit)"""
    total = 0.0
    for lane in range(s[LANES]):
        n = doubles(o[1] + 8 * o[4] * lane, o[5])
        for i in range(n.size):
            total += n[i]
    norm = math.sqrt(total)
    if norm <= c[0]:
        return
    first, after = stretch(o[2], o[3], s)
    dw, scale = part(o[0], first, after), F32(c[0] / norm)
    for i in range(dw.size):
        dw[i] *= scale
