"""A loss that is computed by the program itself: one number a row, whose mean is the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated, StepState, rows_of


class RowValue(Instruction):
    """Adds rows·L to `sums`, L = Σ wᵢ·vᵢ / rows; with `total`, L = Σ wᵢ·vᵢ."""

    v: Buffer
    weight: Buffer | None
    sums: Buffer
    total: bool = False
    metric: bool = False  # only reported: it has no gradient

    name = "row value"
    writes = ("sums",)
    reduces = ("sums",)

    @property
    def formula(self) -> str:
        weight = "" if self.weight is None else f"{self.weight}·"
        return f"{self.sums} = {'Σ' if self.total else 'mean'} {weight}{self.v}"

    @property
    def stated(self) -> Stated:
        text = "sums = v" + ("" if self.weight is None else " * weight") + " * batch_rows" * self.total
        optional = {} if self.weight is None else {"weight": self.weight}
        return Stated(text, {"v": self.v, **optional, "sums": self.sums})

    def differentiable(self) -> tuple[Buffer, ...]:
        return () if self.metric else (self.v,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if not self.metric and d.wants(self.v):
            yield RowValueGradient(self.weight, d.into(self.v), self.total)

    def reference(self, xp: Any, v: Array, weight: Array | None, step: StepState) -> Array:
        values = rows_of(v) if weight is None else rows_of(v) * rows_of(weight)
        return values.sum() * (step.batch_rows if self.total else 1)

    def flops(self, rows: int) -> int:
        return 2 * rows


class RowValueGradient(Instruction):
    """dv = w/rows, with `total` w: the slope of the loss by the number of a row."""

    weight: Buffer | None
    dv: Buffer
    total: bool = False

    name = "row value gradient"
    writes = ("dv",)

    @property
    def formula(self) -> str:
        return f"{self.dv} = {'1' if self.weight is None else self.weight}{'' if self.total else '/rows'}"

    @property
    def stated(self) -> Stated:
        text = ("1" if self.weight is None else "weight") + ("" if self.total else " / batch_rows")
        return Stated(f"dv = {text}", {"dv": self.dv} | ({} if self.weight is None else {"weight": self.weight}))

    def reference(self, xp: Any, weight: Array | None, step: StepState) -> Array:
        scale = 1.0 if self.total else 1.0 / step.batch_rows
        ones = xp.ones((step.rows, *self.dv.shape))
        return ones * scale if weight is None else ones * scale * weight.reshape(ones.shape)

    def flops(self, rows: int) -> int:
        return rows
