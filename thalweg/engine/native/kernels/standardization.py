"""Layer and group normalisation, and the scale of each channel."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, load_f32, stack, store_f32
from thalweg.engine.native.compiler.named import kernel

F32 = np.float32
RUN = 1024  # channels at a time
FLUSH = 64  # rows whose products are summed before they are added to a total: long sums lose bits

_sums = stack(RUN)


@kernel
def standardization(x, a, lines, places, groups, channels, centered, epsilon: float, *, rows):
    """a = (x − mean)/√(variance + ε); if not centered, the mean is taken as 0"""
    width = groups * channels
    for r in range(rows * lines):
        for g in range(groups):
            first = 4 * (r * places * width + g * channels)
            total = 0.0
            for p in range(places):
                u = floats(x + first + 4 * p * width, channels)
                part = F32(0)
                for k in range(channels):
                    part += u[k]
                total += part
            mean, squares = F32(total / (places * channels) if centered else 0.0), 0.0
            for p in range(places):
                u = floats(x + first + 4 * p * width, channels)
                part = F32(0)
                for k in range(channels):
                    part += (u[k] - mean) * (u[k] - mean)
                squares += part
            scale = F32(1 / math.sqrt(squares / (places * channels) + epsilon))
            for p in range(places):
                u, v = floats(x + first + 4 * p * width, channels), floats(a + first + 4 * p * width, channels)
                for k in range(channels):
                    v[k] = (u[k] - mean) * scale


@kernel
def standardization_adjoint(x, da, dx, lines, places, groups, channels, centered, epsilon: float, *, rows):
    """dx = (da − mean da − x̂·mean(da·x̂))/√(variance + ε); if not centered, mean x and mean da are taken as 0"""
    width, n = groups * channels, places * channels
    for r in range(rows * lines):
        for g in range(groups):
            first = 4 * (r * places * width + g * channels)
            total, sums = 0.0, 0.0
            for p in range(places):
                u, d = floats(x + first + 4 * p * width, channels), floats(da + first + 4 * p * width, channels)
                part, more = F32(0), F32(0)
                for k in range(channels):
                    part += u[k]
                    more += d[k]
                total += part
                sums += more
            total, sums = (total, sums) if centered else (0.0, 0.0)
            mean, squares, products = F32(total / n), 0.0, 0.0
            for p in range(places):
                u, d = floats(x + first + 4 * p * width, channels), floats(da + first + 4 * p * width, channels)
                part, more = F32(0), F32(0)
                for k in range(channels):
                    part += (u[k] - mean) * (u[k] - mean)
                    more += (u[k] - mean) * d[k]
                squares += part
                products += more
            variance = squares / n + epsilon
            scale, shift, slope = F32(1 / math.sqrt(variance)), F32(sums / n), F32(products / n / variance)
            for p in range(places):
                u, d = floats(x + first + 4 * p * width, channels), floats(da + first + 4 * p * width, channels)
                v = floats(dx + first + 4 * p * width, channels)
                for k in range(channels):
                    v[k] = (d[k] - shift - (u[k] - mean) * slope) * scale


@kernel
def channel_scale(x, gamma, beta, a, positions, channels, *, rows):
    """a = γ·x + β"""
    for r in range(rows * positions):
        u, v = floats(x + 4 * r * channels, channels), floats(a + 4 * r * channels, channels)
        k, b = floats(gamma, channels), floats(beta, channels)
        for i in range(channels):
            v[i] = u[i] * k[i] if gamma else u[i]
        if beta:
            for i in range(channels):
                v[i] += b[i]


@kernel
def channel_scale_gradient(x, da, dgamma, positions, channels, *, rows, accumulate):
    """dγ = Σ da·x"""
    rows *= positions
    sums = _sums()
    if not accumulate:
        floats(dgamma, channels)[:] = F32(0)
    for first in range(0, channels, RUN):
        w = min(RUN, channels - first)
        for begin in range(0, rows, FLUSH):
            floats(sums, w)[:] = F32(0)
            for r in range(begin, min(rows, begin + FLUSH)):
                at = 4 * (r * channels + first)
                u, d, t = floats(x + at, w), floats(da + at, w), floats(sums, w)
                for i in range(w):
                    t[i] += d[i] * u[i]
            for i in range(w):
                store_f32(dgamma, first + i, load_f32(dgamma, first + i) + load_f32(sums, i))
