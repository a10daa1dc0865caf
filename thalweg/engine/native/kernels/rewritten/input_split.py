"""A first layer whose many inputs are split over the lanes: its products, for all rows of the batch."""

import numba

from thalweg.engine.native.compiler.llvm import FLAGS, floats, integers
from thalweg.engine.native.kernels.batches import ask_ahead
from thalweg.engine.native.kernels.linear import gradient_of_all_rows
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.layouts.state import BATCH_ROWS, BLOCK, FIRST_ROW, LANE, ORDER, ROWS, START
from thalweg.engine.native.linalg import gemm


@numba.njit(inline="always", **FLAGS)
def inputs_of(lane, inputs, lanes):
    """A lane's inputs: (first, after)."""
    return inputs * lane // lanes, inputs * (lane + 1) // lanes


def gather_share(o, c, s, f):
    """x = X[order] for the whole batch, this lane's inputs"""
    rows, inputs = s[BATCH_ROWS], o[2]
    first, after = inputs_of(s[LANE], inputs, o[3])
    n, source = after - first, o[0] + 4 * first
    for r in range(rows):
        row = s[START] + r
        if s[ORDER]:
            order = integers(s[ORDER], rows)
            row = order[r]
            ask_ahead(source, order, r, 4 * inputs, 4 * n)
        X, x = floats(source + 4 * row * inputs, n), floats(o[1] + 4 * r * n, n)
        for j in range(n):
            x[j] = X[j]


def affine_share(o, c, s, f):
    """h = x·W for the whole batch, this lane's inputs"""
    x, W, h, inputs, units = o[0], o[1], o[2], o[3], o[4]
    first, after = inputs_of(s[LANE], inputs, o[5])
    n, h = after - first, h + 4 * s[LANE] * o[6]
    gemm.product(x, n, 1, W + 4 * first * units, units, 0, h, units, 0, 0, 0, s[BATCH_ROWS], units, n)


def affine_sum(o, c, s, f):
    """h = Σ parts + b over the lanes, in their order; or max(h, 0)"""
    b, h, units, lanes, part, relu = o[1], o[2], o[3], o[4], o[5], o[6]
    parts = o[0] + 4 * s[FIRST_ROW] * units
    for r in range(s[ROWS]):
        at = 4 * r * units
        x, y = floats(parts + at, units), floats(h + at, units)
        if b:
            bias = floats(b, units)
            for j in range(units):
                y[j] = x[j] + bias[j]
        else:
            for j in range(units):
                y[j] = x[j]
        for lane in range(1, lanes):
            x = floats(parts + 4 * lane * part + at, units)
            for j in range(units):
                y[j] += x[j]
    if relu:
        gemm.end(h, units, 0, s[ROWS], units)


def share_weight_gradient(o, c, s, f):
    """dW = xᵀ·dh in the finish, over all lanes' rows: this lane's rows of dW in the current slice."""
    x, dh, dW, inputs, units, offset, lanes = o[0], o[1], o[2], o[3], o[4], o[5], o[6]
    first, after = inputs_of(s[LANE], inputs, lanes)
    n = after - first
    begin, end = stretch(inputs * units, offset, s)
    row, last = max(first, begin // units), min(after, end // units)
    if row < last:
        gradient_of_all_rows(x + 4 * (row - first), n, s[BLOCK] * n, dh, dW, 0, row, last - row, units, 1, s)
