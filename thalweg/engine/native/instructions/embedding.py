"""The gradient of a table, whose kernel lists the rows that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg.program.instructions import embedding
from thalweg.program.ir.instruction import Array, Buffer


@dataclass(frozen=True, eq=False)
class EmbeddingGradient(embedding.EmbeddingGradient):
    """With `counts`, only the rows of dW that occur in the batch are written, and listed.

    touched (1 + input_dim,): their number, then the rows themselves in the order of their first occurrence. It begins
    as zeros, as do the counts.
    """

    touched: Buffer | None = None

    writes: ClassVar[tuple[str, ...]] = ("dW", "counts", "touched")

    @property
    def formula(self) -> str:
        mean = f"/{self.ids.size}" if self.mean else ""
        rows = "" if self.counts is None else f", {self.counts}, {self.touched}"
        return f"{self.dW}[{self.ids}]{rows} += {self.dh}{mean}"

    def reference(self, xp: Any, ids: Array, dh: Array) -> tuple[Array | None, ...]:  # type: ignore[override]
        return (*super().reference(xp, ids, dh), None)
