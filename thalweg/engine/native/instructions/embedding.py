"""The mean of an embedding's vectors, without the vectors; the gradient of a table, whose kernel lists its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.engine.native.instructions.changes import Flagged, variant
from thalweg.program.instructions.embedding import Embedding, EmbeddingGradient
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


class NativeEmbedding(Flagged, Embedding):
    """h = W[ids]; with `mean`, the mean over all ids of a row: h (rows, output_dim)

    The mean is the average pooling that follows, fused.
    """

    mean: bool = False

    @property
    def formula(self) -> str:
        return f"{self.h} = {'mean ' if self.mean else ''}{self.W}[{self.ids}]"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for i in super().adjoint(d):
            yield variant(NativeEmbeddingGradient, i, mean=self.mean)

    def reference(self, xp: Any, ids: Array, W: Array) -> Array:
        h = super().reference(xp, ids, W)
        return h.reshape(h.shape[0], -1, h.shape[-1]).mean(axis=1).reshape(-1, *self.h.shape) if self.mean else h

    def flops(self, rows: int) -> int:
        return rows * self.ids.size * self.W.shape[1] if self.mean else 0


class NativeEmbeddingGradient(Flagged, EmbeddingGradient):
    """dW[i] = Σ of dh over the places where the id is i; with `mean`, dh (rows, output_dim)/ids belongs to all ids of
    its row.

    With `counts`, only the rows of dW that occur in the batch are written, and listed in `touched` (1 + input_dim,):
    their number, then the rows themselves in the order of their first occurrence. It begins as zeros, as do the counts.
    """

    mean: bool = False
    touched: Buffer | None = None

    writes: ClassVar[tuple[str, ...]] = ("dW", "counts", "touched")

    @property
    def formula(self) -> str:
        mean = f"/{self.ids.size}" if self.mean else ""
        rows = "" if self.counts is None else f", {self.counts}, {self.touched}"
        return f"{self.dW}[{self.ids}]{rows} += {self.dh}{mean}"

    def reference(self, xp: Any, ids: Array, dh: Array) -> tuple[Array | None, ...]:  # type: ignore[override]
        if self.mean:
            n = self.ids.size
            dh = xp.broadcast_to(dh.reshape(ids.shape[0], 1, -1) / n, (ids.shape[0], n, self.dW.shape[1]))
        return (*super().reference(xp, ids, dh), None)
