"""Convolutions of few channels by columns: by hand, so that a vector holds rows, however few channels there are.

The elements of an image are stored channel by channel, each for all rows of the block.

    x[c, i, j, r]      channel, row and column of the image, row of the block

Along a row of the image and the rows of the block, the elements under one tap are contiguous: a product of matrices
whose rows are channels, by the same micro-kernel. The kernel's gradient consists of dot products.

Only without strides, dilation and groups.
"""

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats, load_f32, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels import convolution
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.layouts.limits import MOST_CHANNELS
from thalweg.engine.native.linalg.dots import DotProducts
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import ROWS, WIDEST
from thalweg.engine.native.linalg.moves import turn

# For t taps of a kernel's gradient, up to TAPS[t] outputs are summed at a time: as many as fit into the registers.
TAPS = (0, 8, 8, 6, 5, 4) if VW == 16 else (0, 6, 4, 3, 2)
SUM_SHAPES = [(t, n) for t in range(1, len(TAPS)) for n in range(1, TAPS[t] + 1)]
MOST_SUMS = max(t * n for t, n in SUM_SHAPES)

BORDERED = 1 << 16  # a channel gets zeros on both sides if it then has at most this many elements

_biases, _sums, _border = stack(MOST_CHANNELS * max(WIDEST) * VW), stack(MOST_SUMS), stack(BORDERED)


class _Sums(DotProducts):
    """Dot products of rows of A with rows of B, each of `outer` parts of `depth` floats, na and nb apart."""

    arguments = ("a", "rsa", "na", "b", "ldb", "nb", "c", "outer", "depth")

    def emit(self):
        """C[r, j] = Σ_n Σ_k A[n·na + r·rsa + k]·B[n·nb + j·ldb + k]"""
        builder, given = self.builder, self.given
        whole = builder.sdiv(builder.sub(given["depth"], integer(1)), integer(VW))
        done = builder.mul(whole, integer(VW))
        self.keep(builder.sub(given["depth"], done))
        first, cells = (given["a"], given["b"]), self.rows * self.columns

        def part(n, sums):
            for name, place in zip("ab", first, strict=True):
                given[name] = builder.add(place, builder.mul(builder.mul(n, given["n" + name]), integer(4)))
            sums = self.repeat(whole, sums, lambda i, sums: self.add(sums, self.times(i), self.load))
            return self.add(sums, done, self.load_some)

        sums = self.repeat(given["outer"], [self.zero] * cells, part)
        for at in range(0, cells, VW):
            some = sums[at : at + VW]
            self.keep(integer(len(some)))
            self.store_some(self.totals(some), self.at("c", "depth", 0, at))


DOT_SUMS = Family("DOT_SUMS", _Sums, {16 * r + j: (r, j) for r, j in SUM_SHAPES})

dot_sums = DOT_SUMS.function(rows=16, columns=1)
"""Computes the sums of a tile of one of SUM_SHAPES; depth >= 1."""


@compiled
def correlate(x, H, W, C, B, y, OH, OW, O, bias, R, ah, th, aw, tw, row, after_row, column, after_column, relu, gate):
    """y[o, i, j] = bias[o] + Σ x[c, i + a + ah, j + b + aw]·B[a, b, c, o] over the taps that lie on the image, for the
    outputs of some rows and columns"""
    biases = _biases() if bias else 0
    for o in range(O if bias else 0):
        floats(biases + 4 * o * max(WIDEST) * VW, max(WIDEST) * VW)[:] = load_f32(bias, o)
    for i in range(row, after_row):
        a, after_a = convolution.first_tap(i, 1, 1, ah), convolution.after_tap(i, H, 1, 1, ah, th)
        j = column
        while j < after_column:
            b, after_b, next_j = convolution.zone(j, after_column, W, 1, 1, aw, tw)
            stretch(
                x + 4 * ((i + a + ah) * W + j + b + aw) * R, H * W * R, W * R, R, C, B + 4 * (a * tw + b) * C * O,
                tw * C * O, y + 4 * (i * OW + j) * R, OH * OW * R, O, biases, (next_j - j) * R,
                max(0, after_a - a), after_b - b, relu, gate,
            )  # fmt: skip
            j = next_j


@compiled
def stretch(x, xc, xa, xb, C, B, ba, y, yc, O, biases, n, taps_a, taps_b, relu, gate):
    """n contiguous floats of every output; xc, xa, xb: strides of channels, tap rows and tap columns.

    The innermost loop is over the channels or the taps of a row, whichever are more.
    """
    tiles = (O + ROWS - 1) // ROWS
    widest = WIDEST[(O + tiles - 1) // tiles]
    vectors = (n + VW - 1) // VW
    lds = max(WIDEST) * VW if biases else 0
    of_inner, of_outer = O, C * O
    if taps_b > C:
        xc, xb, C, taps_b, of_inner, of_outer = xb, xc, taps_b, C, of_outer, of_inner
    j = 0
    for panels in range((vectors + widest - 1) // widest, 0, -1):
        v = (vectors + panels - 1) // panels
        vectors -= v
        last = min(VW, n - j - (v - 1) * VW)
        at, to = x + 4 * j, y + 4 * j
        convolution.tile_rows(
            O, v, B, 1, of_inner, of_outer, ba, at, xc, xb, xa, to, yc, biases, lds, taps_a, taps_b, C, last, relu, gate
        )
        j += v * VW


@kernel
def convolution_by_columns(x, W, b, h, H, Wd, C, OH, OW, O, kh, kw, top, left, relu=0, a=0, *, rows):
    """h = x ∗ W + b; max(h, 0), or h·[a > 0]"""
    correlate(x, H, Wd, C, W, h, OH, OW, O, b, rows, -top, kh, -left, kw, 0, OH, 0, OW, relu, a - h if a else 0)


@kernel
def transposed_convolution_by_columns(x, flipped, b, h, H, Wd, C, OH, OW, O, kh, kw, top, left, relu=0, a=0, *, rows):
    """h = x ∗ Wᶠ + b; max(h, 0), or h·[a > 0]"""
    gate = a - h if a else 0
    ah, aw = top - kh + 1, left - kw + 1
    correlate(x, OH, OW, O, flipped, h, H, Wd, C, b, rows, ah, kh, aw, kw, 0, H, 0, Wd, relu, gate)


@compiled
def add_sums(sums, rows, columns, c, ldc):
    """C += the sums of a tile"""
    for i in range(rows):
        total, new = floats(c + 4 * i * ldc, columns), floats(sums + 4 * i * columns, columns)
        for j in range(columns):
            total[j] += new[j]


@compiled
def add_dots(a, rsa, na, b, ldb, nb, outer, depth, c, ldc, M, N):
    """C += A·Bᵀ, with rows of A and B in `outer` parts of `depth` floats, na and nb apart."""
    sums, some = _sums(), convolution.evenly(M, len(TAPS) - 1)
    for i in range(0, M, some):
        t = min(some, M - i)
        few = convolution.evenly(N, TAPS[t])
        for j in range(0, N, few):
            m = min(few, N - j)
            dot_sums(t, m, a + 4 * i * rsa, rsa, na, b + 4 * j * ldb, ldb, nb, sums, outer, depth)
            add_sums(sums, t, m, c + 4 * (i * ldc + j), ldc)


@kernel
def kernel_gradient_by_columns(x, dh, dW, H, Wd, C, OH, OW, O, kh, kw, top, left, *, rows, accumulate):
    """dW = x ∗ dh, channel by channel, with zeros around each, so that all taps in a row see the same places."""
    R, wide = rows, OW + kw - 1
    if accumulate == 0:
        floats(dW, kh * kw * C * O)[:] = 0
    copies = (left > 0 or wide > Wd) and H * wide * R <= BORDERED
    for channel in range(C):
        plane, width, before = x + 4 * channel * H * Wd * R, Wd, left
        if copies:
            plane, width, before = _border(), wide, 0
            convolution.with_border(x + 4 * channel * H * Wd * R, H, Wd, R, plane, 1, H, wide, 0, left)
        for a in range(kh):
            i, after_i = convolution.first_place(a, 1, 1, -top), convolution.after_place(a, H, OH, 1, 1, -top)
            if i < after_i:
                at, d = plane + 4 * (i + a - top) * width * R, dh + 4 * i * OW * R
                to = dW + 4 * (a * kw * C + channel) * O
                _row_of_taps(at, width, before, R, d, OH, OW, O, after_i - i, kw, to, C)


@compiled
def _row_of_taps(x, W, left, R, d, OH, OW, O, rows, kw, dW, C):
    """The gradients of the taps in a row of the kernel, over `rows` rows; taps that see the same places together."""
    b = 0
    while b < kw:
        j, after_j, after = convolution.alike(b, kw, W, OW, 1, 1, -left)
        if j < after_j:
            add_dots(
                x + 4 * (j + b - left) * R, R, W * R, d + 4 * j * R, OH * OW * R, OW * R, rows, (after_j - j) * R,
                dW + 4 * b * C * O, C * O, after - b, O,
            )  # fmt: skip
        b = after


@kernel
def layout(x, z, positions, channels, x_by_columns, *, rows):
    """z = x by columns, or back by rows"""
    if channels == 1:
        down, across = (positions, rows) if x_by_columns else (rows, positions)
        turn(x, across, z, down, down, across)
        return
    for p in range(positions):
        if x_by_columns:
            turn(x + 4 * p * rows, positions * rows, z + 4 * p * channels, positions * channels, channels, rows)
        else:
            turn(x + 4 * p * channels, positions * channels, z + 4 * p * rows, positions * rows, rows, channels)
