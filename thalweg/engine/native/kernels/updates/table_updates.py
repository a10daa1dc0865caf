"""The rows of a table that occur in the batch: by hand, as the lanes share them, each row one lane's."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, load_f32, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined

F32 = np.float32


@inlined
def owner(row, together, lanes):
    """The lane that a row belongs to. Rows that share cache lines have one owner, others are dealt out by a hash
    (Knuth's, by a multiple of the golden ratio): frequent ids are often neighbours."""
    return ((row // together * 2654435769 & 0xFFFFFFFF) * lanes) >> 32


@kernel
def table_reduce(dw, counts, listed, own, columns, vector, *, lane, lanes, busy, stride):
    """dw = Σ dw over the lanes in which a row occurs, for this lane's rows, which it lists"""
    counts -= 4 * stride * lane  # the first lane's
    listed -= 4 * stride * lane
    together = 1
    while together < 16 and together * columns % 16:  # floats of a cache line
        together *= 2
    number = 0
    for other in range(busy):
        rows = listed + 4 * stride * other
        for k in range(1, 1 + np.int64(load_f32(rows, 0))):
            row = np.int64(load_f32(rows, k))
            if lanes > 1 and owner(row, together, lanes) != lane:
                continue
            known = False
            for earlier in range(other):
                known = known or load_f32(counts + 4 * stride * earlier, row) > F32(0)
            if known:
                continue
            number += 1
            store_f32(own, number, F32(row))
            to = floats(dw + 4 * row * columns, columns)
            if other:
                to[:] = floats(dw + 4 * (other * vector + row * columns), columns)
            for later in range(other + 1, busy):
                if load_f32(counts + 4 * stride * later, row) > F32(0):
                    part = floats(dw + 4 * (later * vector + row * columns), columns)
                    for j in range(columns):
                        to[j] += part[j]
    store_f32(own, 0, F32(number))
