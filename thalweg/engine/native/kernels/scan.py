"""The loop over the steps of sequences: by hand, as it calls the kernels of its body; and sequences by steps."""

import numpy as np

from thalweg.engine.native.compiler.llvm import call, floats, integers
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.shapes import copy
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.layouts.job import CONSTANTS, ROW_WIDTH

F32 = np.float32


@compiled
def _move(cells, count, rows):
    """Moves operands by a number of steps: each cell's address by 4·rows·floats of a row."""
    pairs = integers(cells, 2 * count)
    for i in range(count):
        place = integers(pairs[2 * i], 1)
        place[0] += 4 * rows * pairs[2 * i + 1]


@compiled
def _carry(source, target, n):
    """What a memory becomes: a copy, or zeros without a source."""
    if source:
        copy(source, target, n)
    else:
        floats(target, n)[:] = F32(0)


@kernel
def scan(body, constants, count, cells, moving, carried, memories, steps, backwards, *, rows, state, reals):
    """Calls the kernels of the body for each step. cells: the operands that move from step to step, and by how much;
    carried: for each memory its place in step 0, how much that moves, the same of what it becomes, the address of what
    is there at first (0: zeros) and at last (0: nowhere), and its size."""
    first, sign = (steps - 1, -1) if backwards else (0, 1)
    table = integers(carried, 7 * memories)
    for k in range(0, 7 * memories, 7):
        _carry(table[k + 4], table[k] + 4 * rows * first * table[k + 1], rows * table[k + 6])
    _move(cells, moving, rows * first)
    for step in range(steps):
        for i in range(count):
            row = body + 8 * ROW_WIDTH * i
            call(integers(row, 1)[0], row + 8, constants + 8 * CONSTANTS * i, state, reals)
        t = first + sign * step
        for k in range(0, 7 * memories, 7):
            source = table[k + 2] + 4 * rows * t * table[k + 3]
            if step < steps - 1:
                _carry(source, table[k] + 4 * rows * (t + sign) * table[k + 1], rows * table[k + 6])
            elif table[k + 5]:
                _carry(source, table[k + 5], rows * table[k + 6])
        _move(cells, moving, rows * sign)
    _move(cells, moving, -rows * (first + sign * steps))


@kernel
def by_steps(x, z, steps, size, back, *, rows):
    """z = x with rows and steps exchanged"""
    for row in range(rows):
        for step in range(steps):
            by_row, by_step = 4 * size * (row * steps + step), 4 * size * (step * rows + row)
            if back:
                copy(x + by_step, z + by_row, size)
            else:
                copy(x + by_row, z + by_step, size)
