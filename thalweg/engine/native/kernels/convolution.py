"""Convolutions: by hand, on the micro-kernel, without a copy of the patches under the kernel.

In (row, height, width, channel) order the elements under one row of a kernel are contiguous in memory, and those of the
next output begin a stride further on: a matrix whose rows overlap, which costs nothing, since a tile only broadcasts A.
The border isn't filled with zeros either. The outputs are divided into rectangles that use the same taps (the elements
of the kernel that lie on the image): the inside, four sides, four corners. Any of a rectangle's three dimensions,
images, rows and columns, can be the rows of a tile, so that a corner is as fast as the inside.

With few output channels, neighbouring outputs of a row are computed together, as the channels of one output of a wider
kernel, so that they fill a vector.

`x`, `y` below are addresses in bytes; strides are in floats. A dimension, `down` or `across`, is (outputs, n, s, d, at,
taps): tap t of output i sees the element i·s + t·d + at of n.
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
def evenly(n, most):
    """The size of each part when n is divided as evenly as possible into the fewest parts of at most `most`."""
    parts = max(1, (n + most - 1) // max(1, most))
    return max(1, (n + parts - 1) // parts)


@compiled
def first_tap(i, s, d, at):
    """The first tap of output i that isn't before the image."""
    return max(0, (-at - i * s + d - 1) // d)


@compiled
def after_tap(i, n, s, d, at, taps):
    """The tap after the last of output i that isn't beyond an image of n elements."""
    return min(taps, (n - 1 - at - i * s + d) // d) if n - 1 - at - i * s >= 0 else 0


@compiled
def zone(i, outputs, n, s, d, at, taps):
    """(first tap, tap after the last, output after the last) of the outputs from i on that use the same taps."""
    first, after = first_tap(i, s, d, at), after_tap(i, n, s, d, at, taps)
    end = i + 1
    while end < outputs and first_tap(end, s, d, at) == first and after_tap(end, n, s, d, at, taps) == after:
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
def dense_correlate(x, C, B, y, N, bias, images, down, across, relu, gate):
    """y = bias + Σ x·B over the taps, for contiguous x, B and y; relu, gate: as for `tile`."""
    (OH, H, _, _, _, th), (OW, W, sw, dw, aw, tw) = down, across
    g = _together(N, OW, C, th, sw, dw, tw)
    if g > 1:
        kernel, biases = _widened(), _biases()
        _widen(B, C, N, th, sw, tw, g, kernel)
        for q in range(g if bias else 0):
            for j in range(N):
                store_f32(biases, q * N + j, load_f32(bias, j))
        B, bias, N, OW, tw, sw = kernel, (biases if bias else 0), g * N, OW // g, tw + (g - 1) * sw, g * sw
    of_x, of_B, of_y = (H * W * C, W * C, C), (tw * C * N, C * N, N), (OH * OW * N, OW * N, N)
    correlate(x, of_x, B, of_B, C, y, of_y, N, bias, images, down, (OW, W, sw, dw, aw, tw), relu, gate)


@compiled
def correlate(x, of_x, B, of_B, C, y, of_y, N, bias, images, down, across, relu, gate):
    """y[image, i, j, :] = bias + Σ x[image, i·sh + a·dh + ah, j·sw + b·dw + aw, :]·B[a, b] over the taps on the image.

    of_x, of_y: strides of image, row and column; of_B: of the kernel's rows and columns, and ldb. At each tap, C
    channels of x times a matrix of N columns with row stride ldb. Finally max(y, 0), if `relu`, or y·[G > 0], if `gate`
    isn't 0: G is laid out like y, `gate` bytes after it.
    """
    (xi, xr, xc), (br, bc, ldb), (yi, yr, yc) = of_x, of_B, of_y
    (OH, _, sh, dh, ah, _), (OW, _, sw, dw, aw, _) = down, across
    i = 0
    while i < OH:
        a, after_a, next_i = zone(i, *down)
        j = 0
        while j < OW:
            b, after_b, next_j = zone(j, *across)
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
def tile_rows(M, v, a, rsa, csa, ga, na, b, ldb, gb, nb, c, ldc, start, lds, outer, groups, depth, last, relu, gate):
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
        parts = evenly(groups, most // max(1, depth)) if depth <= most else 1
        part = evenly(depth, most) if depth > most else max(1, depth)
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
                        tile_rows(
                            M, v, at, rsa, 1, ga, 0, panel, ldp, gp, 0, to, ldc, from_, lds, 1, G, K, last, low, open_
                        )
        j += v * VW


@kernel
def convolution(
    x, W, b, h, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, relu=0, a=0, *, rows
):
    """h = x ∗ W + b; max(h, 0), or h·[a > 0]"""
    down, across = (OH, H, sh, dilation_h, -top, kh), (OW, Wd, sw, dilation_w, -left, kw)
    n, m, gate = C // groups, O // groups, a - h if a else 0
    if kh * kw * sh * sw * groups == 1 and H * Wd == OH * OW:
        gemm.product(x, C, 1, W, O, 0, h, O, b, relu, a, rows * OH * OW, O, C)
        return
    if groups == 1:
        dense_correlate(x, C, W, h, O, b, rows, down, across, relu, gate)
        return
    of_x, of_W, of_h = (H * Wd * C, Wd * C, C), (kw * n * O, n * O, O), (OH * OW * O, OW * O, O)
    for g in range(groups):
        at, of, to, bias = x + 4 * g * n, W + 4 * g * m, h + 4 * g * m, b + 4 * g * m if b else 0
        correlate(at, of_x, of, of_W, n, to, of_h, m, bias, rows, down, across, relu, gate)


@kernel
def transposed_convolution(
    x, flipped, b, h, H, Wd, C, OH, OW, O, kh, kw, sh, sw, dilation_h, dilation_w, top, left, groups, relu=0, a=0,
    *, rows,
):  # fmt: skip
    """h = x ∗ Wᶠ + b; max(h, 0), or h·[a > 0]

    Elements of the image that are a stride apart lie under the same taps, so they are computed together.
    """
    n, m, gate = C // groups, O // groups, a - h if a else 0
    if kh * kw * sh * sw * groups == 1 and H * Wd == OH * OW:
        gemm.product(x, O, 1, flipped, C, 0, h, C, b, relu, a, rows * OH * OW, C, O)
        return
    if sh * sw * groups == 1:
        down = (H, OH, 1, dilation_h, top - (kh - 1) * dilation_h, kh)
        across = (Wd, OW, 1, dilation_w, left - (kw - 1) * dilation_w, kw)
        dense_correlate(x, O, flipped, h, C, b, rows, down, across, relu, gate)
        return
    of_x, of_W, of_h = (OH * OW * O, OW * O, O), (kw * O * n, O * n, n), (H * Wd * C, sh * Wd * C, sw * C)
    for p in range(min(sh, H)):
        first_a, down = phase_of(p, H, OH, sh, dilation_h, top, kh)
        for q in range(min(sw, Wd)):
            first_b, across = phase_of(q, Wd, OW, sw, dilation_w, left, kw)
            for g in range(groups):
                at, of = x + 4 * g * m, flipped + 4 * ((first_a * kw + first_b) * O + g * m) * n
                to, bias = h + 4 * ((p * Wd + q) * C + g * n), b + 4 * g * n if b else 0
                correlate(at, of_x, of, of_W, m, to, of_h, n, bias, rows, down, across, relu, gate)


@compiled
def phase_of(i, n, outputs, s, d, before, taps):
    """Of element i of an image of n, and those s, 2s … after it: the index of the first tap that covers them in the
    flipped kernel, and the dimension, in which the `outputs` are seen."""
    phase = (i + before) % s
    several = _of_phase(taps, s, phase)
    at = (i + before - phase) // s - (several - 1) * d
    return _before_phase(taps, s, phase), ((n - i + s - 1) // s, outputs, 1, d, at, several)


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
def first_place(tap, s, d, at):
    """The first output whose tap isn't before the image."""
    return max(0, (-at - tap * d + s - 1) // s)


@compiled
def after_place(tap, n, outputs, s, d, at):
    """The output after the last whose tap isn't beyond an image of n elements."""
    return min(outputs, (n - 1 - at - tap * d) // s + 1) if n - 1 - at - tap * d >= 0 else 0


@compiled
def alike(tap, taps, n, outputs, s, d, at):
    """(first output, output after the last, tap after the last) of the taps from this one on that see these outputs."""
    first, after, end = first_place(tap, s, d, at), after_place(tap, n, outputs, s, d, at), tap + 1
    while end < taps and first_place(end, s, d, at) == first and after_place(end, n, outputs, s, d, at) == after:
        end += 1
    return first, after, end


@compiled
def with_border(x, H, W, C, target, images, high, wide, first, left):
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
    down, across = (OH, H, sh, dilation_h, -top, kh), (OW, Wd, sw, dilation_w, -left, kw)
    g = _together(O, OW, C, kh, sw, dilation_w, kw) if groups == 1 else 1
    if g == 1:
        _taps(x, dh, dW, C, O, down, across, groups, rows, accumulate)
        return
    kernel, wide = _widened(), kw + (g - 1) * sw
    _taps(x, dh, kernel, C, g * O, down, (OW // g, Wd, g * sw, 1, -left, wide), 1, rows, 0)
    _narrow(kernel, C, O, kh, sw, kw, g, dW, accumulate)


@compiled
def _taps(x, d, dW, C, O, down, across, groups, images, more):
    """dW (+)= x ∗ d: the rows of a tile are channels (of several taps, if all see the same places), its depth is
    places.

    Some places at a time, so that x and d stay in the nearest cache for all taps.
    """
    (OH, H, sh, dh, ah, kh), (OW, W, sw, dw, aw, kw) = down, across
    n, m = C // groups, O // groups
    some_rows, some_images = min(OH, max(1, PLACES // OW)), max(1, PLACES // (OH * OW))
    high, wide = (some_rows - 1) * sh + (kh - 1) * dh + 1, (OW - 1) * sw + kw
    few = groups == 1 and dw == 1 and some_images * high * wide * C <= BORDERED
    bordered = _bordered() if few and (aw < 0 or wide + aw > W) else 0
    of_d, of_x = (OH * OW * O, OW * O, O), (H * W * C, sh * W * C, sw * C)
    for image in range(0, images, some_images):
        for row in range(0, OH, some_rows):
            if bordered:
                n, h = min(some_images, images - image), min(some_rows, OH - row)
                with_border(x + 4 * image * H * W * C, H, W, C, bordered, n, high, wide, row * sh + ah, -aw)
                of_border, to = (high * wide * C, sh * wide * C, sw * C), d + 4 * (image * OH + row) * OW * O
                for a in range(kh):
                    at, of = bordered + 4 * a * dh * wide * C, dW + 4 * a * kw * C * O
                    _gradient(at, of_border, to, of_d, of, O, more, n, h, OW, kw * C, O)
                more = 1
                continue
            for a in range(kh):
                i = max(row, first_place(a, sh, dh, ah))
                h = max(i, min(row + some_rows, after_place(a, H, OH, sh, dh, ah))) - i
                b = 0
                while b < kw:
                    last = kw if groups == 1 and dw == 1 else b + 1
                    j, after_j, after_b = alike(b, last, W, OW, sw, dw, aw)
                    at = x + 4 * (((image * H + i * sh + a * dh + ah) * W + j * sw + b * dw + aw) * C)
                    to, of = d + 4 * ((image * OH + i) * OW + j) * O, dW + 4 * (a * kw + b) * n * O
                    many, w = min(some_images, images - image), max(0, after_j - j)
                    for g in range(groups):
                        _gradient(
                            at + 4 * g * n, of_x, to + 4 * g * m, of_d, of + 4 * g * m, O, more, many, h, w,
                            (after_b - b) * n, m,
                        )  # fmt: skip
                    b = after_b
            more = 1


@compiled
def _gradient(a, of_a, b, of_b, c, ldc, accumulate, n, h, w, M, N):
    """C (+)= Σ over n images, h rows and w columns of Aᵀ·B; of_a, of_b: the strides of A's and B's."""
    (an, ah, aw), (bn, bh, bw) = of_a, of_b
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
        tile_rows(M, v, a, 1, aw, ah, an, b + 4 * j, bw, bh, bn, to, ldc, start, lds, n, h, w, last, 0, 0)
        j += v * VW
