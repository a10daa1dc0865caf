"""Optimizer steps, each lane on its own share of the parameter vector."""

import math

import numba
import numpy as np

from thalweg.engine.native.llvm import FLAGS, floats
from thalweg.engine.native.state import ITERATION, LANE, LANES, LEARNING_RATE

F32 = np.float32


@numba.njit(inline="always", **FLAGS)
def share(n, lane, lanes):
    """(first, after) of this lane's part of n elements, cut at cache lines."""
    lines = (n + 15) // 16
    return min(n, lines * lane // lanes * 16), min(n, lines * (lane + 1) // lanes * 16)


@numba.njit(inline="always", **FLAGS)
def part(address, first, after):
    return floats(address + 4 * first, after - first)


def gradient_descent(o, c, s, f):
    """w −= learning_rate·dw"""
    first, after = share(o[2], s[LANE], s[LANES])
    w, dw = part(o[0], first, after), part(o[1], first, after)
    rate = F32(f[LEARNING_RATE])
    for i in range(w.size):
        w[i] -= rate * dw[i]


def momentum(o, c, s, f):
    """v = momentum·v − learning_rate·dw; w += v"""
    first, after = share(o[3], s[LANE], s[LANES])
    w, dw, v = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, keep = F32(f[LEARNING_RATE]), F32(c[0])
    for i in range(w.size):
        u = keep * v[i] - rate * dw[i]
        v[i] = u
        w[i] += u


def nesterov(o, c, s, f):
    """v = momentum·v − learning_rate·dw; w += momentum·v − learning_rate·dw"""
    first, after = share(o[3], s[LANE], s[LANES])
    w, dw, v = part(o[0], first, after), part(o[1], first, after), part(o[2], first, after)
    rate, keep = F32(f[LEARNING_RATE]), F32(c[0])
    for i in range(w.size):
        step = rate * dw[i]
        u = keep * v[i] - step
        v[i] = u
        w[i] += keep * u - step


def adam(o, c, s, f):
    """m += (1−β₁)·(dw − m); v += (1−β₂)·(dw² − v); w −= η·m/(√v + ε)"""
    first, after = share(o[4], s[LANE], s[LANES])
    w, dw = part(o[0], first, after), part(o[1], first, after)
    m, v = part(o[2], first, after), part(o[3], first, after)
    t = float(s[ITERATION])
    rate = F32(f[LEARNING_RATE] * math.sqrt(1 - c[1] ** t) / (1 - c[0] ** t))
    keep_1, keep_2, epsilon = F32(1 - c[0]), F32(1 - c[1]), F32(c[2])
    for i in range(w.size):
        g = dw[i]
        m1 = m[i] + keep_1 * (g - m[i])
        v1 = v[i] + keep_2 * (g * g - v[i])
        m[i] = m1
        v[i] = v1
        w[i] -= rate * m1 / (math.sqrt(v1) + epsilon)
