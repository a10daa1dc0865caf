"""A program as statements: for each instruction what it computes, as graphs over the arrays that it reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.errors import ThalwegError
from thalweg.program.graphs.evaluated import traced_step
from thalweg.program.graphs.simplified import simplified
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_values import Value, constant, named, value_of, weak
from thalweg.program.graphs.trial import is_foreign, try_out
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.instructions.derived.derived_adjoint import Leaves
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.instruction import DATA, DOUBLE, FLOAT, TOTALS, Buffer, Constant, Instruction
from thalweg.program.ir.references import compute
from thalweg.program.passes.scanned import steps_of


@dataclass(frozen=True)
class Assignment:
    """What an array becomes, or what is added to it."""

    buffer: Buffer
    value: Value
    adds: bool


class Prepared(Instruction):
    """What is computed before the program begins, or after it: in words. It is part of no program."""

    told: str

    name = "prepared"
    writes = ()

    @property
    def formula(self) -> str:
        return self.told


@dataclass(frozen=True)
class Statement:
    """What an instruction computes."""

    instruction: Instruction
    assignments: tuple[Assignment, ...]


class Arrays:
    """What an instruction reads, by buffer: each array is given, and views are of what they view."""

    def __init__(self, rows: int, dtype: DTypeLike, data_rows: int) -> None:
        self.rows, self.dtype, self.data_rows = rows, np.dtype(dtype), data_rows
        self.step = traced_step(rows, weak("rows", dtype=np.int64) if rows is ROWS else rows)

    def kind(self, buffer: Buffer) -> np.dtype[Any]:
        if buffer.dtype == FLOAT:
            return self.dtype
        return np.dtype(np.float64 if buffer.dtype == DOUBLE else np.uint8)

    def __getitem__(self, buffer: Buffer) -> Value:
        if isinstance(buffer, Constant):
            return constant(buffer.values.astype(self.dtype))
        rows = self.data_rows if buffer.region == DATA else self.rows
        storage = buffer.storage
        of = named(storage, (*[rows] * storage.per_row, *storage.shape), self.kind(storage))
        return of if storage is buffer else of.reshape(*[-1] * buffer.per_row, *buffer.shape)


def statement(instruction: Instruction, arrays: Arrays) -> Statement:
    """What an instruction computes. The rows of a value are `arrays.rows`.

    Raises:
        ThalwegError: no export can say it.
    """
    of = getattr(instruction, "of", instruction)
    if isinstance(of, CustomActivation):
        raise ThalwegError(f"{of.pair.name} is a function of Python's, which no other language has: write a formula")
    try:
        results = compute(instruction, arrays, Tracing())
    except (ThalwegError, AttributeError, KeyError, TypeError, ValueError) as error:
        if not (isinstance(error, ThalwegError) or is_foreign(of)):
            raise
        raise ThalwegError(f"{instruction.title} ({instruction.formula}) can't be exported: {error}") from None
    pairs = [
        (b, value_of(v)) for b, v in zip(instruction.results, results, strict=True) if b is not None and v is not None
    ]
    adds = [instruction.accumulates or buffer.region == TOTALS for buffer, _ in pairs]
    values = simplified([value for _, value in pairs])
    return Statement(instruction, tuple(map(Assignment, [b for b, _ in pairs], values, adds)))


def statements(instructions: Iterable[Instruction], arrays: Arrays) -> list[Statement]:
    """What a program computes."""
    every = [step for i in instructions for step in (steps_of(i) if isinstance(i, Scan) else (i,))]
    found = [statement(i, arrays) for i in every]
    for i in every:
        if arrays.rows is ROWS and is_foreign(i):
            try_out(i, i, Leaves(ROWS, np.dtype(np.float64)))
    return found
