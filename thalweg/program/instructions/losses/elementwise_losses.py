"""Elementwise losses: ℓ is the sum of f(y, p) over the outputs of a row, with f an equation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import PRODUCT, assigned, evaluate, shown, within
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.ir.instruction import Array, Buffer, Stated


class ElementwiseLoss(Loss, kw_only=True):
    """ℓ = coefficient·Σ f(y, ŷ; arguments)

    If the equation includes an activation (`activation`), ŷ stands for the pre-activations.
    """

    equation: Equation
    arguments: tuple[float, ...] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.equation.name

    @property
    def activation(self) -> Equation | None:  # type: ignore[override]
        return self.equation.activation

    @property
    def numbers(self) -> dict[str, float]:
        """The arguments by name."""
        return dict(zip(self.equation.arguments, self.arguments, strict=True))

    @property
    def constants(self) -> dict[str, float]:
        return {"coefficient": self.coefficient} | {f"k{n}": float(k) for n, k in enumerate(self.arguments, start=1)}

    def shown(self, text: str, outer: str = "{}", factor: float = 1.0) -> str:
        """A formula as printed, with a note on operands that have no effect."""
        names = {"y": str(self.y), "p": str(self.p), "weight": str(self.weight)}
        line = shown(within(outer, text), names, self.numbers | {"factor": factor}, PRODUCT)
        unused = [b.name for b in (self.y, self.p) if b.name not in line]
        return line + (f"  (for all {', '.join(unused)})" if unused else "")

    def shown_value(self, factor: float, weight: str) -> str:
        return self.shown(self.equation.value, f"factor * {'weight * ' * bool(weight)}{{}}", factor)

    def shown_slope(self, factor: float, weight: str) -> str:
        outer = f"factor * {'weight * ' * bool(weight)}{{}}{'' if self.total else ' / rows'}"
        return self.shown(self.equation.slope, outer, factor)

    def stated_with(self, gradient: Mapping[str, Buffer]) -> Stated:
        outer = "coefficient * " + "weight * " * (self.weight is not None) + "{}"
        total = outer + " * batch_rows" * self.total
        lines = [assigned("sums", within(total, self.equation.value))]
        if "dp" in gradient:
            mean = outer + " / batch_rows" * (not self.total)
            lines.append(assigned("dp", within(mean, self.equation.slope)))
        if "a" in gradient:
            assert self.activation is not None
            lines.append(f"h = p\n{assigned('a', self.activation.value)}")
        optional = {} if self.weight is None else {"weight": self.weight}
        values = {"p": self.p, "y": self.y, **optional, "sums": self.sums, **gradient}
        return Stated("\n".join(lines), values, {"coefficient": self.coefficient, **self.numbers})

    def value(self, xp: Any, y: Array, p: Array) -> Array:
        result: Array = evaluate(self.equation.value, {"y": y, "p": p, **self.numbers}, xp) + 0 * p
        return result

    def slope(self, xp: Any, y: Array, p: Array) -> Array:
        result: Array = evaluate(self.equation.slope, {"y": y, "p": p, **self.numbers}, xp) + 0 * p
        return result
