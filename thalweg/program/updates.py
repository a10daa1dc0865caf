"""Optimizer steps over the flat vector of all parameters: w the parameters, dw their gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from thalweg.program.instruction import Buffer, Instruction, Values


@dataclass(frozen=True, eq=False)
class GradientDescent(Instruction):
    """w ← w − learning_rate·dw"""

    w: Buffer
    dw: Buffer

    name = "gradient descent"
    writes = ("w",)

    @property
    def formula(self) -> str:
        return f"{self.w} −= learning_rate·{self.dw}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.w.size,)

    def reference(self, m: Values) -> None:
        m[self.w][:] -= m.learning_rate * m[self.dw]

    def flops(self, rows: int) -> int:
        return 2 * self.w.size


@dataclass(frozen=True, eq=False)
class Momentum(Instruction):
    """v ← momentum·v − learning_rate·dw;  w ← w + v"""

    w: Buffer
    dw: Buffer
    v: Buffer
    momentum: float

    name = "momentum"
    writes = ("w", "v")

    @property
    def formula(self) -> str:
        return f"{self.v} = {self.momentum:g}·{self.v} − learning_rate·{self.dw}; {self.w} += {self.v}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.w.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.momentum,)

    def reference(self, m: Values) -> None:
        m[self.v][:] = self.momentum * m[self.v] - m.learning_rate * m[self.dw]
        m[self.w][:] += m[self.v]

    def flops(self, rows: int) -> int:
        return 4 * self.w.size


@dataclass(frozen=True, eq=False)
class Nesterov(Momentum):
    """v ← momentum·v − learning_rate·dw;  w ← w + momentum·v − learning_rate·dw"""

    name = "nesterov"

    @property
    def formula(self) -> str:
        step = f"learning_rate·{self.dw}"
        return f"{self.v} = {self.momentum:g}·{self.v} − {step}; {self.w} += {self.momentum:g}·{self.v} − {step}"

    def reference(self, m: Values) -> None:
        m[self.v][:] = self.momentum * m[self.v] - m.learning_rate * m[self.dw]
        m[self.w][:] += self.momentum * m[self.v] - m.learning_rate * m[self.dw]

    def flops(self, rows: int) -> int:
        return 6 * self.w.size


@dataclass(frozen=True, eq=False)
class Adam(Instruction):
    """m ← β₁·m + (1−β₁)·dw;  v ← β₂·v + (1−β₂)·dw²;  w ← w − η·m/(√v + ε),  η = lr·√(1−β₂ᵗ)/(1−β₁ᵗ)

    Kingma and Ba, ICLR 2015, in the form of their section 2 that Keras uses: ε is added to √v, not to the corrected √v̂.
    """

    w: Buffer
    dw: Buffer
    m: Buffer
    v: Buffer
    beta_1: float
    beta_2: float
    epsilon: float

    name = "adam"
    writes = ("w", "m", "v")

    @property
    def formula(self) -> str:
        m = f"{self.m} += {1 - self.beta_1:g}·({self.dw} − {self.m})"
        v = f"{self.v} += {1 - self.beta_2:g}·({self.dw}² − {self.v})"
        return f"{m}; {v}; {self.w} −= η·{self.m}/(√{self.v} + {self.epsilon:g})"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.w.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.beta_1, self.beta_2, self.epsilon)

    def reference(self, m: Values) -> None:
        t = m.iteration
        rate = m.learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        g = m[self.dw]
        m[self.m][:] += (1 - self.beta_1) * (g - m[self.m])
        m[self.v][:] += (1 - self.beta_2) * (g * g - m[self.v])
        m[self.w][:] -= rate * m[self.m] / (np.sqrt(m[self.v]) + self.epsilon)

    def flops(self, rows: int) -> int:
        return 12 * self.w.size
