"""Rows of a table, chosen by number: an embedding, and the gradient of its table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


@dataclass(frozen=True, eq=False)
class Embedding(Instruction):
    """h = W[ids], NaN where an id isn't a row      ids (rows, …), W (input_dim, output_dim) → h (rows, …, output_dim)

    With `mean`, the mean over all ids of a row: h (rows, output_dim). It is the average pooling that follows, fused.
    `sparse`: whether the gradient may be that of the batch's rows alone, see `thalweg.program.sparse`.
    """

    ids: Buffer
    W: Buffer
    h: Buffer
    sparse: bool = True
    mean: bool = False

    name = "embedding"
    writes = ("h",)

    @property
    def labels(self) -> tuple[Buffer, int]:
        return (self.ids, self.W.shape[0])

    @property
    def formula(self) -> str:
        return f"{self.h} = {'mean ' if self.mean else ''}{self.W}[{self.ids}]"

    @property
    def sizes(self) -> dict[str, int]:
        entries, columns = self.W.shape
        return {"entries": entries, "columns": columns, "n": self.ids.size, "mean": int(self.mean)}

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.W,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.W):
            yield EmbeddingGradient(self.ids, d(self.h), d.into(self.W), mean=self.mean)

    def reference(self, xp: Any, ids: Array, W: Array) -> Array:
        numbers, known = class_numbers(xp, ids, len(W))
        h = xp.where(known[..., None], xp.take(W, numbers, axis=0), xp.nan)
        return h.reshape(len(h), -1, h.shape[-1]).mean(axis=1).reshape(-1, *self.h.shape) if self.mean else h

    def flops(self, rows: int) -> int:
        return rows * self.ids.size * self.W.shape[1] if self.mean else 0

    def bytes(self, rows: int) -> int:
        return 4 * rows * (self.ids.size * (1 + self.W.shape[1]) + self.h.size)


@dataclass(frozen=True, eq=False)
class EmbeddingGradient(Instruction):
    """dW[i] = Σ of dh over the places where the id is i; ids that aren't rows don't count

    With `mean`, dh (rows, output_dim)/ids belongs to all ids of its row.

    With `counts` (input_dim,), how often each row occurs in the batch, only the rows of dW that occur are of interest.
    (float32 holds whole numbers exactly up to 2²⁴.)
    """

    ids: Buffer
    dh: Buffer
    dW: Buffer
    counts: Buffer | None = None
    mean: bool = False

    name = "embedding gradient"
    writes: ClassVar[tuple[str, ...]] = ("dW", "counts")
    reduces = ("dW", "counts")

    @property
    def formula(self) -> str:
        mean = f"/{self.ids.size}" if self.mean else ""
        rows = "" if self.counts is None else f", {self.counts}"
        return f"{self.dW}[{self.ids}]{rows} += {self.dh}{mean}"

    @property
    def sizes(self) -> dict[str, int]:
        entries, columns = self.dW.shape
        return {"entries": entries, "columns": columns, "n": self.ids.size, "mean": int(self.mean)}

    def reference(self, xp: Any, ids: Array, dh: Array) -> tuple[Array, Array | None]:
        (count, width), n = self.dW.shape, self.ids.size
        numbers, known = class_numbers(xp, ids.reshape(-1, n), count)
        dh = dh.reshape(len(ids), -1, width) / (n if self.mean else 1)
        parts = xp.where(known[..., None], xp.broadcast_to(dh, (len(ids), n, width)), 0)
        places = numbers[..., None] * width + xp.arange(width)
        dW = xp.bincount(places.reshape(-1), parts.reshape(-1), minlength=count * width).reshape(count, width)
        counts = xp.bincount(numbers.reshape(-1), known.reshape(-1).astype(dh.dtype), minlength=count)
        return dW, None if self.counts is None else counts

    def flops(self, rows: int) -> int:
        return rows * self.ids.size * self.dW.shape[1]

    def bytes(self, rows: int) -> int:
        return 4 * rows * (self.ids.size * (1 + 2 * self.dW.shape[1]) + self.dh.size)
