"""How weights lie in the flat vectors, divided into runs that are treated alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import GRADIENTS, PARAMETERS, SLOTS, Buffer
from thalweg.program.lowering import Weight
from thalweg.program.stretches import named, pieces, span

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


@dataclass(frozen=True)
class Layout:
    """All trained weights, in the order of a parameter vector of `vector` elements."""

    weights: Sequence[Weight]
    vector: int
    slot_names: Sequence[str]

    def runs(self, key: Callable[[Weight], Any]) -> list[Run]:
        """The longest runs of weights with equal keys and nothing between them."""
        cuts = pieces([weight.buffer for weight in self.weights], [key(weight) for weight in self.weights])
        return [self.run(self.weights[cut]) for cut in cuts]

    def run(self, weights: Sequence[Weight]) -> Run:
        """The buffers of a run, named after its first and last weights, or w if it is everything."""
        buffers = [weight.buffer for weight in weights]
        (offset, size), name = span(buffers), named(buffers, self.vector)
        suffix = "" if size == self.vector else f"[{name}]"

        def buffer(name: str, region: str, start: int = 0) -> Buffer:
            return Buffer(name, (size,), region, per_row=False, offset=start + offset)

        stride = align(self.vector)
        slots = {n: buffer(n + suffix, SLOTS, k * stride) for k, n in enumerate(self.slot_names)}
        return Run(weights, buffer(name, PARAMETERS), buffer(f"d{name}", GRADIENTS), slots)
