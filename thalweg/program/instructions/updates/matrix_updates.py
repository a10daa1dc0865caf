"""Optimizer steps that need more of a parameter than the element: its norm, its rows and columns, its singular vectors.

Each works on one whole array, on one lane: the arrays are dealt to the lanes by their size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Array, Buffer, Values


@dataclass(frozen=True, eq=False)
class WholeUpdate(Stretch):
    """Base of these, with a factor by which the learning rate is multiplied.

    `turn` is the place of the parameter among all of them, the largest first.
    """

    w: Buffer
    dw: Buffer
    factor: float = field(default=1.0, kw_only=True)
    turn: int = field(default=0, kw_only=True)

    chunked = False
    due = True
    cost: ClassVar[int]  # operations for each weight

    @property
    def rate(self) -> str:
        """The learning rate as printed."""
        return "learning_rate" if self.factor == 1 else f"{self.factor:g}·learning_rate"

    def learning_rate(self, m: Values) -> float:
        return m.learning_rate * self.factor

    def flops(self, rows: int) -> int:
        return self.cost * self.w.size


@dataclass(frozen=True, eq=False)
class Lamb(WholeUpdate):
    """m, v as in Adam;  u = m/(1−β₁ᵗ)/(√(v/(1−β₂ᵗ)) + ε);  w ← w − learning_rate·‖w‖/‖u‖·u

    You et al., ICLR 2020; where one of the norms is 0 their ratio is 1.
    """

    m: Buffer
    v: Buffer
    beta_1: float
    beta_2: float
    epsilon: float

    name = "lamb"
    writes = ("w", "m", "v")
    cost = 20

    @property
    def formula(self) -> str:
        u = f"u = {self.m}/(1 − {self.beta_1:g}ᵗ)/(√({self.v}/(1 − {self.beta_2:g}ᵗ)) + {self.epsilon:g})"
        step = f"{self.w} −= {self.rate}·‖{self.w}‖/‖u‖·u"
        m = f"{self.m} += {1 - self.beta_1:g}·({self.dw} − {self.m})"
        v = f"{self.v} += {1 - self.beta_2:g}·({self.dw}² − {self.v})"
        return f"{m}; {v}; {u}; {step}"

    def reference(self, m: Values) -> None:
        w, g, t = m[self.w], m[self.dw], m.update
        m[self.m][:] += (1 - self.beta_1) * (g - m[self.m])
        m[self.v][:] += (1 - self.beta_2) * (g * g - m[self.v])
        u = m[self.m] / (1 - self.beta_1**t) / (np.sqrt(m[self.v] / (1 - self.beta_2**t)) + self.epsilon)
        norms = [math.sqrt((x.astype(np.float64) ** 2).sum()) for x in (w, u)]  # the squares of small ones underflow
        w[:] -= self.learning_rate(m) * (norms[0] / norms[1] if all(norms) else 1.0) * u


@dataclass(frozen=True, eq=False)
class Adafactor(WholeUpdate):
    """r, c ← moving means of dw² + ε₁ over columns and over rows;  u = dw/√(r·c/mean r);  ũ = u/max(1, rms(u)/limit)

    w ← w − max(ε₂, rms(w))·min(learning_rate, 1/√t)·ũ, with β₂ = 1 − t^decay (Shazeer and Stern, ICML 2018). An array
    of more than two axes is a stack of matrices; one of a single axis (columns = 0) keeps every dw² in r.
    """

    r: Buffer
    c: Buffer
    matrices: int
    rows: int
    columns: int
    decay: float
    epsilon_1: float
    epsilon_2: float
    limit: float

    name = "adafactor"
    writes = ("w", "r", "c")
    cost = 14

    @property
    def formula(self) -> str:
        square, new = f"({self.dw}² + {self.epsilon_1:g})", f"t^{self.decay:g}"
        r = f"{self.r} += {new}·(mean {square} − {self.r})"
        c = f"{self.c} += {new}·(mean {square} − {self.c})"
        u = f"u = {self.dw}/√({self.r}·{self.c}/mean {self.r})"
        step = f"max({self.epsilon_2:g}, rms {self.w})·min({self.rate}, 1/√t)·u/max(1, rms(u)/{self.limit:g})"
        return f"{r}; {c}; {u}; {self.w} −= {step}"

    def reference(self, m: Values) -> None:
        w, g, t = m[self.w], m[self.dw], m.update
        new = t**self.decay
        square = g * g + self.epsilon_1
        if self.columns:
            square = square.reshape(self.matrices, self.rows, self.columns)
            r = m[self.r].ravel()[: self.matrices * self.rows].reshape(self.matrices, self.rows, 1)
            c = m[self.c].ravel()[: self.matrices * self.columns].reshape(self.matrices, 1, self.columns)
            r[:] = (1 - new) * r + new * square.mean(axis=2, keepdims=True)
            c[:] = (1 - new) * c + new * square.mean(axis=1, keepdims=True)
            v = (r / r.mean(axis=1, keepdims=True) * c).reshape(g.shape)
        else:
            m[self.r][:] = (1 - new) * m[self.r] + new * square
            v = m[self.r]
        u = g / np.sqrt(v)
        rate = max(self.epsilon_2, rms(w)) * min(self.learning_rate(m), 1 / math.sqrt(t))
        w[:] -= rate * u / max(1.0, rms(u) / self.limit)


def rms(x: Array) -> float:
    return math.sqrt(float((x * x).mean()))


@dataclass(frozen=True, eq=False)
class Muon(WholeUpdate):
    """m ← momentum·m + dw;  g = dw + momentum·m (Nesterov) or m;  w ← w − learning_rate·scale·orthogonal(g)

    orthogonal(g) is nearly U·Vᵀ of the singular value decomposition of g: `steps` times X ← a·X + (b·A + c·A²)·X with
    A = X·Xᵀ, from X = g/(‖g‖ + 1e-7), with the shorter side as rows (Jordan, Muon, 2024).
    """

    m: Buffer
    scratch: Buffer
    rows: int
    columns: int
    steps: int
    nesterov: bool
    momentum: float
    a: float
    b: float
    c: float
    scale_of_step: float

    name = "muon"
    writes = ("w", "m", "scratch")

    @property
    def formula(self) -> str:
        g = f"{self.dw} + {self.momentum:g}·{self.m}" if self.nesterov else f"{self.m}"
        step = f"{self.w} −= {self.scale_of_step:g}·{self.rate}·orthogonal({g})"
        return f"{self.m} = {self.momentum:g}·{self.m} + {self.dw}; {step} in {self.scratch}"

    def reference(self, m: Values) -> None:
        m[self.m][:] = self.momentum * m[self.m] + m[self.dw]
        g = m[self.dw] + self.momentum * m[self.m] if self.nesterov else m[self.m]
        x = g.reshape(self.rows, self.columns)
        x = x.T if self.rows > self.columns else x
        x = x / (math.sqrt(float((x * x).sum())) + 1e-7)
        for _ in range(self.steps):
            gram = x @ x.T
            x = self.a * x + (self.b * gram + self.c * gram @ gram) @ x
        x = x.T if self.rows > self.columns else x
        m[self.w][:] -= self.learning_rate(m) * self.scale_of_step * x.reshape(g.shape)

    def flops(self, rows: int) -> int:
        short, long = sorted((self.rows, self.columns))
        return self.steps * (4 * short * short * long + 2 * short**3) + 10 * self.w.size


def scratch_size(rows: int, columns: int) -> int:
    """Elements that the orthogonalisation needs beside the arrays: X twice, Xᵀ, A and A²."""
    short = min(rows, columns)
    return 3 * rows * columns + 2 * short * short
