"""Rows in and out."""

import numba

from thalweg.engine.native.compiler.llvm import FLAGS, bytes_of, fetch, floats, integers, load_f32, store_f32
from thalweg.engine.native.layouts.state import NEXT, ORDER, ROWS, START
from thalweg.engine.native.linalg import gemm

LINE = 64  # bytes of a cache line
LONG = 256  # bytes of a row from which on prefetching pays within a step; shorter rows are prefetched a step ahead
AHEAD = 4096  # bytes copied between a row's prefetch and its copy: about the latency of memory


@numba.njit(inline="always", **FLAGS)
def ask(at, size):
    """Prefetches `size` bytes."""
    for line in range(at - at % LINE, at + size, LINE):
        fetch(line)


@numba.njit(inline="always", **FLAGS)
def ask_ahead(X, order, r, apart, size):
    """Prefetches a row that is copied some rows after the r-th, which the processor can't predict. Rows of `size` bytes
    lie at X + order·apart."""
    if size >= LONG:
        ask(X + order[min(r + 1 + AHEAD // size, order.size - 1)] * apart, size)


@numba.njit(inline="always", **FLAGS)
def fetch_row(X, order, later, r, size):
    """Prefetches a row that is copied some rows after the r-th; short rows are prefetched for the next step, if `later`
    holds their numbers."""
    ask_ahead(X, order, r, size, size)
    if size < LONG and later.size:
        ask(X + later[r] * size, size)


@numba.njit(inline="always", **FLAGS)
def numbers(s, rows, far):
    """The numbers of the block's rows, and those of the next step if the data are far; otherwise none."""
    return integers(s[ORDER], rows), integers(s[NEXT], rows if far and s[NEXT] else 0)


def gather(o, c, s, f):
    """x = X[order]; o[3]: by columns; o[4]: the data exceed the core's caches"""
    rows, size = s[ROWS], o[2]
    x = floats(o[1], rows * size)
    if o[3] and s[ORDER] == 0:
        gemm.transpose(o[0] + 4 * s[START] * size, rows, size, o[1], 0, size)
    elif o[3]:
        order, later = numbers(s, rows, o[4])
        for r in range(rows):
            fetch_row(o[0], order, later, r, 4 * size)
            at = o[0] + 4 * order[r] * size
            for j in range(size):
                store_f32(o[1], j * rows + r, load_f32(at, j))
    elif s[ORDER] == 0:
        X = floats(o[0] + 4 * s[START] * size, rows * size)
        for i in range(rows * size):
            x[i] = X[i]
    else:
        order, later = numbers(s, rows, o[4])
        for r in range(rows):
            fetch_row(o[0], order, later, r, 4 * size)
            X = floats(o[0] + 4 * order[r] * size, size)
            for j in range(size):
                x[r * size + j] = X[j]


def gather_bytes(o, c, s, f):
    """x = float(X[order])"""
    rows, size = s[ROWS], o[2]
    for r in range(rows):
        row = s[START] + r
        if s[ORDER]:
            order, later = numbers(s, rows, o[4])
            row = order[r]
            fetch_row(o[0], order, later, r, size)
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
