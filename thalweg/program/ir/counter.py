"""Random numbers from a counter: number i of (seed, iteration, stream) is a hash of the four, with no state to save.

The NumPy form here and the native form in ``engine/native/linalg/hashing.py`` give the same bits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from thalweg.program.ir.instruction import StepState

MASK = (1 << 64) - 1


def splitmix(z: int) -> int:
    """The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64 bits that mixes well."""
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def key(seed: int, iteration: int, stream: int) -> int:
    """One 64-bit key for the numbers of one instruction in one step."""
    return splitmix(splitmix(splitmix(seed & MASK) ^ iteration) ^ stream)


def mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """lowbias32 (Wellons, hash-prospector): a bijection of 32 bits that vectorises."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def uniform(seed: int, iteration: int, stream: int, first: int, count: int) -> NDArray[np.float32]:
    """`count` numbers in [0, 1), starting at counter `first`, of 24 bits each: float32's precision.

    >>> uniform(seed=0, iteration=1, stream=0, first=0, count=4).round(3)
    array([0.218, 0.856, 0.556, 0.607], dtype=float32)
    """
    k = key(seed, iteration, stream)
    low, high = np.uint32(k & 0xFFFFFFFF), np.uint32(k >> 32)
    counter = np.arange(first, first + count, dtype=np.uint64).astype(np.uint32)
    bits = mix(mix(counter ^ low) + high)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def drawn(step: StepState, stream: int, row: tuple[int, ...]) -> NDArray[np.float32]:
    """Numbers in [0, 1) for every row of a block, of shape (rows, *row). They depend on no array."""
    size = math.prod(row)
    numbers = uniform(step.seed, step.iteration, stream, step.first_row * size, step.rows * size)
    return numbers.reshape(step.rows, *row)


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order of n rows in an epoch: a Fisher–Yates shuffle with numbers from the counter (seed, epoch, row).

    >>> permutation(seed=0, epoch=0, n=5)
    array([4, 2, 0, 3, 1])
    """
    order = list(range(n))
    start = key(seed, epoch, 0)
    for i in range(n - 1, 0, -1):
        j = ((splitmix((start + i) & MASK) >> 32) * (i + 1)) >> 32  # a whole number from 0 to i (Lemire 2019)
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)
