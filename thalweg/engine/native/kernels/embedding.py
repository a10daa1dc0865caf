"""Rows of a table, chosen by number, and its gradient: by hand, as rows are asked for before they are needed."""

import numpy as np

from thalweg.engine.native.compiler.llvm import fetch, floats, load_f32, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of
from thalweg.engine.native.language.callables import inlined

F32 = np.float32
LINE = 64  # bytes of a cache line
AHEAD = 8  # ids from a row's prefetch to its use: the processor can't predict which rows come


@inlined
def ask(ids, k, count, table, rows, size):
    """Prefetches the row of `size` bytes that the id some places after the k-th chooses."""
    row = class_of(load_f32(ids, min(k + AHEAD, count - 1)), rows)
    at = table + max(row, 0) * size
    for line in range(at, at + size, LINE):
        fetch(line)


@kernel
def embedding(ids, W, h, entries, columns, n, mean=0, *, rows):
    """h = W[ids], or its mean over the ids of a row; NaN where an id isn't a row of W"""
    count, each = rows * n, n if mean else 1
    scale = F32(1.0 / each)
    for r in range(count // each):
        out = floats(h + 4 * r * columns, columns)
        for k in range(r * each, (r + 1) * each):
            ask(ids, k, count, W, entries, 4 * columns)
            row = class_of(load_f32(ids, k), entries)
            if row == NO_CLASS:
                out[:] = F32(np.nan)
                break
            w = floats(W + 4 * row * columns, columns)
            if k == r * each:
                out[:] = w
            else:
                for j in range(columns):
                    out[j] += w[j]
        if mean:
            for j in range(columns):
                out[j] *= scale


@inlined
def forget(counts, touched):
    """Sets the counts of the rows that are listed to 0, and empties the list."""
    for k in range(1, 1 + np.int64(load_f32(touched, 0))):
        store_f32(counts, np.int64(load_f32(touched, k)), F32(0))
    store_f32(touched, 0, F32(0))


@kernel
def embedding_gradient(ids, dh, dW, entries, columns, n, counts=0, touched=0, mean=0, *, rows, accumulate):
    """dW[ids] += dh, or dh/n for every id of a row. If there are counts, rows that don't occur aren't written."""
    if not accumulate:
        if counts:
            forget(counts, touched)
        else:
            floats(dW, entries * columns)[:] = F32(0)
    listed = np.int64(load_f32(touched, 0)) if counts else 0
    count, each = rows * n, n if mean else 1
    scale = F32(1.0 / each)
    for k in range(count):
        ask(ids, k, count, dW, entries, 4 * columns)
        row = class_of(load_f32(ids, k), entries)
        if row == NO_CLASS:  # then h is NaN, and the step ends before the update
            continue
        d, to = floats(dh + 4 * (k // each) * columns, columns), floats(dW + 4 * row * columns, columns)
        if counts:
            before = load_f32(counts, row)
            store_f32(counts, row, before + F32(1))
            if before == F32(0):
                listed += 1
                store_f32(touched, listed, F32(row))
                for j in range(columns):
                    to[j] = scale * d[j]
                continue
        for j in range(columns):
            to[j] += scale * d[j]
    if counts:
        store_f32(touched, 0, F32(listed))
