"""Moving elements: padding and cropping images, nearest upsampling, concatenation, permuting axes."""

import numpy as np

from thalweg.engine.native.compiler.llvm import compiled, floats
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32


@compiled
def _copy(source, target, n):
    x, y = floats(source, n), floats(target, n)
    for i in range(n):
        y[i] = x[i]


def zero_padding(o, c, s, f):
    """z = x with zeros around it"""
    x, z, H, W, C, height, width, top, left = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    floats(z, s[ROWS] * height * width * C)[:] = F32(0)
    for image in range(s[ROWS]):
        for i in range(H):
            to = z + 4 * ((image * height + top + i) * width + left) * C
            _copy(x + 4 * (image * H + i) * W * C, to, W * C)


def cropping(o, c, s, f):
    """z = x without its border"""
    x, z, H, W, C, height, width, top, left = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    for image in range(s[ROWS]):
        for i in range(H):
            at = x + 4 * ((image * height + top + i) * width + left) * C
            _copy(at, z + 4 * (image * H + i) * W * C, W * C)


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


def concatenation(o, c, s, f):
    """z = x followed by y"""
    x, y, z, n, m = o[0], o[1], o[2], o[3], o[4]
    for r in range(s[ROWS] * o[5]):
        _copy(x + 4 * r * n, z + 4 * r * (n + m), n)
        _copy(y + 4 * r * m, z + 4 * (r * (n + m) + n), m)


def part(o, c, s, f):
    """x = a slice of z"""
    z, x, width, n, first = o[0], o[1], o[2], o[3], o[4]
    for r in range(s[ROWS] * o[5]):
        _copy(z + 4 * (r * width + first), x + 4 * r * n, n)


def permutation(o, c, s, f):
    """z = x with its axes in another order: runs along the last axis of z, one for each index of the others"""
    x, z, axes = o[0], o[1], o[2]
    n, step = o[2 + axes], o[2 + 2 * axes]
    runs = 1
    for k in range(axes - 1):
        runs *= o[3 + k]
    for row in range(s[ROWS]):
        for run in range(runs):
            rest, at = run, row * runs * n
            for k in range(axes - 2, -1, -1):
                at += rest % o[3 + k] * o[3 + axes + k]
                rest //= o[3 + k]
            to = z + 4 * (row * runs + run) * n
            if step == 1:
                _copy(x + 4 * at, to, n)
            else:
                u, v = floats(x + 4 * at, (n - 1) * step + 1), floats(to, n)
                for i in range(n):
                    v[i] = u[i * step]
