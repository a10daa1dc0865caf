"""Optimizers: how the weights follow the gradient downhill. Names, arguments and defaults are Keras's.

An optimizer is an equation over flat vectors: w all parameters, dw their gradients, and its own slots of the same
length, which start at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from thalweg.checks import number
from thalweg.errors import ArgumentError
from thalweg.naming import choose
from thalweg.program import updates
from thalweg.program.instruction import Buffer, Instruction


class Optimizer:
    """Base of all optimizers. `learning_rate` may be changed at any time between batches."""

    slots: ClassVar[tuple[str, ...]] = ()  # names of the vectors it remembers

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.iterations = 0  # steps done
        self.owner: Any = None  # the model whose steps are counted

    @property
    def learning_rate(self) -> float:
        """The size of a step, per unit of gradient."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = self.check("learning_rate", value, 0.0, math.inf)

    def slot_names(self) -> tuple[str, ...]:
        """The slots that these arguments need."""
        return self.slots

    def update(self, w: Buffer, dw: Buffer, slots: list[Buffer]) -> Instruction:
        """The instruction that does one step."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        return {"learning_rate": self.learning_rate}

    def check(self, name: str, value: float, low: float, high: float) -> float:
        """`value` as a float in [low, high)."""
        return number(f"{type(self).__name__}: {name}", value, low, high)


class SGD(Optimizer):
    """Gradient descent: w −= learning_rate·dw.

    With momentum (Polyak 1964): v = momentum·v − learning_rate·dw; w += v. With nesterov (Sutskever et al., ICML 2013):
    w += momentum·v − learning_rate·dw. Keras's form: the learning rate is inside v (in PyTorch it is outside, which
    differs only when the learning rate changes).

    >>> SGD(momentum=0.9).slot_names()
    ('v',)
    """

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(learning_rate)
        self.momentum = self.check("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)
        if self.nesterov and self.momentum == 0:
            raise ArgumentError("SGD: nesterov needs a momentum above 0")

    def slot_names(self) -> tuple[str, ...]:
        return ("v",) if self.momentum else ()

    def update(self, w: Buffer, dw: Buffer, slots: list[Buffer]) -> Instruction:
        if not self.momentum:
            return updates.GradientDescent(w, dw)
        kind = updates.Nesterov if self.nesterov else updates.Momentum
        return kind(w, dw, slots[0], self.momentum)

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Adam (Kingma and Ba, ICLR 2015): a step of about learning_rate for every weight, whatever its gradient's size.

    m = β₁·m + (1 − β₁)·dw; v = β₂·v + (1 − β₂)·dw²; w −= lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√v + ε).
    ε = 1e-7 is added to √v as in Keras (PyTorch: 1e-8, added to the bias-corrected √v̂).
    """

    slots = ("m", "v")

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate)
        self.beta_1 = self.check("beta_1", beta_1, 0.0, 1.0)
        self.beta_2 = self.check("beta_2", beta_2, 0.0, 1.0)
        self.epsilon = self.check("epsilon", epsilon, 0.0, math.inf)

    def update(self, w: Buffer, dw: Buffer, slots: list[Buffer]) -> Instruction:
        return updates.Adam(w, dw, slots[0], slots[1], self.beta_1, self.beta_2, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


CLASSES: dict[str, Callable[..., Optimizer]] = {"SGD": SGD, "Adam": Adam}
NAMES: dict[str, Callable[..., Optimizer]] = {"sgd": SGD, "adam": Adam}


def get(identifier: str | Optimizer | dict[str, Any]) -> Optimizer:
    """An optimizer from its name, from what `serialize` returned, or itself.

    >>> get("adam").get_config()["learning_rate"]
    0.001
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return choose("optimizer", identifier["class_name"], CLASSES)(**identifier["config"])
    return choose("optimizer", identifier, NAMES | CLASSES)()


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal optimizer."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
