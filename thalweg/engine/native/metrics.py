"""Running float64 sums for metrics. Operands: p, y, sums; sizes: elements of a row, classes."""

import numba
import numpy as np

from thalweg.engine.native.llvm import FLAGS, doubles, floats
from thalweg.engine.native.state import ROWS

F32 = np.float32


def squared_errors(o, c, s, f):
    """sums += Σ (ŷ − y)²"""
    n = s[ROWS] * o[3]
    p, y = floats(o[0], n), floats(o[1], n)
    result = 0.0
    for i in range(n):
        e = p[i] - y[i]
        result += np.float64(e * e)
    doubles(o[2], 1)[0] += result


def absolute_errors(o, c, s, f):
    """sums += Σ |ŷ − y|"""
    n = s[ROWS] * o[3]
    p, y = floats(o[0], n), floats(o[1], n)
    result = 0.0
    for i in range(n):
        result += np.float64(abs(p[i] - y[i]))
    doubles(o[2], 1)[0] += result


def equal_matches(o, c, s, f):
    """sums += Σ [ŷ = y]"""
    n = s[ROWS] * o[3]
    p, y = floats(o[0], n), floats(o[1], n)
    result = 0
    for i in range(n):
        result += p[i] == y[i]
    doubles(o[2], 1)[0] += result


def binary_matches(o, c, s, f):
    """sums += Σ [(ŷ > threshold) = y]"""
    n = s[ROWS] * o[3]
    p, y, threshold = floats(o[0], n), floats(o[1], n), F32(c[0])
    result = 0
    for i in range(n):
        result += (F32(1) if p[i] > threshold else F32(0)) == y[i]
    doubles(o[2], 1)[0] += result


@numba.njit(**FLAGS)
def argmax(v, first, classes):
    """The place of the first of the largest."""
    best = 0
    for j in range(1, classes):
        if v[first + j] > v[first + best]:
            best = j
    return best


def categorical_matches(o, c, s, f):
    """sums += Σ [argmax ŷ = argmax y]"""
    n, classes = s[ROWS] * o[3], o[4]
    p, y = floats(o[0], n), floats(o[1], n)
    result = 0
    for first in range(0, n, classes):
        result += argmax(p, first, classes) == argmax(y, first, classes)
    doubles(o[2], 1)[0] += result


def sparse_matches(o, c, s, f):
    """sums += Σ [argmax ŷ = y]"""
    n, classes = s[ROWS] * o[3], o[4]
    p, y = floats(o[0], n), floats(o[1], n // classes)
    result = 0
    for r in range(n // classes):
        result += F32(argmax(p, r * classes, classes)) == y[r]
    doubles(o[2], 1)[0] += result


def squares_and_targets(o, c, s, f):
    """sums += Σ (ŷ − y)², Σ y, Σ y², for each output"""
    rows, size = s[ROWS], o[3]
    p, y, sums = floats(o[0], rows * size), floats(o[1], rows * size), doubles(o[2], 3 * size)
    for r in range(rows):
        for j in range(size):
            t = np.float64(y[r * size + j])
            e = np.float64(p[r * size + j]) - t
            sums[j] += e * e
            sums[size + j] += t
            sums[2 * size + j] += t * t
