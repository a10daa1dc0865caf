"""An equation: a function of single numbers and its derivative, each stated once, as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Equation:
    """An activation a = f(h), or the loss ℓ(y, p) of one output, and its derivative with respect to h or p.

    The texts are in the language of formulas; they use these variables and the equation's arguments. The slope of an
    activation is a formula in h, or in a alone: then h need not be kept, and a may overwrite it. Without a slope, the
    derivative is 0 everywhere, and nothing flows back.
    """

    name: str  # as printed
    value: str
    slope: str = ""
    arguments: Mapping[str, float | None] = field(default_factory=dict)  # name → default; None: required
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # argument → (smallest, largest)
    cost: int = 1  # floating-point operations per element, roughly
    by_parameter: tuple[str, ...] = ()  # the derivatives with respect to the trainable parameters p0, p1, …
    activation: Equation | None = None  # for a loss of logits: the activation that it computes along the way

    def __hash__(self) -> int:
        return hash(self.name)
