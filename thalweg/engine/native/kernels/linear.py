"""The products of dense layers, computed by the micro-kernels."""

from thalweg.engine.native.compiler.llvm import compiled
from thalweg.engine.native.kernels.updates.gradients import stretch
from thalweg.engine.native.layouts.state import ACCUMULATE, BATCH_ROWS, BLOCK, BUSY, ROWS, STRIDE
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg import narrow as columns


def affine(o, c, s, f):
    """h = x·W + b, or max(h, 0)"""
    x, W, b, h, inputs, units, positions, relu = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7]
    if o[8]:
        columns.affine(x, W, b, h, s[ROWS], inputs, units)
        if relu:
            gemm.end(h, units, 0, s[ROWS], units)
        return
    gemm.product(x, inputs, 1, W, units, 0, h, units, b, relu, 0, s[ROWS] * positions, units, inputs)


@compiled
def gradient_of_all_rows(x, ldx, nx, dh, dW, own, row, rows, units, positions, s):
    """`rows` rows of dW = xᵀ·dh from `row` on, over the rows of all lanes, just before W, `own` bytes after dW, is
    updated. Rows of x are ldx floats apart, those of consecutive lanes nx."""
    to, stride = dW + 4 * row * units, s[STRIDE]
    size, whole = s[BLOCK] * positions, s[BATCH_ROWS] // s[BLOCK]  # lanes that have a whole block
    if whole:
        gemm.gemm_before_update(x, 1, ldx, nx, dh, units, stride, whole, to, units, 0, rows, units, size, own)
    if whole < s[BUSY]:
        x, dh, left = x + 4 * whole * nx, dh + 4 * whole * stride, (s[BATCH_ROWS] - whole * s[BLOCK]) * positions
        own = 0 if whole else own
        gemm.gemm_before_update(x, 1, ldx, 0, dh, units, 0, 1, to, units, whole, rows, units, left, own)


def weight_gradient(o, c, s, f):
    """dW = xᵀ·dh over this block; in the finish, the rows of dW in the current slice, over all lanes' rows

    By columns (o[8]), also db = Σ dh, if there is a db. o[9], in the finish: the address of W.
    """
    x, dh, dW, inputs, units, positions, offset = o[0], o[1], o[2], o[4], o[5], o[6], o[7]
    if s[STRIDE] == 0:
        if o[8]:
            columns.weight_gradient(x, dh, dW, o[3], s[ROWS], inputs, units, s[ACCUMULATE])
            return
        gemm.gemm(x, 1, inputs, dh, units, dW, units, 0, s[ACCUMULATE], inputs, units, s[ROWS] * positions)
        return
    first, after = stretch(inputs * units, offset, s)
    row, rows = first // units, (after - first) // units
    if rows == 0:
        return
    gradient_of_all_rows(x + 4 * row, inputs, s[STRIDE], dh, dW, o[9] - dW, row, rows, units, positions, s)


def bias_gradient(o, c, s, f):
    """db = Σ dh over rows"""
    dh, db, units, positions = o[0], o[1], o[2], o[3]
    if o[4]:
        n = positions * s[ROWS]
        for unit in range(units):
            gemm.column_sums(dh + 4 * unit * n, n, 1, db + 4 * unit, s[ACCUMULATE])
        return
    gemm.column_sums(dh, s[ROWS] * positions, units, db, s[ACCUMULATE])


def transpose(o, c, s, f):
    """Wᵀ, of some rows of W"""
    Wt, inputs, units = o[1], o[2], o[3]
    W = o[0] + 4 * o[4] * units
    gemm.transpose(W, inputs, units, Wt, 0, units)


def input_gradient(o, c, s, f):
    """dx = dh·Wᵀ, with W as it is or already transposed; with a, dx·[a > 0]"""
    dh, dx, a, inputs, units, positions, transposed = o[0], o[2], o[3], o[4], o[5], o[6], o[7]
    W = o[1] + 4 * o[8] * units
    ldw = inputs if transposed else units
    gemm.product(dh, units, 1, W, ldw, 1 - transposed, dx, inputs, 0, 0, a, s[ROWS] * positions, inputs, units)
