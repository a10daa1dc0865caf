"""Elementwise kernels other than activations: sums, copies, rescaling, dropout.

A result may overwrite its operand. LLVM vectorises a loop over two arrays only after a check that they don't overlap,
and runs a scalar loop if they do; so the case of a single array has a loop of its own.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import bits_float, float_bits, floats, select
from thalweg.engine.native.kernels.generated.loops import scalar
from thalweg.engine.native.layouts.state import FIRST_ROW, ITERATION, ROWS, SEED
from thalweg.engine.native.linalg.hashing import key, uniform

F32 = np.float32
U32, U64 = np.uint32, np.uint64


def add(o, c, s, f):
    """z = x + y; x, y or both may be z."""
    n = o[3] * (s[ROWS] if o[4] else 1)
    z, y = floats(o[2], n), floats(o[1], n)
    if o[0] == o[2]:
        for i in range(n):
            z[i] += y[i]
    else:
        x = floats(o[0], n)
        for i in range(n):
            z[i] = x[i] + y[i]


def copy(o, c, s, f):
    """z = x"""
    n = o[2] * (s[ROWS] if o[3] else 1)
    if o[0] != o[1]:
        x, z = floats(o[0], n), floats(o[1], n)
        for i in range(n):
            z[i] = x[i]


def rescale(o, c, s, f):
    """z = scale·x + offset"""
    n, scale, offset = s[ROWS] * o[2], F32(c[0]), F32(c[1])
    z = floats(o[1], n)
    if o[0] == o[1]:
        for i in range(n):
            z[i] = scale * z[i] + offset
    else:
        x = floats(o[0], n)
        for i in range(n):
            z[i] = scale * x[i] + offset


DROPPED = np.int32(-(2**31))  # the bits of −0


@scalar
def _marked(keep, value):
    """The value, 0 instead of −0; or −0 if it is dropped. By bits, as the compiler may ignore the sign of 0."""
    value = select(float_bits(value) == DROPPED, F32(0), value)
    return select(keep, value, bits_float(DROPPED))


def dropout(o, c, s, f):
    """a = h·keep/(1 − rate); an element's counter is its place in the batch. If marked, dropped elements are −0."""
    size, rate, scale, marked = o[2], F32(c[0]), F32(1.0 / (1.0 - c[0])), o[4]
    n, first = s[ROWS] * size, U32(U64(s[FIRST_ROW] * size))
    k = key(s[SEED], s[ITERATION], o[3])
    low, high = U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))
    a = floats(o[1], n)
    if marked and o[0] == o[1]:
        for i in range(n):
            a[i] = _marked(uniform(low, high, first + U32(i)) >= rate, a[i] * scale)
    elif marked:
        h = floats(o[0], n)
        for i in range(n):
            a[i] = _marked(uniform(low, high, first + U32(i)) >= rate, h[i] * scale)
    elif o[0] == o[1]:
        for i in range(n):
            a[i] = select(uniform(low, high, first + U32(i)) >= rate, a[i] * scale, F32(0))
    else:
        h = floats(o[0], n)
        for i in range(n):
            a[i] = select(uniform(low, high, first + U32(i)) >= rate, h[i] * scale, F32(0))


def dropout_adjoint(o, c, s, f):
    """dh = da·keep/(1 − rate); what was dropped is −0 in a"""
    n, scale = s[ROWS] * o[3], F32(1.0 / (1.0 - c[0]))
    a, dh = floats(o[0], n), floats(o[2], n)
    if o[1] == o[2]:
        for i in range(n):
            dh[i] = select(float_bits(a[i]) == DROPPED, F32(0), dh[i] * scale)
    else:
        da = floats(o[1], n)
        for i in range(n):
            dh[i] = select(float_bits(a[i]) == DROPPED, F32(0), da[i] * scale)
