"""Penalties on what a layer puts out."""

import numpy as np

from thalweg.engine.native.llvm import doubles, floats
from thalweg.engine.native.state import BATCH_ROWS, ROWS

F32 = np.float32
ONE = F32(1)


def activity_penalty(o, c, s, f):
    """sums += l1·Σ|a| + l2·Σ a²"""
    a = floats(o[0], s[ROWS] * o[2])
    absolute, squares = 0.0, 0.0
    for i in range(a.size):
        absolute += np.float64(abs(a[i]))
        squares += np.float64(a[i]) * np.float64(a[i])
    doubles(o[1], 1)[0] += c[0] * absolute + c[1] * squares


def activity_penalty_gradient(o, c, s, f):
    """da = (l1·sign(a) + 2·l2·a)/rows"""
    n = s[ROWS] * o[2]
    a, da = floats(o[0], n), floats(o[1], n)
    l1, l2 = F32(c[0] / s[BATCH_ROWS]), F32(2 * c[1] / s[BATCH_ROWS])
    for i in range(n):
        sign = ONE if a[i] > F32(0) else (-ONE if a[i] < F32(0) else F32(0))
        da[i] = l1 * sign + l2 * a[i]
