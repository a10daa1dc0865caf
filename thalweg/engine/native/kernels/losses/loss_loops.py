"""How losses are summed and differentiated. Sums over blocks are taken in float64.

Operands of a loss: p, y, weight (0: none), sums; of a loss with its gradient: p, y, weight, sums, dp, and the address
of the activation (0: nothing reads it). Sizes: elements of a row, classes, columns of y, 1 for a plain sum over the
batch. Constants: coefficient and up to three of the loss's own. The losses themselves are functions passed to the
helpers here: elementwise ones are generated from their equations, those of whole rows are in `row_losses.py`.
"""

import numba
import numpy as np

from thalweg.engine.native.compiler.llvm import FLAGS, allocate, compiled, doubles, float_rows, floats, release, stack
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of
from thalweg.engine.native.layouts.state import BATCH_ROWS, ROWS
from thalweg.engine.native.linalg.moves import turn

F32 = np.float32
ONE = F32(1)

ELEMENTS = 512  # whose values are added up in float32
ROWS_AT_ONCE = 64  # in whole-row losses, one row per vector element: with fewer, loops cost more than caches gain
FEW = 64  # classes, at most, for which that fits on the stack; more use allocated memory
LINE = 64  # bytes of a cache line

slopes_scratch = stack(ELEMENTS)
weights_scratch = stack(ELEMENTS)
rows_scratch = stack(8 * ROWS_AT_ONCE)
classes_scratch = stack(3 * FEW * ROWS_AT_ONCE)


# --- elementwise losses ------------------------------------------------------------------------------------------


@numba.njit(inline="always", **FLAGS)
def total(function, o, c, s):
    """sums += coefficient·Σ w·f(y, p)"""
    elements(function, (), o, 0, o[4], o[7], c, s)


@numba.njit(inline="always", **FLAGS)
def total_and_slopes(function, o, c, s):
    """sums as in `total`, and dp = scale·w·f'(y, p)"""
    elements(function, (), o, o[4], o[6], o[9], c, s)


@numba.njit(inline="always", **FLAGS)
def elements(function, arguments, o, gradient, size, is_sum, c, s):
    """function(y, p, three constants, arguments) → (value, slope), both float32, for all elements, block by block.

    Each vector element adds up some of a block's values in float32: converting every value to float64 would take as
    long as a squared error and its slope.

    A block is an array of its own: for all LLVM knows, an index first + i might be negative and count from the end, so
    that it would gather and scatter.
    """
    n = s[ROWS] * size
    nowhere, weight, weights = slopes_scratch(), floats(o[2], s[ROWS]), floats(weights_scratch(), ELEMENTS)
    k1, k2, k3 = F32(c[1]), F32(c[2]), F32(c[3])
    scale = F32(c[0] if is_sum else c[0] / s[BATCH_ROWS])
    result = 0.0
    for first in range(0, n, ELEMENTS):
        count = min(ELEMENTS, n - first)
        p, y = floats(o[0] + 4 * first, count), floats(o[1] + 4 * first, count)
        slopes = floats(gradient + 4 * first if gradient else nowhere, count)
        block = F32(0)
        if o[2]:
            r, j = first // size, first % size
            for i in range(count):
                weights[i] = weight[r]
                j += 1
                if j == size:
                    r, j = r + 1, 0
            for i in range(count):
                value, slope = function(y[i], p[i], k1, k2, k3, *arguments)
                slopes[i] = scale * slope * weights[i]
                block += value * weights[i]
        else:
            for i in range(count):
                value, slope = function(y[i], p[i], k1, k2, k3, *arguments)
                slopes[i] = scale * slope
                block += value
        result += np.float64(block)
    doubles(o[3], 1)[0] += result * c[0] * (s[BATCH_ROWS] if is_sum else 1)


# --- losses over the classes of a row ------------------------------------------------------------------------------


@numba.njit(inline="always", **FLAGS)
def row_total(function, sparse, o, c, s):
    """sums += coefficient·Σ w·ℓ(row)"""
    rows_of_classes(function, sparse, o, 0, 0, o[4], o[5], o[6], o[7], c, s)


@numba.njit(inline="always", **FLAGS)
def row_total_and_slopes(function, sparse, o, c, s):
    """sums as in `row_total`, dp = scale·w·∂ℓ/∂p, and P, as the function leaves it, copied to the activation."""
    rows_of_classes(function, sparse, o, o[4], o[5], o[6], o[7], o[8], o[9], c, s)


@numba.njit(inline="always", **FLAGS)
def rows_of_classes(function, sparse, o, gradient, activation, size, classes, columns, is_sum, c, s):
    """function(P, Y, D, T, n, classes, three constants): P and Y hold n rows, transposed so that the numbers of a class
    are contiguous. It writes the slopes to D, ℓ of each row to T[:n], and may use the rest of T and overwrite P.

    So the loops over the rows are vectors, however few the classes are. Rows that pad a vector are zeros.
    """
    lines = s[ROWS] * size // classes
    positions = size // classes
    weight, scale = floats(o[2], s[ROWS]), F32(c[0] if is_sum else c[0] / s[BATCH_ROWS])
    k1, k2, k3 = F32(c[1]), F32(c[2]), F32(c[3])
    memory, work = 0, classes_scratch()
    if classes > FEW:
        memory = allocate(4 * 3 * classes * min(ROWS_AT_ONCE, (lines + 15) // 16 * 16) + LINE)
        work = (memory + LINE - 1) // LINE * LINE
    T = floats(rows_scratch(), 8 * ROWS_AT_ONCE)
    result = 0.0
    for first in range(0, lines, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, lines - first)
        n = (count + 15) // 16 * 16
        to_p, to_y, to_d = work, work + 4 * classes * n, work + 8 * classes * n
        P, Y, D = float_rows(to_p, classes, n), float_rows(to_y, classes, n), float_rows(to_d, classes, n)
        turn_rows(o[0] + 4 * first * classes, to_p, count, n, classes)
        if sparse:
            for j in range(classes):
                for r in range(n):
                    Y[j, r] = F32(0)
            labels = floats(o[1] + 4 * first, count)
            for r in range(count):
                label = class_of(labels[r], classes)
                if label == NO_CLASS:
                    Y[0, r] = F32(np.nan)  # and so is the loss
                else:
                    Y[label, r] = ONE
        else:
            turn_rows(o[1] + 4 * first * columns, to_y, count, n, columns)
        function(P, Y, D, T, n, classes, k1, k2, k3)
        scales = T[n : 2 * n]
        if o[2]:
            for r in range(count):
                w = weight[(first + r) // positions]
                T[r] *= w
                scales[r] = w * scale
        else:
            for r in range(n):
                scales[r] = scale
        for r in range(count):
            result += np.float64(T[r])
        if gradient:
            for j in range(classes):
                for r in range(n):
                    D[j, r] *= scales[r]
            turn(to_d, n, gradient + 4 * first * classes, classes, classes, count)
        if activation:
            turn(to_p, n, activation + 4 * first * classes, classes, classes, count)
    release(memory)
    doubles(o[3], 1)[0] += result * c[0] * (s[BATCH_ROWS] if is_sum else 1)


@compiled
def turn_rows(x, X, count, n, columns):
    """X[column, row] = x[row, column], with X n wide; 0 beyond the last row."""
    turn(x, columns, X, n, count, columns)
    rows = float_rows(X, columns, n)
    for j in range(columns):
        for r in range(count, n):
            rows[j, r] = F32(0)
