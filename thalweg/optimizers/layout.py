"""How weights lie in the flat vectors, divided into runs that are treated alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, SLOTS, Buffer
from thalweg.program.lowering import Weight
from thalweg.support.alignment import align

ALIASES = {"W": "kernel", "b": "bias"}  # what Keras calls them


def matches(patterns: Sequence[str], path: str) -> bool:
    """Whether one of the regular expressions is found in the name of a weight, ours or Keras's.

    >>> matches(["bias"], "dense_1/b"), matches(["^dense_1/W$"], "dense_1/b")
    (True, False)
    """
    layer, _, key = path.rpartition("/")
    names = (path, f"{layer}/{ALIASES.get(key, key)}")
    return any(re.search(pattern, name) for pattern in patterns for name in names)


@dataclass(frozen=True)
class Run:
    """Weights that follow each other in the vector and are treated alike."""

    weights: Sequence[Weight]
    w: Buffer
    dw: Buffer
    slots: dict[str, Buffer]
    turn: int  # the rank of this run among all, the largest first


@dataclass(frozen=True)
class Layout:
    """All trained weights, in the order of a parameter vector of `vector` elements."""

    weights: Sequence[Weight]
    vector: int
    slot_names: Sequence[str]

    def runs(self, key: Callable[[Weight], Any]) -> list[Run]:
        """The longest runs of weights with equal keys and nothing between them."""
        pieces: list[list[Weight]] = []
        for _, equal in groupby(self.weights, key):
            for weight in equal:
                last = pieces[-1][-1].buffer if pieces else None
                follows = last is not None and weight.buffer.offset == align(last.offset + last.size)
                if follows and key(pieces[-1][-1]) == key(weight):
                    pieces[-1].append(weight)
                else:
                    pieces.append([weight])
        sizes = sorted(range(len(pieces)), key=lambda k: -span(pieces[k])[1])
        return [self.run(piece, sizes.index(k)) for k, piece in enumerate(pieces)]

    def run(self, weights: Sequence[Weight], turn: int) -> Run:
        """The buffers of a run, named after its first and last weights, or w if it is everything."""
        offset, size = span(weights)
        name = str(weights[0].buffer) if len(weights) == 1 else f"{weights[0].buffer}…{weights[-1].buffer}"
        name, suffix = ("w", "") if size == self.vector else (name, f"[{name}]")

        def buffer(name: str, region: str, start: int = 0) -> Buffer:
            return Buffer(name, (size,), region, per_row=False, offset=start + offset)

        stride = align(self.vector)
        slots = {n: buffer(n + suffix, SLOTS, k * stride) for k, n in enumerate(self.slot_names)}
        return Run(weights, buffer(name, PARAMETERS), buffer(f"d{name}", GRADIENTS), slots, turn)


def span(weights: Sequence[Weight]) -> tuple[int, int]:
    """Where a run begins, and how many elements it has with the gaps inside."""
    first, last = weights[0].buffer, weights[-1].buffer
    return first.offset, last.offset + last.size - first.offset
