"""Batch normalisation. A matrix of (rows·positions, channels) is walked in runs of whole rows, so that the loops are
long also for few channels; what belongs to a channel is repeated for every row of a run.
"""

import math

import numba
import numpy as np

from thalweg.engine.native.gemm import column_sums
from thalweg.engine.native.llvm import FLAGS, compiled, floats, load_f32, stack, store_f32
from thalweg.engine.native.state import BATCH_ROWS, BLOCK, LANE, LANES, ROWS

F32 = np.float32
RUN = 1024  # floats in a run; of more channels so many at a time
FLUSH = 64  # runs whose squares are summed before they are added to a total: long sums lose bits

_a, _b, _c, _d = stack(RUN), stack(RUN), stack(RUN), stack(RUN)


@compiled
def _repeat(source, n, copies, target):
    """target = source, so many times"""
    x, y = floats(source, n), floats(target, n * copies)
    for q in range(copies):
        for j in range(n):
            y[q * n + j] = x[j]


@compiled
def _inverse(variance, gamma, n, epsilon, target):
    """target = γ/√(σ² + ε)"""
    for j in range(n):
        factor = load_f32(gamma, j) if gamma else F32(1)
        store_f32(target, j, factor * F32(1 / math.sqrt(load_f32(variance, j) + epsilon)))


@numba.njit(inline="always", **FLAGS)
def _rows_of(lane, s):
    """The rows of the batch that are a lane's."""
    return s[ROWS] if s[LANES] == 1 else max(0, min(s[BLOCK], s[BATCH_ROWS] - lane * s[BLOCK]))


@compiled
def _normalize(x, a, rows, channels, mean, variance, gamma, beta, epsilon):
    """a = γ·(x − μ)/√(σ² + ε) + β"""
    centre, scale, shift = _a(), _b(), _c()
    copies = max(1, RUN // channels)
    for c in range(0, channels, RUN):
        w = min(RUN, channels - c)
        at = 4 * c
        _inverse(variance + at, gamma + at if gamma else 0, w, epsilon, scale)
        _repeat(scale, w, copies, scale)
        if mean:
            _repeat(mean + at, w, copies, centre)
        else:
            floats(centre, w * copies)[:] = F32(0)
        if beta:
            _repeat(beta + at, w, copies, shift)
        else:
            floats(shift, w * copies)[:] = F32(0)
        for r in range(0, rows, copies):
            n = w * min(copies, rows - r)
            u, v = floats(x + 4 * (r * channels + c), n), floats(a + 4 * (r * channels + c), n)
            m, k, b = floats(centre, n), floats(scale, n), floats(shift, n)
            for i in range(n):
                v[i] = (u[i] - m[i]) * k[i] + b[i]


def batch_moments(o, c, s, f):
    """parts = mean x, Σ (x − mean)² of this lane's rows"""
    x, channels = o[0], o[3]
    rows = s[ROWS] * o[2]
    mean = o[1] + 8 * s[LANE] * channels
    squares = mean + 4 * channels
    column_sums(x, rows, channels, mean, 0)
    for j in range(channels):
        store_f32(mean, j, load_f32(mean, j) / F32(rows))
    centre, sums = _a(), _b()
    copies = max(1, RUN // channels)
    floats(squares, channels)[:] = F32(0)
    for first in range(0, channels, RUN):
        w = min(RUN, channels - first)
        _repeat(mean + 4 * first, w, copies, centre)
        for begin in range(0, rows, copies * FLUSH):
            q = floats(sums, w * copies)
            q[:] = F32(0)
            for r in range(begin, min(rows, begin + copies * FLUSH), copies):
                n = w * min(copies, rows - r)
                u, m, t = floats(x + 4 * (r * channels + first), n), floats(centre, n), floats(sums, n)
                for i in range(n):
                    e = u[i] - m[i]
                    t[i] += e * e
            total = floats(squares + 4 * first, w)
            for k in range(copies):
                for j in range(w):
                    total[j] += q[k * w + j]


def batch_normalization(o, c, s, f):
    """Every lane puts the parts of all lanes together in the same order (Chan, Golub and LeVeque 1979)."""
    x, parts, gamma, beta, a, mean, variance, positions, channels = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    mu, sigma = floats(mean, channels), floats(variance, channels)
    mu[:], sigma[:] = F32(0), F32(0)
    seen = 0
    for lane in range(s[LANES]):
        more = _rows_of(lane, s)
        if more == 0:
            continue
        part = floats(parts + 8 * lane * channels, 2 * channels)
        share = F32(more / (seen + more))
        weight = F32(seen * positions) * share
        for j in range(channels):
            e = part[j] - mu[j]
            mu[j] += e * share
            sigma[j] += part[channels + j] + e * e * weight
        seen += more
    scale = F32(1) / F32(seen * positions)
    for j in range(channels):
        sigma[j] *= scale
    _normalize(x, a, s[ROWS] * positions, channels, mean, variance, gamma, beta, c[0])


def normalization(o, c, s, f):
    """a = γ·(x − μ)/√(σ² + ε) + β"""
    _normalize(o[0], o[5], s[ROWS] * o[6], o[7], o[1], o[2], o[3], o[4], c[0])


def batch_sums(o, c, s, f):
    """sums = Σ da, Σ da·x̂ of this lane's rows"""
    x, mean, variance, da, channels = o[0], o[1], o[2], o[3], o[6]
    rows = s[ROWS] * o[5]
    one = o[4] + 8 * s[LANE] * channels
    other = one + 4 * channels
    column_sums(da, rows, channels, one, 0)
    centre, scale, sums = _a(), _b(), _c()
    copies = max(1, RUN // channels)
    floats(other, channels)[:] = F32(0)
    for first in range(0, channels, RUN):
        w = min(RUN, channels - first)
        _repeat(mean + 4 * first, w, copies, centre)
        _inverse(variance + 4 * first, 0, w, c[0], scale)
        for begin in range(0, rows, copies * FLUSH):
            q = floats(sums, w * copies)
            q[:] = F32(0)
            for r in range(begin, min(rows, begin + copies * FLUSH), copies):
                n, at = w * min(copies, rows - r), 4 * (r * channels + first)
                u, v, m, t = floats(x + at, n), floats(da + at, n), floats(centre, n), floats(sums, n)
                for i in range(n):
                    t[i] += v[i] * (u[i] - m[i])
            total, k = floats(other + 4 * first, w), floats(scale, w)
            for p in range(copies):
                for j in range(w):
                    total[j] += q[p * w + j] * k[j]


def channel_gradient(o, c, s, f):
    """dβ or dγ of this lane"""
    n = o[2]
    source, target = floats(o[0] + 4 * (2 * s[LANE] + o[3]) * n, n), floats(o[1], n)
    for j in range(n):
        target[j] = source[j]


def batch_normalization_adjoint(o, c, s, f):
    """dx = γ/√(σ² + ε)·(da − mean da − x̂·mean(da·x̂))"""
    x, mean, variance, gamma, da, sums, dx, positions, channels = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    rows, seen = s[ROWS] * positions, 0
    for lane in range(s[LANES]):
        seen += _rows_of(lane, s)
    centre, scale, shift, slope = _a(), _b(), _c(), _d()
    copies = max(1, RUN // channels)
    for first in range(0, channels, RUN):
        w = min(RUN, channels - first)
        for j in range(w):
            one, other = F32(0), F32(0)
            for lane in range(s[LANES]):
                if _rows_of(lane, s):
                    one += load_f32(sums, (2 * lane) * channels + first + j)
                    other += load_f32(sums, (2 * lane + 1) * channels + first + j)
            store_f32(shift, j, one / F32(seen * positions))
            inverse = F32(1 / math.sqrt(load_f32(variance, first + j) + c[0]))
            store_f32(slope, j, other / F32(seen * positions) * inverse)
        _inverse(variance + 4 * first, gamma + 4 * first if gamma else 0, w, c[0], scale)
        _repeat(scale, w, copies, scale)
        _repeat(shift, w, copies, shift)
        _repeat(slope, w, copies, slope)
        _repeat(mean + 4 * first, w, copies, centre)
        for r in range(0, rows, copies):
            n, at = w * min(copies, rows - r), 4 * (r * channels + first)
            u, v, y = floats(x + at, n), floats(da + at, n), floats(dx + at, n)
            m, k, b, p = floats(centre, n), floats(scale, n), floats(shift, n), floats(slope, n)
            for i in range(n):
                y[i] = k[i] * (v[i] - b[i] - (u[i] - m[i]) * p[i])


def moving_average(o, c, s, f):
    """moving += (1 − momentum)·(value − moving), by the first lane"""
    if s[LANE] == 0:
        n, rate = o[2], F32(1 - c[0])
        value, moving = floats(o[0], n), floats(o[1], n)
        for j in range(n):
            moving[j] += rate * (value[j] - moving[j])
