"""Losses: how far the predictions are from the targets, and the first derivative of the backward pass.

For one row, ℓ is a sum over its outputs times `coefficient`. The loss of a batch is the mean over its rows, or the sum
(`total`), each row times its sample weight: L = Σ wᵢ·ℓᵢ / rows. Each instruction adds rows·L to a running float64 sum,
so that the mean over an epoch counts every row the same. Its adjoint computes both the value and ∂L/∂(the operand it
reads), because they share most of their work; `fused_losses.py` replaces the loss by it.

The losses themselves are in `elementwise_losses.py` (each output separately) and `row_losses.py` (whole rows).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated, StepState, rows_of

EPSILON = 1e-7  # Keras's: probabilities are kept this far from 0 and 1 before their logarithm is taken


def times(factor: float) -> str:
    """A factor as printed before a product: nothing for 1."""
    return "" if factor == 1 else f"{factor:g}·"


def class_numbers(xp: Any, y: Array, classes: int) -> tuple[Array, Array]:
    """The class numbers in y (0 where y isn't one), and where it is one: a whole number below `classes`."""
    known = (y >= 0) & (y < classes) & (y == xp.floor(y))
    return xp.where(known, y, 0).astype(int), known


def scale(total: bool, coefficient: float, step: StepState) -> float:
    """∂L/∂(Σ over outputs) for a row of weight 1."""
    return coefficient if total else coefficient / step.batch_rows


class Loss(Instruction):
    """Base: adds rows·L to `sums`. A subclass gives ℓ and ∂ℓ/∂p; p are the predictions or the logits."""

    p: Buffer
    y: Buffer
    weight: Buffer | None
    sums: Buffer
    coefficient: float
    total: bool = False
    metric: bool = False  # only reported: it has no gradient

    writes = ("sums",)
    reduces = ("sums",)
    whole_rows: ClassVar[bool] = False  # ℓ needs all outputs of a row at once
    activation: ClassVar[Equation | type[Softmax] | None] = None  # what a loss of logits computes along the way

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        """The summands of ℓ, or with `whole_rows` ℓ itself."""
        raise NotImplementedError

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        """∂(Σ summands)/∂p"""
        raise NotImplementedError

    def shown_value(self, factor: float, weight: str) -> str:
        """factor·weight·ℓ, or the summands of ℓ, as printed; the weight is "" or "w·"."""
        raise NotImplementedError

    def shown_slope(self, factor: float, weight: str) -> str:
        """factor·weight·∂ℓ/∂p/rows (with `total` without /rows), as printed."""
        raise NotImplementedError

    @property
    def formula(self) -> str:
        over_rows = "Σ" if self.total else "mean"
        weight = "" if self.weight is None else f"{self.weight}·"
        if self.whole_rows or self.p.size == 1:
            return f"{self.sums} = {over_rows} {self.shown_value(self.coefficient, weight)}"
        if not self.total and math.isclose(self.coefficient * self.p.size, 1):
            return f"{self.sums} = mean {self.shown_value(1, weight)}"
        summed = f"{times(self.coefficient)}{weight}Σ {self.shown_value(1, '')}"
        return f"{self.sums} = {over_rows} over rows of {summed}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.p.size, "total": int(self.total)}

    def differentiable(self) -> tuple[Buffer, ...]:
        return () if self.metric else (self.p,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if not self.metric and d.wants(self.p):
            yield LossAndGradient(self, self.p, self.y, self.weight, self.sums, d.into(self.p))

    def reference(self, xp: Any, p: Array, y: Array, weight: Array | None, step: StepState) -> Array:
        rows = rows_of(self.value(xp, self.targets(xp, y, p), p)).sum(axis=1)
        rows = rows if weight is None else rows * weight[:, 0]
        return rows.sum() * self.coefficient * (step.batch_rows if self.total else 1)

    def stated_with(self, gradient: Mapping[str, Buffer]) -> Stated | None:
        """The value's statement, and those of dp and a if they are among the buffers of a gradient."""
        return None

    @property
    def stated(self) -> Stated | None:
        return self.stated_with({})

    def targets(self, xp: Any, y: Array, p: Array) -> Array:
        """The targets, with label smoothing if the loss has it."""
        return y

    def flops(self, rows: int) -> int:
        return 4 * rows * self.p.size


class LossAndGradient(Instruction):
    """Adds rows·L to `sums` and sets dp = ∂L/∂p, for the loss `of`; a = its activation, if something reads it."""

    of: Loss
    p: Buffer
    y: Buffer
    weight: Buffer | None
    sums: Buffer
    dp: Buffer
    a: Buffer | None = None

    name = "gradient"
    writes = ("dp", "sums", "a")
    shapes = "p: …; dp: …; a: …"

    @property
    def title(self) -> str:
        if self.of.activation is None:
            return f"{self.of.title} + gradient"
        return f"{self.of.activation.name} + {self.of.title.removesuffix(' logits')}"

    @property
    def formula(self) -> str:
        weight = "" if self.weight is None else f"{self.weight}·"
        gradient = f"{self.dp} = {self.of.shown_slope(self.of.coefficient, weight)}"
        activation = "" if self.a is None else f"{self.activated(self.a).formula}, "
        return f"{activation}{self.of.formula}, {gradient}"

    @property
    def fits(self) -> bool:
        return all(getattr(self, name) is getattr(self.of, name) for name in ("p", "y", "weight", "sums"))

    @property
    def stated(self) -> Stated | None:
        return self.of.stated_with({"dp": self.dp} | ({} if self.a is None else {"a": self.a}))

    def activated(self, a: Buffer) -> Elementwise | Softmax:
        """The activation that a loss of logits computes along the way, as an instruction."""
        kind = self.of.activation
        assert kind is not None
        return Elementwise(self.p, a, kind) if isinstance(kind, Equation) else kind(self.p, a)

    @property
    def sizes(self) -> dict[str, int]:
        return self.of.sizes

    @property
    def labels(self) -> tuple[Buffer, int] | None:
        return self.of.labels

    @property
    def constants(self) -> Mapping[str, float | tuple[float, ...]]:
        return self.of.constants

    def reference(
        self, xp: Any, p: Array, y: Array, weight: Array | None, step: StepState
    ) -> tuple[Array, Array, Array | None]:
        slope = self.of.slope(xp, self.of.targets(xp, y, p), p)
        if weight is not None:
            slope = (rows_of(slope) * weight).reshape(slope.shape)
        a = None
        if self.a is not None:
            a = self.activated(self.a).value(xp, p)
        sums = self.of.reference(xp, p, y, weight, step)
        return slope * scale(self.of.total, self.of.coefficient, step), sums, a

    def flops(self, rows: int) -> int:
        return 8 * rows * self.p.size
