"""Penalties on weights, added to the loss. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from thalweg.checks import number
from thalweg.naming import choose


@dataclass(frozen=True)
class Regularizer:
    """Base of all regularizers: every one is l1·Σ|W| + l2·ΣW² with its own two factors."""

    # For the reference pages.
    formula: ClassVar[str]
    use: ClassVar[str]
    avoid: ClassVar[str]
    paper: ClassVar[str]
    title_zh: ClassVar[str]
    summary_zh: ClassVar[str]

    def factors(self) -> tuple[float, float]:
        """(l1, l2)"""
        raise NotImplementedError

    def __post_init__(self) -> None:
        for factor in self.factors():
            number(f"{type(self).__name__}'s factor", factor)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal regularizer."""
        return asdict(self)


@dataclass(frozen=True)
class L1(Regularizer):
    """l1·Σ|W|: pulls weights to exactly 0.

    >>> L1(0.1).factors()
    (0.1, 0.0)
    """

    l1: float = 0.01

    formula = "l1·Σ|W|"
    use = "To find out which inputs matter: weights that don't help become exactly 0."
    avoid = "Correlated inputs: it keeps one of them, by chance."
    paper = "Tibshirani, JRSS B 1996"
    title_zh = "L1 正則化"
    summary_zh = "懲罰權重的絕對值，讓不重要的權重變成 0。"

    def factors(self) -> tuple[float, float]:
        return self.l1, 0.0


@dataclass(frozen=True)
class L2(Regularizer):
    """l2·ΣW²: keeps weights small."""

    l2: float = 0.01

    formula = "l2·ΣW²"
    use = "Against overfitting: the usual choice."
    avoid = "With Adam, where weight decay (AdamW) does what is meant; on biases and scales."
    paper = "Krogh and Hertz, NIPS 1991"
    title_zh = "L2 正則化"
    summary_zh = "懲罰權重的平方，讓權重保持小。"

    def factors(self) -> tuple[float, float]:
        return 0.0, self.l2


@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1·Σ|W| + l2·ΣW²"""

    l1: float = 0.0
    l2: float = 0.0

    formula = "l1·Σ|W| + l2·ΣW²"
    use = "Few weights and small ones, where inputs are correlated."
    avoid = "Where one of the two does: there are two factors to tune."
    paper = "Zou and Hastie, JRSS B 2005"
    title_zh = "L1 與 L2 正則化"
    summary_zh = "同時懲罰絕對值與平方。"

    def factors(self) -> tuple[float, float]:
        return self.l1, self.l2


CLASSES: dict[str, type[Regularizer]] = {"L1": L1, "L2": L2, "L1L2": L1L2}
NAMES: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}


def get(identifier: str | Regularizer | dict[str, Any] | None) -> Regularizer | None:
    """A regularizer from its name, from what `serialize` returned, or itself; None stays None.

    >>> get("l2")
    L2(l2=0.01)
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, dict):
        return choose("regularizer", identifier["class_name"], CLASSES)(**identifier["config"])
    return choose("regularizer", identifier, NAMES | CLASSES)()


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """A plain description that `get` turns back into an equal regularizer."""
    if regularizer is None:
        return None
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}
