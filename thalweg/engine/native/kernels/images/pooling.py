"""Pooling, by the loops of windows.py, over runs of windows that reach the image with the same taps.

By columns, an image's channels count as images, and the rows of the block as channels.
"""

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled
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
def _down(image, i, t, H, W, C, sh, dh, top):
    """The offset of tap row t of the windows in output row i, in bytes from the first image."""
    return 4 * (image * H + i * sh + t * dh - top) * W * C


@compiled
def _prepare(dx, images, size, kh, kw, sh, sw, tiled):
    """Sets dx = 0, unless every element is in exactly one window; returns whether elements may be in several."""
    if not tiled:
        floats(dx, images * size)[:] = 0
    return kh > sh or kw > sw


@kernel
def max_pooling(
    x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """a = the largest element of each window; with relu, max(a, 0)"""
    dh, dw = dilation_h, dilation_w
    images, C = (C, rows) if x_by_columns else (rows, C)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, Wd, sw, dw, left, kw)
                end = _after(j, OW, Wd, sw, dw, left, kw)
                at = x + _down(image, i, t, H, Wd, C, sh, dh, top) + 4 * (j * sw + u * dw - left) * C
                to = a + 4 * ((image * OH + i) * OW + j) * C
                largest(at, to, relu, dh * Wd * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, 1)
                j = end


@kernel
def max_pooling_adjoint(
    x, a, da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, relu=0, *, rows
):
    """dx = Σ of da over the windows in which the element is the first largest; with relu, if it is above 0"""
    dh, dw = dilation_h, dilation_w
    images, C = (C, rows) if x_by_columns else (rows, C)
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, images, H * Wd * C, kh, kw, sh, sw, tiled)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, Wd, sw, dw, left, kw)
                end = _after(j, OW, Wd, sw, dw, left, kw)
                at = _down(image, i, t, H, Wd, C, sh, dh, top) + 4 * (j * sw + u * dw - left) * C
                of = 4 * ((image * OH + i) * OW + j) * C
                give(
                    more, x + at, a + of, da + of, dx + at, relu,
                    dh * Wd * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, tiled,
                )  # fmt: skip
                j = end


@kernel
def average_pooling(x, a, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, x_by_columns, *, rows):
    """a = the mean of each window"""
    dh, dw = dilation_h, dilation_w
    images, C = (C, rows) if x_by_columns else (rows, C)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, Wd, sw, dw, left, kw)
                end = _after(j, OW, Wd, sw, dw, left, kw)
                at = x + _down(image, i, t, H, Wd, C, sh, dh, top) + 4 * (j * sw + u * dw - left) * C
                to = a + 4 * ((image * OH + i) * OW + j) * C
                mean(at, to, dh * Wd * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, 1)
                j = end


@kernel
def average_pooling_adjoint(
    da, dx, H, Wd, C, OH, OW, kh, kw, sh, sw, dilation_h, dilation_w, top, left, da_by_columns, a=0, *, rows
):
    """dx = Σ of da/elements over the windows that cover the element; with a, times [a > 0]"""
    dh, dw = dilation_h, dilation_w
    images, C = (C, rows) if da_by_columns else (rows, C)
    gate = a - dx if a else 0
    tiled = kh == sh and kw == sw and OH * sh == H and OW * sw == Wd
    more = _prepare(dx, images, H * Wd * C, kh, kw, sh, sw, tiled)
    for image in range(images):
        for i in range(OH):
            t, after_t = _reached(i, H, sh, dh, top, kh)
            j = 0
            while j < OW:
                u, after_u = _reached(j, Wd, sw, dw, left, kw)
                end = _after(j, OW, Wd, sw, dw, left, kw)
                to = dx + _down(image, i, t, H, Wd, C, sh, dh, top) + 4 * (j * sw + u * dw - left) * C
                of = da + 4 * ((image * OH + i) * OW + j) * C
                spread(
                    more, of, to, dh * Wd * C, dw * C, after_t - t, after_u - u, end - j, sw * C, C, tiled, gate
                )  # fmt: skip
                j = end
