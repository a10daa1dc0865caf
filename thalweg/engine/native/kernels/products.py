"""Products of many pairs of matrices: one by one, by the micro-kernels of dense layers."""

from thalweg.engine.native.layouts.state import ACCUMULATE, ROWS
from thalweg.engine.native.linalg.gemm import pair


def matrix_product(o, c, s, f):
    """z = x·y for each index of the axes, or z += x·y where z has been written, as it lacks an axis"""
    N, tx, ty, at_rows = o[4], o[6], o[7], o[10]
    M = o[3] * (s[ROWS] if o[8] else 1)
    K = o[5] * (s[ROWS] if o[9] else 1)
    written = s[ACCUMULATE] if o[11] else 0
    axes = o[12]
    sizes, masks = 13, 13 + axes
    count = s[ROWS] if at_rows == 0 else 1
    for axis in range(axes):
        count *= o[sizes + axis]
    for run in range(count):
        rest, more = run, written
        x, y, z = o[0], o[1], o[2]
        of_x, of_y, of_z = 4 * M * K, 4 * K * N, 4 * M * N
        for axis in range(axes - 1, -1, -1):
            n, index = o[sizes + axis], rest
            if axis:
                index = rest % n
                rest //= n
            if o[masks] >> axis & 1:
                x += index * of_x
                of_x *= n
            if o[masks + 1] >> axis & 1:
                y += index * of_y
                of_y *= n
            if o[masks + 2] >> axis & 1:
                z += index * of_z
                of_z *= n
            elif index:
                more = 1
        pair(x, tx, y, ty, z, more, M, N, K)
