"""Optimizers with a separate step size for every weight: RMSprop, the family of Adam, Adagrad, Adadelta, Ftrl."""

from __future__ import annotations

import math
from typing import ClassVar, Unpack

from thalweg.errors import ArgumentError
from thalweg.optimizers.optimizer import Array, Common, Optimizer, Rate, Shared, printed
from thalweg.support.checks import number

__all__ = [
    "AdaBelief", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "RMSprop", "ScheduleFreeAdamW",
]  # fmt: skip

MOMENTS = """
m += (1 - beta_1) * (dw - m)
v += (1 - beta_2) * (dw**2 - v)"""


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): the gradient divided by the root of its recent mean square.

    v = ρ·v + (1 − ρ)·dw²; w −= learning_rate·dw/√(v + ε). Centered: a, the mean of dw, is subtracted: √(v − a² + ε).
    With momentum: p = momentum·p + step; w −= p. ε is inside the root as in Keras (PyTorch: outside).

    >>> RMSprop(momentum=0.9, centered=True).slot_names()
    ('v', 'a', 'p')
    """

    arguments = ("rho", "momentum", "epsilon", "centered")
    equation = """
v += (1 - rho) * (dw**2 - v)
w -= learning_rate * dw / sqrt(v + epsilon)"""
    use = "gradients whose size changes during training: recurrent networks, reinforcement learning"
    avoid = "momentum is wanted: Adam corrects its initial bias"
    paper = "Hinton, Coursera lecture 6e, 2012; centered: Graves, 2013"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = self.check("rho", rho, 0.0, 1.0)
        self.momentum = self.check("momentum", momentum, 0.0, 1.0)
        self.epsilon = self.check("epsilon", epsilon)
        self.centered = bool(centered)

    def own_slots(self) -> tuple[str, ...]:
        return ("v", *("a",) * self.centered, *("p",) * (self.momentum > 0))

    def step(self) -> tuple[str, str]:
        name, text = super().step()
        if self.centered:
            text = "a += (1 - rho) * (dw - a)" + text.replace("sqrt(v", "sqrt(v - a**2")
        if self.momentum:
            text = text.replace("w -= ", "p = momentum * p + ") + "\nw -= p"
        return name, text


class Moments(Optimizer):
    """Base of optimizers with two moving means, m of the gradient and v of its square."""

    slots = ("m", "v")
    arguments: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = self.check("beta_1", beta_1, 0.0, 1.0)
        self.beta_2 = self.check("beta_2", beta_2, 0.0, 1.0)
        self.epsilon = self.check("epsilon", epsilon)


class AdamStep(Moments):
    """Base: Adam's step, with and without amsgrad."""

    equation = f"""
eta = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t){MOMENTS}
w -= eta * m / (sqrt(v) + epsilon)"""
    with_amsgrad = f"""
eta = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t){MOMENTS}
top = max(top, v)
w -= eta * m / (sqrt(top) + epsilon)"""
    arguments: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **common)
        self.amsgrad = bool(amsgrad)

    def own_slots(self) -> tuple[str, ...]:
        return (*self.slots, *("top",) * self.amsgrad)

    def step(self) -> tuple[str, str]:
        return "adam", self.with_amsgrad if self.amsgrad else self.equation


class Adam(AdamStep):
    """Adam (Kingma and Ba, ICLR 2015): a step of about learning_rate for every weight, whatever its gradient's size.

    m = β₁·m + (1 − β₁)·dw; v = β₂·v + (1 − β₂)·dw²; w −= lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√v + ε). With amsgrad (Reddi et
    al., ICLR 2018) the root is that of the largest v so far. ε = 1e-7 is added to √v as in Keras (PyTorch: 1e-8, added
    to the bias-corrected √v̂).
    """

    use = "the first choice: works with its defaults on most networks"
    avoid = "the last points of accuracy on images, where SGD with momentum often generalises better"
    paper = "Kingma and Ba, ICLR 2015"


class AdamW(AdamStep):
    """Adam with a weight decay that doesn't pass through the gradient (Loshchilov and Hutter, ICLR 2019).

    Before each step w −= learning_rate·weight_decay·w. As in Keras, every optimizer can; the default here is 0.004.
    """

    arguments = ("weight_decay", *AdamStep.arguments)
    formula = printed("w −= lr·λ·w; {}", "equation")
    use = "Adam with regularisation: larger networks, transformers, tables"
    avoid = "biases and the scales of normalisation decay too unless they are excluded"
    paper = "Loshchilov and Hutter, ICLR 2019"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[Shared],
    ) -> None:
        weight_decay = number("AdamW: weight_decay", weight_decay)  # None would be Adam
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **common)


class AdaBelief(Moments):
    """AdaBelief (Zhuang et al., NeurIPS 2020): large steps where gradients are as expected, small ones elsewhere.

    m = β₁·m + (1 − β₁)·dw; s = β₂·s + (1 − β₂)·(dw − m)² + ε; w −= lr·m̂/(√ŝ + ε), m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ):
    Adam with the variance of the gradient around its mean m in place of its square. Neither Keras nor PyTorch has it;
    ε = 1e-16 is that of the authors' code.

    >>> AdaBelief().formula.partition("; ")[2]
    's = β₂·s + (1 − β₂)·(dw − m)² + ε; w −= lr/(1 − β₁^t)·m/(√(s/(1 − β₂^t)) + ε)'
    """

    slots = ("m", "s")
    equation = """
m += (1 - beta_1) * (dw - m)
s = beta_2 * s + (1 - beta_2) * (dw - m) ** 2 + epsilon
w -= learning_rate / (1 - beta_1**t) * m / (sqrt(s / (1 - beta_2**t)) + epsilon)"""
    use = "Adam's speed with a generalisation closer to SGD's; also generative adversarial networks"
    avoid = "gradients of pure noise; comparisons with published results, which mostly use Adam"
    paper = "Zhuang et al., NeurIPS 2020"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **common)


class Nadam(Moments):
    """Nadam (Dozat, ICLR workshop 2016): Adam that looks ahead as Nesterov's momentum does.

    uₜ = β₁·(1 − ½·0.96ᵗ), Uₜ their product; m̂ = uₜ₊₁·m/(1 − Uₜ₊₁) + (1 − uₜ)·dw/(1 − Uₜ);
    w −= learning_rate·m̂/(√(v/(1 − β₂ᵗ)) + ε).
    """

    equation = f"""
now = beta_1 * (1 - 0.5 * 0.96**t)
ahead = beta_1 * (1 - 0.48 * 0.96**t)
product = beta_1**t * pochhammer(0.48, 0.96, t){MOMENTS}
step = ahead / (1 - product * ahead) * m + (1 - now) / (1 - product) * dw
w -= learning_rate * step / (sqrt(v / (1 - beta_2**t)) + epsilon)"""
    use = "where Adam works, sometimes a little faster at the start"
    avoid = "no strong reason; Adam is merely better known"
    paper = "Dozat, ICLR workshop 2016"


class Adamax(Moments):
    """Adamax (Kingma and Ba, ICLR 2015, section 7): Adam with the largest recent gradient instead of a mean square.

    m = β₁·m + (1 − β₁)·dw; u = max(β₂·u, |dw|); w −= learning_rate/(1 − β₁ᵗ)·m/(u + ε).
    """

    slots = ("m", "u")
    equation = """
m += (1 - beta_1) * (dw - m)
u = max(beta_2 * u, abs(dw))
w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)"""
    use = "sparse gradients, embeddings: a rare large gradient isn't averaged away"
    avoid = "gradients with outliers, which keep all later steps small"
    paper = "Kingma and Ba, ICLR 2015"


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, JMLR 2011): a += dw²; w −= learning_rate·dw/√(a + ε).

    a starts at initial_accumulator_value. ε is inside the root as in Keras (PyTorch: outside, and a starts at 0).
    """

    slots = ("a",)
    arguments = ("initial_accumulator_value", "epsilon")
    equation = """
a += dw**2
w -= learning_rate * dw / sqrt(a + epsilon)"""
    use = "sparse inputs such as words: rare features keep a large step"
    avoid = "long training: the steps only ever shrink"
    paper = "Duchi, Hazan and Singer, JMLR 2011"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.initial_accumulator_value = self.check("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = self.check("epsilon", epsilon)

    def initial_slots(self, slots: dict[str, Array], w: Array) -> None:
        slots["a"][:] = self.initial_accumulator_value


class Adadelta(Optimizer):
    """Adadelta (Zeiler, arXiv 1212.5701): steps in the unit of the weights, from the mean square of earlier steps.

    a = ρ·a + (1 − ρ)·dw²; step = √(d + ε)/√(a + ε)·dw; d = ρ·d + (1 − ρ)·step²; w −= learning_rate·step. The paper's
    form has a learning_rate of 1; Keras's default is 0.001.
    """

    slots = ("a", "d")
    arguments = ("rho", "epsilon")
    equation = """
a += (1 - rho) * (dw**2 - a)
step = sqrt((d + epsilon) / (a + epsilon)) * dw
d += (1 - rho) * (step**2 - d)
w -= learning_rate * step"""
    use = "repeating results of the paper, with a learning rate of 1"
    avoid = "its default rate 0.001, which hardly moves; Adam is easier"
    paper = "Zeiler, arXiv 1212.5701, 2012"

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **common: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = self.check("rho", rho, 0.0, 1.0)
        self.epsilon = self.check("epsilon", epsilon)


class Ftrl(Optimizer):
    """Ftrl, follow the regularized leader (McMahan et al., KDD 2013): sets many weights to exactly 0.

    n += dw²; z += dw + 2·l2_shrinkage·w − (n^−p − n₀^−p)/lr·w, with n₀ the n before and p = learning_rate_power;
    w = (clip(z, ±l1) − z)/((n^−p + beta)/lr + 2·l2).
    """

    slots = ("n", "z")
    arguments = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )
    equation = """
before = n**-learning_rate_power
n += dw**2
root = n**-learning_rate_power
z += dw + 2 * l2_shrinkage_regularization_strength * w - (root - before) / learning_rate * w
divisor = (root + beta) / learning_rate + 2 * l2_regularization_strength
w = where(divisor == 0, w, (min(max(z, -l1_regularization_strength), l1_regularization_strength) - z) / divisor)"""
    use = "wide linear models of sparse features, with l1 for few weights"
    avoid = "deep networks: the weights are recomputed from z, so initial weights are lost"
    paper = "McMahan et al., KDD 2013"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.learning_rate_power = self.check("learning_rate_power", learning_rate_power, -math.inf, math.inf)
        if self.learning_rate_power > 0:
            raise ArgumentError(f"Ftrl: learning_rate_power can't be above 0, got {learning_rate_power!r}")
        self.initial_accumulator_value = self.check("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = self.check("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = self.check("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = self.check(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = self.check("beta", beta)

    def initial_slots(self, slots: dict[str, Array], w: Array) -> None:
        slots["n"][:] = self.initial_accumulator_value

    def step(self) -> tuple[str, str]:
        name, text = super().step()
        return name, text.replace("n**-learning_rate_power", "sqrt(n)") if self.learning_rate_power == -0.5 else text


class ScheduleFreeAdamW(Moments):
    """Adam that needs no schedule (Defazio et al., NeurIPS 2024): gradients are taken between z and the mean of all z.

    v as in Adam; z −= lr·dw/(√(v/(1 − β₂ᵗ)) + ε); x += (z − x)/t; w = (1 − β₁)·z + β₁·x. As in Keras the weights of the
    model are w, in training and afterwards. With warmup_steps the rate first rises linearly.
    """

    slots = ("z", "v")
    arguments = ("beta_1", "beta_2", "epsilon", "warmup_steps")
    equation = """
x = (w - (1 - beta_1) * z) / beta_1
v += (1 - beta_2) * (dw**2 - v)
z -= learning_rate * dw / (sqrt(v / (1 - beta_2**t)) + epsilon)
w = (1 - beta_1) * z + beta_1 * (x + (z - x) / t)"""
    use = "the number of steps isn't known: good weights at any time, with a constant rate"
    avoid = "a tuned cosine is at hand; a batch normalisation's statistics belong to w, not to the mean x"
    paper = "Defazio et al., NeurIPS 2024"

    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **common)
        if self.beta_1 == 0:
            raise ArgumentError("ScheduleFreeAdamW: beta_1 has to be above 0")
        self.warmup_steps = self.whole("warmup_steps", warmup_steps, 0)

    def initial_slots(self, slots: dict[str, Array], w: Array) -> None:
        slots["z"][: w.size] = w

    def step(self) -> tuple[str, str]:
        text = self.equation
        if self.warmup_steps:
            text = "\nrate = learning_rate * min(t / warmup_steps, 1)" + text.replace("learning_rate", "rate")
        return "schedule-free adamw", text
