"""Flat vectors of numbers are divided at cache lines, so that a vector load never straddles two."""

ALIGNMENT = 16  # elements: a cache line of float32


def align(elements: int) -> int:
    """`elements` rounded up to a whole number of cache lines."""
    return -(-elements // ALIGNMENT) * ALIGNMENT
