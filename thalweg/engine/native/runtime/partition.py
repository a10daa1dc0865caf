"""How the lanes share the finish: the slices of the parameter vector that each updates, and their cache lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from thalweg.engine.contract import Array
from thalweg.program.ir.alignment import ALIGNMENT, align
from thalweg.program.ir.instruction import PARAMETERS, Buffer, Instruction

SLICE = 4096  # parameters finished at a time: their vectors stay in the core's caches
WIDE_SLICE = 1 << 16  # if their gradient is computed there too: enough for the product, and fits the L2 cache
TILE = 8  # rows of W in a tile of that product


def slices(
    vector: int, wide: Sequence[Buffer], lane: int, lanes: int, stays: bool, sparse: Sequence[Buffer] = ()
) -> Array:
    """(first, after, back) of every slice that a lane finishes at a time; of a shared gradient, whole rows.

    Sparse gradients are left out: their instructions find the rows.

    Unless it `stays`, a shared gradient is read only by its slice's update: then all slices write theirs to the same
    place in the lane's own gradients, `back` floats before its regular one, so that it stays in the cache.
    """
    result: list[tuple[int, int, int]] = []
    place = lane * align(vector) + max(((dW.size, dW.offset) for dW in wide), default=(0, 0))[1]

    def cut(begin: int, size: int, unit: int, most: int, moved: bool = False) -> None:
        """Divides a lane's part of `size` elements from `begin` on into slices of whole units, large ones of tiles."""
        units, most = -(-size // unit), max(1, most // unit)
        tall = TILE if most >= TILE else 1
        first, after = units * lane // lanes, units * (lane + 1) // lanes
        parts = max(1, -(-(after - first) // most))
        cuts = [first + (after - first) * k // parts // tall * tall for k in range(parts)]
        places = [begin + min(size, n * unit) for n in (*cuts, after)]
        result.extend((a, b, a - place if moved else 0) for a, b in pairwise(places) if a < b)

    begin = 0
    for dW in sorted([*wide, *sparse], key=lambda dW: dW.offset):
        cut(begin, dW.offset - begin, ALIGNMENT, SLICE)
        if dW in wide:
            cut(dW.offset, dW.size, dW.shape[-1], WIDE_SLICE, not stays)
        begin = dW.offset + dW.size
    cut(begin, vector - begin, ALIGNMENT, SLICE)
    return np.array(result, np.int64).reshape(-1, 3)


def lines(parameters: Array, slices: Array, wide: Sequence[Buffer]) -> Array:
    """The addresses of the cache lines of weights in a lane's slices, except weights with shared gradients.

    Other cores have read them in the forward phase, so the update would have to wait for each. The lane requests them
    earlier (a shared gradient's product does so itself), once no other lane needs them; see `machine.py`.
    """
    starts = [
        np.arange(first, after, ALIGNMENT)
        for first, after, _ in slices
        if not any(dW.offset <= first < dW.offset + dW.size for dW in wide)
    ]
    return parameters.ctypes.data + 4 * np.concatenate([np.zeros(0, np.int64), *starts])


def first_free(rows: Sequence[Instruction]) -> int:
    """The index after the last of these instructions that reads weights."""
    return max((n for n, i in enumerate(rows, 1) if any(b.region == PARAMETERS for b in i.inputs)), default=0)
