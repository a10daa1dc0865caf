"""Elements chosen by numbers."""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, floats
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32


@numba.njit(inline="always", **FLAGS)
def place(number, n):
    """The place that a number stands for among n, of which negative ones count from the end; −1 if there is none."""
    if number >= F32(-n) and number < F32(n):
        k = np.int64(number)
        return k + n if k < 0 else k
    return -1


def take(o, c, s, f):
    """z[j] = x[indices[j]] along an axis"""
    n, after, count = o[4], o[5], o[7]
    indices = floats(o[1], count)
    for run in range(o[3] * (s[ROWS] if o[6] else 1)):
        x, z = floats(o[0] + 4 * run * n * after, n * after), floats(o[2] + 4 * run * count * after, count * after)
        if after == 1:
            for j in range(count):
                z[j] = x[np.int64(indices[j])]
        else:
            for j in range(count):
                at, to = np.int64(indices[j]) * after, j * after
                for i in range(after):
                    z[to + i] = x[at + i]


def take_adjoint(o, c, s, f):
    """dx[indices[j]] += dz[j] along an axis"""
    before, n, after, count = o[3] * (s[ROWS] if o[6] else 1), o[4], o[5], o[7]
    indices = floats(o[1], count)
    floats(o[2], before * n * after)[:] = F32(0)
    for run in range(before):
        dz, dx = floats(o[0] + 4 * run * count * after, count * after), floats(o[2] + 4 * run * n * after, n * after)
        for j in range(count):
            at, to = j * after, np.int64(indices[j]) * after
            for i in range(after):
                dx[to + i] += dz[at + i]


def take_along_axis(o, c, s, f):
    """z[j] = x[ids[j]] along an axis, for each index of the others"""
    n, after, count = o[4], o[5], o[7]
    for run in range(o[3] * (s[ROWS] if o[6] else 1)):
        x, start = floats(o[0] + 4 * run * n * after, n * after), 4 * run * count * after
        ids, z = floats(o[1] + start, count * after), floats(o[2] + start, count * after)
        for j in range(0, count * after, after):
            for i in range(after):
                k = place(ids[j + i], n)
                z[j + i] = x[k * after + i] if k >= 0 else F32(np.nan)


def take_along_axis_adjoint(o, c, s, f):
    """dx[ids[j]] += dz[j] along an axis, for each index of the others"""
    before, n, after, count = o[3] * (s[ROWS] if o[6] else 1), o[4], o[5], o[7]
    floats(o[2], before * n * after)[:] = F32(0)
    for run in range(before):
        dx, start = floats(o[2] + 4 * run * n * after, n * after), 4 * run * count * after
        ids, dz = floats(o[1] + start, count * after), floats(o[0] + start, count * after)
        for j in range(0, count * after, after):
            for i in range(after):
                k = place(ids[j + i], n)
                if k >= 0:
                    dx[k * after + i] += dz[j + i]


def one_hot(o, c, s, f):
    """z[k] = 1 where the id is k, otherwise 0"""
    count, depth = o[2] * (s[ROWS] if o[4] else 1), o[3]
    ids, z = floats(o[0], count), floats(o[1], count * depth)
    z[:] = F32(0)
    for i in range(count):
        if ids[i] >= F32(0) and ids[i] < F32(depth) and ids[i] == np.floor(ids[i]):
            z[i * depth + np.int64(ids[i])] = F32(1)


@numba.njit(inline="always", **FLAGS)
def earlier(x, sign, i, j):
    """Whether element i comes before element j: it is smaller (larger with the sign −1), j is NaN, or they are equal
    and i < j."""
    u, v = sign * x[i], sign * x[j]
    if u != u or v != v:
        return (v != v) and (u == u or i < j)
    return u < v or (u == v and i < j)


@numba.njit(inline="always", **FLAGS)
def sift(x, sign, heap, root, count):
    """Moves an id down a heap of ids, in which none comes before those below it, to where it belongs."""
    moved = heap[root]
    child = 2 * root + 1
    while child < count:
        if child + 1 < count and earlier(x, sign, np.int64(heap[child]), np.int64(heap[child + 1])):
            child += 1
        if not earlier(x, sign, np.int64(moved), np.int64(heap[child])):
            break
        heap[root] = heap[child]
        root, child = child, 2 * child + 1
    heap[root] = moved


def argsort(o, c, s, f):
    """z = the ids of the first k in the order: a heap of the first so far, the last of them on top"""
    n, k, sign = o[3], o[4], F32(-1 if o[6] else 1)
    for run in range(o[2] * (s[ROWS] if o[5] else 1)):
        x, heap = floats(o[0] + 4 * run * n, n), floats(o[1] + 4 * run * k, k)
        for i in range(k):
            heap[i] = F32(i)
        for root in range(k // 2 - 1, -1, -1):
            sift(x, sign, heap, root, k)
        for i in range(k, n):
            if earlier(x, sign, i, np.int64(heap[0])):
                heap[0] = F32(i)
                sift(x, sign, heap, 0, k)
        for last in range(k - 1, 0, -1):
            heap[0], heap[last] = heap[last], heap[0]
            sift(x, sign, heap, 0, last)
