"""Along one axis, in its order: by hand, as vectors run across it: running sums, and the largest element's place."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel

F32 = np.float32


@kernel
def cumulative_sum(x, z, before, n, after, per_row, backwards, *, rows):
    """z[k] = z[k − 1] + x[k], or z[k + 1] + x[k] backwards"""
    for run in range(before * (rows if per_row else 1)):
        start = 4 * run * n * after
        if after == 1:
            u, v, total = floats(x + start, n), floats(z + start, n), F32(0)
            for k in range(n):
                place = n - 1 - k if backwards else k
                total += u[place]
                v[place] = total
            continue
        for k in range(n):
            place = start + 4 * after * (n - 1 - k if backwards else k)
            u, v = floats(x + place, after), floats(z + place, after)
            if k == 0:
                v[:] = u
            else:
                last = floats(z + (place + 4 * after if backwards else place - 4 * after), after)
                for j in range(after):
                    v[j] = last[j] + u[j]


@kernel
def argmax(x, z, before, n, after, per_row, smallest, *, rows):
    """z = the index of the first largest element, or of the first smallest"""
    for run in range(before * (rows if per_row else 1)):
        u, places = floats(x + 4 * run * n * after, n * after), floats(z + 4 * run * after, after)
        for j in range(after):
            best, top = 0, u[j]
            for k in range(1, n):
                v = u[k * after + j]
                if (v < top if smallest else v > top) or (v != v and top == top):
                    best, top = k, v
            places[j] = F32(best)
