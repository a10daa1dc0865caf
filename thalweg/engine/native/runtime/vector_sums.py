"""Vectors of weights, gradients, updates and activations in numbers, for the recording of a training.

Results are complete only if all values are finite; `recordings/measuring.py` does what has others.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, doubles, float_bits, floats, integers
from thalweg.engine.native.compiler.named import kernel
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


@compiled
def described(v, bins, step, counts, result, first, second):
    """Two sums over functions of the values, the extremes and whether all are finite; counts every `step`-th value."""
    extremes(v, result[2:])
    if result[4] == 0.0:
        return
    one, other = 0.0, 0.0
    for i in range(v.size):
        x = F64(v[i])
        one += first(x)
        other += second(x)
    result[0], result[1] = one, other
    histogram(v, bins, step, counts, result[2], result[3])


@kernel
def summarise(v, size, counts, bins, step, result):
    """Σv², Σ|v|, the least and the greatest value, and whether all are finite; counts every `step`-th value."""
    described(floats(v, size), bins, step, integers(counts, bins), doubles(result, 5), np.square, abs)


@kernel
def activity(a, size, counts, bins, step, result, h, many, units, greatest, large: float):
    """Σa, Σa², the least and the greatest output, whether all are finite, dead units, and saturated pre-activations.

    a: the outputs. h: the pre-activations, which from |h| = large on are saturated; greatest: a place for each unit's.
    """
    result, h, greatest = doubles(result, 7), floats(h, many), floats(greatest, units)
    extremes(h, result[2:])
    if result[4] == 0.0:
        return
    described(floats(a, size), bins, step, integers(counts, bins), result, F64, np.square)
    saturated, dead = 0, 0
    for i in range(many):
        saturated += abs(h[i]) >= F32(large)
    for unit in range(units):
        greatest[unit] = h[unit]
    for row in range(1, many // units):
        for unit in range(units):
            greatest[unit] = max(greatest[unit], h[row * units + unit])
    for unit in range(units):
        dead += greatest[unit] <= F32(0)
    result[5], result[6] = F64(dead), F64(saturated)
