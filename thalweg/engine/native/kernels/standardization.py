"""Layer and group normalisation: by hand, set by set, where the reference goes over whole blocks six times."""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel

F32 = np.float32


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
