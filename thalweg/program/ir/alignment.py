"""Arrays in a flat vector begin at multiples of a number of elements, on which engines may rely."""

ALIGNMENT = 16  # elements: 64 bytes of float32


def align(elements: int) -> int:
    """`elements` rounded up to a multiple of it."""
    return -(-elements // ALIGNMENT) * ALIGNMENT
