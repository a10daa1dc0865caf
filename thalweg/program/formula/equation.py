"""An equation: a function of single numbers and its derivative, each stated once, as a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Equation:
    """An activation a = f(h), or the loss ℓ(y, p) of one output, and its derivative by h or p.

    The texts are in the language of formulas, of these variables and the equation's arguments. The slope of an
    activation is one of h, or of a alone: then h need not be kept, and a may overwrite it.
    """

    name: str  # as printed
    value: str
    slope: str
    arguments: Mapping[str, float | None] = field(default_factory=dict)  # → its default; None: it has to be given
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of arguments: from, up to
    cost: int = 1  # floating-point operations an element, roughly
    by_parameter: tuple[str, ...] = ()  # the derivatives by the trainable parameters p0, p1, …
    activation: Equation | None = None  # of a loss of logits: the activation that it computes on its way

    @property
    def kernel(self) -> str:
        """The name that kernels begin with."""
        return self.name.replace(" ", "_")
