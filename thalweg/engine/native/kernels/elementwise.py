"""Elementwise kernels other than activations: sums, copies, rescaling, dropout.

A result may overwrite its operand. LLVM vectorises a loop over two arrays only after a check that they don't overlap,
and runs a scalar loop if they do; so the case of a single array has a loop of its own.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, float_bits, floats, select
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg.hashing import halves, uniform

F32 = np.float32


@kernel
def add(x, y, z, size, per_row, *, rows):
    """z = x + y; x, y or both may be z."""
    n = size * (rows if per_row else 1)
    alone, x, y, z = x == z, floats(x, n), floats(y, n), floats(z, n)
    if alone:
        for i in range(n):
            z[i] += y[i]
    else:
        for i in range(n):
            z[i] = x[i] + y[i]


@kernel
def copy(x, z, size, per_row, *, rows):
    """z = x"""
    n = size * (rows if per_row else 1)
    if x != z:
        floats(z, n)[:] = floats(x, n)


@kernel
def rescale(x, z, size, scale: float, offset: float, *, rows):
    """z = scale·x + offset"""
    n, scale, offset = rows * size, F32(scale), F32(offset)
    alone, x, z = x == z, floats(x, n), floats(z, n)
    if alone:
        for i in range(n):
            z[i] = scale * z[i] + offset
    else:
        for i in range(n):
            z[i] = scale * x[i] + offset


DROPPED = np.int32(-(2**31))  # the bits of −0


@inlined
def _marked(keep, value):
    """The value, 0 instead of −0; or −0 if it is dropped. By bits, as the compiler may ignore the sign of 0."""
    value = select(float_bits(value) == DROPPED, F32(0), value)
    return select(keep, value, bits_float(DROPPED))


@kernel
def dropout(h, a, size, stream, rate: float, marked=0, *, rows, first_row, seed, iteration):
    """a = h·keep/(1 − rate); an element's counter is its place in the batch. If marked, dropped elements are −0."""
    rate, scale = F32(rate), F32(1.0 / (1.0 - rate))
    k, n, first = halves(seed, iteration, stream), rows * size, first_row * size
    alone, h, a = h == a, floats(h, n), floats(a, n)
    if marked and alone:
        for i in range(n):
            a[i] = _marked(uniform(k, first + i) >= rate, a[i] * scale)
    elif marked:
        for i in range(n):
            a[i] = _marked(uniform(k, first + i) >= rate, h[i] * scale)
    elif alone:
        for i in range(n):
            a[i] = select(uniform(k, first + i) >= rate, a[i] * scale, F32(0))
    else:
        for i in range(n):
            a[i] = select(uniform(k, first + i) >= rate, h[i] * scale, F32(0))


@kernel
def dropout_adjoint(a, da, dh, size, rate: float, *, rows):
    """dh = da·keep/(1 − rate); what was dropped is −0 in a"""
    n, scale = rows * size, F32(1.0 / (1.0 - rate))
    alone, a, da, dh = da == dh, floats(a, n), floats(da, n), floats(dh, n)
    if alone:
        for i in range(n):
            dh[i] = select(float_bits(a[i]) == DROPPED, F32(0), dh[i] * scale)
    else:
        for i in range(n):
            dh[i] = select(float_bits(a[i]) == DROPPED, F32(0), da[i] * scale)
