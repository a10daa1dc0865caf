"""Batch normalisation: by hand, as the lanes share the sums over all rows.

The values for each channel are computed here; the loops over all rows are in channels.py. Sums over many rows lose
bits, so they are taken over some rows at a time and added up in float64.
"""

import math

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import doubles, floats, load_f32, select, stack, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.channels import GROUP, moments, products, scale, unscale

F32 = np.float32
LEAST_SHARE = F32(1e-30)  # of steps that count, where none does
RUN = 1024  # channels at a time, or channels times the rows that are taken as one
PART = 8192  # floats that are summed before their sums are added to the totals

_a, _b, _c, _d, _e = stack(RUN), stack(RUN), stack(RUN), stack(RUN), stack(4 * RUN)


@compiled
def _copies(channels):
    """How many rows are taken as one, to fill whole groups of vectors, or as much of one as RUN allows."""
    unit = GROUP * VW
    while unit > 1:
        copies = unit // min(unit, channels & -channels)
        if copies * channels <= RUN:
            return copies
        unit //= 2
    return 1


@compiled
def _rows_at_once(width, copies):
    """Rows that amount to about PART floats, a multiple of the copies."""
    return max(1, PART // (width * copies)) * copies


@compiled
def _repeat(source, n, copies, target):
    """target = source, repeated `copies` times, or zeros if it is absent"""
    x, y = floats(source, n), floats(target, n * copies)
    if source == 0:
        y[:] = 0
        return
    for q in range(copies):
        for j in range(n):
            y[q * n + j] = x[j]


@compiled
def _inverse(variance, gamma, n, epsilon, target):
    """target = γ/√(σ² + ε)"""
    for j in range(n):
        factor = load_f32(gamma, j) if gamma else F32(1)
        store_f32(target, j, factor * F32(1 / math.sqrt(load_f32(variance, j) + epsilon)))


@compiled
def _take(sums, n, copies, totals):
    """totals (float64) += the sums of all copies, which are then reset to 0"""
    x, y = floats(sums, n * copies), doubles(totals, n)
    for q in range(copies):
        for j in range(n):
            y[j] += x[q * n + j]
    x[:] = F32(0)


@inlined
def _rows_of(lane, rows, lanes, block, batch_rows):
    """How many rows of the batch a lane has."""
    return rows if lanes == 1 else max(0, min(block, batch_rows - lane * block))


@compiled
def _normalize(x, a, rows, channels, mean, variance, gamma, beta, epsilon, shortcut, relu):
    """a = γ·(x − μ)/√(σ² + ε) + β, plus the shortcut, then max(a, 0) if `relu`; absent operands are skipped"""
    centre, factor, shift = _a(), _b(), _c()
    copies = _copies(channels)
    for first in range(0, channels, RUN):
        n, at = min(RUN, channels - first), 4 * first
        _inverse(variance + at, gamma + at if gamma else 0, n, epsilon, factor)
        _repeat(factor, n, copies, factor)
        _repeat(mean + at if mean else 0, n, copies, centre)
        _repeat(beta + at if beta else 0, n, copies, shift)
        key, step = relu + (2 if shortcut else 0), _rows_at_once(n, copies)
        for r in range(0, rows, step):
            at = 4 * (r * channels + first)
            scale(key, x + at, shortcut + at, a + at, centre, factor, shift, min(step, rows - r), n, channels, copies)


@compiled
def _moments(x, rows, n, channels, copies, mean, squares):
    """The mean of n channels and the sum of squared differences from it, by differences from the mean of the first
    rows: these are about as small, and need only one pass over x."""
    centre, one, other, totals = _a(), _b(), _c(), _e()
    step = _rows_at_once(n, copies)
    for zeros in (centre, one, other):
        _repeat(0, n, copies, zeros)
    sums, sums_of_squares = doubles(totals, n), doubles(totals + 8 * n, n)
    sums[:] = 0.0
    seen = min(step, rows)
    moments(x, centre, one, other, seen, n, channels, copies)
    _take(one, n, copies, totals)
    for j in range(n):
        store_f32(centre, j, F32(sums[j] / seen))
    _repeat(centre, n, copies, centre)
    _repeat(0, n, copies, other)
    sums[:], sums_of_squares[:] = 0.0, 0.0
    for r in range(0, rows, step):
        moments(x + 4 * r * channels, centre, one, other, min(step, rows - r), n, channels, copies)
        _take(one, n, copies, totals)
        _take(other, n, copies, totals + 8 * n)
    for j in range(n):
        off = sums[j] / rows
        left = F32(sums_of_squares[j] - sums[j] * off)
        store_f32(mean, j, F32(load_f32(centre, j) + off))
        store_f32(squares, j, select(left < F32(0), F32(0), left))


@kernel
def batch_moments(x, parts, positions, channels, *, rows, lane):
    """parts = mean x, Σ (x − mean)² of this lane's rows"""
    mean = parts + 8 * lane * channels
    for first in range(0, channels, RUN):
        n, at = min(RUN, channels - first), 4 * first
        squares = mean + 4 * channels + at
        _moments(x + at, rows * positions, n, channels, _copies(channels), mean + at, squares)


@kernel
def mask_weights(x, w, parts, size, *, rows, batch_rows, lanes, block):
    """w = x/mean x; every lane combines the parts of all lanes in the same order."""
    mean, seen = F32(0), 0
    for lane in range(lanes):
        more = _rows_of(lane, rows, lanes, block, batch_rows)
        if more == 0:
            continue
        seen += more
        mean += (load_f32(parts + 8 * lane, 0) - mean) * F32(more / seen)
    n = rows * size
    x, w = floats(x, n), floats(w, n)
    factor = F32(1) / select(mean < LEAST_SHARE, LEAST_SHARE, mean)
    for i in range(n):
        w[i] = x[i] * factor


@kernel
def batch_normalization(
    x, parts, gamma, beta, a, mean, variance, positions, channels, epsilon: float, shortcut=0, relu=0,
    *, rows, batch_rows, lanes, block,
):  # fmt: skip
    """Every lane combines the parts of all lanes in the same order (Chan, Golub and LeVeque 1979)."""
    mu, sigma = floats(mean, channels), floats(variance, channels)
    mu[:], sigma[:] = F32(0), F32(0)
    seen = 0
    for lane in range(lanes):
        more = _rows_of(lane, rows, lanes, block, batch_rows)
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
    _normalize(x, a, rows * positions, channels, mean, variance, gamma, beta, epsilon, shortcut, relu)


@kernel
def normalization(x, mean, variance, gamma, beta, a, positions, channels, epsilon: float, *, rows):
    """a = γ·(x − μ)/√(σ² + ε) + β"""
    _normalize(x, a, rows * positions, channels, mean, variance, gamma, beta, epsilon, 0, 0)


@compiled
def _sums(x, mean, variance, da, more, a, kept, key, sums, rows, n, channels, copies, epsilon):
    """sums = Σ v, Σ v·x̂ of n channels"""
    centre, factor, one, other, totals = _a(), _b(), _c(), _d(), _e()
    _repeat(mean, n, copies, centre)
    _inverse(variance, 0, n, epsilon, factor)
    _repeat(0, n, copies, one)
    _repeat(0, n, copies, other)
    first, second = doubles(totals, n), doubles(totals + 8 * n, n)
    first[:], second[:] = 0.0, 0.0
    step = _rows_at_once(n, copies)
    for r in range(0, rows, step):
        at, m = 4 * r * channels, min(step, rows - r)
        products(key, x + at, da + at, more + at, a + at, kept + at, centre, one, other, m, n, channels, copies)
        _take(one, n, copies, totals)
        _take(other, n, copies, totals + 8 * n)
    for j in range(n):
        store_f32(sums, j, F32(first[j]))
        store_f32(sums, channels + j, F32(second[j]) * load_f32(factor, j))


@kernel
def batch_sums(x, mean, variance, da, sums, positions, channels, epsilon: float, more=0, a=0, dn=0, *, rows, lane):
    """sums = Σ v, Σ v·x̂ of this lane's rows; v = da, or with a (da + more)·[a > 0], which is kept; more is optional"""
    key, to, copies = (1 if a else 0) + (1 if more else 0), sums + 8 * lane * channels, _copies(channels)
    for first in range(0, channels, RUN):
        n, at = min(RUN, channels - first), 4 * first
        _sums(
            x + at, mean + at, variance + at, da + at, more + at, a + at, dn + at, key, to + at,
            rows * positions, n, channels, copies, epsilon,
        )  # fmt: skip


@kernel
def channel_gradient(sums, dp, size, place, *, lane):
    """dβ or dγ of this lane"""
    floats(dp, size)[:] = floats(sums + 4 * (2 * lane + place) * size, size)


@kernel
def batch_normalization_adjoint(
    x, mean, variance, gamma, da, sums, dx, positions, channels, epsilon: float, *, rows, batch_rows, lanes, block
):
    """dx = γ/√(σ² + ε)·(da − mean da − x̂·mean(da·x̂))"""
    seen = 0
    for lane in range(lanes):
        seen += _rows_of(lane, rows, lanes, block, batch_rows)
    centre, factor, shift, slope = _a(), _b(), _c(), _d()
    copies = _copies(channels)
    for first in range(0, channels, RUN):
        n = min(RUN, channels - first)
        for j in range(n):
            one, other = F32(0), F32(0)
            for lane in range(lanes):
                if _rows_of(lane, rows, lanes, block, batch_rows):
                    one += load_f32(sums, (2 * lane) * channels + first + j)
                    other += load_f32(sums, (2 * lane + 1) * channels + first + j)
            store_f32(shift, j, one / F32(seen * positions))
            inverse = F32(1 / math.sqrt(load_f32(variance, first + j) + epsilon))
            store_f32(slope, j, other / F32(seen * positions) * inverse)
        _inverse(variance + 4 * first, gamma + 4 * first if gamma else 0, n, epsilon, factor)
        _repeat(factor, n, copies, factor)
        _repeat(shift, n, copies, shift)
        _repeat(slope, n, copies, slope)
        _repeat(mean + 4 * first, n, copies, centre)
        step = _rows_at_once(n, copies)
        for r in range(0, rows * positions, step):
            at, m = 4 * (r * channels + first), min(step, rows * positions - r)
            unscale(x + at, da + at, dx + at, centre, factor, shift, slope, m, n, channels, copies)


@kernel
def moving_average(value, moving, size, momentum: float, *, lane):
    """moving += (1 − momentum)·(value − moving), by the first lane"""
    if lane == 0:
        rate = F32(1 - momentum)
        value, moving = floats(value, size), floats(moving, size)
        for j in range(size):
            moving[j] += rate * (value[j] - moving[j])
