"""Steps on the rows of a table that occur in the batch. All others, and their slots, stay as they are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from thalweg.program.instructions.updates.updates import Statements, Update
from thalweg.program.ir.instruction import Array, Buffer, Stated, StepState


class TableUpdate(Statements):
    """A step as a text, on the rows of a table that occur in the batch."""

    counts: Buffer  # how often each row occurs, see `EmbeddingGradient`
    columns: int
    ids: int  # in a row of the batch

    name = "table update"
    due = True

    @property
    def title(self) -> str:
        return f"{self.called} of rows"

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {**super().named_operands, "counts": self.counts}

    @property
    def sizes(self) -> dict[str, int]:
        return {"columns": self.columns}

    @property
    def stated(self) -> Stated | None:
        return None  # the text holds in some rows only

    @property
    def formula(self) -> str:
        return f"{super().formula}, in rows where {self.counts} > 0"

    def reference(  # type: ignore[override] # it reads the counts, too
        self, xp: Any, vectors: tuple[Array, ...], counts: Array, step: StepState
    ) -> tuple[Array | None, ...]:
        occurs = xp.repeat(counts > 0, self.columns).reshape(vectors[0].shape)
        after = super().reference(xp, vectors, step)
        return tuple(
            None if new is None else xp.where(occurs, new, old) for new, old in zip(after, vectors, strict=True)
        )

    def flops(self, rows: int) -> int:
        size = self.vectors[0].size
        return super().flops(rows) * min(size, rows * self.ids * self.columns) // size


def of_rows(step: Update, counts: Buffer, columns: int, ids: int) -> TableUpdate:
    """The same step on the rows that occur in the batch."""
    return TableUpdate(step.called, step.text, step.buffers, step.numbers, counts, columns, ids, factor=step.factor)
