"""Images of another size."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.layouts.state import ROWS

F32 = np.float32
FEW = 8  # elements after the axis, for which starting a loop takes longer than the sums


def resampling(o, c, s, f):
    """z[j] = Σ weights[j, t]·x[first[j] + t] along an axis"""
    n, after, m, most = o[5], o[6], o[8], o[9]
    places, weights = floats(o[1], 2 * m), floats(o[2], m * most)
    for run in range(o[4] * (s[ROWS] if o[7] else 1)):
        old, new = o[0] + 4 * run * n * after, o[3] + 4 * run * m * after
        for j in range(m):
            first, count, w = np.int64(places[2 * j]), np.int64(places[2 * j + 1]), j * most
            x, z = floats(old + 4 * first * after, count * after), floats(new + 4 * j * after, after)
            if after < FEW:
                for i in range(after):
                    total = F32(0)
                    for t in range(count):
                        total += weights[w + t] * x[t * after + i]
                    z[i] = total
            elif count == 2:
                u, v = weights[w], weights[w + 1]
                for i in range(after):
                    z[i] = u * x[i] + v * x[after + i]
            else:
                z[:] = F32(0)
                for t in range(count):
                    u, at = weights[w + t], t * after
                    for i in range(after):
                        z[i] += u * x[at + i]
