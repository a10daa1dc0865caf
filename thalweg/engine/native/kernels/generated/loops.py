"""The vectorised loops of activations, which take a scalar function: the activation's value or its slope.

A result may overwrite its operand. LLVM vectorises a loop over two arrays only after a check that they don't overlap,
and runs a scalar loop if they do; so the case of a single array has a loop of its own. The loops are inlined into each
kernel.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import floats, unknown
from thalweg.engine.native.language.callables import inlined

F32, I32 = np.float32, np.int32

scalar = inlined


@scalar
def each(function, h, a, n, arguments):
    """a = f(h; arguments), element by element.

    On AVX2, LLVM turns "store either x or the value already there" into a masked store of x, which takes some
    processors six times as long. Multiplying by a 1 that LLVM doesn't know to be one hides the value already there.
    """
    y = floats(a, n)
    if h == a:
        one = unknown(F32(1))
        for i in range(n):
            y[i] = function(y[i] * one, arguments)
    else:
        x = floats(h, n)
        for i in range(n):
            y[i] = function(x[i], arguments)


@scalar
def each_adjoint(slope, v, da, dh, n, arguments):
    """dh = da·f'(v; arguments), element by element."""
    x, y = floats(v, n), floats(dh, n)
    if da == dh:
        for i in range(n):
            y[i] *= slope(x[i], arguments)
    else:
        d = floats(da, n)
        for i in range(n):
            y[i] = d[i] * slope(x[i], arguments)


@scalar
def any_of(condition, v, n, arguments):
    """Whether a condition holds for one of n numbers."""
    x, found = floats(v, n), I32(0)
    for i in range(n):
        found |= I32(condition(x[i], arguments))
    return found != I32(0)
