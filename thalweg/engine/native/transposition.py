"""Transposition in registers: VW rows of VW floats are turned by log₂ VW rounds of interleaving."""

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native.llvm import F32, FLAGS, I32, VW, load_f32, pointer, store_f32


@intrinsic
def _turn(typing, source, source_stride, target, target_stride):
    """target[j, i] = source[i, j] for i, j < VW; strides in floats.

    A round turns the rows a₀ … a_{n−1} into lo(a₀, a_{n/2}), hi(a₀, a_{n/2}), lo(a₁, a_{n/2+1}), …, where lo and hi
    interleave the first and second halves of two vectors.
    """

    def codegen(context, builder, signature, args):
        vector = ir.VectorType(F32, VW)
        half = VW // 2

        def row(base, stride, number):
            place = builder.gep(pointer(builder, base, F32), [builder.mul(stride, ir.Constant(stride.type, number))])
            return builder.bitcast(place, vector.as_pointer())

        def interleave(a, b, first):
            places = [ir.Constant(I32, first + j // 2 + VW * (j % 2)) for j in range(VW)]
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, VW), places))

        rows = []
        for number in range(VW):
            loaded = builder.load(row(args[0], args[1], number))
            loaded.align = 4
            rows.append(loaded)
        for _ in range(VW.bit_length() - 1):
            rows = [interleave(rows[i], rows[i + half], first) for i in range(half) for first in (0, half)]
        for number, value in enumerate(rows):
            builder.store(value, row(args[2], args[3], number)).align = 4
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@numba.njit(**FLAGS)
def transpose(source, rows, columns, target, first, after):
    """target[j, i] = source[i, j] for a source (rows, columns) and first ≤ j < after: some rows of the result."""
    whole_rows = rows // VW * VW
    whole_after = first + (after - first) // VW * VW
    for i in range(0, whole_rows, VW):
        for j in range(first, whole_after, VW):
            _turn(source + 4 * (i * columns + j), columns, target + 4 * (j * rows + i), rows)
    for j in range(first, after):
        for i in range(whole_rows if j < whole_after else 0, rows):
            store_f32(target, j * rows + i, load_f32(source, i * columns + j))
