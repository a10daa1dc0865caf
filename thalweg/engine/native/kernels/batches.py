"""Rows in and out: by hand, as the data lie in an order of their own and are asked for before they are needed."""

from thalweg.engine.native.compiler.llvm import bytes_of, fetch, floats, integers, load_f32, store_f32
from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.language.callables import inlined
from thalweg.engine.native.linalg import gemm

LINE = 64  # bytes of a cache line
LONG = 256  # bytes of a row from which on prefetching pays within a step; shorter rows are prefetched a step ahead
AHEAD = 4096  # bytes copied between a row's prefetch and its copy: about the latency of memory


@inlined
def ask(at, size):
    """Prefetches `size` bytes."""
    for line in range(at - at % LINE, at + size, LINE):
        fetch(line)


@inlined
def ask_ahead(X, order, r, apart, size):
    """Prefetches a row that is copied some rows after the r-th, which the processor can't predict. Rows of `size` bytes
    lie at X + order·apart."""
    if size >= LONG:
        ask(X + order[min(r + 1 + AHEAD // size, order.size - 1)] * apart, size)


@inlined
def fetch_row(X, order, later, r, size):
    """Prefetches a row that is copied some rows after the r-th; short rows are prefetched for the next step, if `later`
    holds their numbers."""
    ask_ahead(X, order, r, size, size)
    if size < LONG and later.size:
        ask(X + later[r] * size, size)


@inlined
def numbers(order, next, rows, far):
    """The numbers of the block's rows, and those of the next step if the data are far; otherwise none."""
    return integers(order, rows), integers(next, rows if far and next else 0)


@kernel
def gather(X, x, size, x_by_columns, X_far, *, rows, order, start, next):
    """x = X[order], or by columns; X_far: the data exceed the core's caches"""
    if x_by_columns and order == 0:
        gemm.transpose(X + 4 * start * size, rows, size, x, 0, size)
    elif x_by_columns:
        each, later = numbers(order, next, rows, X_far)
        for r in range(rows):
            fetch_row(X, each, later, r, 4 * size)
            at = X + 4 * each[r] * size
            for j in range(size):
                store_f32(x, j * rows + r, load_f32(at, j))
    elif order == 0:
        floats(x, rows * size)[:] = floats(X + 4 * start * size, rows * size)
    else:
        each, later = numbers(order, next, rows, X_far)
        for r in range(rows):
            fetch_row(X, each, later, r, 4 * size)
            floats(x + 4 * r * size, size)[:] = floats(X + 4 * each[r] * size, size)


@kernel
def gather_bytes(X, x, size, X_far, *, rows, order, start, next):
    """x = float(X[order])"""
    for r in range(rows):
        row = start + r
        if order:
            each, later = numbers(order, next, rows, X_far)
            row = each[r]
            fetch_row(X, each, later, r, size)
        floats(x + 4 * r * size, size)[:] = bytes_of(X + row * size, size)


@kernel
def store(y, Y, size, *, rows, order, start):
    """Y[order] = y"""
    source = floats(y, rows * size)
    if order == 0:
        floats(Y + 4 * start * size, rows * size)[:] = source
    else:
        each = integers(order, rows)
        for r in range(rows):
            floats(Y + 4 * each[r] * size, size)[:] = source[r * size : (r + 1) * size]
