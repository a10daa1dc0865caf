"""Convolutions of 3×3 and 5×5 by Winograd's filtering: by hand, with 36 multiplications instead of 144 and of 100.

The image is divided into overlapping squares of 6×6, which give 4×4 or 2×2 outputs each. Squares and kernels are
transformed, and element p of one is multiplied only by element p of the other: 36 products of matrices,
(tiles, in)·(in, out). Some tiles at a time, so that the data between the transforms stay in the core's own cache.

Vectors run along the channels. Addresses are in bytes, strides in floats.
"""

import math
from functools import reduce

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, I64, stack
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.convolution import correlate
from thalweg.engine.native.kernels.updates.gradients import share
from thalweg.engine.native.language.callables import compiled
from thalweg.engine.native.layouts.filtering import SIDE, TAPS, matrices
from thalweg.engine.native.linalg import gemm
from thalweg.engine.native.linalg.families import Family, integer
from thalweg.engine.native.linalg.microkernel import Emitter
from thalweg.engine.native.linalg.moves import transposition

# Y = L·X·Lᵀ, with L = Bᵀ for images; for each kernel size, G for kernels, G with reversed columns for flipped kernels,
# Aᵀ for outputs, A for error terms, Gᵀ for the gradients of kernels. Outputs may be gated: they end with Y·[V > 0].
KINDS = 6
IMAGE, KERNEL, TURNED, OUTPUT, GATED, ERROR, GRADIENT = range(1 + KINDS)


def kinds():
    """{kind: (matrix, OUTPUT or GATED if it makes outputs, otherwise 0)}; the kinds for size 5 follow those for 3"""
    found = {IMAGE: (matrices(TAPS[0]).BT, 0)}
    for number, taps in enumerate(TAPS):
        _, G, A = matrices(taps)
        for kind, matrix in {
            KERNEL: G, TURNED: G[:, ::-1], OUTPUT: A.T, GATED: A.T, ERROR: A, GRADIENT: G.T
        }.items():  # fmt: skip
            found[KINDS * number + kind] = (matrix, kind if kind in (OUTPUT, GATED) else 0)
    return found


# The kinds whose squares may be cut off by an image's border.
CUT = {IMAGE, *(number * KINDS + kind for number in range(len(TAPS)) for kind in (OUTPUT, GATED, ERROR))}

PRODUCTS = SIDE * SIDE
SCRATCH = 1 << 18  # floats between the transforms: at most 1 MiB …
USUAL = 1 << 17  # … and half of it, which fits the L2 cache, if that is enough tiles for a product
LEAST_TILES, MOST_TILES = 14, 128


def _pairs(rows):
    """The rows (plus, minus) of points ±p: equal in their even terms, opposite in the odd ones."""
    turned = [[-f if k % 2 else f for k, f in enumerate(row)] for row in rows]
    return [(i, j) for j in range(len(rows)) for i in range(j) if rows[i] == turned[j] and rows[i] != rows[j]]


class _Transform(Emitter):
    """Y = L·X·Lᵀ (+ bias) in each of `count` squares, `xs` and `ys` floats apart, for each of `channels`.

    xr, xc; yr, yc: strides of a square's rows and columns. If `partly`, only the rows top … bottom − 1 and the columns
    left … right − 1 exist: of Y for outputs, otherwise of X, which is 0 elsewhere. Outputs end with max(Y, 0), if
    `relu` isn't 0, or with Y·[V > 0], V `gate` bytes after Y.
    """

    arguments = (
        "x", "xr", "xc", "xs", "y", "yr", "yc", "ys", "bias", "channels", "count", "top", "bottom", "left", "right",
        "relu", "gate",
    )  # fmt: skip

    def __init__(self, function, matrix, kind, partly):
        super().__init__(function)
        self.outputs, self.has_gate, self.partly = kind in (OUTPUT, GATED), kind == GATED, partly
        self.matrix, self.columns = matrix.tolist(), matrix.T.tolist()

    def emit(self):
        if self.partly:  # missing elements are read from a vector of zeros, or written to a place that nothing reads
            beside = self.builder.alloca(self.vector)
            beside.align = 64
            self.builder.store(self.zero, beside)
            self.beside = self.builder.bitcast(beside, F32.as_pointer())
        self.repeat(self.given["count"], [self.given["x"], self.given["y"]], self.square)

    def square(self, i, places):
        given = self.given
        given["x"], given["y"] = places
        self.over_channels()
        return self.moved(places, [given["xs"], given["ys"]])

    def over_channels(self):
        """A vector of channels at a time, the last masked; with AVX-512, where masking costs nothing, all of them."""
        builder, channels = self.builder, self.given["channels"]
        whole, _, rest = self.divided(channels, VW)
        some = builder.icmp_signed(">", rest, integer(0))

        def masked(v, _):
            k = builder.mul(v, integer(VW))
            left = builder.sub(channels, k)
            self.keep(builder.select(builder.icmp_signed("<", left, integer(VW)), left, integer(VW)))
            return self.vector_of_channels(k, self.load_some, self.store_some)

        if VW == 16:
            self.repeat(builder.add(whole, builder.zext(some, I64)), [], masked)
            return
        self.repeat(whole, [], lambda v, _: self.vector_of_channels(builder.mul(v, integer(VW)), self.load, self.store))
        with builder.if_then(some):
            masked(whole, [])

    def vector_of_channels(self, k, load, store):
        """The transform for a vector of channels from k on."""
        n = range(len(self.columns))
        columns = [self.times([load(self.source(i, j, k)) for i in n]) for j in n]
        bias = self.bias(k, load) if self.outputs else None
        for i, row in enumerate(zip(*columns, strict=True)):
            for j, value in enumerate(self.times(row)):
                store(self.ended(value, i, j, k, bias, load) if self.outputs else value, self.target(i, j, k))
        return []

    def ended(self, value, i, j, k, bias, load):
        """An output as it is written: plus its bias, then relu or relu's adjoint."""
        builder = self.builder
        value = builder.fadd(value, bias)
        if self.has_gate:
            gate = builder.ptrtoint(self.element("y", "yr", "yc", i, j, k), I64)
            gate = builder.inttoptr(builder.add(gate, self.given["gate"]), F32.as_pointer())
            gate = load(self.there(i, j, gate) if self.partly else gate)
            return self.gated(value, gate)
        low = builder.icmp_signed("!=", self.given["relu"], integer(0))
        low = builder.select(low, self.zero, self.constant(-math.inf))
        return builder.select(builder.fcmp_ordered("<", value, low), low, value)

    def bias(self, k, load):
        """The biases of these channels, or zeros."""
        return self.if_given("bias", [self.zero], lambda _, k: load(self.place("bias", k)), [k])[0]

    def times(self, vectors):
        """L times a column of vectors. If rows belong to points ±p, their even and odd terms are summed once; if
        columns do, the sum and difference of their two vectors are computed once."""
        pairs = _pairs(self.matrix)
        if pairs:
            result = [None if row in sum(pairs, ()) else self.combined(f, vectors) for row, f in enumerate(self.matrix)]
            for plus, minus in pairs:
                even = self.combined([f * (k % 2 == 0) for k, f in enumerate(self.matrix[plus])], vectors)
                odd = [f * (k % 2) for k, f in enumerate(self.matrix[plus])]
                first = next(f for f in odd if f)
                odd = self.combined([f / first for f in odd], vectors)
                result[plus], result[minus] = (self.scaled(f, odd, even) for f in (first, -first))
            return result
        pairs = _pairs(self.columns)
        builder, left = self.builder, [k for k in range(len(vectors)) if k not in sum(pairs, ())]
        sums = [builder.fadd(vectors[p], vectors[m]) for p, m in pairs]
        differences = [builder.fsub(vectors[p], vectors[m]) for p, m in pairs]
        return [
            self.combined(
                [row[k] for k in left] + [row[plus] for plus, _ in pairs],
                [vectors[k] for k in left] + (differences if number % 2 else sums),
            )
            for number, row in enumerate(self.matrix)
        ]

    def combined(self, factors, vectors):
        """Σ factor·vector over the nonzero factors, those equal to 1 first."""
        total = None
        for factor, vector in sorted(zip(factors, vectors, strict=True), key=lambda pair: pair[0] != 1):
            if factor:
                total = self.scaled(factor, vector, total)
        return total

    def scaled(self, factor, vector, total):
        """total + factor·vector; the total may be absent."""
        if total is not None and abs(factor) == 1:
            return (self.builder.fadd if factor > 0 else self.builder.fsub)(total, vector)
        if factor == 1:
            return vector
        constant = self.constant(factor)
        return self.builder.fmul(vector, constant) if total is None else self.multiply_add(vector, constant, total)

    def source(self, i, j, k):
        place = self.element("x", "xr", "xc", i, j, k)
        return self.there(i, j, place) if self.partly and not self.outputs else place

    def target(self, i, j, k):
        place = self.element("y", "yr", "yc", i, j, k)
        return self.there(i, j, place) if self.partly and self.outputs else place

    def there(self, i, j, place):
        """The place of an element, or `beside` if the element is missing."""
        builder, given = self.builder, self.given
        inside = [builder.icmp_signed("<=", given[first], integer(n)) for first, n in (("top", i), ("left", j))]
        inside += [builder.icmp_signed(">", given[after], integer(n)) for after, n in (("bottom", i), ("right", j))]
        return builder.select(reduce(builder.and_, inside), place, self.beside)

    def element(self, array, rows, columns, i, j, k):
        builder, given = self.builder, self.given
        offset = builder.add(builder.mul(given[rows], integer(i)), builder.mul(given[columns], integer(j)))
        return self.place(array, builder.add(offset, k))


TRANSFORMS = Family(
    "TRANSFORMS",
    _Transform,
    {
        2 * kind + partly: (*made, partly)
        for kind, made in kinds().items()
        for partly in (False, True)[: 2 if kind in CUT else 1]
    },
)

transform = TRANSFORMS.function(kind=2, partly=1)
"""Y = L·X·Lᵀ of one of the kinds; a bias is added to outputs if it has an address."""

_scratch = stack(SCRATCH + 2 * PRODUCTS * 16)  # each plane has an extra cache line, so that planes share no cache sets
_kernels = stack(PRODUCTS * VW * VW)


@compiled
def _kind(taps, kind):
    """The number of a kind of transform for kernels of this size."""
    return kind if taps == TAPS[0] else kind + KINDS


@compiled
def _most_tiles(channels):
    """How many tiles are processed together; each takes 36 numbers per channel, of 512 channels at most."""
    return min(MOST_TILES, max(LEAST_TILES, USUAL // (PRODUCTS * channels)))


@compiled
def _squares(kind, x, H, W, C, some, size, apart, top, left, high, wide, first, count, planes, plane):
    """The transforms of the squares first … first + count − 1 of `size`×`size`, numbered through all images, for `some`
    of the C channels.

    An image has (high, wide) squares; the first begins `top`, `left` before it. Outside an image there are zeros.
    """
    t = first
    while t < first + count:
        image, place = t // (high * wide), t % (high * wide)
        i, j = place // wide, place % wide
        n = min(wide - j, first + count - t)
        row = apart * i - top
        above, below = max(0, -row), min(size, H - row)
        at, to = x + 4 * ((image * H + row) * W + apart * j - left) * C, planes + 4 * (t - first) * some
        while n > 0:
            column = apart * j - left
            before, after = max(0, -column), min(size, W - column)
            partly = below - above < size or after - before < size
            # all whole squares, or one that isn't
            run = 1 if partly else min(n, (W - size - column) // apart + 1)
            transform(
                kind, partly, at, W * C, C, apart * C, to, SIDE * plane, plane, some, 0, some, run,
                above, below, before, after, 0, 0,
            )  # fmt: skip
            at, to = at + 4 * run * apart * C, to + 4 * run * some
            j, n, t = j + run, n - run, t + run


@compiled
def _outputs(kind, planes, plane, y, H, W, C, some, bias, size, high, wide, first, count, relu, gate):
    """The outputs of the tiles first … first + count − 1, for `some` of the C channels; the last tile of a row or
    column may be cut off."""
    t = first
    while t < first + count:
        image, place = t // (high * wide), t % (high * wide)
        i, j = place // wide, place % wide
        n = min(wide - j, first + count - t)
        at, source = y + 4 * ((image * H + size * i) * W + size * j) * C, planes + 4 * (t - first) * some
        below = min(size, H - size * i)
        whole = min(n, W // size - j) if below == size else 0
        transform(
            kind, 0, source, SIDE * plane, plane, some, at, W * C, C, size * C, bias, some, whole, 0, size, 0, size,
            relu, gate,
        )  # fmt: skip
        at, source = at + 4 * whole * size * C, source + 4 * whole * some
        for k in range(j + whole, j + n):
            after = min(size, W - size * k)
            transform(
                kind, 1, source, SIDE * plane, plane, 0, at, W * C, C, 0, bias, some, 1, 0, below, 0, after, relu, gate
            )
            at, source = at + 4 * size * C, source + 4 * some
        t += n


@kernel
def winograd_convolution(x, U, W, b, h, H, Wd, C, OH, OW, O, taps, top, left, down, across, relu=0, a=0, *, rows):
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, directly where tiles don't cover h; max(h, 0), or h·[a > 0]"""
    gate, kind = (a - h, GATED) if a else (0, OUTPUT)
    size = SIDE + 1 - taps
    high, wide = (down + size - 1) // size, (across + size - 1) // size
    tiles, most = rows * high * wide, _most_tiles(C + O)
    for first in range(0, tiles, most):
        n = min(most, tiles - first)
        of_v, of_m = n * C + 16, n * O + 16
        V = _scratch()
        M = V + 4 * PRODUCTS * of_v
        _squares(IMAGE, x, H, Wd, C, C, SIDE, size, top, left, high, wide, first, n, V, of_v)
        for p in range(PRODUCTS):
            gemm.gemm(V + 4 * p * of_v, C, 1, U + 4 * p * C * O, O, M + 4 * p * of_m, O, 0, 0, n, O, C)
        _outputs(_kind(taps, kind), M, of_m, h, OH, OW, O, O, b, size, high, wide, first, n, relu, gate)
    of_x, of_W, of_h = (H * Wd * C, Wd * C, C), (taps * C * O, C * O, O), (OH * OW * O, OW * O, O)
    for below in range(2):  # the rest of h
        row, after_row, column = (down, OH, 0) if below else (0, down, across)
        to = h + 4 * (row * OW + column) * O
        rest_down = (after_row - row, H, 1, 1, row - top, taps)
        rest_across = (OW - column, Wd, 1, 1, column - left, taps)
        correlate(x, of_x, W, of_W, C, to, of_h, O, b, rows, rest_down, rest_across, relu, gate)


@kernel
def winograd_gradient(x, dh, dU, H, Wd, C, OH, OW, O, taps, top, left, *, rows, accumulate):
    """dU = Σ over tiles of (Bᵀ·x·B) ⊙ (A·dh·Aᵀ)"""
    size = SIDE + 1 - taps
    high, wide = (OH + size - 1) // size, (OW + size - 1) // size
    tiles, most = rows * high * wide, _most_tiles(C + O)
    more = accumulate
    for first in range(0, tiles, most):
        n = min(most, tiles - first)
        of_v, of_d = n * C + 16, n * O + 16
        V = _scratch()
        D = V + 4 * PRODUCTS * of_v
        _squares(IMAGE, x, H, Wd, C, C, SIDE, size, top, left, high, wide, first, n, V, of_v)
        _squares(_kind(taps, ERROR), dh, OH, OW, O, O, size, size, 0, 0, high, wide, first, n, D, of_d)
        for p in range(PRODUCTS):
            gemm.gemm(V + 4 * p * of_v, 1, C, D + 4 * p * of_d, O, dU + 4 * p * C * O, O, 0, more, C, O, n)
        more = 1


@kernel
def winograd_kernel(W, U, C, O, taps, turned, *, lane, lanes):
    """U = G·W·Gᵀ, this lane's share; or that of the flipped kernel with its channels transposed"""
    n = C * O
    if not turned:
        first, after = share(n, lane, lanes)
        transform(
            _kind(taps, KERNEL), 0, W + 4 * first, taps * n, n, 0, U + 4 * first, SIDE * n, n, 0, 0,
            after - first, 1, 0, taps, 0, taps, 0, 0,
        )  # fmt: skip
        return
    first, after = share(O, lane, lanes)
    square = _kernels()
    for i in range(0, C, VW):
        for j in range(first, after, VW):
            high, wide = min(VW, C - i), min(VW, after - j)
            transform(
                _kind(taps, TURNED), 0, W + 4 * (i * O + j), taps * n, n, O, square, SIDE * VW * VW, VW * VW, VW, 0,
                wide, high, 0, taps, 0, taps, 0, 0,
            )  # fmt: skip
            for p in range(PRODUCTS):
                transposition(square + 4 * p * VW * VW, VW, U + 4 * (p * n + j * C + i), C, high, wide)


@kernel
def winograd_kernel_gradient(dU, dW, C, O, taps):
    """dW = Gᵀ·dU·G"""
    n = C * O
    transform(_kind(taps, GRADIENT), 0, dU, SIDE * n, n, 0, dW, taps * n, n, 0, 0, n, 1, 0, SIDE, 0, SIDE, 0, 0)
