"""Pointwise instructions of a step, on parts of rows: gates that are computed together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from thalweg.program.instructions.recurrence.scan import StepValues
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState
from thalweg.program.ir.references import compute


class Columns(Instruction):
    """Several pointwise instructions, slices and concatenations at once, on `units` columns of each value at a time.

    A value is as wide as a multiple of `units`, or is one number a row. Of what the members write, only the values
    that are `written` get to memory.
    """

    members: tuple[Instruction, ...]
    read: tuple[Buffer, ...]
    written: tuple[Buffer, ...]
    units: int

    name = "columns"
    writes = ("written",)

    @cached_property
    def named_operands(self) -> Mapping[str, Buffer | tuple[Buffer, ...] | None]:
        read = {f"v{n}": b for n, b in enumerate(self.read)}
        return read | {f"z{n}": b for n, b in enumerate(self.written)}

    @cached_property
    def outputs(self) -> tuple[Buffer, ...]:
        return self.written

    @property
    def runs(self) -> tuple[Instruction, ...]:
        return self.members

    @property
    def heading(self) -> str:
        return f"{', '.join(b.name for b in self.written)}, {self.units} columns at a time"

    @property
    def formula(self) -> str:
        return "; ".join(i.formula for i in self.members)

    @property
    def sizes(self) -> dict[str, int]:
        return {"units": self.units}

    def reference(self, xp: Any, read: tuple[Array, ...], step: StepState) -> tuple[Array, ...]:
        values = StepValues(step, zip(self.read, read, strict=True))
        for i in self.members:
            for b, value in zip(i.results, compute(i, values, xp), strict=True):
                if b is not None:
                    values[b] = xp.broadcast_to(value, (step.rows, *b.shape))
        return tuple(values[b] for b in self.written)

    def flops(self, rows: int) -> int:
        return sum(i.flops(rows) for i in self.members)
