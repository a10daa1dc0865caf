"""What an instruction read and wrote, and what a step did to an array of weights."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.program.ir.instruction import Array


@dataclass(frozen=True, eq=False)
class Value:
    """An array of a step: (rows, …) or, where it isn't for each row, of its own shape."""

    name: str  # in the listing
    array: Array


@dataclass(frozen=True, eq=False)
class TracedStep:
    """One instruction with the arrays that it read and wrote."""

    number: int
    section: str  # "forward", "backward" or "update"
    title: str
    formula: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    elementwise: bool = False  # whether it is an activation


@dataclass(frozen=True, eq=False)
class TracedWeight:
    """An array of weights before and after a step; the gradient is that of the loss, before any clipping."""

    path: str  # such as "dense_1/W"
    name: str  # in the listing, such as "W1"
    before: Array
    after: Array
    gradient: Array | None  # None where it isn't trained by gradients
