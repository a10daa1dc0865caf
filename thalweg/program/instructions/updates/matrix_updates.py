"""Optimizer steps that need more of a parameter than one element: its norm, rows and columns, or singular vectors.

Each works on one whole array.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from thalweg.program.instructions.updates.updates import Stretch
from thalweg.program.ir.instruction import Array, Buffer, StepState, front_replaced, number


class WholeUpdate(Stretch):
    """Base of these, with a factor that multiplies the learning rate."""

    w: Buffer
    dw: Buffer
    factor: float = field(default=1.0, kw_only=True)

    due = True
    cost: ClassVar[int]  # operations for each weight

    @property
    def rate(self) -> str:
        """The learning rate as printed."""
        return "learning_rate" if self.factor == 1 else f"{self.factor:g}·learning_rate"

    def learning_rate(self, step: StepState) -> float:
        return step.learning_rate * self.factor

    def flops(self, rows: int) -> int:
        return self.cost * self.w.size


class Lamb(WholeUpdate):
    """m, v as in Adam;  u = m/(1−β₁ᵗ)/(√(v/(1−β₂ᵗ)) + ε);  w ← w − learning_rate·‖w‖/‖u‖·u

    You et al., ICLR 2020; if one of the norms is 0, their ratio is 1.
    """

    m: Buffer
    v: Buffer
    beta_1: float
    beta_2: float
    epsilon: float

    name = "lamb"
    writes = ("w", "m", "v")
    cost = 20
    shapes = "w: …; dw: …; m: …; v: …"

    @property
    def formula(self) -> str:
        u = f"u = {self.m}/(1 − {self.beta_1:g}ᵗ)/(√({self.v}/(1 − {self.beta_2:g}ᵗ)) + {self.epsilon:g})"
        step = f"{self.w} −= {self.rate}·‖{self.w}‖/‖u‖·u"
        m = f"{self.m} += {1 - self.beta_1:g}·({self.dw} − {self.m})"
        v = f"{self.v} += {1 - self.beta_2:g}·({self.dw}² − {self.v})"
        return f"{m}; {v}; {u}; {step}"

    def reference(self, xp: Any, w: Array, dw: Array, m: Array, v: Array, step: StepState) -> tuple[Array, ...]:
        of_m, of_v = (number(xp, 1 - beta**step.update, w) for beta in (self.beta_1, self.beta_2))
        m = m + (1 - self.beta_1) * (dw - m)
        v = v + (1 - self.beta_2) * (dw * dw - v)
        u = m / of_m / (xp.sqrt(v / of_v) + self.epsilon)
        of_w, of_u = (xp.sqrt((x.astype(np.float64) ** 2).sum()) for x in (w, u))  # small squares would underflow
        ratio = xp.where((of_w != 0) & (of_u != 0), of_w / of_u, 1)
        return w - self.learning_rate(step) * ratio * u, m, v


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
    shapes = "w: …; dw: …"

    @property
    def formula(self) -> str:
        square, new = f"({self.dw}² + {self.epsilon_1:g})", f"t^{self.decay:g}"
        r = f"{self.r} += {new}·(mean {square} − {self.r})"
        c = f"{self.c} += {new}·(mean {square} − {self.c})"
        u = f"u = {self.dw}/√({self.r}·{self.c}/mean {self.r})"
        step = f"max({self.epsilon_2:g}, rms {self.w})·min({self.rate}, 1/√t)·u/max(1, rms(u)/{self.limit:g})"
        return f"{r}; {c}; {u}; {self.w} −= {step}"

    def reference(self, xp: Any, w: Array, dw: Array, r: Array, c: Array, step: StepState) -> tuple[Array, ...]:
        new = step.update**self.decay
        old, new = number(xp, 1 - new, w), number(xp, new, w)
        square = dw * dw + self.epsilon_1
        if self.columns:
            square = square.reshape(self.matrices, self.rows, self.columns)
            kept = square.shape[:2], (self.matrices, self.columns)  # at the front of r and of c
            of_rows, of_columns = (x.ravel()[: math.prod(k)].reshape(k) for x, k in zip((r, c), kept, strict=True))
            of_rows = old * of_rows + new * square.mean(axis=2)
            of_columns = old * of_columns + new * square.mean(axis=1)
            share = of_rows / of_rows.mean(axis=1, keepdims=True)
            v = (share[:, :, None] * of_columns[:, None]).reshape(dw.shape)
            r, c = front_replaced(xp, r, of_rows), front_replaced(xp, c, of_columns)
        else:
            v = r = old * r + new * square
        u = dw / xp.sqrt(v)
        most = xp.minimum(self.learning_rate(step), 1 / xp.sqrt(step.update))
        rate = xp.maximum(self.epsilon_2, rms(xp, w)) * number(xp, most, w)
        return w - rate * u / xp.maximum(1.0, rms(xp, u) / self.limit), r, c


def rms(xp: Any, x: Array) -> Array:
    return xp.sqrt((x * x).mean())


class Muon(WholeUpdate):
    """m ← momentum·m + dw;  g = dw + momentum·m (Nesterov) or m;  w ← w − learning_rate·scale·orthogonal(g)

    orthogonal(g) is nearly U·Vᵀ of g's singular value decomposition: `steps` iterations X ← a·X + (b·A + c·A²)·X with
    A = X·Xᵀ, from X = g/(‖g‖ + 1e-7), with the shorter side as rows (Jordan, Muon, 2024).
    """

    m: Buffer
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
    writes: ClassVar[tuple[str, ...]] = ("w", "m")
    shapes = "w: …; dw: …; m: …"

    @property
    def formula(self) -> str:
        g = f"{self.dw} + {self.momentum:g}·{self.m}" if self.nesterov else f"{self.m}"
        step = f"{self.w} −= {self.scale_of_step:g}·{self.rate}·orthogonal({g})"
        return f"{self.m} = {self.momentum:g}·{self.m} + {self.dw}; {step}"

    def reference(self, xp: Any, w: Array, dw: Array, m: Array, step: StepState) -> tuple[Array, Array]:
        m = self.momentum * m + dw
        g = dw + self.momentum * m if self.nesterov else m
        x = g.reshape(self.rows, self.columns)
        x = x.T if self.rows > self.columns else x
        x = x / (xp.sqrt((x * x).sum()) + 1e-7)
        for _ in range(self.steps):
            gram = x @ x.T
            x = self.a * x + (self.b * gram + self.c * gram @ gram) @ x
        x = x.T if self.rows > self.columns else x
        return w - number(xp, self.learning_rate(step) * self.scale_of_step, w) * x.reshape(g.shape), m

    def flops(self, rows: int) -> int:
        short, long = sorted((self.rows, self.columns))
        return self.steps * (4 * short * short * long + 2 * short**3) + 10 * self.w.size
