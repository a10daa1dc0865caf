"""Elements chosen by numbers: by hand, as one text serves all axes, and an adjoint adds where a reference compares."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined

F32 = np.float32


@inlined
def place(number, n):
    """The place that a number stands for among n, of which negative ones count from the end; −1 if there is none."""
    if number >= F32(-n) and number < F32(n):
        k = np.int64(number)
        return k + n if k < 0 else k
    return -1


@kernel
def take(x, indices, z, before, n, after, per_row, count, *, rows):
    """z[j] = x[indices[j]] along an axis"""
    indices = floats(indices, count)
    for run in range(before * (rows if per_row else 1)):
        source, target = floats(x + 4 * run * n * after, n * after), floats(z + 4 * run * count * after, count * after)
        if after == 1:
            for j in range(count):
                target[j] = source[np.int64(indices[j])]
        else:
            for j in range(count):
                at, to = np.int64(indices[j]) * after, j * after
                target[to : to + after] = source[at : at + after]


@kernel
def take_adjoint(dz, indices, dx, before, n, after, per_row, count, *, rows):
    """dx[indices[j]] += dz[j] along an axis"""
    before *= rows if per_row else 1
    indices = floats(indices, count)
    floats(dx, before * n * after)[:] = F32(0)
    for run in range(before):
        d, g = floats(dz + 4 * run * count * after, count * after), floats(dx + 4 * run * n * after, n * after)
        for j in range(count):
            at, to = j * after, np.int64(indices[j]) * after
            for i in range(after):
                g[to + i] += d[at + i]


@kernel
def take_along_axis(x, ids, z, before, n, after, per_row, count, *, rows):
    """z[j] = x[ids[j]] along an axis, for each index of the others"""
    for run in range(before * (rows if per_row else 1)):
        source, start = floats(x + 4 * run * n * after, n * after), 4 * run * count * after
        chosen, target = floats(ids + start, count * after), floats(z + start, count * after)
        for j in range(0, count * after, after):
            for i in range(after):
                k = place(chosen[j + i], n)
                target[j + i] = source[k * after + i] if k >= 0 else F32(np.nan)


@kernel
def take_along_axis_adjoint(dz, ids, dx, before, n, after, per_row, count, *, rows):
    """dx[ids[j]] += dz[j] along an axis, for each index of the others"""
    before *= rows if per_row else 1
    floats(dx, before * n * after)[:] = F32(0)
    for run in range(before):
        g, start = floats(dx + 4 * run * n * after, n * after), 4 * run * count * after
        chosen, d = floats(ids + start, count * after), floats(dz + start, count * after)
        for j in range(0, count * after, after):
            for i in range(after):
                k = place(chosen[j + i], n)
                if k >= 0:
                    g[k * after + i] += d[j + i]


@kernel
def one_hot(ids, z, count, depth, per_row, *, rows):
    """z[k] = 1 where the id is k, otherwise 0"""
    count *= rows if per_row else 1
    ids, z = floats(ids, count), floats(z, count * depth)
    z[:] = F32(0)
    for i in range(count):
        if ids[i] >= F32(0) and ids[i] < F32(depth) and ids[i] == np.floor(ids[i]):
            z[i * depth + np.int64(ids[i])] = F32(1)


@inlined
def earlier(x, sign, i, j):
    """Whether element i comes before element j: it is smaller (larger with the sign −1), j is NaN, or they are equal
    and i < j."""
    u, v = sign * x[i], sign * x[j]
    if u != u or v != v:
        return (v != v) and (u == u or i < j)
    return u < v or (u == v and i < j)


@inlined
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


@kernel
def argsort(x, z, before, n, k, per_row, descending, *, rows):
    """z = the ids of the first k in the order: a heap of the first so far, the last of them on top"""
    sign = F32(-1 if descending else 1)
    for run in range(before * (rows if per_row else 1)):
        u, heap = floats(x + 4 * run * n, n), floats(z + 4 * run * k, k)
        for i in range(k):
            heap[i] = F32(i)
        for root in range(k // 2 - 1, -1, -1):
            sift(u, sign, heap, root, k)
        for i in range(k, n):
            if earlier(u, sign, i, np.int64(heap[0])):
                heap[0] = F32(i)
                sift(u, sign, heap, 0, k)
        for last in range(k - 1, 0, -1):
            heap[0], heap[last] = heap[last], heap[0]
            sift(u, sign, heap, 0, last)
