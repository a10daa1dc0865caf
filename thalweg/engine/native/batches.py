"""Rows in and out."""

from thalweg.engine.native import gemm
from thalweg.engine.native.llvm import bytes_of, floats, integers, load_f32, store_f32
from thalweg.engine.native.state import ORDER, ROWS, START


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
            X = floats(o[0] + 4 * order[r] * size, size)
            for j in range(size):
                x[r * size + j] = X[j]


def gather_bytes(o, c, s, f):
    """x = float(X[order])"""
    rows, size = s[ROWS], o[2]
    for r in range(rows):
        row = s[START] + r if s[ORDER] == 0 else integers(s[ORDER], rows)[r]
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
