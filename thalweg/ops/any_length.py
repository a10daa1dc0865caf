"""Sequences of any length while a network is drawn: some lengths stand for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from thalweg.errors import ShapeError, ThalwegError

Shape = tuple[int, ...]


def common_lengths(symbols: Sequence[Any]) -> list[int]:
    """The lengths that stand for all of those of some sequences: none if no sequence is of any length."""
    known = [list(s.lengths) for s in symbols if s.lengths]
    common = [n for n in known[0] if all(n in other for other in known)] if known else []
    if known and len(common) < 2:
        raise ShapeError("no length suits all of these sequences of any length: give Input the length")
    return common


def merged(shapes: Iterable[Shape]) -> tuple[int | None, ...]:
    """The shapes for several lengths as one, with None where they differ.

    >>> merged([(5, 8), (7, 8)])
    (None, 8)
    """
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


def of_any_length(name: str, errors: list[ThalwegError]) -> ShapeError:
    """The error for a call that sequences of any length don't allow."""
    return ShapeError(
        f"{name} needs to know the length of its sequences, which Input((None, …)) leaves open: give Input the length "
        f"({errors[0]})"
    )
