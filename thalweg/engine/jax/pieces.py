"""Flat vectors in pieces: the arrays between the places where an instruction begins or ends to read or to write.

A compiled step keeps the pieces rather than the vectors, so that neither a weight is cut out of a vector nor a gradient
put into one: on a CPU either is a copy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Buffer, Instruction, StepState
from thalweg.program.ir.program import Program

Array = Any  # of jax
Pieces = dict[str, list[Array]]  # of the vectors, by region


def span(buffer: Buffer) -> tuple[int, int]:
    """Where a buffer lies in its region: from, to."""
    first = buffer.storage.offset
    return first, first + buffer.size


def stretches(i: Instruction, regions: Collection[str]) -> list[Buffer]:
    """The operands of what works element by element on stretches of vectors: it may be done piece by piece."""
    if not isinstance(i, Stretch) or i.stated is None:
        return []
    found = [b for b in i.operands if b is not None and b.region in regions]
    size = max(b.size for b in found)
    return [b for b in found if b.size == size]  # without the sums over gradients


class Layout:
    """Where a program's vectors are cut.

    sizes: those of the vectors, by region.
    """

    def __init__(self, program: Program, sizes: Mapping[str, int]) -> None:
        self.cuts: dict[str, set[int]] = {region: {0, size} for region, size in sizes.items()}
        wide: list[list[Buffer]] = []
        for i in program:
            together = stretches(i, sizes)
            wide += [together] if together else []
            for b in i.operands:
                if b is not None and b.region in sizes and b not in together:
                    self.cuts[b.region].update(span(b))
        count = 0
        while count != (count := sum(map(len, self.cuts.values()))):  # what is done together is cut alike
            for together in wide:
                ends = {0, together[0].size} | {place - span(b)[0] for b in together for place in self.inside(b)}
                for b in together:
                    self.cuts[b.region].update(span(b)[0] + end for end in ends)
        self.places = {region: sorted(cuts) for region, cuts in self.cuts.items()}
        self.numbers = {region: {place: n for n, place in enumerate(places)} for region, places in self.places.items()}

    def inside(self, buffer: Buffer) -> Iterator[int]:
        first, after = span(buffer)
        return (place for place in self.cuts[buffer.region] if first < place < after)

    def cut(self, region: str, vector: Array) -> list[Array]:
        """The pieces of a whole vector."""
        return [vector[first:after] for first, after in pairwise(self.places[region])]

    def at(self, buffer: Buffer) -> slice:
        """Which pieces of its region a buffer is."""
        first, after = (self.numbers[buffer.region][place] for place in span(buffer))
        return slice(first, after)


class Piece(Mapping[Buffer, Array]):
    """The values of a step, of whose stretches only one piece each is seen."""

    def __init__(self, values: Mapping[Buffer, Array], step: StepState, pieces: Mapping[Buffer, Array]) -> None:
        self.whole, self.step, self.pieces = values, step, pieces

    def __getitem__(self, buffer: Buffer) -> Array:
        return self.pieces[buffer] if buffer in self.pieces else self.whole[buffer]

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)
