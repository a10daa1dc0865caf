"""A program as loops over arrays that share one memory: what a language writes that allocates nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Statement
from thalweg.program.graphs.traced_values import walk
from thalweg.program.ir.instruction import Buffer, Constant, Instruction
from thalweg.program.ir.packing import Life, pack
from thalweg.program.loops.direct import DIRECT, Direct
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.fusing import fused
from thalweg.program.loops.indices import Index, of
from thalweg.program.loops.nests import (
    MEMORY,
    TABLE,
    TRUTH,
    Apply,
    Array,
    Block,
    Element,
    Local,
    Number,
    Set,
    Step,
    Store,
    When,
    arrays_read,
    arrays_written,
    nest,
    steps_of,
    within_ids,
)

ERROR = Local("error", np.dtype(np.int64))
"""What a routine returns: 0 where all is well."""


@dataclass(frozen=True)
class Routine:
    """What a function of the target does.

    Attributes:
        blocks: one for each instruction that matters.
        arrays: all that are read or written, those of MEMORY with their offsets among numbers of their type.
        memory: how many numbers of each type are needed at once.
    """

    blocks: tuple[Block, ...]
    arrays: tuple[Array, ...]
    memory: Mapping[np.dtype[Any], int]

    @property
    def tables(self) -> list[Array]:
        return [a for a in self.arrays if a.where == TABLE]


def routine_of(
    statements: Iterable[Statement], storage: Storage, wanted: Sequence[Array], last: Sequence[Block] = ()
) -> Routine:
    """The loops of what the wanted arrays depend on, followed by `last`."""
    needed = [*wanted, *(a for block in last for a in arrays_read(block.steps))]
    written = [block for s in shortened(list(statements), storage, needed) for block in blocks_of(s, storage)]
    blocks: list[Block] = list(last)
    for block in reversed(written):
        results = arrays_written(block.steps)
        checks = any(isinstance(s, Set) and s.local is ERROR for s in steps_of(block.steps))
        if checks or any(a.overlaps(n) for a in results for n in needed):
            blocks.insert(0, block)
            needed += [a for a in arrays_read(block.steps) if a not in needed]
    arrays = dict.fromkeys(a for b in blocks for a in (*arrays_written(b.steps), *arrays_read(b.steps)))
    return Routine(tuple(blocks), tuple(arrays), planned(blocks))


def shortened(statements: Sequence[Statement], storage: Storage, wanted: Iterable[Array]) -> list[Statement]:
    """The statements, without the results that nothing reads."""
    needed, found = list(wanted), []
    for s in reversed(statements):
        kept = [a for a in s.assignments if any(storage.array_of(a.buffer.storage).overlaps(n) for n in needed)]
        labels = labels_of(s)
        if kept or labels is not None:
            found.append(Statement(s.instruction, tuple(kept)))
            read = [v.options["buffer"] for v in walk([a.value for a in kept]) if v.function == "name"]
            read += [] if labels is None else [labels[0].storage]
            needed += [storage.array_of(b) for b in read]
    return found[::-1]


def labels_of(statement: Statement) -> tuple[Buffer, int] | None:
    """The array that has to hold class numbers, and how many classes there are."""
    return statement.instruction.labels if isinstance(statement.instruction, Instruction) else None


def blocks_of(statement: Statement, storage: Storage) -> list[Block]:
    """The loops of a statement, after those that check its ids."""
    i, labels = statement.instruction, labels_of(statement)
    blocks = []
    storage.names.restart()
    if labels is not None:
        blocks.append(Block(f"{labels[0]}: whole numbers below {labels[1]}", checked(*labels, storage)))
        storage.names.restart()
    constants = any(isinstance(b, Constant) for b in i.operands)  # which have no place in memory
    direct = None if constants else DIRECT.get(type(i))
    steps = direct(Direct(storage), i) if direct else None
    block = fused(storage, statement) if steps is None else Block(i.formula, steps)
    return [*blocks, block] if block.steps else blocks


def checked(ids: Buffer, count: int, storage: Storage) -> list[Step]:
    """Notes an error where an id isn't a whole number from 0 on and below the number of rows of its table."""
    array = storage.array_of(ids.storage)
    (variable,) = storage.names.variables([array.size])
    unknown = Apply("logical_not", (within_ids(Element(array, of(variable)), count),), TRUTH)
    return nest([variable], [When(unknown, [Set(ERROR, Number(1, ERROR.dtype))])])


def planned(blocks: Sequence[Block]) -> dict[np.dtype[Any], int]:
    """Gives every array of the shared memory its offset: two that aren't needed at the same time may overlap."""
    lives: dict[Array, Life] = {}
    steps = [step for block in blocks for step in block.steps]
    for number, step in enumerate(steps):
        for array in dict.fromkeys((*arrays_written([step]), *arrays_read([step]))):
            if array.where == MEMORY:
                lives.setdefault(array, Life(array.size, number, number)).end = number
    first = 0
    for block in blocks:
        for number, result, operand in block.merged:
            one, other = lives.get(result), lives.get(operand)
            if one and other and one is not other and one.start == first + number == other.end:
                other.end = one.end
                lives.update({a: other for a, life in lives.items() if life is one})
        first += len(block.steps)
    sizes: dict[np.dtype[Any], int] = {}
    for dtype in dict.fromkeys(a.dtype for a in lives):
        own = list(dict.fromkeys(life for a, life in lives.items() if a.dtype == dtype))
        fixed = [life for life in own if life.size < ROWS]
        grown = [life for life in own if life.size >= ROWS]  # with the rows, however few there are: lies behind
        sizes[dtype] = pack(fixed)
        behind = pack(grown)
        for life in grown:
            life.offset += sizes[dtype]
        sizes[dtype] += behind
    for array, life in lives.items():
        array.offset = life.offset
    return sizes


def copied(source: Array, target: Array, storage: Storage) -> list[Step]:
    """A copy of an array as it lies."""
    (variable,) = storage.names.variables([target.size])
    at: Index = of(variable)
    return nest([variable], [Store(target, at, Element(source, at))])
