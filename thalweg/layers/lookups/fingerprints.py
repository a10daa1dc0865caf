"""Hashes of many texts at once, the same on every machine: FarmHash's Fingerprint64, and SipHash-2-4 with a key.

Sources: Pike & Alakuijala, FarmHash, 2014 (`farmhashna::Hash64`); Aumasson & Bernstein, SipHash, INDOCRYPT 2012. Texts
of the same length are hashed together, as the rows of one array of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]  # one number of 64 bits for each text
Bytes = NDArray[np.uint8]  # (texts, length)
State = tuple[Words, Words, Words, tuple[Words, Words], tuple[Words, Words]]

MASK = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F  # FarmHash's primes
SEED = 81
CAT = 0xC6A4A7935BD1E995  # TensorFlow's factor of joined fingerprints
SIP = b"somepseudorandomlygeneratedbytes"  # SipHash's initial state, big-endian
BLOCK = 64


def fingerprint64(texts: Sequence[bytes]) -> Words:
    """FarmHash's Fingerprint64 of each text.

    >>> fingerprint64([b"test", b""]).tolist()
    [8581389452482819506, 11160318154034397263]
    """
    return by_length(texts, farm)


def siphash(texts: Sequence[bytes], key: tuple[int, int]) -> Words:
    """SipHash-2-4 of each text, with a key of two numbers of 64 bits.

    >>> hex(siphash([bytes(range(15))], (0x0706050403020100, 0x0F0E0D0C0B0A0908))[0])
    '0xa129ca6149be45e5'
    """
    return by_length(texts, lambda rows: sip(rows, key))


def by_length(texts: Sequence[bytes], of_rows: Callable[[Bytes], Words]) -> Words:
    """The hashes, in the order of the texts."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    order = np.argsort(lengths, kind="stable")
    ordered, content = lengths[order], np.frombuffer(b"".join([texts[n] for n in order.tolist()]), np.uint8)
    result = np.zeros(len(texts), np.uint64)
    place = 0
    for length, count in zip(*(part.tolist() for part in np.unique(ordered, return_counts=True)), strict=True):
        first = int(np.searchsorted(ordered, length))
        rows = content[place : place + count * length].reshape(count, length)
        result[order[first : first + count]] = of_rows(rows)
        place += count * length
    return result


def u64(number: int) -> np.uint64:
    return np.uint64(number & MASK)


def word(s: Bytes, at: int, size: int = 8) -> Words:
    """The little-endian number in the bytes from `at` on."""
    return np.ascontiguousarray(s[:, at : at + size]).view(f"<u{size}")[:, 0].astype(np.uint64)


def right(x: Words, bits: int) -> Words:
    """x rotated to the right."""
    return (x >> u64(bits)) | (x << u64(64 - bits))


def left(x: Words, bits: int) -> Words:
    return right(x, 64 - bits)


# --- FarmHash --------------------------------------------------------------------------------------------------------


def mixed(x: Any) -> Any:
    return x ^ (x >> u64(47))


def joined(u: Words, v: Words, factor: Any) -> Any:
    """Two numbers become one, as in Murmur."""
    a = mixed((u ^ v) * factor)
    return mixed((v ^ a) * factor) * factor


def joined_fingerprints(first: Words, second: Words) -> Words:
    """One fingerprint of two, as TensorFlow's FingerprintCat64."""
    factor = u64(CAT)
    with np.errstate(over="ignore"):
        result = (first ^ factor ^ mixed(second * factor) * factor) * factor
        joined: Words = mixed(mixed(result) * factor)
    return joined


def farm(s: Bytes) -> Any:
    """Fingerprint64 of texts of one length."""
    length = s.shape[1]
    if length <= 16:
        return farm_16(s, length)
    if length <= 64:
        return farm_64(s, length)
    return farm_long(s, length)


def farm_16(s: Bytes, length: int) -> Any:
    factor = u64(K2 + 2 * length)
    if length >= 8:
        a, b = word(s, 0) + u64(K2), word(s, length - 8)
        return joined(right(b, 37) * factor + a, (right(a, 25) + b) * factor, factor)
    if length >= 4:
        return joined(u64(length) + (word(s, 0, 4) << u64(3)), word(s, length - 4, 4), factor)
    if length:
        a, b, c = (s[:, at].astype(np.uint64) for at in (0, length >> 1, length - 1))
        y, z = a + (b << u64(8)), u64(length) + (c << u64(2))
        return mixed(y * u64(K2) ^ z * u64(K0)) * u64(K2)
    return np.full(len(s), K2, np.uint64)


def farm_64(s: Bytes, length: int) -> Any:
    factor, k2 = u64(K2 + 2 * length), u64(K2)
    a = word(s, 0) * (u64(K1) if length <= 32 else k2)
    b, c, d = word(s, 8), word(s, length - 8) * factor, word(s, length - 16) * k2
    y, z = right(a + b, 43) + right(c, 30) + d, a + right(b + k2, 18) + c
    if length <= 32:
        return joined(y, z, factor)
    z = joined(y, z, factor)
    e, f = word(s, 16) * factor, word(s, 24)
    g, h = (y + word(s, length - 32)) * factor, (z + word(s, length - 24)) * factor
    return joined(right(e + f, 43) + right(g, 30) + h, e + right(f + a, 18) + g, factor)


def pair(s: Bytes, at: int, a: Words, b: Words) -> tuple[Words, Words]:
    """A weak hash of 32 bytes, which keeps 128 bits."""
    w, x, y, z = (word(s, at + n) for n in (0, 8, 16, 24))
    a = a + w
    b = right(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + right(a, 44) + c


def farm_long(s: Bytes, length: int) -> Any:
    """56 bytes of state, fed with blocks of 64 bytes; the last block is the text's end, and is weighted more."""
    rows, none = len(s), np.zeros(len(s), np.uint64)
    y = np.full(rows, (SEED * K1 + 113) & MASK, np.uint64)
    z = mixed(y * u64(K2) + u64(113)) * u64(K2)
    state: State = (u64(SEED * K2) + word(s, 0), y, z, (none, none), (none, none))
    for at in range(0, length - 1 - (length - 1) % BLOCK, BLOCK):
        state = block(s, at, state, u64(K1), u64(1))
    x, y, z, v, w = state
    factor = u64(K1) + ((z & u64(0xFF)) << u64(1))
    w0 = w[0] + u64((length - 1) % BLOCK)
    v0 = v[0] + w0
    x, y, z, v, w = block(s, length - BLOCK, (x, y, z, (v0, v[1]), (w0 + v0, w[1])), factor, u64(9))
    first = joined(v[0], w[0], factor) + mixed(y) * u64(K0) + z
    return joined(first, joined(v[1], w[1], factor) + x, factor)


def block(s: Bytes, at: int, state: State, factor: Any, weight: np.uint64) -> State:
    """The state after the 64 bytes from `at` on."""
    x, y, z, v, w = state
    x = right(x + y + v[0] + word(s, at + 8), 37) * factor ^ w[1] * weight
    y = right(y + v[1] + word(s, at + 48), 42) * factor + v[0] * weight + word(s, at + 40)
    z = right(z + w[0], 33) * factor
    v = pair(s, at, v[1] * factor, x + w[0])
    w = pair(s, at + 32, z + w[1], y + word(s, at + 16))
    return z, y, x, v, w


# --- SipHash ---------------------------------------------------------------------------------------------------------


def sip(s: Bytes, key: tuple[int, int]) -> Words:
    """SipHash-2-4: each word of the text is mixed in by two rounds, then four rounds end it."""
    rows, length = s.shape
    start = [int.from_bytes(SIP[n : n + 8], "big") for n in range(0, 32, 8)]
    v = [np.full(rows, (begin ^ key[n % 2]) & MASK, np.uint64) for n, begin in enumerate(start)]
    padded = np.zeros((rows, length // 8 * 8 + 8), np.uint8)
    padded[:, :length], padded[:, -1] = s, length % 256
    for at in range(0, padded.shape[1], 8):
        m = word(padded, at)
        v[3] = v[3] ^ m
        v = sip_round(sip_round(v))
        v[0] = v[0] ^ m
    v[2] = v[2] ^ u64(0xFF)
    for _ in range(4):
        v = sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def sip_round(v: list[Words]) -> list[Words]:
    a, b, c, d = v
    a, c = a + b, c + d
    b, d = left(b, 13) ^ a, left(d, 16) ^ c
    a, c = left(a, 32) + d, c + b
    b, d = left(b, 17) ^ c, left(d, 21) ^ a
    return [a, b, left(c, 32), d]
