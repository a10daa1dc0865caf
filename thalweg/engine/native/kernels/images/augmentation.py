"""Random changes of images. Every loop runs over (y, x, channel), the channels innermost."""

import math

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, INNER, floats, select
from thalweg.engine.native.kernels.noise import normal
from thalweg.engine.native.layouts.state import FIRST_ROW, ITERATION, ROWS, SEED
from thalweg.engine.native.linalg.hashing import key, uniform

F32, U32, U64 = np.float32, np.uint32, np.uint64
CONSTANT, NEAREST, WRAP = 0, 1, 2  # fill modes; any other number reflects
TURN = 2 * math.pi


@numba.njit(inline="always", **FLAGS)
def draw(s, stream, counter):
    """A random number in [0, 1) for an instruction in this step."""
    k = key(s[SEED], s[ITERATION], stream)
    return uniform(U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32)), U32(U64(counter)))


def random_flip(o, c, s, f):
    """z = x or x mirrored"""
    height, width, channels, horizontal, vertical, stream = o[2], o[3], o[4], o[5], o[6], o[7]
    size = height * width * channels
    for r in range(s[ROWS]):
        flip = draw(s, stream, s[FIRST_ROW] + r) <= F32(0.5)
        x, z = floats(o[0] + 4 * r * size, size), floats(o[1] + 4 * r * size, size)
        for y in range(height):
            row = (height - 1 - y if flip and vertical else y) * width * channels
            if flip and horizontal:
                for i in range(width):
                    for k in range(channels):
                        z[(y * width + i) * channels + k] = x[row + (width - 1 - i) * channels + k]
            else:
                for i in range(width * channels):
                    z[y * width * channels + i] = x[row + i]


@numba.njit(inline="always", **FLAGS)
def between(c, place, u):
    """Maps u in [0, 1) to the range at this index of the constants."""
    return c[place] + (c[place + 1] - c[place]) * np.float64(u)


@numba.njit(**INNER)
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


def random_warp(o, c, s, f):
    """z[p] = x[matrix·p + offset], with a matrix and an offset for each image."""
    height, width, channels, alike, mode, bilinear, stream = o[2], o[3], o[4], o[5], o[6], o[7], o[8]
    size, fill = height * width * channels, F32(c[0])
    middle_y, middle_x = (height - 1) / 2.0, (width - 1) / 2.0
    for r in range(s[ROWS]):
        first = (s[FIRST_ROW] + r) * 5
        turn = TURN * between(c, 1, draw(s, stream, first))
        down = between(c, 3, draw(s, stream, first + 1)) * height
        right = between(c, 5, draw(s, stream, first + 2)) * width
        tall = between(c, 7, draw(s, stream, first + 3))
        wide = tall if alike else between(c, 9, draw(s, stream, first + 4))
        cos, sin = math.cos(turn), math.sin(turn)
        yy, yx, xy, xx = cos * tall, sin * wide, -sin * tall, cos * wide
        off_y = middle_y - (yy * middle_y + yx * middle_x) - down
        off_x = middle_x - (xy * middle_y + xx * middle_x) - right
        x, z = floats(o[0] + 4 * r * size, size), floats(o[1] + 4 * r * size, size)
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
                    for k in range(channels):
                        a = x[(top * width + left) * channels + k] if top >= 0 and left >= 0 else fill
                        b = x[(top * width + other) * channels + k] if top >= 0 and other >= 0 else fill
                        d = x[(bottom * width + left) * channels + k] if bottom >= 0 and left >= 0 else fill
                        e = x[(bottom * width + other) * channels + k] if bottom >= 0 and other >= 0 else fill
                        upper, lower = a + h * (b - a), d + h * (e - d)
                        z[place + k] = upper + v * (lower - upper)
                else:
                    y = inside(np.int64(math.floor(at_y + 0.5)), height, mode)
                    u = inside(np.int64(math.floor(at_x + 0.5)), width, mode)
                    for k in range(channels):
                        z[place + k] = x[(y * width + u) * channels + k] if y >= 0 and u >= 0 else fill


def random_contrast(o, c, s, f):
    """z = clip(mean + factor·(x − mean)); z may be x."""
    pixels, channels, stream = o[2] * o[3], o[4], o[5]
    size, low, high = pixels * channels, F32(c[2]), F32(c[3])
    for r in range(s[ROWS]):
        factor = F32(between(c, 0, draw(s, stream, s[FIRST_ROW] + r)))
        x, z = floats(o[0] + 4 * r * size, size), floats(o[1] + 4 * r * size, size)
        for k in range(channels):
            total = 0.0
            for p in range(pixels):
                total += x[p * channels + k]
            mean = F32(total / pixels)
            for p in range(pixels):
                value = mean + factor * (x[p * channels + k] - mean)
                z[p * channels + k] = low if value < low else high if value > high else value  # NaN stays NaN


def random_brightness(o, c, s, f):
    """z = clip(x + factor·(high − low)); z may be x."""
    size, low, high = o[2], F32(c[2]), F32(c[3])
    for r in range(s[ROWS]):
        more = F32(between(c, 0, draw(s, o[3], s[FIRST_ROW] + r)) * (c[3] - c[2]))
        x, z = floats(o[0] + 4 * r * size, size), floats(o[1] + 4 * r * size, size)
        for i in range(size):
            value = x[i] + more
            z[i] = select(value < low, low, select(value > high, high, value))  # NaN stays NaN


def random_erasing(o, c, s, f):
    """z = x but for a rectangle"""
    height, width, channels, fills, stream = o[2], o[3], o[4], o[5], o[6]
    size, low, high = height * width * channels, F32(c[4]), F32(c[5])
    k = key(s[SEED], s[ITERATION], o[7])
    half, other = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    for r in range(s[ROWS]):
        first = (s[FIRST_ROW] + r) * 6
        wide = math.sqrt(between(c, 2, draw(s, stream, first))) * width
        tall = math.sqrt(between(c, 2, draw(s, stream, first + 1))) * height
        left = np.float64(draw(s, stream, first + 2)) * (width - wide)
        top = np.float64(draw(s, stream, first + 3)) * (height - tall)
        erased = np.float64(draw(s, stream, first + 5)) < between(c, 0, draw(s, stream, first + 4))
        x, z = floats(o[0] + 4 * r * size, size), floats(o[1] + 4 * r * size, size)
        for i in range(size):
            z[i] = x[i]
        if erased:
            for y in range(math.ceil(top), min(height, math.ceil(top + tall))):
                for u in range(math.ceil(left), min(width, math.ceil(left + wide))):
                    place = (y * width + u) * channels
                    for i in range(channels):
                        if fills:
                            z[place + i] = F32(c[6 + (i if fills > 1 else 0)])
                        else:
                            counter = U32(U64((s[FIRST_ROW] + r) * size + place + i))
                            value = normal(half, other, counter) * high
                            z[place + i] = low if value < low else high if value > high else value


def random_crop(o, c, s, f):
    """z = x from a random pixel on"""
    height, width, channels, tall, wide, stream = o[2], o[3], o[4], o[5], o[6], o[7]
    n = wide * channels
    for r in range(s[ROWS]):
        first = (s[FIRST_ROW] + r) * 2
        top = np.int64(np.float64(draw(s, stream, first)) * (height - tall + 1))
        left = np.int64(np.float64(draw(s, stream, first + 1)) * (width - wide + 1))
        for y in range(tall):
            x = floats(o[0] + 4 * (((r * height + top + y) * width) + left) * channels, n)
            z = floats(o[1] + 4 * (r * tall + y) * n, n)
            for i in range(n):
                z[i] = x[i]
