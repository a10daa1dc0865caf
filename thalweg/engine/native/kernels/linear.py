"""The products of dense layers: by hand, on the micro-kernels."""

from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg import narrow as columns


@kernel
def affine(x, W, b, h, inputs, units, positions, x_by_columns, relu=0, *, rows):
    """h = x·W + b, or max(h, 0)"""
    if x_by_columns:
        columns.affine(x, W, b, h, rows, inputs, units)
        if relu:
            gemm.end(h, units, 0, rows, units)
        return
    gemm.product(x, inputs, 1, W, units, 0, h, units, b, relu, 0, rows * positions, units, inputs)


@compiled
def gradient_of_all_rows(x, ldx, nx, dh, dW, own, row, rows, units, positions, stride, block, batch_rows, busy):
    """`rows` rows of dW = xᵀ·dh from `row` on, over the rows of all lanes, just before W, `own` bytes after dW, is
    updated. Rows of x are ldx floats apart, those of consecutive lanes nx."""
    to = dW + 4 * row * units
    size, whole = block * positions, batch_rows // block  # lanes that have a whole block
    if whole:
        gemm.gemm_before_update(x, 1, ldx, nx, dh, units, stride, whole, to, units, 0, rows, units, size, own)
    if whole < busy:
        x, dh, left = x + 4 * whole * nx, dh + 4 * whole * stride, (batch_rows - whole * block) * positions
        own = 0 if whole else own
        gemm.gemm_before_update(x, 1, ldx, 0, dh, units, 0, 1, to, units, whole, rows, units, left, own)


@kernel
def weight_gradient(
    x, dh, dW, inputs, units, positions, x_by_columns, dW_offset, dW_weights, db=0,
    *, rows, batch_rows, accumulate, busy, block, stride, first, after,
):  # fmt: skip
    """dW = xᵀ·dh over this block; in the finish, the rows of dW in the current slice, over all lanes' rows

    By columns, also db = Σ dh, if there is a db. dW_weights, in the finish: the address of W.
    """
    if stride == 0:
        if x_by_columns:
            columns.weight_gradient(x, dh, dW, db, rows, inputs, units, accumulate)
            return
        gemm.gemm(x, 1, inputs, dh, units, dW, units, 0, accumulate, inputs, units, rows * positions)
        return
    first, after = stretch(inputs * units, dW_offset, first, after)
    row, many = first // units, (after - first) // units
    if many == 0:
        return
    own = dW_weights - dW
    gradient_of_all_rows(
        x + 4 * row, inputs, stride, dh, dW, own, row, many, units, positions, stride, block, batch_rows, busy
    )


@kernel
def bias_gradient(dh, db, units, positions, dh_by_columns, *, rows, accumulate):
    """db = Σ dh over rows"""
    if dh_by_columns:
        n = positions * rows
        for unit in range(units):
            gemm.column_sums(dh + 4 * unit * n, n, 1, db + 4 * unit, accumulate)
        return
    gemm.column_sums(dh, rows * positions, units, db, accumulate)


@kernel
def transpose(W, Wt, inputs, units, first=0):
    """Wᵀ, of some rows of W"""
    gemm.transpose(W + 4 * first * units, inputs, units, Wt, 0, units)


@kernel
def input_gradient(dh, W, dx, inputs, units, positions, transposed=0, first=0, a=0, *, rows):
    """dx = dh·Wᵀ, with W as it is or already transposed; with a, dx·[a > 0]"""
    W += 4 * first * units
    ldw = inputs if transposed else units
    gemm.product(dh, units, 1, W, ldw, 1 - transposed, dx, inputs, 0, 0, a, rows * positions, inputs, units)
