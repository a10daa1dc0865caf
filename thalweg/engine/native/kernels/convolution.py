"""Convolutions on the micro-kernel, without a copy of the patches under the kernel.

In (row, height, width, channel) order the elements under one row of a kernel are contiguous in memory, and those of the
next output begin a stride further on: a matrix whose rows overlap, which costs nothing, since a tile only broadcasts A.
The border isn't filled with zeros either. The outputs are divided into rectangles that use the same taps (the elements
of the kernel that lie on the image): the inside, four sides, four corners. Any of a rectangle's three dimensions,
images, rows and columns, can be the rows of a tile, so that a corner is as fast as the inside.

With few output channels, neighbouring outputs of a row are computed together, as the channels of one output of a wider
kernel, so that they fill a vector.

`x`, `y` below are addresses in bytes; strides are in floats. (s, d, at, taps) of a dimension: tap t of output i sees
the element i·s + t·d + at.
"""

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats, load_f32, stack, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg.microkernel import ROWS, WIDEST, tile
from thalweg.engine.native.linalg.moves import copy

# A panel of B (a few vectors wide, all taps deep) is copied to contiguous memory, so that it stays in the nearest cache
# for all tiles; deeper ones are divided. It pays from PACKED_TILES tiles on.
PANEL = 6144 if VW < 16 else 24576
PACKED_TILES = 8

# Places whose x and dh stay in the nearest cache for all taps of a kernel's gradient.
PLACES = 256

# With few channels, a kernel's gradient copies up to this many floats of x, with a border of zeros: then all taps see
# the same places and are rows of one tile, which would otherwise have a row or two.
BORDERED = 4096

# A kernel that computes neighbouring outputs together has at most this many floats.
WIDENED = 1 << 14

_panel, _bordered, _widened, _biases = stack(PANEL), stack(BORDERED), stack(WIDENED), stack(VW)


@compiled
def _share(n, most):
    """The size of each part when n is divided as evenly as possible into the fewest parts of at most `most`."""
    parts = max(1, (n + most - 1) // max(1, most))
    return max(1, (n + parts - 1) // parts)


@compiled
def _first_tap(i, s, d, at):
    """The first tap of output i that isn't before the image."""
    return max(0, (-at - i * s + d - 1) // d)


@compiled
def _after_tap(i, n, s, d, at, taps):
    """The tap after the last of output i that isn't beyond an image of n elements."""
    return min(taps, (n - 1 - at - i * s + d) // d) if n - 1 - at - i * s >= 0 else 0


@compiled
def _zone(i, outputs, n, s, d, at, taps):
    """(first tap, tap after the last, output after the last) of the outputs from i on that use the same taps."""
    first, after = _first_tap(i, s, d, at), _after_tap(i, n, s, d, at, taps)
    end = i + 1
    while end < outputs and _first_tap(end, s, d, at) == first and _after_tap(end, n, s, d, at, taps) == after:
        end += 1
    return first, max(first, after), end


@compiled
def _together(N, OW, C, th, sw, dw, tw):
    """How many neighbouring outputs of N channels are computed together: 1 if that wouldn't save a fifth of the work.

    g of them see tw + (g − 1)·sw taps, some of which are zero.
    """
    g = VW // N
    while g > 1 and (OW % g or th * (tw + (g - 1) * sw) * C * g * N > WIDENED):
        g -= 1
    return g if g > 1 and dw == 1 and 5 * (tw + (g - 1) * sw) <= 4 * g * tw else 1


@compiled
def _widen(B, C, N, th, sw, tw, g, target):
    """The kernel whose outputs are g neighbouring outputs of B: target[a, b + q·sw, c, q·N + j] = B[a, b, c, j]."""
    wide = tw + (g - 1) * sw
    floats(target, th * wide * C * g * N)[:] = 0
    for a in range(th):
        for b in range(tw):
            for q in range(g):
                to = target + 4 * ((a * wide + b + q * sw) * C * g + q) * N
                for c in range(C):
                    for j in range(N):
                        store_f32(to, c * g * N + j, load_f32(B, ((a * tw + b) * C + c) * N + j))


@compiled
def _narrow(B, C, N, th, sw, tw, g, target, accumulate):
    """The adjoint of that: target[a, b, c, j] (+)= Σ_q B[a, b + q·sw, c, q·N + j]"""
    wide = tw + (g - 1) * sw
    for a in range(th):
        for b in range(tw):
            for c in range(C):
                for j in range(N):
                    to = ((a * tw + b) * C + c) * N + j
                    total = load_f32(target, to) if accumulate else np.float32(0)
                    for q in range(g):
                        total += load_f32(B, (((a * wide + b + q * sw) * C + c) * g + q) * N + j)
                    store_f32(target, to, total)


@compiled
def dense_correlate(x, H, W, C, B, y, OH, OW, N, bias, images, sh, dh, ah, th, sw, dw, aw, tw, relu, gate):
    """y = bias + Σ x·B over the taps, for contiguous x, B and y; relu, gate: as for `tile`."""
    g = _together(N, OW, C, th, sw, dw, tw)
    if g > 1:
        kernel, biases = _widened(), _biases()
        _widen(B, C, N, th, sw, tw, g, kernel)
        for q in range(g if bias else 0):
            for j in range(N):
                store_f32(biases, q * N + j, load_f32(bias, j))
        B, bias, N, OW, tw, sw = kernel, (biases if bias else 0), g * N, OW // g, tw + (g - 1) * sw, g * sw
    correlate(
        x, H * W * C, W * C, C, H, W, B, tw * C * N, C * N, C, y, OH * OW * N, OW * N, N, N, N, bias,
        images, OH, sh, dh, ah, th, OW, sw, dw, aw, tw, relu, gate,
    )  # fmt: skip


@compiled
def correlate(
    x, xi, xr, xc, H, W, B, br, bc, C, y, yi, yr, yc, N, ldb, bias,
    images, OH, sh, dh, ah, th, OW, sw, dw, aw, tw, relu, gate,
):  # fmt: skip
    """y[image, i, j, :] = bias + Σ x[image, i·sh + a·dh + ah, j·sw + b·dw + aw, :]·B[a, b] over the taps on the image.

    xi, xr, xc; yi, yr, yc: strides of image, row and column; br, bc: of the kernel's rows and columns. At each tap, C
    channels of x times a matrix of N columns with row stride ldb. Finally max(y, 0), if `relu`, or y·[G > 0], if `gate`
    isn't 0: G is laid out like y, `gate` bytes after it.
    """
    i = 0
    while i < OH:
        a, after_a, next_i = _zone(i, OH, H, sh, dh, ah, th)
        j = 0
        while j < OW:
            b, after_b, next_j = _zone(j, OW, W, sw, dw, aw, tw)
            _rectangle(
                x + 4 * ((i * sh + a * dh + ah) * xr + (j * sw + b * dw + aw) * xc), xi, sh * xr, sw * xc,
                dh * xr, dw * xc, C, B + 4 * (a * br + b * bc), br, bc, ldb, y + 4 * (i * yr + j * yc), yi, yr, yc, N,
                bias, images, next_i - i, next_j - j, after_a - a, after_b - b, relu, gate,
            )  # fmt: skip
            j = next_j
        i = next_i


@compiled
def _rectangle(a, an, ah, aw, ga, gb, C, b, br, bc, ldb, c, cn, ch, cw, N, bias, n, h, w, taps_h, taps_w, relu, gate):
    """The outputs of a rectangle, all of which see taps_h x taps_w taps. an, ah, aw; cn, ch, cw: strides of A and C."""
    if aw * w == ah and cw * w == ch:  # contiguous rows are one
        w, h = w * h, 1
    if h == 1 and aw * w == an and cw * w == cn:
        w, n = w * n, 1
    if w < ROWS and h > w and h >= n:  # the longest of the three becomes the rows of the tiles
        w, aw, cw, h, ah, ch = h, ah, ch, w, aw, cw
    elif w < ROWS and n > w:
        w, aw, cw, n, an, cn = n, an, cn, w, aw, cw
    if taps_h * taps_w == 0:
        _products(a, an, ah, aw, 0, b, 0, ldb, c, cn, ch, cw, bias, 0, n, h, w, N, 0, 0, relu, gate)
    elif gb == C and bc == C * ldb:  # the taps of a kernel's row are contiguous
        _products(a, an, ah, aw, ga, b, br, ldb, c, cn, ch, cw, bias, 0, n, h, w, N, taps_h, taps_w * C, relu, gate)
    else:
        for t in range(taps_h):
            at, to = a + 4 * t * ga, b + 4 * t * br
            low, open_ = (relu, gate) if t == taps_h - 1 else (0, 0)
            _products(at, an, ah, aw, gb, to, bc, ldb, c, cn, ch, cw, bias, t > 0, n, h, w, N, taps_w, C, low, open_)


@compiled
def _tiles(M, v, a, rsa, csa, ga, na, b, ldb, gb, nb, c, ldc, start, lds, outer, groups, depth, last, relu, gate):
    """M rows of C, v vectors wide, in tiles of heights as even as possible."""
    tiles = (M + ROWS - 1) // ROWS
    rows, taller = M // tiles, M % tiles  # `taller` of the tiles have one more row than the others
    for r, count in ((rows + 1, taller), (rows, tiles - taller)):
        if count:
            tile(
                r, v, a, rsa, csa, b, ldb, c, ldc, start, lds, depth, last, count, r * rsa, relu, gate, ga, na, gb, nb,
                outer, groups,
            )  # fmt: skip
            a += 4 * count * r * rsa
            c += 4 * count * r * ldc
            start += 4 * count * r * lds


@compiled
def _products(a, aq, ap, rsa, ga, b, gb, ldb, c, cq, cp, ldc, bias, accumulate, Q, P, M, N, groups, depth, relu, gate):
    """C[q, p, r, :] (+)= bias + Σ_g Σ_k A[q·aq + p·ap + r·rsa + g·ga + k]·B[g·gb + k·ldb, :], r < M."""
    tiles = (M + ROWS - 1) // ROWS
    widest = WIDEST[(M + tiles - 1) // tiles]
    vectors = (N + VW - 1) // VW
    packed = _panel()
    j = 0
    for panels in range((vectors + widest - 1) // widest, 0, -1):
        v = (vectors + panels - 1) // panels
        vectors -= v
        last = min(VW, N - j - (v - 1) * VW)
        most = PANEL // (v * VW)
        packs = tiles * Q * P >= PACKED_TILES
        parts = _share(groups, most // max(1, depth)) if depth <= most else 1
        part = _share(depth, most) if depth > most else max(1, depth)
        for g in range(0, max(1, groups), parts):
            for k in range(0, max(1, depth), part):
                G, K = min(parts, groups - g), min(part, depth - k)
                panel, ldp, gp = b + 4 * (g * gb + k * ldb + j), ldb, gb
                if packs:
                    for i in range(G):
                        copy(v, panel + 4 * i * gb, ldb, packed + 4 * i * K * v * VW, v * VW, K, last)
                    panel, ldp, gp = packed, v * VW, K * v * VW
                more, ends = accumulate or g + k > 0, g + parts >= groups and k + part >= depth
                low, open_ = (relu, gate) if ends else (0, 0)
                for q in range(Q):
                    for p in range(P):
                        at, to = a + 4 * (q * aq + p * ap + g * ga + k), c + 4 * (q * cq + p * cp + j)
                        from_ = to if more else (bias + 4 * j if bias else 0)
                        lds = ldc if more else 0
                        _tiles(
                            M, v, at, rsa, 1, ga, 0, panel, ldp, gp, 0, to, ldc, from_, lds, 1, G, K, last, low, open_
                        )
        j += v * VW


@kernel
def convolution(
    x, W, b, h, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, relu=0, a=0, *, rows
):
    """h = x ∗ W + b; max(h, 0), or h·[a > 0]"""
    dh, dw = dilation_h, dilation_w
    n, m, gate = C // groups, O // groups, a - h if a else 0
    if kh * kw * sh * sw * groups == 1 and H * Wd == OH * OW:
        gemm.product(x, C, 1, W, O, 0, h, O, b, relu, a, rows * OH * OW, O, C)
        return
    if groups == 1:
        dense_correlate(x, H, Wd, C, W, h, OH, OW, O, b, rows, sh, dh, -top, kh, sw, dw, -left, kw, relu, gate)
        return
    for g in range(groups):
        correlate(
            x + 4 * g * n, H * Wd * C, Wd * C, C, H, Wd, W + 4 * g * m, kw * n * O, n * O, n,
            h + 4 * g * m, OH * OW * O, OW * O, O, m, O, b + 4 * g * m if b else 0,
            rows, OH, sh, dh, -top, kh, OW, sw, dw, -left, kw, relu, gate,
        )  # fmt: skip


@kernel
def transposed_convolution(
    x, flipped, b, h, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, relu=0, a=0,
    *, rows,
):  # fmt: skip
    """h = x ∗ Wᶠ + b; max(h, 0), or h·[a > 0]

    Elements of the image that are a stride apart lie under the same taps, so they are computed together.
    """
    dh, dw = dilation_h, dilation_w
    n, m, gate = C // groups, O // groups, a - h if a else 0
    if kh * kw * sh * sw * groups == 1 and H * Wd == OH * OW:
        gemm.product(x, O, 1, flipped, C, 0, h, C, b, relu, a, rows * OH * OW, C, O)
        return
    if sh * sw * groups == 1:
        ah, aw = top - (kh - 1) * dh, left - (kw - 1) * dw
        dense_correlate(x, OH, OW, O, flipped, h, H, Wd, C, b, rows, 1, dh, ah, kh, 1, dw, aw, kw, relu, gate)
        return
    for p in range(min(sh, H)):
        th, first_a, ah = _phase(p, kh, sh, dh, top)
        for q in range(min(sw, Wd)):
            tw, first_b, aw = _phase(q, kw, sw, dw, left)
            for g in range(groups):
                correlate(
                    x + 4 * g * m, OH * OW * O, OW * O, O, OH, OW,
                    flipped + 4 * ((first_a * kw + first_b) * O + g * m) * n, kw * O * n, O * n, m,
                    h + 4 * ((p * Wd + q) * C + g * n), H * Wd * C, sh * Wd * C, sw * C, n, n,
                    b + 4 * g * n if b else 0,
                    rows, (H - p + sh - 1) // sh, 1, dh, ah, th, (Wd - q + sw - 1) // sw, 1, dw, aw, tw,
                    relu, gate,
                )  # fmt: skip


@compiled
def _phase(i, taps, s, d, before):
    """The taps that cover element i of an image, and those s, 2s … after it: (how many, the index of the first in the
    flipped kernel, the place from which that one sees i)."""
    phase = (i + before) % s
    n = _of_phase(taps, s, phase)
    return n, _before_phase(taps, s, phase), (i + before - phase) // s - (n - 1) * d


@compiled
def _of_phase(n, s, phase):
    """How many of n taps have the remainder `phase` modulo s."""
    return max(0, (n - phase + s - 1) // s)


@compiled
def _before_phase(n, s, phase):
    """How many of n taps belong to earlier phases: the index of this phase's first tap in a flipped kernel."""
    count = 0
    for p in range(phase):
        count += _of_phase(n, s, p)
    return count


@kernel
def flip(W, flipped, kh, kw, C, O, sh, sw, *, lane, lanes):
    """Wᶠ, this lane's share of its taps"""
    for t in range(lane, kh * kw, lanes):
        a, b = t // kw, t % kw
        row = _before_phase(kh, sh, a % sh) + _of_phase(kh, sh, a % sh) - 1 - a // sh
        column = _before_phase(kw, sw, b % sw) + _of_phase(kw, sw, b % sw) - 1 - b // sw
        gemm.transpose(W + 4 * t * C * O, C, O, flipped + 4 * (row * kw + column) * C * O, 0, O)


@compiled
def _first_place(tap, s, d, at):
    """The first output whose tap isn't before the image."""
    return max(0, (-at - tap * d + s - 1) // s)


@compiled
def _after_place(tap, n, outputs, s, d, at):
    """The output after the last whose tap isn't beyond an image of n elements."""
    return min(outputs, (n - 1 - at - tap * d) // s + 1) if n - 1 - at - tap * d >= 0 else 0


@compiled
def _alike(tap, taps, n, outputs, s, d, at):
    """(first output, output after the last, tap after the last) of the taps from this one on that see these outputs."""
    first, after, end = _first_place(tap, s, d, at), _after_place(tap, n, outputs, s, d, at), tap + 1
    while end < taps and _first_place(end, s, d, at) == first and _after_place(end, n, outputs, s, d, at) == after:
        end += 1
    return first, after, end


@compiled
def _with_border(x, H, W, C, target, images, high, wide, first, left):
    """target = `high` rows of each image from row `first`, `wide` elements from column −left; 0 outside the image."""
    from_, to = min(left, wide) * C, min(left + W, wide) * C
    for image in range(images):
        for r in range(high):
            row = floats(target + 4 * (image * high + r) * wide * C, wide * C)
            i = first + r
            if i < 0 or i >= H:
                row[:] = 0
                continue
            row[:from_] = 0
            row[from_:to] = floats(x + 4 * (image * H + i) * W * C, to - from_)
            row[to:] = 0


@kernel
def kernel_gradient(
    x, dh, dW, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, *, rows, accumulate
):
    """dW = x ∗ dh"""
    if kh * kw * sh * sw * groups == 1 and H * Wd == OH * OW:
        gemm.gemm(x, 1, C, dh, O, dW, O, 0, accumulate, C, O, rows * OH * OW)
        return
    g = _together(O, OW, C, kh, sw, dilation_w, kw) if groups == 1 else 1
    if g == 1:
        _taps(
            x, dh, dW, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, rows, accumulate
        )
        return
    kernel, wide = _widened(), kw + (g - 1) * sw
    _taps(x, dh, kernel, H, Wd, C, OH, OW // g, g * O, kh, wide, sh, g * sw, dilation_h, 1, top, left, 1, rows, 0)
    _narrow(kernel, C, O, kh, sw, kw, g, dW, accumulate)


@compiled
def _taps(x, d, dW, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dh, dw, top, left, groups, images, more):
    """dW (+)= x ∗ dh: the rows of a tile are channels (of several taps, if all see the same places), its depth is
    places.

    Some places at a time, so that x and dh stay in the nearest cache for all taps.
    """
    n, m = C // groups, O // groups
    some_rows, some_images = min(OH, max(1, PLACES // OW)), max(1, PLACES // (OH * OW))
    high, wide = (some_rows - 1) * sh + (kh - 1) * dh + 1, (OW - 1) * sw + kw
    few = groups == 1 and dw == 1 and some_images * high * wide * C <= BORDERED
    bordered = _bordered() if few and (left > 0 or wide - left > Wd) else 0
    for image in range(0, images, some_images):
        for row in range(0, OH, some_rows):
            if bordered:
                n, h = min(some_images, images - image), min(some_rows, OH - row)
                _with_border(x + 4 * image * H * Wd * C, H, Wd, C, bordered, n, high, wide, row * sh - top, left)
                at = d + 4 * (image * OH + row) * OW * O
                for a in range(kh):
                    _gradient(
                        bordered + 4 * a * dh * wide * C, high * wide * C, sh * wide * C, sw * C,
                        at, OH * OW * O, OW * O, O, dW + 4 * a * kw * C * O, O, more, n, h, OW, kw * C, O,
                    )  # fmt: skip
                more = 1
                continue
            for a in range(kh):
                i = max(row, _first_place(a, sh, dh, -top))
                after_i = max(i, min(row + some_rows, _after_place(a, H, OH, sh, dh, -top)))
                b = 0
                while b < kw:
                    last = kw if groups == 1 and dw == 1 else b + 1
                    j, after_j, after_b = _alike(b, last, Wd, OW, sw, dw, -left)
                    at = x + 4 * (((image * H + i * sh + a * dh - top) * Wd + j * sw + b * dw - left) * C)
                    to = dW + 4 * (a * kw + b) * n * O
                    for g in range(groups):
                        _gradient(
                            at + 4 * g * n, H * Wd * C, sh * Wd * C, sw * C,
                            d + 4 * (((image * OH + i) * OW + j) * O + g * m), OH * OW * O, OW * O, O,
                            to + 4 * g * m, O, more, min(some_images, images - image), after_i - i,
                            max(0, after_j - j), (after_b - b) * n, m,
                        )  # fmt: skip
                    b = after_b
            more = 1


@compiled
def _gradient(a, an, ah, aw, b, bn, bh, bw, c, ldc, accumulate, n, h, w, M, N):
    """C (+)= Σ over n images, h rows and w columns of Aᵀ·B; an, ah, aw; bn, bh, bw: the strides of A and B."""
    tiles = (M + ROWS - 1) // ROWS
    widest = WIDEST[(M + tiles - 1) // tiles]
    vectors = (N + VW - 1) // VW
    j = 0
    for panels in range((vectors + widest - 1) // widest, 0, -1):
        v = (vectors + panels - 1) // panels
        vectors -= v
        last = min(VW, N - j - (v - 1) * VW)
        to = c + 4 * j
        start, lds = (to, ldc) if accumulate else (0, 0)
        _tiles(M, v, a, 1, aw, ah, an, b + 4 * j, bw, bh, bn, to, ldc, start, lds, n, h, w, last, 0, 0)
        j += v * VW
