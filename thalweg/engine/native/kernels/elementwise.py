"""Dropout: by hand, as its adjoint reads what was dropped from signs of zeros. A result may overwrite its operand."""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, float_bits, floats, select
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import independent
from thalweg.engine.native.linalg.hashing import halves, uniform

F32 = np.float32
DROPPED = np.int32(-(2**31))  # the bits of −0


@kernel
def dropout(h, a, size, stream, rate: float, marked=0, *, rows, first_row, seed, iteration):
    """a = h·keep/(1 − rate); an element's counter is its place in the batch. If marked, dropped elements are −0."""
    rate, scale = F32(rate), F32(1.0 / (1.0 - rate))
    k, n, first = halves(seed, iteration, stream), rows * size, first_row * size
    h, a = floats(h, n), floats(a, n)
    if marked:
        for i in independent(n):  # by bits, as the compiler may ignore the sign of 0
            value = h[i] * scale
            kept = select(float_bits(value) == DROPPED, F32(0), value)
            a[i] = select(uniform(k, first + i) >= rate, kept, bits_float(DROPPED))
    else:
        for i in independent(n):
            a[i] = select(uniform(k, first + i) >= rate, h[i] * scale, F32(0))


@kernel
def dropout_adjoint(a, da, dh, size, rate: float, *, rows):
    """dh = da·keep/(1 − rate); what was dropped is −0 in a"""
    n, scale = rows * size, F32(1.0 / (1.0 - rate))
    a, da, dh = floats(a, n), floats(da, n), floats(dh, n)
    for i in independent(n):
        dh[i] = select(float_bits(a[i]) == DROPPED, F32(0), da[i] * scale)
