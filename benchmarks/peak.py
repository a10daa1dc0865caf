"""How many multiply-adds the cores can do: vector multiply-adds that touch nothing but registers.

Each core has a few units that start a vector multiply-add every cycle and finish it some cycles later; only independent
chains keep them busy. CHAINS of them, and their two factors, fit into 16 registers.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from thalweg.engine.native.compiler.levels import VW
from thalweg.engine.native.compiler.llvm import F32, FLAGS, I64

CHAINS = 12
UNROLLED = 4
FLOPS_A_TURN = 2 * VW * CHAINS * UNROLLED


@intrinsic
def chains(typing: Any, turns: Any, factor: Any) -> Any:
    """Repeats s = s·factor + factor in every chain; returns one element of the sum of all chains."""
    vector = ir.VectorType(F32, VW)

    def splat(builder: Any, scalar: Any) -> Any:
        value = ir.Constant(vector, ir.Undefined)
        for place in range(VW):
            value = builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), place))
        return value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        turns, factor = args[0], splat(builder, args[1])
        entry = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(I64)
        totals = [builder.phi(vector) for _ in range(CHAINS)]
        values: list[Any] = list(totals)
        for _ in range(UNROLLED):
            products = [builder.fmul(v, factor, flags=("contract",)) for v in values]
            values = [builder.fadd(p, factor, flags=("contract",)) for p in products]
        following = builder.add(i, ir.Constant(I64, 1))
        i.add_incoming(ir.Constant(I64, 0), entry)
        i.add_incoming(following, loop)
        for number, (phi, value) in enumerate(zip(totals, values, strict=True)):
            phi.add_incoming(ir.Constant(vector, [float(number)] * VW), entry)  # unequal: else one chain
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, turns), loop, after)
        builder.position_at_end(after)
        total = values[0]
        for value in values[1:]:
            total = builder.fadd(total, value)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(types.int64, types.float32), codegen


@cache
def kernel() -> Any:
    # Without "reassoc", which would let the compiler compute a chain differently.
    @numba.njit(types.float32(types.int64, types.float32), nogil=True, error_model=FLAGS["error_model"])
    def run(turns: Any, factor: Any) -> Any:
        return chains(turns, factor)

    return run


def peak(threads: int, seconds: float = 0.03) -> float:
    """FLOP/s of this many cores at once; a multiply-add counts as two."""
    run, turns = kernel(), 10_000
    begin = time.perf_counter()
    run(turns, 0.5)
    turns = max(turns, int(turns * seconds / (time.perf_counter() - begin)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [turns // 20] * threads, [0.5] * threads))  # the threads exist, and the clock is up
        begin = time.perf_counter()
        list(pool.map(run, [turns] * threads, [0.5] * threads))
        return threads * turns * FLOPS_A_TURN / (time.perf_counter() - begin)


@cache
def best_peak(threads: int, times: int = 7) -> float:
    """The best of some measurements, kept for this process: the peak that shares refer to."""
    return max(peak(threads) for _ in range(times))


@cache
def stream() -> Any:
    @numba.njit(types.void(types.float32[::1], types.int64), nogil=True)
    def run(a: Any, turns: Any) -> None:
        for _ in range(turns):
            for i in range(len(a)):
                a[i] = a[i] * np.float32(0.5) + np.float32(1)

    return run


@cache
def bandwidth(threads: int, size: int, times: int = 7, seconds: float = 0.03) -> float:
    """Bytes a second that this many cores read and write at once, each its part of `size` bytes; the best of some.

    A part that fits into a core's cache stays there.
    """
    run, parts = stream(), [np.zeros(max(1, size // 4 // threads), np.float32) for _ in range(threads)]
    moved = 2 * sum(part.nbytes for part in parts)
    with ThreadPoolExecutor(threads) as pool:

        def once(turns: int) -> float:
            begin = time.perf_counter()
            list(pool.map(run, parts, [turns] * threads))
            return turns * moved / (time.perf_counter() - begin)

        once(1)
        turns = max(1, int(seconds * once(1) / moved))
        return max(once(turns) for _ in range(times))
