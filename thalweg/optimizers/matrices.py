"""Optimizers that look at whole arrays of weights: their norms, rows and columns, singular vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Unpack

from thalweg.errors import ArgumentError
from thalweg.optimizers.adaptive import AdamStep, Moments
from thalweg.optimizers.layout import Run, matches
from thalweg.optimizers.optimizer import Common, Optimizer, Rate, Shared
from thalweg.program.instructions.updates import matrix_updates
from thalweg.program.instructions.updates.updates import Update
from thalweg.program.ir.instruction import Instruction
from thalweg.program.lowering import Weight

__all__ = ["Adafactor", "Lamb", "Muon"]


class Lamb(Moments):
    """Lamb (You et al., ICLR 2020): Adam's step for each array of weights, scaled to the array's own size.

    u = m̂/(√v̂ + ε); w −= learning_rate·‖w‖/‖u‖·u, where the ratio is 1 if one of the norms is 0. Keras's form: weight
    decay comes before the step (in the paper it is part of u).
    """

    elementwise = False
    formula = "u = m̂/(√v̂ + ε);  w ← w − lr·‖w‖/‖u‖·u"
    use = "very large batches, thousands of rows"
    avoid = "small batches: Adam is simpler and as good"
    paper = "You et al., ICLR 2020"

    def kind_of(self, weight: Weight) -> Any:
        return weight.path

    def update(self, run: Run) -> Instruction:
        numbers = (self.beta_1, self.beta_2, self.epsilon)
        vectors = (run.w, run.dw, run.slots["m"], run.slots["v"])
        return matrix_updates.Lamb(*vectors, *numbers, factor=self.factor_of(run.weights[0]))


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, ICML 2018): the mean squares of a matrix from those of its rows and columns.

    r, c = moving means of dw² + ε₁ over columns and rows with β₂ = 1 − t^beta_2_decay; u = dw/√(r·c/mean r);
    w −= max(ε₂, rms w)·min(learning_rate, 1/√t)·u/max(1, rms(u)/clip_threshold). A bias keeps every dw². As in Keras
    min(learning_rate, 1/√t) is used with and without relative_step. The slots r and c are as long as the weights here,
    so it saves no memory.
    """

    elementwise = False
    slots = ("r", "c")
    arguments = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    formula = "w ← w − max(ε₂, rms w)·min(lr, 1/√t)·u/max(1, rms(u)/d), u = dw/√(r·c/mean r)"
    use = "large matrices, where steps relative to the weights' own size are wanted"
    avoid = "small networks: Adam's full mean squares cost nothing there"
    paper = "Shazeer and Stern, ICML 2018"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_2_decay = self.check("beta_2_decay", beta_2_decay, -math.inf)
        if self.beta_2_decay > 0:
            raise ArgumentError(f"Adafactor: beta_2_decay can't be above 0, got {beta_2_decay!r}")
        self.epsilon_1 = self.check("epsilon_1", epsilon_1)
        self.epsilon_2 = self.check("epsilon_2", epsilon_2)
        self.clip_threshold = self.check("clip_threshold", clip_threshold)
        if self.clip_threshold == 0:
            raise ArgumentError("Adafactor: clip_threshold has to be above 0")
        self.relative_step = bool(relative_step)

    def kind_of(self, weight: Weight) -> Any:
        return weight.path

    def update(self, run: Run) -> Instruction:
        shape = run.weights[0].buffer.shape
        *stack, rows, columns = shape if len(shape) > 1 else (*shape, 0)
        return matrix_updates.Adafactor(
            run.w,
            run.dw,
            run.slots["r"],
            run.slots["c"],
            math.prod(stack),
            rows,
            columns,
            self.beta_2_decay,
            self.epsilon_1,
            self.epsilon_2,
            self.clip_threshold,
            factor=self.factor_of(run.weights[0]),
        )


class Muon(Optimizer):
    """Muon (Jordan, 2024): momentum whose matrix is replaced by the nearest orthogonal one (Newton–Schulz).

    m = momentum·m + dw; g = dw + momentum·m (nesterov) or m; w −= learning_rate·√max(rows, columns)·rms_rate·U·Vᵀ with
    the singular vectors U and V of g. Adam updates everything but kernels of two axes, and also the layers that
    exclude_layers names (regular expressions; the output layer is best excluded) and, with exclude_embeddings,
    embeddings.
    """

    elementwise = False
    slots = ("m", "v")
    arguments = (
        "adam_beta_1",
        "adam_beta_2",
        "adam_weight_decay",
        "epsilon",
        "weight_decay",
        "exclude_layers",
        "exclude_embeddings",
        "muon_a",
        "muon_b",
        "muon_c",
        "adam_lr_ratio",
        "momentum",
        "ns_steps",
        "nesterov",
        "rms_rate",
    )
    formula = "m ← μ·m + dw;  w ← w − lr·√max(rows, columns)·0.2·U·Vᵀ, with dw + μ·m = U·S·Vᵀ"
    use = "wide hidden layers: every direction of a matrix moves equally fast"
    avoid = "the output layer and embeddings, which exclude_layers leaves to Adam; small networks"
    paper = "Jordan, Muon, 2024; Liu et al., arXiv 2502.16982"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **common: Unpack[Shared],
    ) -> None:
        super().__init__(learning_rate, weight_decay, **common)
        self.adam_beta_1 = self.check("adam_beta_1", adam_beta_1, 0.0, 1.0)
        self.adam_beta_2 = self.check("adam_beta_2", adam_beta_2, 0.0, 1.0)
        self.adam_weight_decay = self.optional("adam_weight_decay", adam_weight_decay)
        self.epsilon = self.check("epsilon", epsilon)
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = bool(exclude_embeddings)
        self.muon_a = self.check("muon_a", muon_a, -math.inf)
        self.muon_b = self.check("muon_b", muon_b, -math.inf)
        self.muon_c = self.check("muon_c", muon_c, -math.inf)
        self.adam_lr_ratio = self.check("adam_lr_ratio", adam_lr_ratio)
        self.momentum = self.check("momentum", momentum, 0.0, 1.0)
        self.ns_steps = self.whole("ns_steps", ns_steps, 0)
        self.nesterov = bool(nesterov)
        self.rms_rate = self.optional("rms_rate", rms_rate)

    def orthogonal(self, weight: Weight) -> bool:
        """Whether Muon updates these weights, not Adam."""
        embedding = self.exclude_embeddings and "embedding" in weight.path.lower()
        excluded = any(re.search(pattern, weight.path) for pattern in self.exclude_layers)
        return len(weight.buffer.shape) == 2 and not embedding and not excluded

    def kind_of(self, weight: Weight) -> Any:
        return weight.path if self.orthogonal(weight) else None

    def decay_of(self, weight: Weight) -> float:
        decay = self.weight_decay if self.orthogonal(weight) else self.adam_weight_decay
        return 0.0 if matches(self.not_decayed, weight.path) else decay or 0.0

    def update(self, run: Run) -> Instruction:
        weight = run.weights[0]
        m, v, factor = run.slots["m"], run.slots["v"], self.factor_of(weight)
        if not self.orthogonal(weight):
            numbers = {"beta_1": self.adam_beta_1, "beta_2": self.adam_beta_2, "epsilon": self.epsilon}
            vectors = {"w": run.w, "dw": run.dw, "m": m, "v": v}
            return Update("adam", AdamStep.equation, vectors, numbers, factor=factor * self.adam_lr_ratio)
        rows, columns = weight.buffer.shape
        scale = 1.0 if self.rms_rate is None else math.sqrt(max(rows, columns)) * self.rms_rate
        polynomial = (self.momentum, self.muon_a, self.muon_b, self.muon_c)
        return matrix_updates.Muon(
            run.w, run.dw, m, rows, columns, self.ns_steps, self.nesterov, *polynomial, scale,
            factor=factor,
        )  # fmt: skip
