"""A loss that the program computes itself: one number a row."""

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats
from thalweg.engine.native.layouts.state import BATCH_ROWS, ROWS

F32 = np.float32


def row_value(o, c, s, f):
    """sums += Σ w·v, with a plain sum over the batch times its rows"""
    v, w, total = floats(o[0], s[ROWS]), floats(o[1], s[ROWS]), 0.0
    if o[1]:
        for i in range(s[ROWS]):
            total += np.float64(v[i]) * np.float64(w[i])
    else:
        for i in range(s[ROWS]):
            total += np.float64(v[i])
    doubles(o[2], 1)[0] += total * np.float64(s[BATCH_ROWS] if o[3] else 1)


def row_value_gradient(o, c, s, f):
    """dv = w/rows, or w"""
    w, dv, scale = floats(o[0], s[ROWS]), floats(o[1], s[ROWS]), F32(1.0 if o[2] else 1.0 / s[BATCH_ROWS])
    if o[0]:
        for i in range(s[ROWS]):
            dv[i] = scale * w[i]
    else:
        for i in range(s[ROWS]):
            dv[i] = scale
