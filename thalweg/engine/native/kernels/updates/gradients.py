"""Gradients before the update and weights around it: by hand, as the lanes share the flat vectors."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined

F32 = np.float32


@inlined
def share(n, lane, lanes):
    """(first, after) of this lane's part of n elements, divided at cache lines."""
    lines = (n + 15) // 16
    return min(n, lines * lane // lanes * 16), min(n, lines * (lane + 1) // lanes * 16)


@inlined
def stretch(size, offset, first, after):
    """(first, after): the elements of a stretch of the parameter vector that lie in the current slice."""
    begin = min(max(first - offset, 0), size)
    return begin, max(begin, min(after - offset, size))


@inlined
def part(address, first, after):
    return floats(address + 4 * first, after - first)


@kernel
def reduce(dw, size, dw_offset, vector, *, busy, first, after):
    """dw = Σ dw over the lanes that had a block"""
    first, after = stretch(size, dw_offset, first, after)
    g = part(dw, first, after)
    for lane in range(1, busy):
        other = part(dw + 4 * lane * vector, first, after)
        for i in range(g.size):
            g[i] += other[i]


@kernel
def squared_norm(dw, n, size, dw_offset, norms, *, accumulate, lane, first, after):
    """n = Σ dw² over this lane's share, into this lane's norms"""
    first, after = stretch(size, dw_offset, first, after)
    dw, n = part(dw, first, after), doubles(n + 8 * norms * lane, 1)
    total = 0.0
    for i in range(dw.size):
        g = np.float64(dw[i])
        total += g * g
    n[0] = n[0] + total if accumulate else total


@kernel
def clip_norm(dw, n, size, dw_offset, norms, count, limit: float, *, lanes, first, after):
    """dw ·= limit/max(√Σn, limit)"""
    total = 0.0
    for lane in range(lanes):
        parts = doubles(n + 8 * norms * lane, count)
        for i in range(parts.size):
            total += parts[i]
    norm = math.sqrt(total)
    if norm <= limit:
        return
    first, after = stretch(size, dw_offset, first, after)
    dw, scale = part(dw, first, after), F32(limit / norm)
    for i in range(dw.size):
        dw[i] *= scale
