"""Gradient descent, with momentum, and by the sign alone."""

from __future__ import annotations

from typing import Unpack

from thalweg.errors import ArgumentError
from thalweg.optimizers.optimizer import Common, Optimizer, Rate, printed

__all__ = ["SGD", "Lion"]


class SGD(Optimizer):
    """Gradient descent: w −= learning_rate·dw.

    With momentum (Polyak 1964): v = momentum·v − learning_rate·dw; w += v. With nesterov (Sutskever et al., ICML 2013):
    w += momentum·v − learning_rate·dw; without momentum it changes nothing. Keras's form: the learning rate is inside v
    (in PyTorch it is outside, which differs only when the learning rate changes).

    >>> SGD(momentum=0.9).slot_names()
    ('v',)
    """

    arguments = ("momentum", "nesterov")
    equation = "w -= learning_rate * dw"
    with_momentum = """
v = momentum * v - learning_rate * dw
w += v"""
    with_nesterov = """
v = momentum * v - learning_rate * dw
w += momentum * v - learning_rate * dw"""
    formula = printed("{}; with momentum {}", "equation", "with_momentum")
    use = "the baseline; with momentum 0.9 and a schedule still the best for many convolutional networks"
    avoid = "inputs or layers of very different scales, unless the rate can be tuned"
    paper = "Robbins and Monro, 1951; Polyak, 1964; Sutskever et al., ICML 2013"

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False, **common: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **common)
        self.momentum = self.check("momentum", momentum, 0.0, 1.0)
        self.nesterov = bool(nesterov)

    def own_slots(self) -> tuple[str, ...]:
        return ("v",) if self.momentum else ()

    def step(self) -> tuple[str, str]:
        if self.nesterov and self.momentum:
            return "nesterov", self.with_nesterov
        return ("momentum", self.with_momentum) if self.momentum else ("gradient descent", self.equation)


class Lion(Optimizer):
    """Lion (Chen et al., NeurIPS 2023): w −= learning_rate·sign(β₁·m + (1 − β₁)·dw); m = β₂·m + (1 − β₂)·dw.

    Every weight moves by the learning rate, up or down. Take a rate 3 to 10 times smaller than Adam's, and a
    weight decay that many times larger. The defaults are Keras's and the paper's.
    """

    slots = ("m",)
    arguments = ("beta_1", "beta_2")
    equation = """
w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * dw)
m += (1 - beta_2) * (dw - m)"""
    use = "large batches, with weight decay; half the memory of Adam"
    avoid = "small batches, whose noise decides the sign"
    paper = "Chen et al., NeurIPS 2023"

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **common: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = self.check("beta_1", beta_1, 0.0, 1.0)
        self.beta_2 = self.check("beta_2", beta_2, 0.0, 1.0)
        if self.beta_1 == 0:
            raise ArgumentError("Lion: beta_1 has to be above 0")
