"""What layers hand on from batch to batch: the values with which a batch begins, and those that it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.program.builder import Builder
from thalweg.program.instructions.batches import GatherFloats, Store
from thalweg.program.ir.instruction import DATA, Buffer, Instruction

AFTER = "′"  # S1 holds what the rows of a batch begin with, S1′ what they leave


@dataclass(eq=False)
class Carried:
    """The states of one layer."""

    layer: Any
    names: list[str]  # under which programs know them: S1, S2, …
    first: list[Buffer]  # at the beginning of the batch
    last: list[Buffer]  # as they are by now

    def gathers(self) -> list[Instruction]:
        """Those that read what the batch begins with."""
        return [GatherFloats(Buffer(n, s.shape, DATA), s) for n, s in zip(self.names, self.first, strict=True)]

    def stores(self) -> list[Instruction]:
        """Those that write what it leaves."""
        return [Store(s, Buffer(n + AFTER, s.shape, DATA)) for n, s in zip(self.names, self.last, strict=True)]


def recall(program: Builder, layer: Any, shapes: Sequence[tuple[int, ...]]) -> list[Buffer]:
    """The states of a layer at this place of a program: with which the batch begins, or those of its last call."""
    found: Carried | None = program.carried.get(id(layer))
    if found is None:
        count = sum(len(other.names) for other in program.carried.values())
        names = [f"S{k}" for k in range(count + 1, count + len(shapes) + 1)]
        first = [program.value("s", shape) for shape in shapes]
        found = program.carried[id(layer)] = Carried(layer, names, first, first)
    return found.last


def hand_on(program: Builder, layer: Any, states: Sequence[Buffer]) -> None:
    """Notes the states that a call has left."""
    found: Carried = program.carried[id(layer)]
    program.carried[id(layer)] = Carried(layer, found.names, found.first, list(states))
