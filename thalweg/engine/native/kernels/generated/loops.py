"""The vectorised loops of activations, which take a function of a number: the activation's value or its slope.

function(x, j, k, parameters) is one of element j of a line, with the activation's arguments k and the addresses of its
trainable parameters, one number per element. Most have no parameters, and one line.

A result may overwrite its operand. The loops are inlined into each kernel.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.language.callables import independent, inlined

F32, I32 = np.float32, np.int32


@inlined
def each(function, h, a, lines, n, k, parameters):
    """a = f(h), element by element."""
    for r in range(lines):
        x, y = floats(h + 4 * r * n, n), floats(a + 4 * r * n, n)
        for j in independent(n):
            y[j] = function(x[j], j, k, parameters)


@inlined
def each_adjoint(slope, v, da, dh, lines, n, k, parameters):
    """dh = da·f'(v), element by element."""
    for r in range(lines):
        x, d, y = floats(v + 4 * r * n, n), floats(da + 4 * r * n, n), floats(dh + 4 * r * n, n)
        for j in independent(n):
            y[j] = d[j] * slope(x[j], j, k, parameters)


@inlined
def each_gradient(slope, v, da, dp, lines, n, k, parameters, accumulate):
    """dp = Σ over the lines of da·f'(v)"""
    y = floats(dp, n)
    if not accumulate:
        y[:] = F32(0)
    for r in range(lines):
        x, d = floats(v + 4 * r * n, n), floats(da + 4 * r * n, n)
        for j in range(n):
            y[j] += d[j] * slope(x[j], j, k, parameters)


@inlined
def any_of(condition, v, lines, n, k, parameters):
    """Whether a condition holds for one of the numbers."""
    found = I32(0)
    for r in range(lines):
        x = floats(v + 4 * r * n, n)
        for j in range(n):
            found |= I32(condition(x[j], j, k, parameters))
    return found != I32(0)
