"""Moving elements: slices and what they come from, concatenation, permuting axes, nearest upsampling."""

import numpy as np

from thalweg.engine.native.compiler.llvm import apart, compiled, floats
from thalweg.engine.native.compiler.processor import VW
from thalweg.engine.native.layouts.state import ROWS
from thalweg.engine.native.linalg.moves import turn

F32 = np.float32
FEW = 8  # elements of a run, for which starting its loop takes longer than copying them

load, store = apart(0, 2)[0], apart(1, 2)[1]


@compiled
def _copy(source, target, n):
    for i in range(n):
        store(target, i, load(source, i))


@compiled
def _spread(x, step, z, stride, n):
    """z[i·stride] = x[i·step]"""
    for i in range(n):
        store(z, i * stride, load(x, i * step))


@compiled
def _grid(x, down, across, z, below, beside, m, n):
    """z[i·below + j·beside] = x[i·down + j·across] for i < m, j < n"""
    if down == 1 and beside == 1 and m >= VW and n >= VW:
        turn(x, across, z, below, n, m)
    elif n < FEW and m > n:
        for j in range(n):
            _spread(x + 4 * j * across, down, z + 4 * j * beside, below, m)
    elif across == 1 and beside == 1:
        for i in range(m):
            _copy(x + 4 * i * down, z + 4 * i * below, n)
    else:
        for i in range(m):
            _spread(x + 4 * i * down, across, z + 4 * i * below, beside, n)


@compiled
def _walk(o, at, spread, line, inward, rows):
    """Copies elements that are some steps apart to a line without gaps, or back, if `inward`; o[at:] describes the
    loop: see `walk` in thalweg/program/instructions/shapes.py."""
    axes, sizes, steps = o[at], at + 1, at + 1 + o[at]
    m, n = o[sizes + axes - 2], o[sizes + axes - 1]
    down, across = o[steps + axes - 2], o[steps + axes - 1]
    runs = 1
    for axis in range(axes - 2):
        runs *= o[sizes + axis]
    if axes > 2:
        runs *= rows
    else:
        m *= rows
    for run in range(runs):
        rest, place = run, spread
        for axis in range(axes - 3, 0, -1):
            place += 4 * (rest % o[sizes + axis]) * o[steps + axis]
            rest //= o[sizes + axis]
        if axes > 2:
            place += 4 * rest * o[steps]
        if inward:
            _grid(line, n, 1, place, down, across, m, n)
        else:
            _grid(place, down, across, line, n, 1, m, n)
        line += 4 * m * n


def slice(o, c, s, f):
    """z = some elements of x"""
    _walk(o, 5, o[0] + 4 * o[4], o[1], 0, s[ROWS] if o[2] else 1)


def placement(o, c, s, f):
    """z = x in some of its places, and a fixed value elsewhere"""
    rows = s[ROWS] if o[2] else 1
    floats(o[1], rows * o[3])[:] = F32(c[0])
    _walk(o, 5, o[1] + 4 * o[4], o[0], 1, rows)


def concatenation(o, c, s, f):
    """z = the parts one after the other: those whose places aren't 0"""
    z, rows, count, runs = o[0], o[10] * (s[ROWS] if o[9] else 1), o[11], 12
    width = 0
    for part in range(count):
        width += o[runs + part]
    for part in range(count):
        n = o[runs + part]
        _grid(o[1 + part], n, 1, z, width, 1, rows, n)
        z += 4 * n


def permutation(o, c, s, f):
    """z = x with its axes in another order"""
    _walk(o, 3, o[0], o[1], 0, s[ROWS] if o[2] else 1)


def upsampling(o, c, s, f):
    """z = x with each element repeated"""
    x, z, H, W, C, down, across = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    row = W * across * C
    for i in range(s[ROWS] * H):
        to = z + 4 * i * down * row
        for j in range(W):
            for k in range(across):
                _copy(x + 4 * (i * W + j) * C, to + 4 * (j * across + k) * C, C)
        for k in range(1, down):
            _copy(to, to + 4 * k * row, row)


def upsampling_adjoint(o, c, s, f):
    """dx = Σ of dz over the copies of each element"""
    dz, dx, H, W, C, down, across = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    floats(dx, s[ROWS] * H * W * C)[:] = F32(0)
    for i in range(s[ROWS] * H * down):
        for j in range(W * across):
            d, y = floats(dz + 4 * (i * W * across + j) * C, C), floats(dx + 4 * (i // down * W + j // across) * C, C)
            for k in range(C):
                y[k] += d[k]
