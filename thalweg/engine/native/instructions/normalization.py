"""Batch normalisation over lanes: the statistics of a whole batch, which all lanes compute together.

A lane writes the statistics of its own rows into the exchange; when all lanes have, each reads every lane's part and
combines them in the same order. So the rows phase of such a program is divided into segments, and a lane keeps all its
rows of the batch in one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.engine.native.instructions.changes import Flagged, end, variant
from thalweg.program.instructions.linear import OfChannels, matrix, positions
from thalweg.program.instructions.normalization import LEAST_SHARE, BatchNormalization, BatchSums, MaskWeights
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


class BatchMoments(OfChannels):
    """parts = for each channel, the mean over this lane's rows, and the sum of squared differences from it"""

    x: Buffer
    parts: Buffer

    name = "batch moments"
    printed = "{parts} = mean {x}, Σ ({x} − mean)²"
    writes = ("parts",)

    def reference(self, xp: Any, x: Array) -> Array:
        x = matrix(x)
        mean = x.mean(axis=0)
        return xp.concatenate([mean, ((x - mean) ** 2).sum(axis=0)])

    def flops(self, rows: int) -> int:
        return 4 * rows * self.x.size


class NativeMaskWeights(MaskWeights):
    """w = m·total/valid, from the lanes' parts of the mean"""

    parts: Buffer

    writes = ("w",)

    @property
    def formula(self) -> str:
        return f"mean from {self.parts}; {super().formula}"

    def reference(self, xp: Any, x: Array, parts: Array) -> Array:  # type: ignore[override] # it reads the parts, too
        return x / xp.maximum(xp.split(parts, 2)[0], LEAST_SHARE)


class NativeBatchNormalization(Flagged, BatchNormalization):
    """a = γ·(x − μ)/√(σ² + ε) + β, with the mean μ and the variance σ² that it combines from the lanes' parts

    A `shortcut` is added, and `relu` applies max(0, …): a sum and a relu that follow the normalisation, fused into it
    (see fuse.py).
    """

    parts: Buffer
    shortcut: Buffer | None = None
    relu: bool = False

    writes = ("a", "mean", "variance")

    @property
    def title(self) -> str:
        return self.name + ("" if self.shortcut is None else " + add") + (" + relu" if self.relu else "")

    @property
    def text(self) -> str:
        text = super().text + ("" if self.shortcut is None else f" + {self.shortcut}")
        return f"max({text}, 0)" if self.relu else text

    @property
    def formula(self) -> str:
        return f"{self.mean}, {self.variance} from {self.parts}; {super().formula}"

    def differentiable(self) -> tuple[Buffer, ...]:
        return (*super().differentiable(), *([] if self.shortcut is None else [self.shortcut]))

    def sums_of(self, da: Buffer) -> NativeBatchSums:
        dn = Buffer(f"{da}⁺", da.shape) if self.relu else None
        sums = Buffer(f"Σ{dn or da}", self.parts.shape, self.parts.region, per_row=False)
        return variant(NativeBatchSums, super().sums_of(da), sums=sums, a=self.a if self.relu else None, dn=dn)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for i in super().adjoint(d):
            yield i
            if isinstance(i, NativeBatchSums):
                sums = i
        if self.shortcut is not None and d.wants(self.shortcut):
            yield from d.pass_on(sums.seen, self.shortcut)

    def reference(  # type: ignore[override] # it reads the parts, too
        self, xp: Any, x: Array, parts: Array, gamma: Array | None, beta: Array | None, shortcut: Array | None
    ) -> tuple[Array, ...]:
        mean, variance = xp.split(parts, 2)
        variance = variance / (x.shape[0] * positions(self.x))
        a = super().reference(xp, x, mean, variance, gamma, beta)
        return end(xp, a if shortcut is None else a + shortcut, self.relu, None), mean, variance

    def flops(self, rows: int) -> int:
        return super().flops(rows) + ((self.shortcut is not None) + self.relu) * rows * self.x.size


class NativeBatchSums(BatchSums):
    """sums = for each channel Σ dn and Σ dn·(x − μ)/√(σ² + ε), over this lane's rows

    If the normalisation has a relu, dn = (da + more)·[a > 0] is computed here, as da is read anyway; otherwise dn is
    da. `more` is a second contribution to the adjoint of a, if this instruction adds it (see fuse.py).
    """

    more: Buffer | None = None
    a: Buffer | None = None
    dn: Buffer | None = None

    writes = ("sums", "dn")

    def __post_init__(self) -> None:
        assert self.more is None or self.dn is not None, "the kernel adds only into what it keeps"

    @property
    def seen(self) -> Buffer:
        return self.da if self.dn is None else self.dn

    @property
    def title(self) -> str:
        return ("" if self.more is None else "add + ") + ("" if self.dn is None else "relu adjoint + ") + self.name

    @property
    def formula(self) -> str:
        da = f"{self.da}" if self.more is None else f"({self.da} + {self.more})"
        return ("" if self.dn is None else f"{self.dn} = {da}·[{self.a} > 0]; ") + super().formula

    def reference(  # type: ignore[override] # it reads more and a, too
        self, xp: Any, x: Array, mean: Array, variance: Array, da: Array, more: Array | None, a: Array | None
    ) -> tuple[Array, Array | None]:
        dn = end(xp, da if more is None else da + more, False, a)
        return super().reference(xp, x, mean, variance, dn), None if self.dn is None else dn

    def flops(self, rows: int) -> int:
        return super().flops(rows) + (2 * (self.dn is not None) + (self.more is not None)) * rows * self.x.size
