"""Pooling, by the loops of windows.py, over runs of windows that reach the image with the same taps.

By columns, an image's channels count as images, and the rows of the block as channels.
"""

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.windows import give, largest, mean, spread


@compiled
def _reached(i, n, s, d, before, taps):
    """(first tap, tap after the last) of output i on an image of n elements; tap t sees i·s + t·d − before."""
    return max(0, (before - i * s + d - 1) // d), min(taps, (n - 1 + before - i * s) // d + 1)


@compiled
def _after(j, outputs, n, s, d, before, taps):
    """The end of the run of outputs from j on whose windows are whole; j + 1 if j's own isn't."""
    first, after = _reached(j, n, s, d, before, taps)
    whole = (n - 1 + before - (taps - 1) * d) // s + 1 if after - first == taps else 0
    return max(j + 1, min(outputs, whole))


@compiled
def _prepare(dx, size, kh, kw, sh, sw, tiled):
    """Sets dx = 0, unless every element is in exactly one window; returns whether elements may be in several."""
    if not tiled:
        floats(dx, size)[:] = 0
    return kh > sh or kw > sw


@inlined
def _each_run(act, given, joined, by_columns, rows, H, W, C, OH, OW, kh, kw, sh, sw, dh, dw, top, left):
    """act(*given, …) for every run of windows: the places of the first among the elements and among the results, in
    bytes, and what windows.py calls WINDOW."""
    images, C = (C, rows) if by_columns else (rows, C)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, W, sw, dw, left, kw)
                end = _after(j, OW, W, sw, dw, left, kw)
                at = 4 * ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C
                of = 4 * ((image * OH + i) * OW + j) * C
                act(*given, at, of, dh * W * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, joined)
                j = end


@inlined
def _largest(x, a, relu, at, of, *window):
    largest(x + at, a + of, relu, *window)


@kernel
def max_pooling(
    x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """a = the largest element of each window; with relu, max(a, 0)"""
    _each_run(
        _largest, (x, a, relu), 1, x_by_columns, rows, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w,
        top, left,
    )  # fmt: skip


@inlined
def _give(x, a, da, dx, relu, more, at, of, *window):
    give(more, x + at, a + of, da + of, dx + at, relu, *window)


@kernel
def max_pooling_adjoint(
    x, a, da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """dx = Σ of da over the windows in which the element is the first largest; with relu, if it is above 0"""
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, rows * H * Wd * C, kh, kw, sh, sw, tiled)
    _each_run(
        _give, (x, a, da, dx, relu, more), tiled, x_by_columns, rows, H, Wd, C, OH, OW, kh, kw, sh, sw,
        dilation_h, dilation_w, top, left,
    )  # fmt: skip


@inlined
def _mean(x, a, at, of, *window):
    mean(x + at, a + of, *window)


@kernel
def average_pooling(x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, *, rows):
    """a = the mean of each window"""
    _each_run(_mean, (x, a), 1, x_by_columns, rows, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left)


@inlined
def _spread(da, dx, gate, more, at, of, *window):
    spread(more, da + of, dx + at, *window, gate)


@kernel
def average_pooling_adjoint(
    da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, da_by_columns, a=0, *, rows
):
    """dx = Σ of da/elements over the windows that cover the element; with a, times [a > 0]"""
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, rows * H * Wd * C, kh, kw, sh, sw, tiled)
    _each_run(
        _spread, (da, dx, a - dx if a else 0, more), tiled, da_by_columns, rows, H, Wd, C, OH, OW, kh, kw, sh, sw,
        dilation_h, dilation_w, top, left,
    )  # fmt: skip
