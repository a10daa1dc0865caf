"""Activations that act on one row at a time: by hand, as short rows are turned, so that vectors run along the rows."""

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import bits_float, float_bits, float_rows, floats, select
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses import row_functions
from thalweg.engine.native.kernels.losses.loss_loops import ROWS_AT_ONCE, classes_scratch, rows_scratch, turn_rows
from thalweg.engine.native.language.callables import compiled, independent, inlined
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.moves import turn

F32, I32 = np.float32, np.int32


@inlined
def ordered(bits):
    """Bits of a float ↔ an int32 with the same order: maxima of integers are vectorised."""
    return I32(bits ^ (I32(bits >> I32(31)) & I32(0x7FFFFFFF)))


@inlined
def row_maximum(x, n):
    """The largest of a row. A NaN may or may not win."""
    top = ordered(float_bits(x[0]))
    for j in range(n):
        top = max(top, ordered(float_bits(x[j])))
    return bits_float(ordered(top))


@inlined
def row_below_maximum(h, a, n):
    """a = h − max h"""
    x, y = floats(h, n), floats(a, n)
    top = row_maximum(x, n)
    for j in independent(n):
        y[j] = x[j] - top


@compiled
def softmax_turned(h, a, rows, classes):
    """a = e^(h − max h)/Σ for rows that don't fill a vector: transposed, so that the vectors run across the rows."""
    turned, scratch = classes_scratch(), floats(rows_scratch(), 2 * ROWS_AT_ONCE)
    top, mass = scratch[:ROWS_AT_ONCE], scratch[ROWS_AT_ONCE:]
    for first in range(0, rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, rows - first)
        n = (count + 15) // 16 * 16
        P = float_rows(turned, classes, n)
        turn_rows(h + 4 * first * classes, turned, count, n, classes)
        row_functions.largest(P, top, n, classes)
        row_functions.softmax(P, top, mass, n, classes)
        turn(turned, n, a + 4 * first * classes, classes, classes, count)


@compiled
def softmax_rows(h, a, rows, classes):
    """The same for longer rows: maxima row by row, the exponentials in one long loop, sums row by row."""
    for r in range(rows):
        row_below_maximum(h + 4 * r * classes, a + 4 * r * classes, classes)
    all_rows = floats(a, rows * classes)
    for i in range(rows * classes):
        all_rows[i] = maths.exp(all_rows[i])
    for r in range(rows):
        y = floats(a + 4 * r * classes, classes)
        total = F32(0)
        for j in range(classes):
            total += y[j]  # NaN if any is
        scale = F32(1) / total
        for j in range(classes):
            y[j] *= scale


@kernel
def softmax(h, a, vectors, n, *, rows):
    rows *= vectors
    if n < VW <= rows:
        softmax_turned(h, a, rows, n)
    else:
        softmax_rows(h, a, rows, n)


@kernel
def softmax_adjoint(v, da, dh, vectors, n, *, rows):
    """dh = a·(da − Σ da·a)"""
    for r in range(rows * vectors):
        start = 4 * r * n
        a, d, g = floats(v + start, n), floats(da + start, n), floats(dh + start, n)
        total = F32(0)
        for j in range(n):
            total += d[j] * a[j]
        for j in independent(n):
            g[j] = a[j] * (d[j] - total)


@kernel
def log_softmax(h, a, vectors, n, *, rows):
    """a = h − max h − ln Σ e^(h − max h)"""
    for r in range(rows * vectors):
        row_below_maximum(h + 4 * r * n, a + 4 * r * n, n)
        y = floats(a + 4 * r * n, n)
        total = F32(0)
        for j in range(n):
            total += maths.exp(y[j])
        size = maths.log(total)
        for j in range(n):
            y[j] -= size


@kernel
def log_softmax_adjoint(v, da, dh, vectors, n, *, rows):
    """dh = da − eᵃ·Σ da"""
    for r in range(rows * vectors):
        a, d, g = floats(v + 4 * r * n, n), floats(da + 4 * r * n, n), floats(dh + 4 * r * n, n)
        total = F32(0)
        for j in range(n):
            total += d[j]
        for j in independent(n):
            g[j] = d[j] - maths.exp(a[j]) * total


@kernel
def sparsemax(h, a, vectors, n, *, rows):
    """a = max(h − τ, 0): τ from the whole row, then from the elements above it, until no more fall below.

    Michelot's algorithm (1986): it needs no sorting and no memory, and ends after a few rounds.
    """
    for r in range(rows * vectors):
        row_below_maximum(h + 4 * r * n, a + 4 * r * n, n)
        y = floats(a + 4 * r * n, n)
        tau, count = F32(-1), F32(-1)  # an element more than 1 below the largest is 0 in any case
        for _ in range(n):
            total, above = F32(0), F32(0)
            for j in range(n):
                belongs = y[j] > tau
                total += select(belongs, y[j], F32(0))
                above += select(belongs, F32(1), F32(0))
            tau = (total - F32(1)) / above
            if above == count:
                break
            count = above
        for j in range(n):
            rest = y[j] - tau
            y[j] = select(rest < F32(0), F32(0), rest)


@kernel
def sparsemax_adjoint(v, da, dh, vectors, n, *, rows):
    """dh = da − mean of da where a > 0, 0 elsewhere"""
    for r in range(rows * vectors):
        a, d, g = floats(v + 4 * r * n, n), floats(da + 4 * r * n, n), floats(dh + 4 * r * n, n)
        total, count = F32(0), F32(0)
        for j in range(n):
            total += select(a[j] > F32(0), d[j], F32(0))
            count += select(a[j] > F32(0), F32(1), F32(0))
        mean = total / count
        for j in independent(n):
            g[j] = select(a[j] > F32(0), d[j] - mean, F32(0))


@kernel
def glu(h, a, vectors, n, *, rows):
    """a = x·σ(g), x and g the halves of h"""
    n //= 2
    for r in range(rows * vectors):
        x, g, out = floats(h + 8 * r * n, n), floats(h + 8 * r * n + 4 * n, n), floats(a + 4 * r * n, n)
        for j in range(n):
            out[j] = x[j] * maths.sigmoid(g[j])


@kernel
def glu_adjoint(v, da, dh, vectors, n, *, rows):
    """dx = da·σ(g), dg = da·x·σ'(g)"""
    n //= 2
    for r in range(rows * vectors):
        x, g, d = floats(v + 8 * r * n, n), floats(v + 8 * r * n + 4 * n, n), floats(da + 4 * r * n, n)
        dx, dg = floats(dh + 8 * r * n, n), floats(dh + 8 * r * n + 4 * n, n)
        for j in range(n):
            gate = maths.sigmoid(g[j])
            dx[j] = d[j] * gate
            dg[j] = d[j] * x[j] * gate * (F32(1) - gate)
