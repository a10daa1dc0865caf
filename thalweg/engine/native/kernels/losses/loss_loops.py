"""How losses are summed and differentiated. Sums over blocks are taken in float64.

The losses themselves are functions passed to the helpers here: elementwise ones are generated from their equations,
those of whole rows are in `row_functions.py`. An address of 0 stands for weights that are all 1, and for slopes, or
an activation, that nothing reads.
"""

import numpy as np

from thalweg.engine.native.compiler.llvm import allocate, doubles, float_rows, floats, release, stack
from thalweg.engine.native.kernels.losses.class_numbers import NO_CLASS, class_of
from thalweg.engine.native.language.callables import compiled, inlined
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


@inlined
def elements(function, arguments, p, y, weight, sums, gradient, size, total, coefficient, rows, batch_rows):
    """sums += coefficient·Σ w·f(y, p), and the slopes: scale·w·f'(y, p) in `gradient`, block by block.

    function(y, p, *arguments) → (value, slope), both float32. Each vector element adds up some of a block's values in
    float32: converting every value to float64 would take as long as a squared error and its slope.

    A block is an array of its own: for all LLVM knows, an index first + i might be negative and count from the end, so
    that it would gather and scatter.
    """
    n = rows * size
    nowhere, of_rows, weights = slopes_scratch(), floats(weight, rows), floats(weights_scratch(), ELEMENTS)
    scale = F32(coefficient if total else coefficient / batch_rows)
    result = 0.0
    for first in range(0, n, ELEMENTS):
        count = min(ELEMENTS, n - first)
        u, v = floats(p + 4 * first, count), floats(y + 4 * first, count)
        slopes = floats(gradient + 4 * first if gradient else nowhere, count)
        block = F32(0)
        if weight:
            r, j = first // size, first % size
            for i in range(count):
                weights[i] = of_rows[r]
                j += 1
                if j == size:
                    r, j = r + 1, 0
            for i in range(count):
                value, slope = function(v[i], u[i], *arguments)
                slopes[i] = scale * slope * weights[i]
                block += value * weights[i]
        else:
            for i in range(count):
                value, slope = function(v[i], u[i], *arguments)
                slopes[i] = scale * slope
                block += value
        result += np.float64(block)
    doubles(sums, 1)[0] += result * coefficient * (batch_rows if total else 1)


# --- losses over the classes of a row ------------------------------------------------------------------------------


@inlined
def rows_of_classes(
    function, arguments, sparse, p, y, weight, sums, gradient, activation, size, classes, columns, total, coefficient,
    rows, batch_rows,
):  # fmt: skip
    """sums += coefficient·Σ w·ℓ(row), scale·w·∂ℓ/∂p in `gradient`, and P, as the function leaves it, in `activation`.

    function(P, Y, D, T, n, classes, *arguments): P and Y hold n rows, transposed so that the numbers of a class are
    contiguous. It writes the slopes to D, ℓ of each row to T[:n], and may use the rest of T and overwrite P. If
    `sparse`, y holds class numbers.

    So the loops over the rows are vectors, however few the classes are. Rows that pad a vector are zeros.
    """
    lines = rows * size // classes
    positions = size // classes
    of_rows, scale = floats(weight, rows), F32(coefficient if total else coefficient / batch_rows)
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
        turn_rows(p + 4 * first * classes, to_p, count, n, classes)
        if sparse:
            floats(to_y, classes * n)[:] = F32(0)
            labels = floats(y + 4 * first, count)
            for r in range(count):
                label = class_of(labels[r], classes)
                if label == NO_CLASS:
                    Y[0, r] = F32(np.nan)  # and so is the loss
                else:
                    Y[label, r] = ONE
        else:
            turn_rows(y + 4 * first * columns, to_y, count, n, columns)
        function(P, Y, D, T, n, classes, *arguments)
        scales = T[n : 2 * n]
        if weight:
            for r in range(count):
                w = of_rows[(first + r) // positions]
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
    doubles(sums, 1)[0] += result * coefficient * (batch_rows if total else 1)


@compiled
def turn_rows(x, X, count, n, columns):
    """X[column, row] = x[row, column], with X n wide; 0 beyond the last row."""
    turn(x, columns, X, n, count, columns)
    rows = float_rows(X, columns, n)
    for j in range(columns):
        rows[j][count:] = F32(0)
