"""A loss that the program computes itself: one number a row."""

import numpy as np

from thalweg.engine.native.compiler.llvm import doubles, floats
from thalweg.engine.native.compiler.named import kernel

F32 = np.float32


@kernel
def row_value(v, weight, sums, total, *, rows, batch_rows):
    """sums += Σ w·v, with a plain sum over the batch times its rows"""
    v, w, result = floats(v, rows), floats(weight, rows), 0.0
    for i in range(rows):
        result += np.float64(v[i]) * np.float64(w[i] if weight else F32(1))
    doubles(sums, 1)[0] += result * np.float64(batch_rows if total else 1)


@kernel
def row_value_gradient(weight, dv, total, *, rows, batch_rows):
    """dv = w/rows, or w"""
    w, dv, scale = floats(weight, rows), floats(dv, rows), F32(1.0 if total else 1.0 / batch_rows)
    for i in range(rows):
        dv[i] = scale * w[i] if weight else scale
