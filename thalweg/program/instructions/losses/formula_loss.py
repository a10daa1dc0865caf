"""A loss given as a formula of y_true and y_pred, summed over the outputs of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.program.formula.parsing import VALUE, Formula
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.ir.instruction import Array


@dataclass(frozen=True, eq=False)
class FormulaLoss(Loss):
    """ℓ = coefficient·Σ f(y, ŷ)"""

    of: Formula | None = None

    name = "formula loss"

    @property
    def function(self) -> Formula:
        assert self.of is not None
        return self.of

    @classmethod
    def options(cls) -> list[str]:
        return []  # the formula's numbers are part of its kernel

    @property
    def formula_text(self) -> str:  # type: ignore[override]
        return f"({self.function.shown(y_true=self.y.name, y_pred=self.p.name)})" + self.unused(self.function.shown)

    @property
    def slope_text(self) -> str:  # type: ignore[override]
        def shown(**names: str) -> str:
            return self.function.shown_slope("y_pred", **names)

        return f"({shown(y_true=self.y.name, y_pred=self.p.name)})" + self.unused(shown)

    def unused(self, shown: Any) -> str:
        """Operands that the formula doesn't need."""
        text = shown(y_true=self.y.name, y_pred=self.p.name)
        names = [b.name for b in (self.y, self.p) if b.name not in text]
        return f" for {', '.join(names)}" if names else ""

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        return self.function.value(y_true=y, y_pred=p) + 0 * p

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        a = self.function.value(y_true=y, y_pred=p)
        return self.function.slope("y_pred", y_true=y, y_pred=p, **{VALUE: a}) + 0 * p
