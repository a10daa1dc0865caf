"""A program: what is computed, as instructions in order. How a machine runs it is for an engine to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from thalweg.program.ir.instruction import PARAMETERS, SLOTS, Buffer, Instruction


@dataclass(eq=False, slots=True)
class Program:
    """Instructions of one kind of work (training, evaluation, prediction), ready to be executed or printed.

    A step computes the forward half and the backward half. If its loss is finite, it then changes what lasts: moving
    averages, centres, and the weights, by `update`. If the gradients of several steps are accumulated for one update,
    those of its instructions that are `due` run in the last of these steps only.
    """

    forward: Sequence[Instruction]
    backward: Sequence[Instruction] = ()
    update: Sequence[Instruction] = ()
    every: int = 1  # steps whose gradients are accumulated for one update
    kept: dict[str, Any] = field(default_factory=dict, repr=False)  # what engines have made of it, by name
    states: Sequence[Any] = ()  # what layers hand on from batch to batch, a `Carried` for each
    turns: Sequence[Turn] = ()  # if a step is several programs: all of them, of which this is the first

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, and what is pickled, is without what engines have made of it."""
        return Program, (self.forward, self.backward, self.update, self.every, {}, self.states, self.turns)

    def __iter__(self) -> Iterator[Instruction]:
        """Every instruction in the order of execution."""
        yield from self.computed()
        yield from self.changes()

    def computed(self) -> Iterator[Instruction]:
        """The instructions that change nothing that lasts."""
        return (i for i in (*self.forward, *self.backward) if not changes(i))

    def changes(self) -> Iterator[Instruction]:
        """The instructions that change weights, or a state that is kept from step to step."""
        yield from (i for i in (*self.forward, *self.backward) if changes(i))
        yield from self.update

    def buffers(self) -> list[Buffer]:
        """Every buffer of the program, in the order of first use."""
        return list(dict.fromkeys(b for i in self for b in i.operands if b is not None))

    def flops(self, rows: int) -> int:
        """Floating-point operations of one step over a batch of `rows`."""
        return sum(i.flops(rows) for i in self)


class Turn(NamedTuple):
    """One of the programs that are a step together, run one after the other on the same batch."""

    program: Program
    first: int  # where its optimizer's vectors begin among all slots, and how many elements they have together
    size: int


def changes(instruction: Instruction) -> bool:
    """Whether an instruction changes weights or a state. A view of them under another shape doesn't."""
    return any(b.region in (PARAMETERS, SLOTS) and b.view_of is None for b in instruction.outputs)
