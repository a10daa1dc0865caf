"""Optimizer steps over stretches of the flat vectors: w the parameters, dw their gradients, the rest the slots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from thalweg.program.instructions.updates.gradients import Stretch
from thalweg.program.ir.instruction import Array, Buffer, StepState


@dataclass(frozen=True, eq=False)
class Update(Stretch):
    """Base of all steps, with a factor by which the learning rate is multiplied."""

    w: Buffer
    dw: Buffer
    factor: float = field(default=1.0, kw_only=True)

    due = True
    cost: ClassVar[int]  # operations for each weight

    @property
    def rate(self) -> str:
        """The learning rate as printed."""
        return f"{self.scale}learning_rate"

    @property
    def scale(self) -> str:
        return "" if self.factor == 1 else f"{self.factor:g}·"

    def learning_rate(self, step: StepState) -> float:
        return step.learning_rate * self.factor

    def flops(self, rows: int) -> int:
        return self.cost * self.w.size


@dataclass(frozen=True, eq=False)
class GradientDescent(Update):
    """w ← w − learning_rate·dw"""

    name = "gradient descent"
    writes = ("w",)
    cost = 2

    @property
    def formula(self) -> str:
        return f"{self.w} −= {self.rate}·{self.dw}"

    def reference(self, xp: Any, w: Array, dw: Array, step: StepState) -> Array:
        return w - self.learning_rate(step) * dw


@dataclass(frozen=True, eq=False)
class Momentum(Update):
    """v ← momentum·v − learning_rate·dw;  w ← w + v"""

    v: Buffer
    momentum: float

    name = "momentum"
    writes = ("w", "v")
    cost = 4

    @property
    def formula(self) -> str:
        return f"{self.v} = {self.momentum:g}·{self.v} − {self.rate}·{self.dw}; {self.w} += {self.v}"

    def reference(self, xp: Any, w: Array, dw: Array, v: Array, step: StepState) -> tuple[Array, Array]:
        v = self.momentum * v - self.learning_rate(step) * dw
        return w + v, v


@dataclass(frozen=True, eq=False)
class Nesterov(Momentum):
    """v ← momentum·v − learning_rate·dw;  w ← w + momentum·v − learning_rate·dw"""

    name = "nesterov"
    cost = 6

    @property
    def formula(self) -> str:
        step = f"{self.rate}·{self.dw}"
        return f"{self.v} = {self.momentum:g}·{self.v} − {step}; {self.w} += {self.momentum:g}·{self.v} − {step}"

    def reference(self, xp: Any, w: Array, dw: Array, v: Array, step: StepState) -> tuple[Array, Array]:
        move = self.learning_rate(step) * dw
        v = self.momentum * v - move
        return w + (self.momentum * v - move), v


@dataclass(frozen=True, eq=False)
class RmsProp(Update):
    """v ← ρ·v + (1−ρ)·dw²;  step = learning_rate·dw/√(v + ε);  w ← w − step

    Centered: a ← ρ·a + (1−ρ)·dw and √(v − a² + ε). With momentum: p ← momentum·p + step; w ← w − p.
    """

    v: Buffer
    a: Buffer | None
    p: Buffer | None
    rho: float
    momentum: float
    epsilon: float

    name = "rmsprop"
    writes = ("w", "v", "a", "p")
    cost = 10

    @property
    def formula(self) -> str:
        new = 1 - self.rho
        parts = [f"{self.v} += {new:g}·({self.dw}² − {self.v})"]
        spread = f"{self.v}"
        if self.a is not None:
            parts.append(f"{self.a} += {new:g}·({self.dw} − {self.a})")
            spread += f" − {self.a}²"
        step = f"{self.rate}·{self.dw}/√({spread} + {self.epsilon:g})"
        if self.p is not None:
            parts.append(f"{self.p} = {self.momentum:g}·{self.p} + {step}")
            step = f"{self.p}"
        return "; ".join([*parts, f"{self.w} −= {step}"])

    def reference(
        self, xp: Any, w: Array, dw: Array, v: Array, a: Array | None, p: Array | None, step: StepState
    ) -> tuple[Array | None, ...]:
        v = v + (1 - self.rho) * (dw * dw - v)
        spread = v + self.epsilon
        if a is not None:
            a = a + (1 - self.rho) * (dw - a)
            spread = v - a**2 + self.epsilon
        move = self.learning_rate(step) * dw / xp.sqrt(spread)
        if p is not None:
            p = move = self.momentum * p + move
        return w - move, v, a, p


@dataclass(frozen=True, eq=False)
class Adam(Update):
    """m ← β₁·m + (1−β₁)·dw;  v ← β₂·v + (1−β₂)·dw²;  w ← w − η·m/(√v + ε),  η = lr·√(1−β₂ᵗ)/(1−β₁ᵗ)

    Kingma and Ba, ICLR 2015, in the form of their section 2 that Keras uses: ε is added to √v, not to the corrected √v̂.
    With `top` (AMSGrad, Reddi et al., ICLR 2018): top ← max(top, v) stands for v in the last formula.
    """

    m: Buffer
    v: Buffer
    top: Buffer | None
    beta_1: float
    beta_2: float
    epsilon: float

    name = "adam"
    writes = ("w", "m", "v", "top")
    cost = 12

    @property
    def formula(self) -> str:
        parts = [moments(self.m, self.v, self.dw, self.beta_1, self.beta_2)]
        v = self.v
        if self.top is not None:
            parts.append(f"{self.top} = max({self.top}, {self.v})")
            v = self.top
        return "; ".join([*parts, f"{self.w} −= {self.scale}η·{self.m}/(√{v} + {self.epsilon:g})"])

    def reference(
        self, xp: Any, w: Array, dw: Array, m: Array, v: Array, top: Array | None, step: StepState
    ) -> tuple[Array | None, ...]:
        t = step.update
        rate = self.learning_rate(step) * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m, v = moved(m, v, dw, self.beta_1, self.beta_2)
        top = None if top is None else xp.maximum(top, v)
        return w - rate * m / (xp.sqrt(v if top is None else top) + self.epsilon), m, v, top


def moments(m: Buffer, v: Buffer, dw: Buffer, beta_1: float, beta_2: float) -> str:
    """The formula of the two moving means."""
    return f"{m} += {1 - beta_1:g}·({dw} − {m}); {v} += {1 - beta_2:g}·({dw}² − {v})"


def moved(m: Array, v: Array, g: Array, beta_1: float, beta_2: float) -> tuple[Array, Array]:
    """The two moving means, of the gradient and of its square."""
    return m + (1 - beta_1) * (g - m), v + (1 - beta_2) * (g * g - v)


NADAM_STEPS = 500  # from here on the schedule of the momentum has become constant, to one part in 10⁹


def nadam_product(t: int) -> float:
    """Π 1 − ½·0.96ⁱ for i ≤ t: with β₁ᵗ, the weight that the start still has in m after t steps."""
    return math.prod(1 - 0.5 * 0.96**i for i in range(1, min(t, NADAM_STEPS) + 1))


@dataclass(frozen=True, eq=False)
class Nadam(Update):
    """m, v as in Adam;  w ← w − learning_rate·m̂/(√(v/(1−β₂ᵗ)) + ε),  m̂ = uₜ₊₁·m/(1 − Uₜ₊₁) + (1−uₜ)·dw/(1 − Uₜ)

    uₜ = β₁·(1 − ½·0.96ᵗ) and Uₜ is their product (Dozat, ICLR workshop 2016): Adam with Nesterov's look ahead.
    """

    m: Buffer
    v: Buffer
    beta_1: float
    beta_2: float
    epsilon: float
    limit: float = nadam_product(NADAM_STEPS)

    name = "nadam"
    writes = ("w", "m", "v")
    cost = 16

    @property
    def formula(self) -> str:
        step = f"{self.w} −= {self.rate}·(c₁·{self.m} + c₂·{self.dw})/(√({self.v}/c₃) + {self.epsilon:g})"
        return f"{moments(self.m, self.v, self.dw, self.beta_1, self.beta_2)}; {step}"

    def reference(self, xp: Any, w: Array, dw: Array, m: Array, v: Array, step: StepState) -> tuple[Array, ...]:
        t, beta = step.update, self.beta_1
        u, after = (beta * (1 - 0.5 * 0.96**i) for i in (t, t + 1))
        product = beta**t * nadam_product(t)
        m, v = moved(m, v, dw, beta, self.beta_2)
        ahead = after * m / (1 - product * after) + (1 - u) * dw / (1 - product)
        root = xp.sqrt(v / (1 - self.beta_2**t)) + self.epsilon
        return w - self.learning_rate(step) * ahead / root, m, v


@dataclass(frozen=True, eq=False)
class Adamax(Update):
    """m ← β₁·m + (1−β₁)·dw;  u ← max(β₂·u, |dw|);  w ← w − learning_rate/(1−β₁ᵗ)·m/(u + ε)

    Kingma and Ba, ICLR 2015, section 7.
    """

    m: Buffer
    u: Buffer
    beta_1: float
    beta_2: float
    epsilon: float

    name = "adamax"
    writes = ("w", "m", "u")
    cost = 10

    @property
    def formula(self) -> str:
        m = f"{self.m} += {1 - self.beta_1:g}·({self.dw} − {self.m})"
        u = f"{self.u} = max({self.beta_2:g}·{self.u}, |{self.dw}|)"
        return f"{m}; {u}; {self.w} −= {self.rate}/(1 − {self.beta_1:g}ᵗ)·{self.m}/({self.u} + {self.epsilon:g})"

    def reference(self, xp: Any, w: Array, dw: Array, m: Array, u: Array, step: StepState) -> tuple[Array, ...]:
        rate = self.learning_rate(step) / (1 - self.beta_1**step.update)
        m = m + (1 - self.beta_1) * (dw - m)
        u = xp.maximum(self.beta_2 * u, xp.abs(dw))
        return w - rate * m / (u + self.epsilon), m, u


@dataclass(frozen=True, eq=False)
class Adagrad(Update):
    """a ← a + dw²;  w ← w − learning_rate·dw/√(a + ε)      Duchi, Hazan and Singer, JMLR 2011"""

    a: Buffer
    epsilon: float

    name = "adagrad"
    writes = ("w", "a")
    cost = 7

    @property
    def formula(self) -> str:
        return f"{self.a} += {self.dw}²; {self.w} −= {self.rate}·{self.dw}/√({self.a} + {self.epsilon:g})"

    def reference(self, xp: Any, w: Array, dw: Array, a: Array, step: StepState) -> tuple[Array, Array]:
        a = a + dw**2
        return w - self.learning_rate(step) * dw / xp.sqrt(a + self.epsilon), a


@dataclass(frozen=True, eq=False)
class Adadelta(Update):
    """a ← ρ·a + (1−ρ)·dw²;  step = √(d + ε)/√(a + ε)·dw;  d ← ρ·d + (1−ρ)·step²;  w ← w − learning_rate·step

    Zeiler, arXiv 1212.5701.
    """

    a: Buffer
    d: Buffer
    rho: float
    epsilon: float

    name = "adadelta"
    writes = ("w", "a", "d")
    cost = 14

    @property
    def formula(self) -> str:
        new, e = f"{1 - self.rho:g}", f"{self.epsilon:g}"
        step = f"step = √({self.d} + {e})/√({self.a} + {e})·{self.dw}"
        means = f"{self.a} += {new}·({self.dw}² − {self.a}); {step}; {self.d} += {new}·(step² − {self.d})"
        return f"{means}; {self.w} −= {self.rate}·step"

    def reference(self, xp: Any, w: Array, dw: Array, a: Array, d: Array, step: StepState) -> tuple[Array, ...]:
        a = a + (1 - self.rho) * (dw**2 - a)
        move = xp.sqrt(d + self.epsilon) / xp.sqrt(a + self.epsilon) * dw
        d = d + (1 - self.rho) * (move * move - d)
        return w - self.learning_rate(step) * move, a, d


@dataclass(frozen=True, eq=False)
class Lion(Update):
    """w ← w − learning_rate·sign(β₁·m + (1−β₁)·dw);  m ← β₂·m + (1−β₂)·dw      Chen et al., NeurIPS 2023"""

    m: Buffer
    beta_1: float
    beta_2: float

    name = "lion"
    writes = ("w", "m")
    cost = 8

    @property
    def formula(self) -> str:
        sign = f"sign({self.beta_1:g}·{self.m} + {1 - self.beta_1:g}·{self.dw})"
        return f"{self.w} −= {self.rate}·{sign}; {self.m} += {1 - self.beta_2:g}·({self.dw} − {self.m})"

    def reference(self, xp: Any, w: Array, dw: Array, m: Array, step: StepState) -> tuple[Array, Array]:
        sign = xp.sign(self.beta_1 * m + (1 - self.beta_1) * dw)
        return w - self.learning_rate(step) * sign, m + (1 - self.beta_2) * (dw - m)


@dataclass(frozen=True, eq=False)
class Ftrl(Update):
    """n ← n + dw²;  z ← z + dw + 2·shrink·w − (n⁻ᵖ − n₀⁻ᵖ)/lr·w;  w ← (clip(z, ±l1) − z)/(n⁻ᵖ/lr + 2·l2 + β/lr)

    McMahan et al., KDD 2013; n₀ is n before the step, p the power of the learning rate. Where the divisor is 0, with no
    gradient yet and n from 0 on, w stays.
    """

    n: Buffer
    z: Buffer
    power: float
    l1: float
    l2: float
    shrinkage: float
    beta: float

    name = "ftrl"
    writes = ("w", "n", "z")
    cost = 20

    @property
    def formula(self) -> str:
        n, z, w, p, rate = self.n, self.z, self.w, f"{-self.power:g}", self.rate
        pull = f"{2 * self.shrinkage:g}·{w} − ({n}^{p} − n₀^{p})/{rate}·{w}"
        steps = f"n₀ = {n}; {n} += {self.dw}²; {z} += {self.dw} + {pull}"
        below = f"({n}^{p} + {self.beta:g})/{rate} + {2 * self.l2:g}"
        return f"{steps}; {w} = (clip({z}, ±{self.l1:g}) − {z})/({below})"

    def reference(self, xp: Any, w: Array, dw: Array, n: Array, z: Array, step: StepState) -> tuple[Array, ...]:
        rate, before = self.learning_rate(step), n**-self.power
        n = n + dw * dw
        root = n**-self.power
        z = z + dw + 2 * self.shrinkage * w - (root - before) / rate * w
        divisor = (root + self.beta) / rate + 2 * self.l2
        return xp.where(divisor != 0, (xp.clip(z, -self.l1, self.l1) - z) / divisor, w), n, z


@dataclass(frozen=True, eq=False)
class ScheduleFreeAdamW(Update):
    """v as in Adam;  z ← z − lr·dw/(√(v/(1−β₂ᵗ)) + ε);  x ← x + (z − x)/t;  w ← (1−β₁)·z + β₁·x

    Defazio et al., NeurIPS 2024: gradients are taken at w, between the steps z and their mean x, which is not stored:
    x = (w − (1−β₁)·z)/β₁. The learning rate rises over the first `warmup` steps.
    """

    z: Buffer
    v: Buffer
    warmup: int
    beta_1: float
    beta_2: float
    epsilon: float

    name = "schedule-free adamw"
    writes = ("w", "z", "v")
    cost = 18

    @property
    def formula(self) -> str:
        z, v, w, b = self.z, self.v, self.w, self.beta_1
        x = f"x = ({w} − {1 - b:g}·{z})/{b:g}; {v} += {1 - self.beta_2:g}·({self.dw}² − {v})"
        step = f"{z} −= {self.rate}·{self.dw}/(√({v}/(1 − {self.beta_2:g}ᵗ)) + {self.epsilon:g})"
        return f"{x}; {step}; {w} = {1 - b:g}·{z} + {b:g}·(x + ({z} − x)/t)"

    @property
    def kernel(self) -> str:
        return "schedule_free_adamw"

    def reference(self, xp: Any, w: Array, dw: Array, z: Array, v: Array, step: StepState) -> tuple[Array, ...]:
        t = step.update
        rate = self.learning_rate(step) * (min(t / self.warmup, 1.0) if self.warmup else 1.0)
        x = (w - (1 - self.beta_1) * z) / self.beta_1
        v = v + (1 - self.beta_2) * (dw * dw - v)
        z = z - rate * dw / (xp.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
        return (1 - self.beta_1) * z + self.beta_1 * (x + (z - x) / t), z, v
