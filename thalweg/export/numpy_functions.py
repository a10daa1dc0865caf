"""Functions that a NumPy file defines where it needs them.

Their source is copied, so they refer to NumPy, `math` and each other alone.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np


def sigmoid(x: Any) -> Any:
    """1/(1 + e^−x), in a form that no x is too large for."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softmax(x: Any) -> Any:
    """e^x / Σ e^x over the last axis; the largest x is taken off first, so that no x is too large."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x: Any) -> Any:
    """The logarithm of softmax(x), also where softmax(x) is so small that it rounds to 0."""
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def one_hot(y: Any, classes: int) -> Any:
    """A row for each class number: 1 in its place, 0 elsewhere; NaN for a number that is none."""
    known = (y >= 0) & (y < classes) & (y == np.floor(y))
    return np.where(known, y == np.arange(classes), np.nan).astype(np.float32)


def erf(x: Any) -> Any:
    """The error function of each element."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def ndtr(x: Any) -> Any:
    """Φ, the distribution function of the standard normal distribution, of each element."""
    return np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2, otypes=[x.dtype])(x)


def windows(x: Any, size: Any, strides: Any, dilation: Any) -> Any:
    """What a window sees at each place: (rows, places down, places across, channels, window rows, window columns)."""
    spans = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(1, 2))
    return seen[:, :: strides[0], :: strides[1], :, :: dilation[0], :: dilation[1]]


def padded(x: Any, padding: Any, value: float = 0.0) -> Any:
    """The images with a border: ((above, below), (left, right))."""
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def convolve(x: Any, W: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    """h[i, j, o] = Σ x[i·stride + a·dilation, j·stride + b·dilation, c] · W[a, b, c, o]"""
    seen = windows(padded(x, padding), W.shape[:2], strides, dilation)
    return np.tensordot(seen, W, axes=((4, 5, 3), (0, 1, 2)))


def kernel_gradient(x: Any, dh: Any, size: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    """dW[a, b, c, o] = Σ x[i·stride + a·dilation, j·stride + b·dilation, c] · dh[i, j, o]"""
    seen = windows(padded(x, padding), size, strides, dilation)
    dW = np.tensordot(seen, dh, axes=((0, 1, 2), (0, 1, 2)))
    return dW.transpose(1, 2, 0, 3)


def convolve_back(dh: Any, W: Any, shape: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    """dx: each element of dh goes back to the elements of x that it was made of, times their weight."""
    (above, below), (left, right) = padding
    height, width, channels = shape
    dx = np.zeros((len(dh), above + height + below, left + width + right, channels), dh.dtype)
    for a in range(W.shape[0]):
        for b in range(W.shape[1]):
            under(dx, a, b, W.shape, strides, dilation)[...] += dh @ W[a, b].T
    return dx[:, above : above + height, left : left + width]


def under(x: Any, a: int, b: int, size: Any, strides: Any, dilation: Any) -> Any:
    """The elements that are under a window's element (a, b) at each place of the window."""
    last = [n - (k - 1) * d for n, k, d in zip(x.shape[1:3], size[:2], dilation, strict=True)]
    down, across = a * dilation[0], b * dilation[1]
    return x[:, down : down + last[0] : strides[0], across : across + last[1] : strides[1]]


def max_pool(x: Any, size: Any, strides: Any, padding: Any) -> Any:
    """The largest element that each window sees."""
    return windows(padded(x, padding, -np.inf), size, strides, (1, 1)).max(axis=(4, 5))


def max_pool_back(x: Any, a: Any, da: Any, size: Any, strides: Any, padding: Any) -> Any:
    """dx: what reaches a largest element goes to the first element that is as large."""
    (above, _), (left, _) = padding
    x_padded = padded(x, padding, -np.inf)
    dx = np.zeros_like(x_padded)
    left_over = np.ones(a.shape, bool)
    for i in range(size[0]):
        for j in range(size[1]):
            here = left_over & (under(x_padded, i, j, size, strides, (1, 1)) == a)
            under(dx, i, j, size, strides, (1, 1))[...] += np.where(here, da, 0)
            left_over &= ~here
    return dx[:, above : above + x.shape[1], left : left + x.shape[2]]


def forest(x: Any, nodes: Any, trees: Any, values: Any, base: Any, sets: Any, depth: int) -> Any:
    """Each row falls through all trees, from their roots to leaves, whose values are added up.

    A node holds a column, or −1 − a column of categories; a threshold, or the row of `sets` that says which categories
    go left, or a leaf's number; how far the right child is; and whether a missing number goes left.
    """
    if len(x) > 1000:
        parts = [forest(x[k : k + 1000], nodes, trees, values, base, sets, depth) for k in range(0, len(x), 1000)]
        return np.concatenate(parts)
    column, threshold, skip, missing = nodes.T
    at = np.zeros((len(x), 1), np.int64) + trees[:, 0].astype(np.int64)
    for _ in range(depth):
        asked = column[at]
        v = np.take_along_axis(x, np.where(asked < 0, -1 - asked, asked).astype(np.int64), axis=1)
        left = np.where(v == v, v <= threshold[at], missing[at] > 0)
        if sets is not None:
            left = np.where(asked < 0, in_set(v, np.where(asked < 0, threshold[at], 0), sets), left)
        at = at + np.where(left, np.minimum(skip[at], 1), skip[at]).astype(np.int64)
    leaves, width = values[threshold[at].astype(np.int64)], values.shape[1]
    places = [leaves[:, trees[:, 1] == place].sum(axis=1) for place in range(len(base) // width)]
    return base + np.concatenate(places, axis=1)


def in_set(codes: Any, row: Any, sets: Any) -> Any:
    """Whether categories are in a row of `sets`, 24 bits to a number; bit 0 stands for unknown ones."""
    known = (codes >= 0) & (codes < 24 * sets.shape[1] - 1)
    bit = np.where(known, codes, -1).astype(np.int64) + 1
    words = sets[row.astype(np.int64), bit // 24].astype(np.int64)
    return (words >> (bit % 24)) & 1 > 0


def uniform(seed: int, iteration: int, stream: int, shape: Any) -> Any:
    """Random numbers in [0, 1): each is a hash of the seed, the step, the stream, and its own number."""
    key = mixed(mixed(mixed(seed) ^ iteration) ^ stream)
    bits = np.arange(np.prod(shape), dtype=np.uint32) ^ np.uint32(key & 0xFFFFFFFF)
    for plus in (key >> 32, 0):
        bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
        bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
        bits = (bits ^ (bits >> np.uint32(16))) + np.uint32(plus)
    return ((bits >> np.uint32(8)) * np.float32(2.0**-24)).astype(np.float32).reshape(shape)


def permutation(seed: int, epoch: int, rows: int) -> Any:
    """The order of the rows in an epoch: Fisher and Yates's shuffle with random numbers of the seed and the epoch."""
    order, key = np.arange(rows), mixed(mixed(mixed(seed) ^ epoch))
    for i in range(rows - 1, 0, -1):
        j = ((mixed((key + i) % 2**64) >> 32) * (i + 1)) >> 32
        order[[i, j]] = order[[j, i]]
    return order


def mixed(z: int) -> int:
    """A hash of 64 bits: SplitMix64 (Steele, Lea, Flood 2014)."""
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    sigmoid, softmax, log_softmax, one_hot, erf, ndtr, windows, padded, convolve, kernel_gradient, convolve_back, under,
    max_pool, max_pool_back, forest, in_set, uniform, permutation, mixed,
)  # fmt: skip


def source(lines: Iterable[str], functions: Sequence[Callable[..., Any]] = FUNCTIONS) -> list[str]:
    """The source of the functions that lines call, and of those that these call; without annotations."""
    text, found = "\n".join(lines), dict[str, str]()
    while True:
        known = text + "".join(found.values())
        new = [f for f in functions if f.__name__ not in found and re.search(rf"\b{f.__name__}\b", known)]
        if not new:
            return [found[f.__name__] for f in functions if f.__name__ in found]
        for f in new:
            plain = re.sub(r": (Any|int|float|str|bool) = ", "=", inspect.getsource(f))
            found[f.__name__] = re.sub(r": (Any|int|float|str)(?=[,)])| -> (Any|int|str)", "", plain)
