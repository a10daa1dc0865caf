"""A first layer whose inputs are split over the lanes: by hand, products on the micro-kernels, for all rows."""

from thalweg.engine.native.compiler.llvm import floats, integers
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.batches import ask_ahead
from thalweg.engine.native.kernels.linear import gradient_of_all_rows
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg import gemm


@inlined
def inputs_of(lane, inputs, lanes):
    """A lane's inputs: (first, after)."""
    return inputs * lane // lanes, inputs * (lane + 1) // lanes


@kernel
def gather_share(X, x, inputs, lanes, *, batch_rows, order, start, lane):
    """x = X[order] for the whole batch, this lane's inputs"""
    first, after = inputs_of(lane, inputs, lanes)
    n, own = after - first, X + 4 * first
    for r in range(batch_rows):
        row = start + r
        if order:
            each = integers(order, batch_rows)
            row = each[r]
            ask_ahead(own, each, r, 4 * inputs, 4 * n)
        floats(x + 4 * r * n, n)[:] = floats(own + 4 * row * inputs, n)


@kernel
def affine_share(x, W, h, inputs, units, lanes, part, *, batch_rows, lane):
    """h = x·W for the whole batch, this lane's inputs"""
    first, after = inputs_of(lane, inputs, lanes)
    n, to = after - first, h + 4 * lane * part
    gemm.product(x, n, 1, W + 4 * first * units, units, 0, to, units, 0, 0, 0, batch_rows, units, n)


@kernel
def affine_sum(parts, b, h, units, lanes, part, relu, *, rows, first_row):
    """h = Σ parts + b over the lanes, in their order; or max(h, 0)"""
    parts += 4 * first_row * units
    for r in range(rows):
        at = 4 * r * units
        x, y, bias = floats(parts + at, units), floats(h + at, units), floats(b, units)
        for j in range(units):
            y[j] = x[j] + bias[j] if b else x[j]
        for lane in range(1, lanes):
            x = floats(parts + 4 * lane * part + at, units)
            for j in range(units):
                y[j] += x[j]
    if relu:
        gemm.end(h, units, 0, rows, units)


@kernel
def share_weight_gradient(
    x, dh, dW, inputs, units, lanes, dW_offset, *, batch_rows, lane, busy, block, stride, first, after
):
    """dW = xᵀ·dh in the finish, over all lanes' rows: this lane's rows of dW in the current slice"""
    mine, others = inputs_of(lane, inputs, lanes)
    n = others - mine
    begin, end = stretch(inputs * units, dW_offset, first, after)
    row, last = max(mine, begin // units), min(others, end // units)
    if row < last:
        gradient_of_all_rows(
            x + 4 * (row - mine), n, block * n, dh, dW, 0, row, last - row, units, 1, stride, block, batch_rows, busy
        )
