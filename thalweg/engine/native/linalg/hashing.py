"""Random numbers from a counter, the same bits as ``program/ir/counter.py``."""

import numpy as np

from thalweg.engine.native.language.callables import compiled, inlined

U32, U64 = np.uint32, np.uint64


@inlined
def splitmix(z):
    """The output function of SplitMix64, on uint64."""
    z = U64(z) + U64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


@inlined
def key(seed, iteration, stream):
    """One 64-bit key for the numbers of one instruction in one step."""
    return splitmix(splitmix(splitmix(U64(seed)) ^ U64(iteration)) ^ U64(stream))


@inlined
def halves(seed, iteration, stream):
    """The key's low and high half, for `uniform`."""
    k = key(seed, iteration, stream)
    return U32(k & U64(0xFFFFFFFF)), U32(k >> U64(32))


@inlined
def lowbias(x):
    """lowbias32 (Wellons, hash-prospector)"""
    x = U32(x ^ (x >> U32(16)))
    x = U32(x * U32(0x7FEB352D))
    x = U32(x ^ (x >> U32(15)))
    x = U32(x * U32(0x846CA68B))
    return U32(x ^ (x >> U32(16)))


@inlined
def mix(low, high, counter):
    """The hash of a counter and the key's two halves. Each step is one on 32 bits, so that the vectors are full."""
    return lowbias(U32(lowbias(U32(counter ^ low)) + high))


@inlined
def uniform(key, counter):
    """A float in [0, 1) of 24 bits from a key's halves and a counter."""
    bits = np.int32(mix(*key, U32(counter)) >> U32(8))  # a signed integer is cheaper to convert
    return np.float32(bits) * np.float32(2.0**-24)


@compiled
def shuffle(order, seed, epoch):
    """A Fisher–Yates shuffle of 0 … n − 1 into `order`, with numbers from the counter (seed, epoch, row)."""
    n = order.size
    for i in range(n):
        order[i] = i
    start = key(seed, epoch, 0)
    for i in range(n - 1, 0, -1):
        j = np.int64(((splitmix(start + U64(i)) >> U64(32)) * U64(i + 1)) >> U64(32))
        order[i], order[j] = order[j], order[i]
