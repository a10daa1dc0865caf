"""Products of many pairs of matrices: by hand, one by one, on the micro-kernels of dense layers."""

from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.linalg.gemm import pair


@kernel
def matrix_product(
    x, y, z, M, N, K, transpose_x, transpose_y, rows_in_M, rows_in_K, at_rows, summed_rows, count,
    *axes, rows, accumulate,
):  # fmt: skip
    """z = x·y for each index of the axes, or z += x·y where z has been written, as it lacks an axis"""
    M *= rows if rows_in_M else 1
    K *= rows if rows_in_K else 1
    written = accumulate if summed_rows else 0
    runs = rows if at_rows == 0 else 1
    for axis in range(count):
        runs *= axes[axis]
    for run in range(runs):
        rest, more = run, written
        a, b, c = x, y, z
        of_x, of_y, of_z = 4 * M * K, 4 * K * N, 4 * M * N
        for axis in range(count - 1, -1, -1):
            n, index = axes[axis], rest
            if axis:
                index = rest % n
                rest //= n
            if axes[count] >> axis & 1:
                a += index * of_x
                of_x *= n
            if axes[count + 1] >> axis & 1:
                b += index * of_y
                of_y *= n
            if axes[count + 2] >> axis & 1:
                c += index * of_z
                of_z *= n
            elif index:
                more = 1
        pair(a, transpose_x, b, transpose_y, c, more, M, N, K)
