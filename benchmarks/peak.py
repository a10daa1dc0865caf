"""How many multiply-adds the cores can do: vector multiply-adds that touch nothing but registers.

Each core has a few units that start a vector multiply-add every cycle and finish it some cycles later; only independent
chains keep them busy. CHAINS of them, and their two factors, fit into 16 registers.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from thalweg.engine.native.compiler.compile import callable_of
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.compiler.levels import VW

CHAINS = 12
UNROLLED = 4
FLOPS_A_TURN = 2 * VW * CHAINS * UNROLLED


CHAINED = """import numpy as np

from benchmarks.multiply_adds import chains


def run(o, c, s, f):
    c[0] = chains(o[0], np.float32(c[0]))
"""
STREAMED = """import numpy as np

from thalweg.engine.native.compiler.llvm import floats


def run(o, c, s, f):
    a = floats(o[0], o[1])
    for _ in range(o[2]):
        for i in range(o[1]):
            a[i] = a[i] * np.float32(0.5) + np.float32(1)
"""


def run(text: str, *words: int) -> None:
    """Runs one of these kernels with whole numbers."""
    o, c = np.array(words, np.int64), np.array([0.5])
    callable_of(Kernel("benchmarks", "run", text))(o.ctypes.data, c.ctypes.data, 0, 0)


def peak(threads: int, seconds: float = 0.03) -> float:
    """FLOP/s of this many cores at once; a multiply-add counts as two."""
    turns = 10_000
    run(CHAINED, turns)  # compiled, if it has to be
    begin = time.perf_counter()
    run(CHAINED, turns)
    turns = max(turns, int(turns * seconds / (time.perf_counter() - begin)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [CHAINED] * threads, [turns // 20] * threads))  # the threads exist, and the clock is up
        begin = time.perf_counter()
        list(pool.map(run, [CHAINED] * threads, [turns] * threads))
        return threads * turns * FLOPS_A_TURN / (time.perf_counter() - begin)


@cache
def best_peak(threads: int, times: int = 7) -> float:
    """The best of some measurements, kept for this process: the peak that shares refer to."""
    return max(peak(threads) for _ in range(times))


@cache
def bandwidth(threads: int, size: int, times: int = 7, seconds: float = 0.03) -> float:
    """Bytes a second that this many cores read and write at once, each its part of `size` bytes; the best of some.

    A part that fits into a core's cache stays there.
    """
    parts = [np.zeros(max(1, size // 4 // threads), np.float32) for _ in range(threads)]
    moved = 2 * sum(part.nbytes for part in parts)
    with ThreadPoolExecutor(threads) as pool:

        def once(turns: int) -> float:
            begin = time.perf_counter()
            list(pool.map(lambda part: run(STREAMED, part.ctypes.data, part.size, turns), parts))
            return turns * moved / (time.perf_counter() - begin)

        once(1)
        turns = max(1, int(seconds * once(1) / moved))
        return max(once(turns) for _ in range(times))
