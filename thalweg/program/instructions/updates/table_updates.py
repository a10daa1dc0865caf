"""Work on the rows of a table that occur in the batch: the sum of their gradients, and their update.

Each lane takes the rows that belong to it. All others, and their slots, stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from thalweg.program.instructions.updates.updates import Statements, Update
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Stated, StepState


class Touched(NamedTuple):
    """The rows of a table that occur in the batch, see `EmbeddingGradient`."""

    counts: Buffer  # how often, by one lane's gradient
    listed: Buffer  # by one lane's gradient
    own: Buffer  # those that a lane sums up and updates, listed the same way
    ids: int  # in a row of the batch


@dataclass(frozen=True, eq=False)
class TableReduce(Instruction):
    """dw = Σ dw over the lanes, in the rows that occur in the batch; lists this lane's share of them"""

    dw: Buffer  # (input_dim, output_dim)
    counts: Buffer
    listed: Buffer
    own: Buffer
    vector: int  # elements from one lane's gradients to the next lane's
    ids: int  # in a row of the batch

    name = "table reduce"
    writes = ("dw", "own")
    due = True

    @property
    def formula(self) -> str:
        return f"{self.dw} = Σ {self.dw} over the lanes where {self.counts} > 0; {self.own} from {self.listed}"

    @property
    def sizes(self) -> dict[str, int]:
        entries, columns = self.dw.shape
        return {"entries": entries, "columns": columns, "vector": self.vector}

    def reference(self, xp: Any, dw: Array) -> tuple[Array, None]:
        return dw, None  # of the only lane

    def flops(self, rows: int) -> int:
        return self.dw.shape[1] * min(self.dw.shape[0], rows * self.ids)


@dataclass(frozen=True, eq=False)
class TableUpdate(Statements):
    """A step as a text, on the rows of a table that occur in the batch."""

    counts: Buffer
    own: Buffer
    columns: int
    ids: int

    name = "table update"
    due = True

    @property
    def title(self) -> str:
        return f"{self.called} of rows"

    @cached_property
    def operands(self) -> tuple[Buffer, ...]:
        return (*self.vectors, self.counts, self.own)

    @property
    def sizes(self) -> dict[str, int]:
        return {"columns": self.columns}

    @property
    def stated(self) -> Stated | None:
        return None  # the text holds in some rows only

    @property
    def formula(self) -> str:
        return f"{super().formula}, in rows {self.own} where {self.counts} > 0"

    def reference(  # type: ignore[override] # it reads the counts, too
        self, xp: Any, vectors: tuple[Array, ...], counts: Array, step: StepState
    ) -> tuple[Array | None, ...]:
        occurs = xp.repeat(counts > 0, self.columns).reshape(vectors[0].shape)
        after = super().reference(xp, vectors, step)
        return tuple(
            None if new is None else xp.where(occurs, new, old) for new, old in zip(after, vectors, strict=True)
        )

    def flops(self, rows: int) -> int:
        size = self.operands[0].size
        return super().flops(rows) * min(size, rows * self.ids * self.columns) // size


def of_rows(step: Update, touched: Touched, columns: int) -> TableUpdate:
    """The same step on the rows that occur in the batch."""
    return TableUpdate(
        step.called,
        step.text,
        step.buffers,
        step.numbers,
        touched.counts,
        touched.own,
        columns,
        touched.ids,
        factor=step.factor,
    )
