"""Convolutions of 3×3 by Winograd's minimal filtering F(2×2, 3×3): 16 multiplications where the direct way takes 36.

The image is cut into squares of 4×4 that overlap by 2 and give 2×2 outputs each. Squares and kernels are transformed,
and element p of the transformed ones meets element p only: 16 products of matrices, (tiles, in)·(in, out). Some tiles
at a time, so that what lies between the transforms stays in the core's own cache.

Channels are multiples of 16, so there are whole vectors of them. Addresses are in bytes, strides in floats.
"""

from functools import reduce

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native import gemm
from thalweg.engine.native.convolution import correlate
from thalweg.engine.native.gradients import share
from thalweg.engine.native.llvm import F32, compiled, stack
from thalweg.engine.native.microkernel import _dispatcher, _Emitter, _integer
from thalweg.engine.native.moves import transposition
from thalweg.engine.native.processor import VW
from thalweg.engine.native.state import ACCUMULATE, LANE, LANES, ROWS

# Y = L·X·Lᵀ, with L = Bᵀ for images, G for kernels, Aᵀ for outputs, A for error terms, Gᵀ for the gradients of kernels.
IMAGE, KERNEL, OUTPUT, ERROR, GRADIENT = range(5)
BT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
G = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
A = ((1, 0), (1, 1), (1, -1), (0, 1))


def transposed(matrix):
    return tuple(zip(*matrix, strict=True))


MATRICES = {IMAGE: BT, KERNEL: G, OUTPUT: transposed(A), ERROR: A, GRADIENT: transposed(G)}

SCRATCH = 1 << 17  # floats between the transforms: half a MiB, which the L2 cache holds
MOST_TILES = 128

TRANSFORM_ARGUMENTS = (
    "x", "xr", "xc", "xs", "y", "yr", "yc", "ys", "bias", "vectors", "count", "top", "bottom", "left", "right",
)  # fmt: skip


class _Transform(_Emitter):
    """Y = L·X·Lᵀ (+ bias) in each of `count` squares, `xs` and `ys` floats apart, for `vectors` vectors of channels.

    xr, xc; yr, yc: from one row, and one column, of a square to the next. Where it is taken `partly`, only the rows
    top … bottom − 1 and the columns left … right − 1 are there: of outputs those of Y, otherwise those of X, which is 0
    elsewhere.
    """

    def __init__(self, function, kind, partly):
        super().__init__(function, TRANSFORM_ARGUMENTS)
        self.matrix, self.outputs, self.partly = MATRICES[kind], kind == OUTPUT, partly

    def emit(self):
        if self.partly:  # what isn't there is read from a vector of zeros, or written where nobody looks
            beside = self.builder.alloca(self.vector)
            beside.align = 64
            self.builder.store(self.zero, beside)
            self.beside = self.builder.bitcast(beside, F32.as_pointer())
        self.repeat(self.given["count"], [self.given["x"], self.given["y"]], self.square)
        self.builder.ret_void()

    def square(self, i, places):
        builder, given = self.builder, self.given
        given["x"], given["y"] = places
        self.repeat(given["vectors"], [], lambda v, _: self.channels(builder.mul(v, _integer(VW))))
        steps = (builder.mul(given[name], _integer(4)) for name in ("xs", "ys"))
        return [builder.add(place, step) for place, step in zip(places, steps, strict=True)]

    def channels(self, k):
        """One vector of channels, those from k on."""
        n = range(len(self.matrix[0]))
        columns = [self.times([self.load(self.source(i, j, k)) for i in n]) for j in n]
        bias = self.bias(k) if self.outputs else None
        for i, row in enumerate(zip(*columns, strict=True)):
            for j, value in enumerate(self.times(row)):
                value = value if bias is None else self.builder.fadd(value, bias)
                self.store(value, self.target(i, j, k))
        return []

    def bias(self, k):
        """The biases of these channels, or zeros."""
        builder, before = self.builder, self.builder.block
        read, after = builder.append_basic_block("read"), builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("==", self.given["bias"], _integer(0)), after, read)
        builder.position_at_end(read)
        value = self.load(builder.gep(builder.inttoptr(self.given["bias"], F32.as_pointer()), [k]))
        builder.branch(after)
        builder.position_at_end(after)
        return self.phi((self.zero, before), (value, read))

    def times(self, column):
        """L times a column of vectors."""
        return [self.combined(row, column) for row in self.matrix]

    def combined(self, factors, vectors):
        """Σ factor·vector; every factor is 0, ±1 or ±½, and one is positive: that is taken first."""
        builder, total = self.builder, None
        for factor, vector in sorted(zip(factors, vectors, strict=True), key=lambda pair: -pair[0]):
            if factor == 0:
                continue
            if abs(factor) != 1:
                vector = builder.fmul(vector, ir.Constant(self.vector, [abs(factor)] * VW))
            if total is None:
                total = vector
            else:
                total = builder.fadd(total, vector) if factor > 0 else builder.fsub(total, vector)
        return total

    def source(self, i, j, k):
        place = self.place("x", "xr", "xc", i, j, k)
        return self.there(i, j, place) if self.partly and not self.outputs else place

    def target(self, i, j, k):
        place = self.place("y", "yr", "yc", i, j, k)
        return self.there(i, j, place) if self.partly and self.outputs else place

    def there(self, i, j, place):
        """The place, or where nothing is there the vector beside."""
        builder, given = self.builder, self.given
        inside = [builder.icmp_signed("<=", given[first], _integer(n)) for first, n in (("top", i), ("left", j))]
        inside += [builder.icmp_signed(">", given[after], _integer(n)) for after, n in (("bottom", i), ("right", j))]
        return builder.select(reduce(builder.and_, inside), place, self.beside)

    def place(self, array, rows, columns, i, j, k):
        builder, given = self.builder, self.given
        offset = builder.add(builder.mul(given[rows], _integer(i)), builder.mul(given[columns], _integer(j)))
        return builder.gep(builder.inttoptr(given[array], F32.as_pointer()), [builder.add(offset, k)])


@intrinsic
def transform(
    typing, kind, partly, x, xr, xc, xs, y, yr, yc, ys, bias, vectors, count, top, bottom, left, right
):  # fmt: skip
    """Y = L·X·Lᵀ of one of the five kinds; a bias is added to outputs, where it has an address."""

    def codegen(context, builder, signature, args):
        kind, partly, *rest = args
        kernels = {
            2 * k + p: lambda function, k=k, p=p: _Transform(function, k, p) for k in MATRICES for p in (False, True)
        }
        key = builder.add(builder.mul(kind, _integer(2)), partly)
        builder.call(_dispatcher(builder.module, "transform", len(TRANSFORM_ARGUMENTS), kernels), [key, *rest])
        return context.get_dummy_value()

    return types.void(*[types.int64] * (2 + len(TRANSFORM_ARGUMENTS))), codegen


_scratch = stack(SCRATCH + 2 * 16 * 16)  # a cache line more in each plane: planes that far apart share no cache set
_kernels = stack(16 * VW * VW)


@compiled
def _most_tiles(channels):
    """How many tiles go together: 16 numbers of all these channels for each. There are 1,024 channels at most."""
    return min(MOST_TILES, SCRATCH // (16 * channels))


@compiled
def _squares(kind, x, H, W, C, size, top, left, high, wide, first, count, planes, plane):
    """The transforms of the squares first … first + count − 1 of `size`×`size`, 2 apart, counted through the images.

    (high, wide) squares an image; the first begins `top`, `left` before it. What lies outside of an image is 0.
    """
    t = first
    while t < first + count:
        image, place = t // (high * wide), t % (high * wide)
        i, j = place // wide, place % wide
        n = min(wide - j, first + count - t)
        row = 2 * i - top
        above, below = max(0, -row), min(size, H - row)
        at, to = x + 4 * ((image * H + row) * W + 2 * j - left) * C, planes + 4 * (t - first) * C
        while n > 0:
            column = 2 * j - left
            before, after = max(0, -column), min(size, W - column)
            partly = below - above < size or after - before < size
            # as many as are whole, or one that isn't
            run = 1 if partly else min(n, (W - size - column) // 2 + 1)
            transform(
                kind, partly, at, W * C, C, 2 * C, to, 4 * plane, plane, C, 0, C // VW, run, above, below, before, after
            )  # fmt: skip
            at, to = at + 4 * run * 2 * C, to + 4 * run * C
            j, n, t = j + run, n - run, t + run


@compiled
def _outputs(planes, plane, y, H, W, C, bias, high, wide, first, count):
    """The outputs of the tiles first … first + count − 1, of which the last of a row or column may be cut."""
    t = first
    while t < first + count:
        image, place = t // (high * wide), t % (high * wide)
        i, j = place // wide, place % wide
        n = min(wide - j, first + count - t)
        at, source = y + 4 * ((image * H + 2 * i) * W + 2 * j) * C, planes + 4 * (t - first) * C
        below = min(2, H - 2 * i)
        whole = min(n, W // 2 - j) if below == 2 else 0
        transform(OUTPUT, 0, source, 4 * plane, plane, C, at, W * C, C, 2 * C, bias, C // VW, whole, 0, 2, 0, 2)
        at, source = at + 4 * whole * 2 * C, source + 4 * whole * C
        for k in range(j + whole, j + n):
            after = min(2, W - 2 * k)
            transform(OUTPUT, 1, source, 4 * plane, plane, 0, at, W * C, C, 0, bias, C // VW, 1, 0, below, 0, after)
            at, source = at + 4 * 2 * C, source + 4 * C
        t += n


def winograd_convolution(o, c, s, f):
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, and directly what the tiles don't cover"""
    x, U, kernel, b, h, H, W, C, OH, OW, O = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8], o[9], o[10]
    top, left, rows, columns = o[11], o[12], o[13], o[14]
    high, wide = (rows + 1) // 2, (columns + 1) // 2
    tiles, most = s[ROWS] * high * wide, _most_tiles(C + O)
    for first in range(0, tiles, most):
        n = min(most, tiles - first)
        of_v, of_m = n * C + 16, n * O + 16
        V = _scratch()
        M = V + 4 * 16 * of_v
        _squares(IMAGE, x, H, W, C, 4, top, left, high, wide, first, n, V, of_v)
        for p in range(16):
            gemm.gemm(V + 4 * p * of_v, C, 1, U + 4 * p * C * O, O, M + 4 * p * of_m, O, 0, 0, n, O, C)
        _outputs(M, of_m, h, OH, OW, O, b, high, wide, first, n)
    if rows < OH:
        _rest(x, H, W, C, kernel, h, OH, OW, O, b, s[ROWS], top, left, rows, OH, 0, OW)
    if columns < OW:
        _rest(x, H, W, C, kernel, h, OH, OW, O, b, s[ROWS], top, left, 0, rows, columns, OW)


@compiled
def _rest(x, H, W, C, kernel, h, OH, OW, O, bias, images, top, left, row, after_row, column, after_column):
    """The outputs of some rows and columns, by the definition."""
    correlate(
        x, H * W * C, W * C, C, H, W, kernel, 3 * C * O, C * O, C, h + 4 * (row * OW + column) * O, OH * OW * O, OW * O,
        O, O, O, bias, images, after_row - row, 1, 1, row - top, 3, after_column - column, 1, 1, column - left, 3,
    )  # fmt: skip


def winograd_gradient(o, c, s, f):
    """dU = Σ over tiles of (Bᵀ·x·B) ⊙ (A·dh·Aᵀ)"""
    x, d, dU, H, W, C, OH, OW, O, top, left = o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7], o[8], o[9], o[10]
    high, wide = (OH + 1) // 2, (OW + 1) // 2
    tiles, most = s[ROWS] * high * wide, _most_tiles(C + O)
    more = s[ACCUMULATE]
    for first in range(0, tiles, most):
        n = min(most, tiles - first)
        of_v, of_d = n * C + 16, n * O + 16
        V = _scratch()
        D = V + 4 * 16 * of_v
        _squares(IMAGE, x, H, W, C, 4, top, left, high, wide, first, n, V, of_v)
        _squares(ERROR, d, OH, OW, O, 2, 0, 0, high, wide, first, n, D, of_d)
        for p in range(16):
            gemm.gemm(V + 4 * p * of_v, 1, C, D + 4 * p * of_d, O, dU + 4 * p * C * O, O, 0, more, C, O, n)
        more = 1


def winograd_kernel(o, c, s, f):
    """U = G·W·Gᵀ, this lane's share; or of the kernel turned around, its channels transposed"""
    W, U, C, O, turned = o[0], o[1], o[2], o[3], o[4]
    n = C * O
    if not turned:
        first, after = share(n, s[LANE], s[LANES])
        transform(
            KERNEL, 0, W + 4 * first, 3 * n, n, VW, U + 4 * first, 4 * n, n, VW, 0, 1, (after - first) // VW, 0, 3, 0, 3
        )
        return
    first, after = share(O, s[LANE], s[LANES])
    square = _kernels()
    for i in range(0, C, VW):
        for j in range(first, after, VW):
            transform(
                KERNEL, 0, W + 4 * (i * O + j), 3 * n, n, O, square, 4 * VW * VW, VW * VW, VW, 0, 1, VW, 0, 3, 0, 3
            )
            for a in range(4):
                for b in range(4):  # to turn a kernel around is to swap the first and the last of its transform
                    p = 4 * ((3, 1, 2, 0)[a]) + (3, 1, 2, 0)[b]
                    transposition(square + 4 * (4 * a + b) * VW * VW, VW, U + 4 * (p * n + j * C + i), C, VW, VW)


def winograd_kernel_gradient(o, c, s, f):
    """dW = Gᵀ·dU·G"""
    n = o[2] * o[3]
    transform(GRADIENT, 0, o[0], 4 * n, n, VW, o[1], 3 * n, n, VW, 0, 1, n // VW, 0, 4, 0, 4)
