"""Along one axis, in its order: running sums, and the place of the largest element."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32


def cumulative_sum(o, c, s, f):
    """z[k] = z[k − 1] + x[k], or z[k + 1] + x[k] backwards"""
    n, after, backwards = o[3], o[4], o[6]
    for run in range(o[2] * (s[ROWS] if o[5] else 1)):
        start = 4 * run * n * after
        if after == 1:
            x, z, total = floats(o[0] + start, n), floats(o[1] + start, n), F32(0)
            for k in range(n):
                place = n - 1 - k if backwards else k
                total += x[place]
                z[place] = total
            continue
        for k in range(n):
            place = start + 4 * after * (n - 1 - k if backwards else k)
            x, z = floats(o[0] + place, after), floats(o[1] + place, after)
            if k == 0:
                for j in range(after):
                    z[j] = x[j]
            else:
                before = floats(o[1] + (place + 4 * after if backwards else place - 4 * after), after)
                for j in range(after):
                    z[j] = before[j] + x[j]


def argmax(o, c, s, f):
    """z = the index of the first largest element, or of the first smallest"""
    before, n, after, smallest = o[2] * (s[ROWS] if o[5] else 1), o[3], o[4], o[6]
    for run in range(before):
        x, z = floats(o[0] + 4 * run * n * after, n * after), floats(o[1] + 4 * run * after, after)
        for j in range(after):
            best, top = 0, x[j]
            for k in range(1, n):
                v = x[k * after + j]
                if (v < top if smallest else v > top) or (v != v and top == top):
                    best, top = k, v
            z[j] = F32(best)
