"""Stretches of the flat vectors: arrays of weights that follow each other and are treated as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import Buffer


def pieces(weights: Sequence[Buffer], keys: Sequence[Any]) -> list[slice]:
    """The longest runs of weights with equal keys and nothing between them, in the order of the vector."""
    result: list[slice] = []
    for n, weight in enumerate(weights):
        last = weights[n - 1] if n else None
        if last is not None and keys[n] == keys[n - 1] and weight.offset == align(last.offset + last.size):
            result[-1] = slice(result[-1].start, n + 1)
        else:
            result.append(slice(n, n + 1))
    return result


def span(weights: Sequence[Buffer]) -> tuple[int, int]:
    """Where a stretch begins, and how many elements it has with the gaps inside."""
    first, last = weights[0], weights[-1]
    return first.offset, last.offset + last.size - first.offset


def named(weights: Sequence[Buffer], vector: int) -> str:
    """The name of a stretch: that of its first and last weights, or w if it is the whole vector of so many elements."""
    if span(weights)[1] == vector:
        return "w"
    return str(weights[0]) if len(weights) == 1 else f"{weights[0]}…{weights[-1]}"
