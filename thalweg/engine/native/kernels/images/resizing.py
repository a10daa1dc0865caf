"""Images of another size: by hand, as the places and weights of what is averaged are tables of constants."""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel

F32 = np.float32
FEW = 8  # elements after the axis, for which starting a loop takes longer than the sums


@kernel
def resampling(x, places, weights, z, before, n, after, per_row, m, most, *, rows):
    """z[j] = Σ weights[j, t]·x[first[j] + t] along an axis"""
    places, weights = floats(places, 2 * m), floats(weights, m * most)
    for run in range(before * (rows if per_row else 1)):
        old, new = x + 4 * run * n * after, z + 4 * run * m * after
        for j in range(m):
            first, count, w = np.int64(places[2 * j]), np.int64(places[2 * j + 1]), j * most
            source, target = floats(old + 4 * first * after, count * after), floats(new + 4 * j * after, after)
            if after < FEW:
                for i in range(after):
                    total = F32(0)
                    for t in range(count):
                        total += weights[w + t] * source[t * after + i]
                    target[i] = total
            elif count == 2:
                u, v = weights[w], weights[w + 1]
                for i in range(after):
                    target[i] = u * source[i] + v * source[after + i]
            else:
                target[:] = F32(0)
                for t in range(count):
                    u, at = weights[w + t], t * after
                    for i in range(after):
                        target[i] += u * source[at + i]
