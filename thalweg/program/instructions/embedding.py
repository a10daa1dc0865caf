"""Rows of a table, chosen by number: an embedding, and the gradient of its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, summed_at


class Embedding(Instruction):
    """h = W[ids], NaN where an id isn't a row      ids (rows, …), W (input_dim, output_dim) → h (rows, …, output_dim)

    `sparse`: whether the gradient may be that of the batch's rows alone, see `thalweg.program.sparse`.
    """

    ids: Buffer
    W: Buffer
    h: Buffer
    sparse: bool = True

    name = "embedding"
    printed = "{h} = {W}[{ids}]"
    writes = ("h",)
    shapes = "ids: …; W: entries n; h: … n"
    differentiates = ("W",)

    @property
    def labels(self) -> tuple[Buffer, int]:
        return (self.ids, self.W.shape[0])

    @property
    def sizes(self) -> dict[str, int]:
        entries, columns = self.W.shape
        return {"entries": entries, "columns": columns, "n": self.ids.size}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.W):
            yield EmbeddingGradient(self.ids, d(self.h), d.into(self.W))

    def reference(self, xp: Any, ids: Array, W: Array) -> Array:
        numbers, known = class_numbers(xp, ids, len(W))
        return xp.where(known[..., None], xp.take(W, numbers, axis=0), xp.nan)

    def bytes(self, rows: int) -> int:
        return 4 * rows * (self.ids.size * (1 + self.W.shape[1]) + self.h.size)


class EmbeddingGradient(Instruction):
    """dW[i] = Σ of dh over the places where the id is i; ids that aren't rows don't count

    With `counts` (input_dim,), how often each row occurs in the batch, only the rows of dW that occur are of interest.
    (float32 holds whole numbers exactly up to 2²⁴.)
    """

    ids: Buffer
    dh: Buffer
    dW: Buffer
    counts: Buffer | None = None

    name = "embedding gradient"
    writes: ClassVar[tuple[str, ...]] = ("dW", "counts")
    reduces = ("dW", "counts")
    shapes = "ids: …; dh: … n; dW: entries n; counts: entries"

    @property
    def formula(self) -> str:
        rows = "" if self.counts is None else f", {self.counts}"
        return f"{self.dW}[{self.ids}]{rows} += {self.dh}"

    @property
    def sizes(self) -> dict[str, int]:
        entries, columns = self.dW.shape
        return {"entries": entries, "columns": columns, "n": self.ids.size}

    def reference(self, xp: Any, ids: Array, dh: Array) -> tuple[Array, Array | None]:
        (count, width), n = self.dW.shape, self.ids.size
        numbers, known = class_numbers(xp, ids.reshape(-1, n), count)
        parts = xp.where(known[..., None], dh.reshape(ids.shape[0], n, width), 0)
        places = numbers[..., None] * width + xp.arange(width)
        dW = summed_at(xp, places, parts, count * width).reshape(count, width)
        counts = summed_at(xp, numbers, known.astype(dh.dtype), count)
        return dW, None if self.counts is None else counts

    def flops(self, rows: int) -> int:
        return rows * self.ids.size * self.dW.shape[1]

    def bytes(self, rows: int) -> int:
        return 4 * rows * (self.ids.size * (1 + 2 * self.dW.shape[1]) + self.dh.size)
