"""Rows in and out."""

from thalweg.engine.native.llvm import floats, integers
from thalweg.engine.native.state import ORDER, ROWS, START


def gather(o, c, s, f):
    """x = X[order]"""
    rows, size = s[ROWS], o[2]
    x = floats(o[1], rows * size)
    if s[ORDER] == 0:
        X = floats(o[0] + 4 * s[START] * size, rows * size)
        for i in range(rows * size):
            x[i] = X[i]
    else:
        order = integers(s[ORDER], rows)
        for r in range(rows):
            X = floats(o[0] + 4 * order[r] * size, size)
            for j in range(size):
                x[r * size + j] = X[j]


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
