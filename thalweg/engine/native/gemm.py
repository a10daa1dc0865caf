"""Matrix products, transposes and column sums on raw addresses: the linear algebra of dense layers.

Addresses are in bytes, strides in floats (one float is 4 bytes). Nothing outside the operands is read or written.
"""

import numba

from .llvm import FLAGS, VW, floats
from .microkernel import FEW, ROWS, tile

DEPTH = 256  # rows of B in one block: 256 rows of two vectors are 32 KiB, which stay in the L1 cache
BLOCK = 256  # rows of A in one block: 256 x 256 floats are 256 KiB, which stay in the L2 cache


@numba.njit(**FLAGS)
def _block(a, rsa, csa, b, ldb, c, ldc, start, lds, M, N, K):
    """C = C₀ + A·B for a block of A that stays in the L2 cache: column panels of two vectors, tiles of rows."""
    count = (M + ROWS - 1) // ROWS
    rows, more = M // count, M % count  # `more` tiles have one row more than the others
    widest = 4 if M <= FEW else 2
    j = 0
    while j < N:
        vectors = min(widest, (N - j + VW - 1) // VW)
        if vectors == 3:
            vectors = 2
        last = min(VW, N - j - (vectors - 1) * VW)
        s = start + 4 * j if start else 0
        i = 0
        for t in range(count):
            r = rows + (t < more)
            at, to = a + 4 * i * rsa, c + 4 * (i * ldc + j)
            begin = s + 4 * i * lds if start else 0
            tile(r, vectors, at, rsa, csa, 0, b + 4 * j, ldb, 0, to, ldc, begin, lds, 1, K, last)
            i += r
        j += vectors * VW


@numba.njit(**FLAGS)
def gemm(a, rsa, csa, b, ldb, c, ldc, bias, accumulate, M, N, K):
    """C[i, j] (+)= bias[j] + Σ_k A[i·rsa + k·csa] · B[k·ldb + j], for i < M, j < N, k < K; += where accumulate is true.

    bias: the address of N floats, or 0. A's strides are free; the rows of B and C are contiguous.
    """
    if accumulate and bias:
        for i in range(M):
            _add(bias, c + 4 * i * ldc, N)
    start = c if accumulate else bias
    lds = ldc if accumulate else 0
    for k in range(0, max(K, 1), DEPTH):
        for i in range(0, M, BLOCK):
            ak, ci = a + 4 * (i * rsa + k * csa), c + 4 * i * ldc
            s = start + 4 * i * lds if start else 0
            _block(ak, rsa, csa, b + 4 * k * ldb, ldb, ci, ldc, s, lds, min(BLOCK, M - i), N, min(DEPTH, K - k))
        start, lds = c, ldc


@numba.njit(**FLAGS)
def _add(source, target, n):
    """target += source"""
    x, y = floats(source, n), floats(target, n)
    for j in range(n):
        y[j] += x[j]


@numba.njit(**FLAGS)
def column_sums(d, rows, n, out, accumulate):
    """out[j] (+)= Σ_i d[i, j], for d of shape (rows, n): the gradient of a bias."""
    total = floats(out, n)
    if not accumulate:
        total[:] = 0
    for i in range(rows):
        _add(d + 4 * i * n, out, n)


@numba.njit(**FLAGS)
def transpose(source, rows, columns, target):
    """target[j, i] = source[i, j], for a source of shape (rows, columns)."""
    x, y = floats(source, rows * columns), floats(target, rows * columns)
    for i in range(rows):
        for j in range(columns):
            y[j * rows + i] = x[i * columns + j]
