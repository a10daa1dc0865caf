"""The draft of a program, which passes rewrite. A pipeline is a list of named passes, in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from thalweg.program.ir.instruction import Buffer, Instruction

KINDS = ("training", "evaluation", "inference")


@dataclass(frozen=True)
class Request:
    """Which program is wanted, and for what. Most batch sizes and lane counts share one: see `Target.common`."""

    kind: str = "training"  # one of KINDS
    batch: int = 32  # rows
    lanes: int = 1
    weighted: bool = False  # whether rows have weights
    of_bytes: bool = False  # whether the data are bytes (uint8), such as images
    visible: bool = False  # whether every layer's value has to be computed, so that it can be inspected

    @property
    def trains(self) -> bool:
        return self.kind == "training"


@dataclass(frozen=True)
class Draft:
    """A program in the making: its forward instructions and, once derived, the backward ones."""

    forward: Sequence[Instruction]
    backward: Sequence[Instruction] = ()
    request: Request = Request()
    trained: Sequence[Buffer] = ()  # the weights whose gradients are wanted
    outputs: Sequence[Buffer] = ()  # the network's

    def __iter__(self) -> Iterator[Instruction]:
        yield from self.forward
        yield from self.backward


@dataclass(frozen=True)
class Pass:
    """One rewriting of a program that preserves what it computes, and the requests for which it runs."""

    name: str
    rewrite: Callable[[Draft], Draft]
    when: Callable[[Request], bool]


def names(passes: Iterable[Pass], request: Request) -> list[str]:
    """The passes that run for a request, in their order."""
    return [p.name for p in passes if p.when(request)]


def rewritten(draft: Draft, passes: Iterable[Pass], after: str | None = None) -> Draft:
    """The draft after all passes that run for its request, or after the one of that name."""
    for p in passes:
        if p.when(draft.request):
            draft = p.rewrite(draft)
            if p.name == after:
                break
    return draft
