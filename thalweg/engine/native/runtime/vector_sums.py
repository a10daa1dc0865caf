"""Vectors of weights, gradients, updates and activations in numbers, for the recording of a training.

Results are complete only if all values are finite; `recordings/measuring.py` does what has others.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, doubles, float_bits, floats, integers
from thalweg.engine.native.language.callables import compiled, inlined

I32, F32, F64 = np.int32, np.float32, np.float64
EXPONENT, MAGNITUDE = I32(0x7F800000), I32(0x7FFFFFFF)


@inlined
def rank(x):
    """An int32 in the order of the floats: its own bits, those below the sign inverted if it is negative."""
    bits = float_bits(x)
    return bits ^ ((bits >> I32(31)) & MAGNITUDE)


@inlined
def ranked(place):
    """The float of that place in the order."""
    return F64(bits_float(place ^ ((place >> I32(31)) & MAGNITUDE)))


@compiled
def extremes(v, result):
    """Writes the least and the greatest value, and whether all are finite; by bits, which LLVM vectorises."""
    low = high = rank(v[0])
    others = I32(0)
    for i in range(v.size):
        place = rank(v[i])
        low, high = min(low, place), max(high, place)
        others |= I32((float_bits(v[i]) & EXPONENT) == EXPONENT)
    result[0], result[1], result[2] = ranked(low), ranked(high), 1.0 if others == 0 else 0.0


@compiled
def histogram(v, bins, step, counts, low, high):
    """Counts every `step`-th value between two extremes; equal values are all in the first bin."""
    width = high - low
    scale = bins / width if width > 0.0 else 0.0
    for i in range(0, v.size, step):
        counts[min(bins - 1, int((F64(v[i]) - low) * scale))] += 1


def summarise(o, c, s, f):
    """Σv², Σ|v|, the least and the greatest value, and whether all are finite.

    o: v, its size, the counts, their number, the step of what is counted, the results.
    """
    v, counts, result = floats(o[0], o[1]), integers(o[2], o[3]), doubles(o[5], 5)
    extremes(v, doubles(o[5] + 16, 3))
    if result[4] == 0.0:
        return
    squares, sizes = 0.0, 0.0
    for i in range(v.size):
        x = F64(v[i])
        squares += x * x
        sizes += abs(x)
    result[0], result[1] = squares, sizes
    histogram(v, o[3], o[4], counts, result[2], result[3])


def activity(o, c, s, f):
    """Σa, Σa², the least and the greatest output, whether all are finite, dead units, and saturated pre-activations.

    o: the outputs a, their size, the counts, their number, the step of what is counted, the results; then the
    pre-activations h, their size, units, and a place for the greatest h of each. c: from which |h| on one is saturated.
    """
    a, counts, result = floats(o[0], o[1]), integers(o[2], o[3]), doubles(o[5], 7)
    h, greatest = floats(o[6], o[7]), floats(o[9], o[8])
    extremes(h, doubles(o[5] + 16, 3))
    if result[4] == 0.0:
        return
    extremes(a, doubles(o[5] + 16, 3))
    if result[4] == 0.0:
        return
    sums, squares = 0.0, 0.0
    for i in range(a.size):
        x = F64(a[i])
        sums += x
        squares += x * x
    result[0], result[1] = sums, squares
    histogram(a, o[3], o[4], counts, result[2], result[3])
    units, large, saturated = o[8], F32(c[0]), 0
    for i in range(h.size):
        saturated += 1 if abs(h[i]) >= large else 0
    for unit in range(units):
        greatest[unit] = h[unit]
    for row in range(1, h.size // units):
        for unit in range(units):
            greatest[unit] = max(greatest[unit], h[row * units + unit])
    dead = 0
    for unit in range(units):
        dead += 1 if greatest[unit] <= F32(0) else 0
    result[5], result[6] = F64(dead), F64(saturated)
