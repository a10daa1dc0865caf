"""Activations that act on one row at a time: softmax, log_softmax, sparsemax, glu.

A row is an array of its own: numba lets negative indices count from the end, and for all LLVM knows, an index that
starts at r·n might be negative, so that the loop would not be vectorised.
"""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, INNER, bits_float, float_bits, float_rows, floats, select
from thalweg.engine.native.compiler.processor import VW
from thalweg.engine.native.kernels.losses import row_losses
from thalweg.engine.native.kernels.losses.loss_loops import ROWS_AT_ONCE, classes_scratch, rows_scratch, turn_rows
from thalweg.engine.native.layouts.state import ROWS
from thalweg.engine.native.linalg import mathematics as maths
from thalweg.engine.native.linalg.moves import turn

F32, I32 = np.float32, np.int32


@numba.njit(inline="always", **FLAGS)
def ordered(bits):
    """Bits of a float ↔ an int32 with the same order: maxima of integers are vectorised."""
    return I32(bits ^ (I32(bits >> I32(31)) & I32(0x7FFFFFFF)))


@numba.njit(inline="always", **FLAGS)
def row_maximum(x, n):
    """The largest of a row. A NaN may or may not win."""
    top = ordered(float_bits(x[0]))
    for j in range(n):
        top = max(top, ordered(float_bits(x[j])))
    return bits_float(ordered(top))


@numba.njit(inline="always", **FLAGS)
def row_below_maximum(h, a, n):
    """a = h − max h"""
    x, y = floats(h, n), floats(a, n)
    top = row_maximum(x, n)
    if h == a:
        for j in range(n):
            y[j] -= top
    else:
        for j in range(n):
            y[j] = x[j] - top


@numba.njit(**INNER)
def softmax_turned(h, a, rows, classes):
    """a = e^(h − max h)/Σ for rows that don't fill a vector: transposed, so that the vectors run across the rows."""
    turned, scratch = classes_scratch(), floats(rows_scratch(), 2 * ROWS_AT_ONCE)
    top, mass = scratch[:ROWS_AT_ONCE], scratch[ROWS_AT_ONCE:]
    for first in range(0, rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, rows - first)
        n = (count + 15) // 16 * 16
        P = float_rows(turned, classes, n)
        turn_rows(h + 4 * first * classes, turned, count, n, classes)
        row_losses.largest(P, top, n, classes)
        row_losses.softmax(P, top, mass, n, classes)
        turn(turned, n, a + 4 * first * classes, classes, classes, count)


@numba.njit(**INNER)
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


def softmax(o, c, s, f):
    h, a, rows, classes = o[0], o[1], s[ROWS] * o[2], o[3]
    if classes < VW <= rows:
        softmax_turned(h, a, rows, classes)
    else:
        softmax_rows(h, a, rows, classes)


def softmax_adjoint(o, c, s, f):
    """dh = a·(da − Σ da·a)"""
    classes = o[4]
    for r in range(s[ROWS] * o[3]):
        start = 4 * r * classes
        a, da, dh = floats(o[0] + start, classes), floats(o[1] + start, classes), floats(o[2] + start, classes)
        total = F32(0)
        for j in range(classes):
            total += da[j] * a[j]
        if o[1] == o[2]:
            for j in range(classes):
                dh[j] = a[j] * (dh[j] - total)
        else:
            for j in range(classes):
                dh[j] = a[j] * (da[j] - total)


def log_softmax(o, c, s, f):
    """a = h − max h − ln Σ e^(h − max h)"""
    n = o[3]
    for r in range(s[ROWS] * o[2]):
        row_below_maximum(o[0] + 4 * r * n, o[1] + 4 * r * n, n)
        y = floats(o[1] + 4 * r * n, n)
        total = F32(0)
        for j in range(n):
            total += maths.exp(y[j])
        size = maths.log(total)
        for j in range(n):
            y[j] -= size


def log_softmax_adjoint(o, c, s, f):
    """dh = da − eᵃ·Σ da"""
    n = o[4]
    for r in range(s[ROWS] * o[3]):
        a, da, dh = floats(o[0] + 4 * r * n, n), floats(o[1] + 4 * r * n, n), floats(o[2] + 4 * r * n, n)
        total = F32(0)
        for j in range(n):
            total += da[j]
        if o[1] == o[2]:
            for j in range(n):
                dh[j] -= maths.exp(a[j]) * total
        else:
            for j in range(n):
                dh[j] = da[j] - maths.exp(a[j]) * total


def sparsemax(o, c, s, f):
    """a = max(h − τ, 0): τ from the whole row, then from the elements above it, until no more fall below.

    Michelot's algorithm (1986): it needs no sorting and no memory, and ends after a few rounds.
    """
    n = o[3]
    for r in range(s[ROWS] * o[2]):
        row_below_maximum(o[0] + 4 * r * n, o[1] + 4 * r * n, n)
        y = floats(o[1] + 4 * r * n, n)
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


def sparsemax_adjoint(o, c, s, f):
    """dh = da − mean of da where a > 0, 0 elsewhere"""
    n = o[4]
    for r in range(s[ROWS] * o[3]):
        a, da, dh = floats(o[0] + 4 * r * n, n), floats(o[1] + 4 * r * n, n), floats(o[2] + 4 * r * n, n)
        total, count = F32(0), F32(0)
        for j in range(n):
            total += select(a[j] > F32(0), da[j], F32(0))
            count += select(a[j] > F32(0), F32(1), F32(0))
        mean = total / count
        if o[1] == o[2]:
            for j in range(n):
                dh[j] = select(a[j] > F32(0), dh[j] - mean, F32(0))
        else:
            for j in range(n):
                dh[j] = select(a[j] > F32(0), da[j] - mean, F32(0))


def glu(o, c, s, f):
    """a = x·σ(g), x and g the halves of h"""
    n = o[3] // 2
    for r in range(s[ROWS] * o[2]):
        x, g, a = floats(o[0] + 8 * r * n, n), floats(o[0] + 8 * r * n + 4 * n, n), floats(o[1] + 4 * r * n, n)
        for j in range(n):
            a[j] = x[j] * maths.sigmoid(g[j])


def glu_adjoint(o, c, s, f):
    """dx = da·σ(g), dg = da·x·σ'(g)"""
    n = o[4] // 2
    for r in range(s[ROWS] * o[3]):
        x, g, da = floats(o[0] + 8 * r * n, n), floats(o[0] + 8 * r * n + 4 * n, n), floats(o[1] + 4 * r * n, n)
        dx, dg = floats(o[2] + 8 * r * n, n), floats(o[2] + 8 * r * n + 4 * n, n)
        for j in range(n):
            gate = maths.sigmoid(g[j])
            dx[j] = da[j] * gate
            dg[j] = da[j] * x[j] * gate * (F32(1) - gate)
