"""Random warps, crops and erased patches: by hand, as what a place takes is computed once for all channels.

Every loop runs over (y, x, channel), the channels innermost.
"""

import math

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.noise import normal
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.hashing import halves, uniform

F32 = np.float32
CONSTANT, NEAREST, WRAP = 0, 1, 2  # fill modes; any other number reflects
TURN = 2 * math.pi


@inlined
def between(low, high, u):
    """Maps u in [0, 1) to a range."""
    return low + (high - low) * np.float64(u)


@compiled
def inside(i, n, mode):
    """The index of the pixel used at i, which may lie outside 0 … n − 1; −1 for the fill value."""
    if 0 <= i < n:
        return i
    if mode == CONSTANT:
        return -1
    if mode == NEAREST:
        return 0 if i < 0 else n - 1
    if mode == WRAP:
        return i % n
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@kernel
def random_warp(
    x, z, height, width, channels, alike, mode, bilinear, stream, fill: float, angle_low: float, angle_high: float,
    down_low: float, down_high: float, right_low: float, right_high: float, tall_low: float, tall_high: float,
    wide_low: float, wide_high: float,
    *, rows, first_row, seed, iteration,
):  # fmt: skip
    """z[p] = x[matrix·p + offset], with a matrix and an offset for each image."""
    k, size, fill = halves(seed, iteration, stream), height * width * channels, F32(fill)
    middle_y, middle_x = (height - 1) / 2.0, (width - 1) / 2.0
    for r in range(rows):
        first = (first_row + r) * 5
        turn = TURN * between(angle_low, angle_high, uniform(k, first))
        down = between(down_low, down_high, uniform(k, first + 1)) * height
        right = between(right_low, right_high, uniform(k, first + 2)) * width
        tall = between(tall_low, tall_high, uniform(k, first + 3))
        wide = tall if alike else between(wide_low, wide_high, uniform(k, first + 4))
        cos, sin = math.cos(turn), math.sin(turn)
        yy, yx, xy, xx = cos * tall, sin * wide, -sin * tall, cos * wide
        off_y = middle_y - (yy * middle_y + yx * middle_x) - down
        off_x = middle_x - (xy * middle_y + xx * middle_x) - right
        source, target = floats(x + 4 * r * size, size), floats(z + 4 * r * size, size)
        for i in range(height):
            for j in range(width):
                at_y, at_x = yy * i + yx * j + off_y, xy * i + xx * j + off_x
                place = (i * width + j) * channels
                if bilinear:
                    low_y, low_x = math.floor(at_y), math.floor(at_x)
                    y, u = np.int64(low_y), np.int64(low_x)
                    v, h = F32(at_y - low_y), F32(at_x - low_x)
                    top, bottom = inside(y, height, mode), inside(y + 1, height, mode)
                    left, other = inside(u, width, mode), inside(u + 1, width, mode)
                    for c in range(channels):
                        a = source[(top * width + left) * channels + c] if top >= 0 and left >= 0 else fill
                        b = source[(top * width + other) * channels + c] if top >= 0 and other >= 0 else fill
                        d = source[(bottom * width + left) * channels + c] if bottom >= 0 and left >= 0 else fill
                        e = source[(bottom * width + other) * channels + c] if bottom >= 0 and other >= 0 else fill
                        upper, lower = a + h * (b - a), d + h * (e - d)
                        target[place + c] = upper + v * (lower - upper)
                else:
                    y = inside(np.int64(math.floor(at_y + 0.5)), height, mode)
                    u = inside(np.int64(math.floor(at_x + 0.5)), width, mode)
                    for c in range(channels):
                        target[place + c] = source[(y * width + u) * channels + c] if y >= 0 and u >= 0 else fill


@kernel
def random_erasing(
    x, z, height, width, channels, fills, stream, noise, factor_low: float, factor_high: float, area_low: float,
    area_high: float, low: float, high: float,
    *fill: float, rows, first_row, seed, iteration,
):  # fmt: skip
    """z = x but for a rectangle"""
    size, low, high = height * width * channels, F32(low), F32(high)
    k, noise = halves(seed, iteration, stream), halves(seed, iteration, noise)
    for r in range(rows):
        first = (first_row + r) * 6
        wide = math.sqrt(between(area_low, area_high, uniform(k, first))) * width
        tall = math.sqrt(between(area_low, area_high, uniform(k, first + 1))) * height
        left = np.float64(uniform(k, first + 2)) * (width - wide)
        top = np.float64(uniform(k, first + 3)) * (height - tall)
        erased = np.float64(uniform(k, first + 5)) < between(factor_low, factor_high, uniform(k, first + 4))
        source, target = floats(x + 4 * r * size, size), floats(z + 4 * r * size, size)
        target[:] = source
        if erased:
            for y in range(math.ceil(top), min(height, math.ceil(top + tall))):
                for u in range(math.ceil(left), min(width, math.ceil(left + wide))):
                    place = (y * width + u) * channels
                    for i in range(channels):
                        if fills:
                            target[place + i] = F32(fill[i if fills > 1 else 0])
                        else:
                            value = normal(noise, (first_row + r) * size + place + i) * high
                            target[place + i] = low if value < low else high if value > high else value


@kernel
def random_crop(x, z, height, width, channels, tall, wide, stream, *, rows, first_row, seed, iteration):
    """z = x from a random pixel on"""
    k, n = halves(seed, iteration, stream), wide * channels
    for r in range(rows):
        first = (first_row + r) * 2
        top = np.int64(np.float64(uniform(k, first)) * (height - tall + 1))
        left = np.int64(np.float64(uniform(k, first + 1)) * (width - wide + 1))
        for y in range(tall):
            source = floats(x + 4 * (((r * height + top + y) * width) + left) * channels, n)
            target = floats(z + 4 * (r * tall + y) * n, n)
            target[:] = source
