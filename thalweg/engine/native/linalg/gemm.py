"""Matrix products, transposes and column sums on raw addresses: the linear algebra of dense layers and of attention.

Addresses are in bytes, strides in floats (one float is 4 bytes). Nothing outside the operands is read or written.

    use of gemm       A            B                        C
    dense forward     x            W                        h          rsa = inputs, csa = 1
    weight gradient   xᵀ           error term               dW         rsa = 1, csa = inputs
    input gradient    error term   Wᵀ                       dx         rsa = units, csa = 1
"""

import numpy as np

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import floats, load_f32, select, stack, store_f32, unknown
from thalweg.engine.native.compiler.shared import Shared
from thalweg.engine.native.language.callables import compiled, inlined
from thalweg.engine.native.linalg.dots import DOT_COLUMNS, DOT_ROWS, SHORT, dots, short
from thalweg.engine.native.linalg.microkernel import HALF, ROWS, WIDEST, tile_ahead
from thalweg.engine.native.linalg.moves import copy, transposition, turn
from thalweg.engine.native.linalg.one_row import MOST, row

# A block of A is BLOCK x DEPTH floats, which stay in the L2 cache for all columns of B. A panel of B, DEPTH rows as
# wide as a tile, is read again for each tile of the block: with AVX-512 from L2, which is fast enough; otherwise it has
# to stay in the L1 cache (16 KiB of 32).
DEPTH = 512 if VW == 16 else 256
BLOCK = 128 if VW == 16 else 256

# If the last columns of C would leave most of a vector empty, they are cheaper as dot products (at most FEW_DOTS) or as
# rows of Cᵀ (at most FEW_ROWS, or half as many if a tile's last vector is half as wide); fewer beside whole vectors, as
# one more vector costs such tiles little. The bounds, (alone, beside whole vectors), are where measured times cross.
FEW_DOTS = (DOT_COLUMNS, {16: 4, 8: 3, 4: 3}[VW])
FEW_ROWS = {16: (12, 8), 8: (7, 3), 4: (3, 3)}[VW]
ACROSS = 4  # vectors of a row of Cᵀ in one tile
ALONE = 1 << 13  # numbers summed before their sum is added to others: some hundred per element of a vector

# If the rows of B are far apart, panels of it are copied to contiguous memory, because their cache lines are on
# different pages and fall into few sets of the cache. The rows of a block of A are copied in the order in which tiles
# read them. A copy has to be used a minimum number of times to pay. With AVX-512 neither gained anything.
COPIES = VW < 16
FAR = 128  # floats between two rows of B
COPIED_TILES = 4  # that read a panel of B, at least
COPIED_PANELS = 12  # that read a block of A, at least
STRIP = 8  # panels copied together, so that memory is read in long runs …
STRIP_ROWS = 32  # … and rows copied at a time
STRIP_SIZE = STRIP * WIDEST[ROWS] * VW * DEPTH
TURNED_ROWS = 64  # of A that are transposed together, as B is read once for them

HEIGHTS = (ROWS, ROWS - 1, ROWS - 2)  # of tiles
ONE, ZERO = np.float32(1), np.float32(0)

_columns = stack(FEW_DOTS[0] * DEPTH)
_start_of_dots = stack(2 * VW)
_one = stack(1)
_rows_of_a = stack(BLOCK * DEPTH)
_strip = stack(STRIP_SIZE)
_square = stack(BLOCK * (BLOCK + VW))
_sums = stack(VW)
_transposed = stack(FEW_ROWS[0] * ACROSS * VW)


@compiled
def gemm(a, rsa, csa, b, ldb, c, ldc, bias, accumulate, M, N, K):
    """C[i, j] (+)= bias[j] + Σ_k A[i·rsa + k·csa] · B[k·ldb + j], for i < M, j < N, k < K; += if accumulate is true.

    bias: the address of N floats, or 0. A may have any strides; the rows of B and C are contiguous.
    """
    if accumulate and bias:
        for i in range(M):
            _add(bias, c + 4 * i * ldc, N)
    start = c if accumulate else bias
    lds = ldc if accumulate else 0
    _any_size(a, rsa, csa, b, ldb, 0, c, ldc, start, lds, 0, 0, M, N, K)


@compiled
def product(a, rsa, csa, b, ldb, across, c, ldc, bias, relu, gate, M, N, K):
    """C = bias + A·B as in `gemm`; with `relu`, max(C, 0); if `gate` is the address of a G laid out like C, C·[G > 0].

    across: B is stored transposed, B[j·ldb + k]. It is transposed strip by strip as it is read; or A and C are
    transposed instead, if they have fewer numbers.
    """
    behind = gate - c if gate else 0
    if across and csa == 1 and bias == 0 and M * (N + K) < N * K and min(M, TURNED_ROWS) <= _turned_rows(K):
        _turned(a, rsa, b, ldb, c, ldc, relu, behind, M, N, K)
    else:
        _any_size(a, rsa, csa, b, ldb, across, c, ldc, bias, 0, relu, behind, M, N, K)


@compiled
def pair(x, tx, y, ty, z, accumulate, M, N, K):
    """Z (+)= X·Y for matrices whose rows are contiguous; tx: X is stored as (K, M), ty: Y as (N, K)."""
    if M == 1 and N == 1:
        total = _dot(x, y, K)
        store_f32(z, 0, load_f32(z, 0) + total if accumulate else total)
        return
    if M == 1 and ty:  # a row times Yᵀ is Y times a column
        x, tx, y, ty, M, N = y, 0, x, 0, N, 1
    if tx and 1 < N <= VW and 2 * VW <= M and not accumulate:
        _sideways(x, y, ty, z, M, N, K)
        return
    rsa, csa = (1, M) if tx else (K, 1)
    across = 1 if ty and N > 1 else 0
    start, lds = (z, N) if accumulate else (0, 0)
    _any_size(x, rsa, csa, y, K if across else N, across, z, N, start, lds, 0, 0, M, N, K)


@compiled
def _sideways(x, y, ty, z, M, N, K):
    """Z = X·Y as the transpose of Yᵀ·Xᵀ, for the few columns of a single vector and an X that is stored transposed: a
    tile of one vector would load a number for every product, which takes longer than the product."""
    square, ld = _square(), BLOCK + VW
    rsa, csa = (K, 1) if ty else (1, N)
    for i in range(0, M, BLOCK):
        m = min(BLOCK, M - i)
        _blocks(y, rsa, csa, x + 4 * i, M, 0, square, ld, 0, 0, 0, 0, 1, 0, 0, N, m, K, 0)
        turn(square, ld, z + 4 * i * N, N, N, m)


@compiled
def _any_size(a, rsa, csa, b, ldb, across, c, ldc, start, lds, relu, gate, M, N, K):
    """Computes C as one row or one tile, for small networks and few rows; otherwise by blocks."""
    few, vectors, small = N % VW, (N + VW - 1) // VW, across == 0 and 0 < K <= DEPTH
    if small and M == 1 and csa == 1 and gate == 0 and 0 < N <= MOST * VW:
        row(N, a, 1, b, ldb, c, start, relu, K)
    elif small and 0 < M <= ROWS and 0 < vectors <= WIDEST[M] and (few == 0 or few * 2 > M) and ldb > 1:
        last = few if few else VW
        tile_ahead(M, vectors, a, rsa, csa, b, ldb, c, ldc, start, lds, K, last, 1, 0, relu, gate, 0, 0, 1, 0, 0)
    else:
        _blocks(a, rsa, csa, b, ldb, across, c, ldc, start, lds, relu, gate, 1, 0, 0, M, N, K, 0)


@compiled
def gemm_before_update(a, rsa, csa, na, b, ldb, nb, parts, c, ldc, accumulate, M, N, K, own):
    """C (+)= Σ_n A[n·na …]·B[n·nb …] for n < parts, after which this core changes the numbers `own` bytes after C; 0:
    none.

    If another core has read those, their cache lines have to be taken from it, which takes as long as an update or
    several times that. Here it happens during the computation.
    """
    together = 1 if COPIES else max(1, DEPTH // max(1, K))
    for n in range(0, parts, together):
        at, from_, some = a + 4 * n * na, b + 4 * n * nb, min(together, parts - n)
        start, lds = (c, ldc) if accumulate or n else (0, 0)
        _blocks(at, rsa, csa, from_, ldb, 0, c, ldc, start, lds, 0, 0, some, na, nb, M, N, K, 0 if n else own)


def blocks(a, rsa, csa, b, ldb, across, c, ldc, start, lds, relu, gate, parts, na, nb, M, N, K, own):
    """C = C₀ + A·B, one block of A at a time, and finally max(C, 0), or C·[G > 0] for a G `gate` bytes after C.

    parts: the number of pairs A and B, na and nb floats apart, whose products are summed; 1 if K > DEPTH.
    """
    depth, height = max(_part(K, _parts(K, DEPTH)), 1), max(_part(M, _parts(M, BLOCK)), 1)
    for k in range(0, max(K, 1), depth):
        for i in range(0, M if N else 0, height):  # a tile of no columns would be taken for another one
            at, to = a + 4 * (i * rsa + k * csa), c + 4 * i * ldc
            m, n, ends = min(height, M - i), min(depth, K - k), k + depth >= K
            low, open_ = relu if ends else 0, gate if ends else 0
            from_ = b + 4 * k * (1 if across else ldb)
            first = start + 4 * i * lds
            if across:
                _tiles(at, rsa, csa, from_, ldb, 1, to, ldc, first, lds, low, open_, 1, 0, 0, m, N, n, own)
            else:
                _block(at, rsa, csa, from_, ldb, to, ldc, first, lds, low, open_, parts, na, nb, m, N, n, own)
        start, lds, own = c, ldc, 0


BLOCKS = Shared("BLOCKS", blocks)
_blocks = BLOCKS.stub()


@compiled
def _turned_rows(K):
    """How many rows of K numbers fit in the buffer when transposed, with a gap."""
    return min(BLOCK, STRIP_SIZE // K // VW * VW - VW)


def turned(a, rsa, b, ldb, c, ldc, relu, gate, M, N, K):
    """C = A·Bᵀ as the transpose of B·Aᵀ, for a group of rows of A and of B at a time."""
    square, turned, depth = _square(), _strip(), max(_part(K, _parts(K, DEPTH)), 1)
    wide = _turned_rows(K)
    ld = wide + VW  # not a power of 2, with which all rows would fall into few sets of the cache
    for i in range(0, M, wide):
        m = min(wide, M - i)
        turn(a + 4 * i * rsa, rsa, turned, ld, m, K)
        for j in range(0, N, BLOCK):
            n, at, to = min(BLOCK, N - j), b + 4 * j * ldb, c + 4 * (i * ldc + j)
            start, lds = 0, 0
            for k in range(0, K, depth):
                rows, d = turned + 4 * k * ld, min(depth, K - k)
                _tiles(at + 4 * k, ldb, 1, rows, ld, 0, square, ld, start, lds, 0, 0, 1, 0, 0, n, m, d, 0)
                start, lds = square, ld
            turn(square, ld, to, ldc, n, m)
            if relu or gate:
                end(to, ldc, gate, m, n)


TURNED = Shared("TURNED", turned)
_turned = TURNED.stub()


@inlined
def _parts(n, most):
    """The smallest number of parts of at most `most` that n divides into. A division takes as long as a small tile."""
    return 1 if n <= most else (n + most - 1) // most


@inlined
def _part(n, parts):
    """The largest part when n is divided as evenly as possible."""
    return n if parts == 1 else (n + parts - 1) // parts


@compiled
def _block(a, rsa, csa, b, ldb, c, ldc, start, lds, relu, gate, parts, na, nb, M, N, K, own):
    """C = C₀ + A·B for a block of A: by tiles, and the last few columns by tiles, dot products or rows of Cᵀ."""
    few = N % VW
    pays = few * 2 <= M or ldb == 1
    if N < VW:
        most_dots, most_rows = min(FEW_DOTS[0], K // 8 + 1), min(FEW_ROWS[0], K // 2)
    else:
        most_dots, most_rows = min(FEW_DOTS[1], K // 16), min(FEW_ROWS[1], K // 8)
    if few <= HALF:
        most_rows //= 2
    by_dots = csa == 1 and pays and few <= most_dots and K
    by_rows = rsa == 1 and not by_dots and pays and few <= most_rows
    wide = N - few if by_dots or by_rows else N
    if wide:
        _tiles(a, rsa, csa, b, ldb, 0, c, ldc, start, lds, relu, gate, parts, na, nb, M, wide, K, own)
    if wide < N:
        to = c + 4 * wide
        from_ = start + 4 * wide if start else 0
        for n in range(parts):
            at, of = a + 4 * n * na, b + 4 * (wide + n * nb)
            if by_dots:
                low, open_ = (relu, gate) if n == parts - 1 else (0, 0)
                _dots(at, rsa, of, ldb, to, ldc, from_, lds, low, open_, M, few, K)
            else:
                _rows(at, csa, of, ldb, to, ldc, from_, lds, M, few, K)
            from_, lds = to, ldc
        if by_rows and (relu or gate):
            end(to, ldc, gate, M, few)


@compiled
def end(c, ldc, gate, M, N):
    """C·[G > 0], or max(C, 0) if `gate` is 0, row by row, or all at once if the rows are contiguous."""
    if ldc == N:
        M, N = 1, M * N
    for i in range(M):
        row, gates = floats(c + 4 * i * ldc, N), floats(c + 4 * i * ldc + gate, N)
        if gate:
            for j in range(N):
                row[j] *= select(gates[j] > ZERO, ONE, ZERO)
        else:
            one = unknown(ONE)
            for j in range(N):
                x = row[j] * one
                row[j] = select(x < ZERO, ZERO, x)


@compiled
def _tiles(a, rsa, csa, b, ldb, across, c, ldc, start, lds, relu, gate, parts, na, nb, M, N, K, own):
    """C = C₀ + A·B by tiles, one strip of columns at a time; rows and vectors are divided evenly."""
    vectors = (N + VW - 1) // VW
    tiles = _tiles_below(M, vectors)
    rows, taller = (M, 0) if tiles == 1 else (M // tiles, M % tiles)  # `taller` tiles have one more row than the others
    widest = WIDEST[rows + (taller > 0)]
    interleaved = COPIES and vectors >= COPIED_PANELS * widest and tiles >= COPIED_TILES
    if interleaved:
        a = _interleave(a, rsa, csa, _rows_of_a(), tiles, rows, taller, K)
    copies = across or (COPIES and ldb > FAR and tiles >= COPIED_TILES)
    most = STRIP * WIDEST[ROWS] if copies else vectors
    j = 0
    for strips in range(_parts(vectors, most), 0, -1):
        wide = _part(vectors, strips)
        vectors -= wide
        last = min(VW, N - j - (wide - 1) * VW)
        at, ld = b + 4 * j, ldb
        if copies:
            at, ld = _strip(), 0
            if across:
                _copy_across(b + 4 * j * ldb, ldb, at, K, wide, widest, last)
            else:
                _copy(b + 4 * j, ldb, at, K, wide, widest, last)
        from_ = start + 4 * j if start else 0
        _panels(
            a, rsa, csa, interleaved, at, ld, c + 4 * j, ldc, from_, lds, relu, gate, parts, na, nb, tiles, rows,
            taller, wide, widest, last, K, own,
        )  # fmt: skip
        j += wide * VW


@compiled
def _tiles_below(M, vectors):
    """How many tiles M rows are divided into: the tallest, or shorter ones if these are so much wider that there are
    fewer in all. Starting and ending a tile (loading and storing its sums, leaving a loop) costs the same for each."""
    fewest, result = 0, 1
    for height in HEIGHTS:
        tiles = _parts(M, height)
        count = tiles * _parts(vectors, WIDEST[height])
        if fewest == 0 or count < fewest:
            fewest, result = count, tiles
    return result


@compiled
def _panels(
    a, rsa, csa, interleaved, b, ldb, c, ldc, start, lds, relu, gate, parts, na, nb, tiles, rows, taller, vectors,
    widest, last, K, own,
):  # fmt: skip
    """A strip of C, panel by panel. ldb: 0 if each panel of B is contiguous."""
    for panels in range(_parts(vectors, widest), 0, -1):
        v = _part(vectors, panels)
        vectors -= v
        columns = last if panels == 1 else VW
        ahead = v * VW if panels > 1 and ldb else 0  # to rows of the next panel, which the processor doesn't prefetch
        ld, at, to, from_ = ldb if ldb else v * VW, a, c, start
        for part in range(2):  # the tiles with one more row, then the others
            r, count = (rows + 1, taller) if part == 0 else (rows, tiles - taller)
            down, right, step = (1, r, r * K) if interleaved else (rsa, csa, r * rsa)
            tile_ahead(
                r, v, at, down, right, b, ld, to, ldc, from_, lds, K, columns, count, step, relu, gate, na, nb, parts,
                ahead, own,
            )  # fmt: skip
            at += 4 * step * count
            to += 4 * r * ldc * count
            from_ += 4 * r * lds * count
        b += 4 * v * VW * (1 if ldb else K)
        c += 4 * v * VW
        start += 4 * v * VW if start else 0


@compiled
def _interleave(a, rsa, csa, target, tiles, rows, taller, K):
    """Copies the rows of A tile by tile, column by column, so that the scalars a tile broadcasts are contiguous."""
    to = target
    for t in range(tiles):
        r = rows + (t < taller)
        for k in range(K):
            for i in range(r):
                store_f32(to, k * r + i, load_f32(a, i * rsa + k * csa))
        a += 4 * r * rsa
        to += 4 * r * K
    return target


@compiled
def _copy(b, ldb, target, K, vectors, widest, last):
    """Copies a strip of B with each panel contiguous, a few rows at a time, so that memory is read in long runs."""
    for k in range(0, K, STRIP_ROWS):
        rows = min(STRIP_ROWS, K - k)
        at, to, left = b + 4 * k * ldb, target, vectors
        for panels in range(_parts(vectors, widest), 0, -1):
            v = _part(left, panels)
            left -= v
            copy(v, at, ldb, to + 4 * k * v * VW, v * VW, rows, last if panels == 1 else VW)
            at += 4 * v * VW
            to += 4 * K * v * VW


@compiled
def _copy_across(b, ldb, target, K, vectors, widest, last):
    """Copies a strip of a transposed B with each panel contiguous."""
    left = vectors
    for panels in range(_parts(vectors, widest), 0, -1):
        v = _part(left, panels)
        left -= v
        for i in range(v):
            columns = last if panels == 1 and i == v - 1 else VW
            for k in range(0, K, VW):
                to = target + 4 * (k * v * VW + i * VW)
                transposition(b + 4 * k, ldb, to, v * VW, columns, min(VW, K - k))
            b += 4 * VW * ldb
        target += 4 * K * v * VW


@compiled
def _dots(a, rsa, b, ldb, c, ldc, start, lds, relu, gate, M, N, K):
    """C = C₀ + A·B for N <= FEW_DOTS[0] and contiguous rows of A: B's columns are made contiguous, too."""
    if K <= SHORT:
        for j in range(N):
            short(K, a, rsa, b + 4 * j, ldb, c + 4 * j, ldc, start + 4 * j if start else 0, lds, M)
        if relu or gate:
            end(c, ldc, gate, M, N)
        return
    columns = b
    if ldb > 1:
        columns = _columns()
        for j in range(N):
            for k in range(K):
                store_f32(columns, j * K + k, load_f32(b, k * ldb + j))
    rows, apart = DOT_ROWS[N], start and lds != N
    i = 0
    while i < M:
        n = rows if M - i >= rows else 1
        tiles = 1 if apart and lds else (M - i) // n
        from_ = start + 4 * i * lds
        if apart:  # make C₀ contiguous: a bias for all tiles, or the values of one tile
            from_ = _start_of_dots()
            for r in range(n):
                for j in range(N):
                    store_f32(from_, r * N + j, load_f32(start, (i + r) * lds + j))
        step = 0 if apart else n * lds
        dots(n, N, a + 4 * i * rsa, rsa, columns, K, c + 4 * i * ldc, ldc, from_, step, K, tiles, relu, gate)
        i += n * tiles


@compiled
def _rows(a, csa, b, ldb, c, ldc, start, lds, M, N, K):
    """C = C₀ + A·B for N <= FEW_ROWS[0] and contiguous columns of A: as the rows of Cᵀ = Bᵀ·Aᵀ."""
    rows = _transposed()
    for i in range(0, M, ACROSS * VW):
        n = min(ACROSS * VW, M - i)
        if N == 1:
            row(n, b, ldb, a + 4 * i, csa, rows, 0, 0, K)
        else:
            _tiles(b, 1, ldb, a + 4 * i, csa, 0, rows, ACROSS * VW, 0, 0, 0, 0, 1, 0, 0, N, n, K, 0)
        for j in range(N):
            for r in range(n):
                old = load_f32(start, (i + r) * lds + j) if start else np.float32(0)
                store_f32(c, (i + r) * ldc + j, old + load_f32(rows, j * ACROSS * VW + r))


@compiled
def _add(source, target, n):
    """target += source"""
    x, y = floats(source, n), floats(target, n)
    for j in range(n):
        y[j] += x[j]


@compiled
def _sum(d, n):
    x, total = floats(d, n), np.float32(0)
    for i in range(n):
        total += x[i]
    return total


@compiled
def _dot(x, y, n):
    u, v, total = floats(x, n), floats(y, n), np.float32(0)
    for i in range(n):
        total += u[i] * v[i]
    return total


@compiled
def column_sums(d, rows, n, out, accumulate):
    """out[j] (+)= Σ_i d[i, j], for d of shape (rows, n): the gradient of a bias.

    A row of ones times d, in blocks, so that rounding errors don't grow with the number of rows. Several short rows are
    summed side by side; rows of one number are a vector.
    """
    if n == 1:
        total = load_f32(out, 0) if accumulate else np.float32(0)
        for i in range(0, rows, ALONE):
            total += _sum(d + 4 * i, min(ALONE, rows - i))
        store_f32(out, 0, total)
        return
    fold = VW // n if 2 * n <= VW else 1
    sums = _sums() if fold > 1 else out
    depth, one = rows // fold, _one()
    store_f32(one, 0, ONE)
    start = out if accumulate and fold == 1 else 0
    for i in range(0, max(depth, 1), DEPTH):
        for j in range(0, fold * n, MOST * VW):
            at, columns = d + 4 * (i * fold * n + j), min(MOST * VW, fold * n - j)
            row(columns, one, 0, at, fold * n, sums + 4 * j, start + 4 * j if start else 0, 0, min(DEPTH, depth - i))
        start = sums
    if fold > 1:
        for j in range(n):
            total = load_f32(out, j) if accumulate else np.float32(0)
            for i in range(fold):
                total += load_f32(sums, i * n + j)
            for i in range(rows // fold * fold, rows):
                total += load_f32(d, i * n + j)
            store_f32(out, j, total)


@compiled
def transpose(source, rows, columns, target, first, after):
    """target[j, i] = source[i, j] for first ≤ j < after: a lane's share of the rows of the transpose."""
    if rows == 1 or columns == 1:
        x, y = floats(source + 4 * first, rows * (after - first)), floats(target + 4 * first, rows * (after - first))
        for i in range(x.size):
            y[i] = x[i]
        return
    turn(source + 4 * first, columns, target + 4 * first * rows, rows, rows, after - first)
