"""Pieces of memory beside and over each other: those that are never in use together may share theirs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Life:
    """The instructions between which a piece of memory is in use: written first at `start`, read last at `end`."""

    size: int
    start: int
    end: int
    offset: int = -1


def pack(lives: list[Life]) -> int:
    """Offsets by first fit, largest first (the greedy-by-size plan of Pisarchyk and Lee, arXiv 2001.03288)."""
    placed: list[Life] = []
    for life in sorted(lives, key=lambda life: -life.size):
        neighbours = sorted((p for p in placed if p.start <= life.end and life.start <= p.end), key=lambda p: p.offset)
        offset = 0
        for neighbour in neighbours:
            if offset + life.size <= neighbour.offset:
                break
            offset = max(offset, neighbour.offset + neighbour.size)
        life.offset = offset
        placed.append(life)
    return max((life.offset + life.size for life in placed), default=0)
