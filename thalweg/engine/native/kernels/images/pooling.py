"""Pooling: by hand, by the loops of windows.py, over runs of windows that reach the image with the same taps.

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
def _each_run(act, x, a, given, joined, by_columns, rows, C, down, across):
    """act(first element of x, first result in a, *given, …) for every run of windows, with what windows.py calls
    WINDOW; (inputs, outputs, taps, stride, dilation, before) of both dimensions."""
    (H, OH, kh, sh, dh, top), (W, OW, kw, sw, dw, left) = down, across
    images, C = (C, rows) if by_columns else (rows, C)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, W, sw, dw, left, kw)
                end = _after(j, OW, W, sw, dw, left, kw)
                at = x + 4 * ((image * H + i * sh + t * dh - top) * W + j * sw + u * dw - left) * C
                of = a + 4 * ((image * OH + i) * OW + j) * C
                act(at, of, *given, dh * W * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, joined)
                j = end


@kernel
def max_pooling(
    x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """a = the largest element of each window; with relu, max(a, 0)"""
    down, across = (H, OH, kh, sh, dilation_h, top), (Wd, OW, kw, sw, dilation_w, left)
    _each_run(largest, x, a, (relu,), 1, x_by_columns, rows, C, down, across)


@inlined
def _give(at, of, x, a, da, dx, relu, more, *window):
    give(more, x + at, a + of, da + of, dx + at, relu, *window)


@kernel
def max_pooling_adjoint(
    x, a, da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """dx = Σ of da over the windows in which the element is the first largest; with relu, if it is above 0"""
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, rows * H * Wd * C, kh, kw, sh, sw, tiled)
    down, across = (H, OH, kh, sh, dilation_h, top), (Wd, OW, kw, sw, dilation_w, left)
    _each_run(_give, 0, 0, (x, a, da, dx, relu, more), tiled, x_by_columns, rows, C, down, across)


@kernel
def average_pooling(x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, *, rows):
    """a = the mean of each window"""
    down, across = (H, OH, kh, sh, dilation_h, top), (Wd, OW, kw, sw, dilation_w, left)
    _each_run(mean, x, a, (), 1, x_by_columns, rows, C, down, across)


@inlined
def _spread(dx, da, gate, more, *window):
    spread(more, da, dx, *window, gate)


@kernel
def average_pooling_adjoint(
    da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, da_by_columns, a=0, *, rows
):
    """dx = Σ of da/elements over the windows that cover the element; with a, times [a > 0]"""
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, rows * H * Wd * C, kh, kw, sh, sw, tiled)
    down, across = (H, OH, kh, sh, dilation_h, top), (Wd, OW, kw, sw, dilation_w, left)
    _each_run(_spread, dx, da, (a - dx if a else 0, more), tiled, da_by_columns, rows, C, down, across)
