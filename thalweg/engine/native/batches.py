"""Rows in and out."""

import numba

from thalweg.engine.native import gemm
from thalweg.engine.native.llvm import FLAGS, bytes_of, fetch, floats, integers, load_f32, store_f32
from thalweg.engine.native.state import ORDER, ROWS, START

LINE = 64  # bytes of a cache line
LONG = 256  # bytes of a row from which on it pays to ask …
AHEAD = 4096  # … for as many bytes before they are copied: memory takes as long to answer


@numba.njit(inline="always", **FLAGS)
def fetch_row(X, order, r, apart, size):
    """Asks for the row to be copied some rows after the r-th, of `size` bytes: the processor doesn't foresee which.

    Its address is X + order·apart."""
    if size >= LONG:
        at = X + order[min(r + 1 + AHEAD // size, order.size - 1)] * apart
        for byte in range(0, size, LINE):
            fetch(at + byte)


def gather(o, c, s, f):
    """x = X[order]"""
    rows, size = s[ROWS], o[2]
    x = floats(o[1], rows * size)
    if o[3] and s[ORDER] == 0:
        gemm.transpose(o[0] + 4 * s[START] * size, rows, size, o[1], 0, size)
    elif o[3]:
        order = integers(s[ORDER], rows)
        for r in range(rows):
            at = o[0] + 4 * order[r] * size
            for j in range(size):
                store_f32(o[1], j * rows + r, load_f32(at, j))
    elif s[ORDER] == 0:
        X = floats(o[0] + 4 * s[START] * size, rows * size)
        for i in range(rows * size):
            x[i] = X[i]
    else:
        order = integers(s[ORDER], rows)
        for r in range(rows):
            fetch_row(o[0], order, r, 4 * size, 4 * size)
            X = floats(o[0] + 4 * order[r] * size, size)
            for j in range(size):
                x[r * size + j] = X[j]


def gather_bytes(o, c, s, f):
    """x = float(X[order])"""
    rows, size = s[ROWS], o[2]
    for r in range(rows):
        row = s[START] + r
        if s[ORDER]:
            order = integers(s[ORDER], rows)
            row = order[r]
            fetch_row(o[0], order, r, size, size)
        X, x = bytes_of(o[0] + row * size, size), floats(o[1] + 4 * r * size, size)
        for j in range(size):
            x[j] = X[j]


def store(o, c, s, f):
    """Y[order] = y"""
    rows, size = s[ROWS], o[2]
    y = floats(o[0], rows * size)
    if s[ORDER] == 0:
        Y = floats(o[1] + 4 * s[START] * size, rows * size)
        for i in range(rows * size):
            Y[i] = y[i]
    else:
        order = integers(s[ORDER], rows)
        for r in range(rows):
            Y = floats(o[1] + 4 * order[r] * size, size)
            for j in range(size):
                Y[j] = y[r * size + j]
