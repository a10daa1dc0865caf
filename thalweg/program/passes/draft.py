"""The draft of a program, which passes rewrite. A pipeline is a list of named passes, in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from thalweg.program.ir.instruction import Buffer, Instruction

KINDS = ("training", "evaluation", "inference")


@dataclass(frozen=True)
class Request:
    """Which program is wanted, and for what. Most batch sizes and lane counts share one: see `Engine.common`."""

    kind: str = "training"  # one of KINDS
    batch: int = 32  # rows
    lanes: int = 1
    weighted: bool = False  # whether rows have weights
    of_bytes: bool = False  # whether the data are bytes (uint8), such as images
    visible: bool = False  # whether every layer's value has to be computed, so that it can be inspected
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()  # the shapes of weights that a row has for each of its steps
    length: int | None = None  # the elements of a sequence, if the network takes sequences; so far none does

    @property
    def trains(self) -> bool:
        return self.kind == "training"


@dataclass(frozen=True, eq=False)
class Draft:
    """A program in the making: its forward instructions and, once derived, the backward ones; in training, the update.

    A pass asks who reads a value and says what replaces an instruction; it never looks for them itself.
    """

    forward: Sequence[Instruction]
    backward: Sequence[Instruction] = ()
    update: Sequence[Instruction] = ()  # what is done with the gradients, also before they are derived
    request: Request = Request()
    trained: Sequence[Buffer] = ()  # the weights whose gradients are wanted
    outputs: Sequence[Buffer] = ()  # the network's
    vector: int = 0  # elements of the parameter vector, gaps included

    def __iter__(self) -> Iterator[Instruction]:
        yield from self.forward
        yield from self.backward
        yield from self.update

    def readers(self, value: Buffer) -> Sequence[Instruction]:
        """All instructions that read a value, in order. What reads it under another shape reads a reshape's result."""
        return self._readers.get(value, ())

    def only_reader(self, value: Buffer) -> Instruction | None:
        """The instruction that reads a value, if there is exactly one."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 else None

    def writers(self, value: Buffer) -> Sequence[Instruction]:
        """The instructions that write a value or add to it: one, but for gradients and running sums."""
        return self._writers.get(value, ())

    def changed(self, changes: Mapping[Instruction, Sequence[Instruction]]) -> Draft:
        """The draft with others in the place of some instructions; with none, they are left out.

        It is the same draft if nothing changes.
        """
        changes = {old: new for old, new in changes.items() if list(new) != [old]}
        if not changes:
            return self
        forward, backward, update = (
            [new for i in part for new in changes.get(i, (i,))] for part in (self.forward, self.backward, self.update)
        )
        return replace(self, forward=forward, backward=backward, update=update)

    @cached_property
    def _readers(self) -> dict[Buffer, list[Instruction]]:
        return by_buffer(self, lambda i: i.inputs)

    @cached_property
    def _writers(self) -> dict[Buffer, list[Instruction]]:
        return by_buffer(self, lambda i: i.outputs)


def by_buffer(
    instructions: Iterable[Instruction], buffers: Callable[[Instruction], Sequence[Buffer]]
) -> dict[Buffer, list[Instruction]]:
    """The instructions by each of their buffers."""
    found: dict[Buffer, list[Instruction]] = {}
    for i in instructions:
        for b in dict.fromkeys(buffers(i)):
            found.setdefault(b, []).append(i)
    return found


@dataclass(frozen=True)
class Pass:
    """One rewriting of a program that preserves what it computes, and the requests for which it runs."""

    name: str
    rewrite: Callable[[Draft], Draft]
    when: Callable[[Request], bool]
    needed: bool = False  # to run a program at all, so that it also follows on an earlier pass after which one stops


def names(passes: Iterable[Pass], request: Request) -> list[str]:
    """The passes that run for a request, in their order."""
    return [p.name for p in passes if p.when(request)]
