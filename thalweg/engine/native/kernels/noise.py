"""Normal numbers: by hand, in float32 where their references keep float64.

An element's counter is its place in the batch.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import independent, inlined
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.hashing import halves, uniform

F32, U32 = np.float32, np.uint32


@inlined
def normal(key, counter):
    """A normal number of mean 0 and variance 1 from two of the counter's (Box and Muller)."""
    counter = U32(counter)
    u, v = uniform(key, counter + counter), uniform(key, counter + counter + U32(1))
    return np.sqrt(F32(-2) * maths.log(F32(1) - u)) * maths.cos(F32(6.2831853) * v)


@kernel
def gaussian_noise(h, a, size, stream, amount: float, *, rows, first_row, seed, iteration):
    """a = h + amount·z"""
    k, amount, n, first = halves(seed, iteration, stream), F32(amount), rows * size, first_row * size
    h, a = floats(h, n), floats(a, n)
    for i in independent(n):
        a[i] = h[i] + amount * normal(k, first + i)


@kernel
def gaussian_dropout(h, a, size, stream, amount: float, *, rows, first_row, seed, iteration):
    """a = h·(1 + amount·z)"""
    k, amount, n, first = halves(seed, iteration, stream), F32(amount), rows * size, first_row * size
    h, a = floats(h, n), floats(a, n)
    for i in independent(n):
        a[i] = h[i] * (F32(1) + amount * normal(k, first + i))


@kernel
def random_normal(z, size, stream, mean: float, stddev: float, *, rows, first_row, seed, iteration):
    """z = mean + stddev·n"""
    n, first, mean, stddev = rows * size, first_row * size, F32(mean), F32(stddev)
    k, z = halves(seed, iteration, stream), floats(z, n)
    for i in range(n):
        z[i] = mean + stddev * normal(k, first + i)
