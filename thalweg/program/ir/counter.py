"""Random numbers from a counter: number i of (seed, iteration, stream) is a hash of the four, with no state to save.

Every engine's form gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MASK = (1 << 64) - 1
HALF = (1 << 32) - 1
Key = tuple[Any, Any]  # the lower and the upper 32 bits, as numbers of 32 bits, which may be traced


def splitmix(z: Any) -> Any:
    """The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64 bits that mixes well."""
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def key(seed: int, iteration: Any, stream: int) -> Any:
    """One 64-bit key for the numbers of one instruction in one step; or in several steps, an array of uint64."""
    return splitmix(splitmix(splitmix(seed & MASK) ^ iteration) ^ stream)


def halves(key: Any) -> Key:
    """A key as two numbers of 32 bits, which every array library has."""
    return np.uint32(key & HALF), np.uint32(key >> 32)


def mix(x: Any) -> Any:
    """lowbias32 (Wellons, hash-prospector): a bijection of 32 bits, of few operations."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def uniform(xp: Any, key: Key, first: int, count: int) -> Any:
    """`count` numbers in [0, 1), starting at counter `first`, of 24 bits each: float32's precision.

    >>> uniform(np, halves(key(seed=0, iteration=1, stream=0)), first=0, count=4).round(3)
    array([0.218, 0.856, 0.556, 0.607], dtype=float32)
    """
    low, high = key
    counter = xp.arange(count, dtype=np.uint32) + np.uint32(first & HALF)
    bits = mix(mix(counter ^ low) + high)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order of n rows in an epoch: a Fisher–Yates shuffle with numbers from the counter (seed, epoch, row).

    >>> permutation(seed=0, epoch=0, n=5)
    array([4, 2, 0, 3, 1])
    """
    order = list(range(n))
    places = np.arange(1, n, dtype=np.uint64)[::-1]
    numbers = splitmix(np.uint64(key(seed, epoch, 0)) + places) >> np.uint64(32)
    others = (numbers * (places + np.uint64(1))) >> np.uint64(32)  # whole numbers from 0 to the place (Lemire 2019)
    for i, j in zip(places.tolist(), others.tolist(), strict=True):
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)
