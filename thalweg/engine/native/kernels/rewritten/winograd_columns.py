"""Winograd's filtering of images by columns: by hand, with the same transforms.

Channels take the place of images, and rows of the block that of channels.
"""

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats, load_f32, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.rewritten.image_columns import add_dots, correlate, stretch
from thalweg.engine.native.kernels.rewritten.winograd import (
    ERROR,
    GATED,
    IMAGE,
    OUTPUT,
    PRODUCTS,
    SCRATCH,
    USUAL,
    _kind,
    _outputs,
    _squares,
)
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.layouts.filtering import SIDE

MOST_ROWS = 1 << 12

_scratch = stack(SCRATCH + 2 * 16 * PRODUCTS + MOST_ROWS)


@compiled
def _rows(R, channels):
    """How many rows are processed together: all if they leave room for a tile, otherwise whole vectors."""
    return min(R, MOST_ROWS, max(VW, SCRATCH // (PRODUCTS * channels) // VW * VW))


@compiled
def _channels(C, kind, x, H, W, R, some, size, apart, top, left, high, wide, first, count, planes, plane):
    """The transforms of some squares of every channel, one channel after the other, for `some` of the rows."""
    for k in range(C):
        at, to = k * high * wide + first, planes + 4 * k * count * some
        _squares(kind, x, H, W, R, some, size, apart, top, left, high, wide, at, count, to, plane)


@kernel
def winograd_convolution_by_columns(
    x, U, W, b, h, H, Wd, C, OH, OW, O, taps, top, left, down, across, relu=0, a=0, *, rows
):
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, directly where tiles don't cover h; max(h, 0), or h·[a > 0]"""
    R, gate, kind = rows, (a - h if a else 0), _kind(taps, GATED if a else OUTPUT)
    size = SIDE + 1 - taps
    high, wide = (down + size - 1) // size, (across + size - 1) // size
    V, some = _scratch(), _rows(R, C + O)
    most = max(1, USUAL // (PRODUCTS * (C + O) * some))
    for r in range(0, R, some):
        q = min(some, R - r)
        for t in range(0, high * wide, most):
            n = min(most, high * wide - t)
            of_v, of_m = n * C * q + 16, n * O * q + 16
            M = V + 4 * PRODUCTS * of_v
            biases = M + 4 * PRODUCTS * of_m if b else 0
            _channels(C, IMAGE, x + 4 * r, H, Wd, R, q, SIDE, size, top, left, high, wide, t, n, V, of_v)
            for p in range(PRODUCTS):
                at, to = V + 4 * p * of_v, M + 4 * p * of_m
                stretch(at, n * q, 0, 0, C, U + 4 * p * C * O, 0, to, n * q, O, 0, n * q, 1, 1, 0, 0)
            for k in range(O):
                if b:
                    floats(biases, q)[:] = load_f32(b, k)
                _outputs(
                    kind, M + 4 * k * n * q, of_m, h + 4 * r, OH, OW, R, q, biases, size, high, wide,
                    k * high * wide + t, n, relu, gate,
                )  # fmt: skip
    if down < OH:
        correlate(x, H, Wd, C, W, h, OH, OW, O, b, R, -top, taps, -left, taps, down, OH, 0, OW, relu, gate)
    if across < OW:
        correlate(x, H, Wd, C, W, h, OH, OW, O, b, R, -top, taps, -left, taps, 0, down, across, OW, relu, gate)


@kernel
def winograd_gradient_by_columns(x, dh, dU, H, Wd, C, OH, OW, O, taps, top, left, *, rows, accumulate):
    """dU = Σ over tiles of (Bᵀ·x·B) ⊙ (A·dh·Aᵀ)"""
    R, size = rows, SIDE + 1 - taps
    high, wide = (OH + size - 1) // size, (OW + size - 1) // size
    if accumulate == 0:
        floats(dU, PRODUCTS * C * O)[:] = 0
    V, some = _scratch(), _rows(R, C + O)
    most = max(1, SCRATCH // (PRODUCTS * (C + O) * some))
    for r in range(0, R, some):
        q = min(some, R - r)
        for t in range(0, high * wide, most):
            n = min(most, high * wide - t)
            of_v, of_d = n * C * q + 16, n * O * q + 16
            D = V + 4 * PRODUCTS * of_v
            _channels(C, IMAGE, x + 4 * r, H, Wd, R, q, SIDE, size, top, left, high, wide, t, n, V, of_v)
            error = _kind(taps, ERROR)
            _channels(O, error, dh + 4 * r, OH, OW, R, q, size, size, 0, 0, high, wide, t, n, D, of_d)
            for p in range(PRODUCTS):
                at, of = V + 4 * p * of_v, D + 4 * p * of_d
                add_dots(at, n * q, 0, of, n * q, 0, 1, n * q, dU + 4 * p * C * O, O, C, O)
