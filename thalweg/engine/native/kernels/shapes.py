"""Moving elements: by hand, as one text serves all orders of axes: slices and where they come from, concatenation."""

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats, load_f32, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, independent
from thalweg.engine.native.linalg.moves import turn

F32 = np.float32
FEW = 8  # elements of a run, for which starting its loop takes longer than copying them


@compiled
def copy(source, target, n):
    """target = source, which is elsewhere"""
    for i in independent(n):
        store_f32(target, i, load_f32(source, i))


@compiled
def _spread(x, step, z, stride, n):
    """z[i·stride] = x[i·step]"""
    for i in independent(n):
        store_f32(z, i * stride, load_f32(x, i * step))


@compiled
def _grid(x, down, across, z, below, beside, m, n):
    """z[i·below + j·beside] = x[i·down + j·across] for i < m, j < n"""
    if down == 1 and beside == 1 and m >= VW and n >= VW:
        turn(x, across, z, below, n, m)
    elif n < FEW and m > n:
        for j in range(n):
            _spread(x + 4 * j * across, down, z + 4 * j * beside, below, m)
    elif across == 1 and beside == 1:
        for i in range(m):
            copy(x + 4 * i * down, z + 4 * i * below, n)
    else:
        for i in range(m):
            _spread(x + 4 * i * down, across, z + 4 * i * below, beside, n)


@compiled
def _walk(loop, spread, line, inward, rows):
    """Copies elements that are some steps apart to a line without gaps, or back, if `inward`; for the numbers that
    describe the loop, see `walk` in thalweg/program/instructions/shapes.py."""
    axes, sizes, steps = loop[0], 1, 1 + loop[0]
    m, n = loop[sizes + axes - 2], loop[sizes + axes - 1]
    down, across = loop[steps + axes - 2], loop[steps + axes - 1]
    runs = 1
    for axis in range(axes - 2):
        runs *= loop[sizes + axis]
    if axes > 2:
        runs *= rows
    else:
        m *= rows
    for run in range(runs):
        rest, place = run, spread
        for axis in range(axes - 3, 0, -1):
            place += 4 * (rest % loop[sizes + axis]) * loop[steps + axis]
            rest //= loop[sizes + axis]
        if axes > 2:
            place += 4 * rest * loop[steps]
        if inward:
            _grid(line, n, 1, place, down, across, m, n)
        else:
            _grid(place, down, across, line, n, 1, m, n)
        line += 4 * m * n


@kernel
def slice(x, z, per_row, start, *loop, rows):
    """z = some elements of x"""
    _walk(loop, x + 4 * start, z, 0, rows if per_row else 1)


@kernel
def placement(x, z, per_row, large, start, value: float, *loop, rows):
    """z = x in some of its places, and a fixed value elsewhere"""
    rows = rows if per_row else 1
    floats(z, rows * large)[:] = F32(value)
    _walk(loop, z + 4 * start, x, 1, rows)


@kernel
def concatenation(z, per_row, before, count, *parts, rows):
    """z = the parts one after the other: `count` addresses, then as many runs, the elements that belong together"""
    before *= rows if per_row else 1
    width = 0
    for part in range(count):
        width += parts[count + part]
    for part in range(count):
        n = parts[count + part]
        _grid(parts[part], n, 1, z, width, 1, before, n)
        z += 4 * n


@kernel
def permutation(x, z, per_row, *loop, rows):
    """z = x with its axes in another order"""
    _walk(loop, x, z, 0, rows if per_row else 1)
