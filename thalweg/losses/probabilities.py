"""Losses of predictions that are probabilities: cross-entropies and their relatives."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from thalweg.errors import DataError, ShapeError
from thalweg.losses.loss import Array, Axis, Loss, Shape, check_probabilities
from thalweg.program.formula.equation import Equation
from thalweg.program.formula.language import within
from thalweg.program.instructions import rowwise
from thalweg.program.instructions.activations import SIGMOID
from thalweg.program.instructions.losses import row_losses
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import Amount, Portion, positive

SMOOTHED = """t = y * (1 - label_smoothing) + 0.5 * label_smoothing
"""


def focal(value: str) -> str:
    """A formula in the parts of the binary focal cross-entropy, for the probability s. A negative alpha means none."""
    return f"""{SMOOTHED}q = min(max(s, 1e-7), 1 - 1e-7)
missing = t * (1 - s) + (1 - t) * s
balance = where(alpha < 0, 1, t * alpha + (1 - t) * (1 - alpha))
entropy = -(t * log(q) + (1 - t) * log(1 - q))
{value}"""


FOCAL = focal("balance * missing**gamma * entropy")
FOCAL_SLOPE = focal("""inner = where(s < 1e-7 or s > 1 - 1e-7, 0, (s - t) / (s * (1 - s)))
outer = where(gamma == 0, 0, gamma * missing**(gamma - 1) * (1 - 2 * t))
balance * (missing**gamma * inner + outer * entropy)""")
FOCAL_ARGUMENTS = {"label_smoothing": 0.0, "gamma": 2.0, "alpha": -1.0}


class OfProbabilities(Loss):
    """Base: every target is a probability, or one with noise: the equation holds there, too.

    A class number from 2 on, or a number that has been standardised, is neither.
    """

    noise: ClassVar[float] = 1.0  # targets are less than this away from 0 to 1

    def check_targets(self, y: Array, output: Shape) -> Array:
        y = super().check_targets(y, output)
        check_probabilities(y, self.name, self.noise)
        return y


class OfOneHot(OfProbabilities):
    """Base: a target is a probability for each class."""

    def check_targets(self, y: Array, output: Shape) -> Array:
        if y.shape[1:] != output and (y.ndim == 1 or y.shape[1:] == (1,)) and output[-1] > 1:
            raise ShapeError(
                f"{self.name} needs one-hot targets of shape (rows, {output[-1]}), got {y.shape}: "
                "use sparse_categorical_crossentropy for class numbers, or thalweg.utils.to_categorical"
            )
        return super().check_targets(y, output)


class OfClassNumbers(Loss):
    """Base: a target is a class number from 0."""

    def target_shape(self, output: Shape) -> Shape:
        return (*output[:-1], 1)

    def check_targets(self, y: Array, output: Shape) -> Array:
        if y.shape[1:] == output and output[-1] > 1:
            raise ShapeError(
                f"{self.name} needs class numbers, got targets of shape {y.shape}: "
                "use categorical_crossentropy for one-hot targets"
            )
        y = super().check_targets(y, output)
        outside = np.flatnonzero(((y < 0) | (y >= output[-1]) | (y != np.floor(y))).reshape(len(y), -1).any(axis=1))
        if outside.size:
            row = int(outside[0])
            raise DataError(
                f"labels have to be whole numbers from 0 to {output[-1] - 1} for a network with {output[-1]} outputs, "
                f"got {y[row].ravel()[0]:g} in row {row}"
            )
        return y


@arguments
class BinaryCrossentropy(OfProbabilities):
    """ℓ = mean −y·log ŷ − (1 − y)·log(1 − ŷ) over the outputs, y in [0, 1], ŷ a probability.

    from_logits: ŷ is a pre-activation. label_smoothing s: y becomes y·(1 − s) + s/2.
    """

    from_logits: bool = False
    label_smoothing: Portion = 0.0

    equation = Equation(
        "binary crossentropy",
        f"""{SMOOTHED}q = min(max(p, 1e-7), 1 - 1e-7)
-(t * log(q) + (1 - t) * log(1 - q))""",
        f"{SMOOTHED}where(p < 1e-7 or p > 1 - 1e-7, 0, (p - t) / (p * (1 - p)))",
        {"label_smoothing": 0.0},
    )
    after = SIGMOID
    fused = Equation(
        "binary crossentropy logits",
        f"{SMOOTHED}softplus(p) - p * t",
        f"{SMOOTHED}sigmoid(p) - t",
        {"label_smoothing": 0.0},
        activation=SIGMOID,
    )

    formula = "ℓ = mean −y·log ŷ − (1 − y)·log(1 − ŷ)"
    derivative = "(ŷ − y)/(ŷ·(1 − ŷ)·outputs); by the pre-activation of a sigmoid (ŷ − y)/outputs"
    range = "0 and above"
    targets = "0 to 1"
    use = "Two classes, or several labels that don't exclude each other."
    avoid = "Classes that exclude each other: take categorical cross-entropy."
    paper = "Good, Rational decisions, 1952"


@arguments
class BinaryFocalCrossentropy(OfProbabilities):
    """ℓ = mean (1 − p_t)^gamma·BCE(y, ŷ) over the outputs, p_t = y·ŷ + (1 − y)·(1 − ŷ).

    apply_class_balancing: multiplies by alpha for y = 1 and by 1 − alpha for y = 0. from_logits: ŷ is a pre-activation.
    label_smoothing s: y becomes y·(1 − s) + s/2. As in Keras, the cross-entropy is clipped for logits too.
    """

    apply_class_balancing: bool = False
    alpha: Portion = 0.25
    gamma: Amount = 2.0
    from_logits: bool = False
    label_smoothing: Portion = 0.0

    noise = 0.0  # beyond 0 to 1, 1 - p_t may be below 0, where powers that aren't whole have no value

    equation = Equation("binary focal crossentropy", f"s = p\n{FOCAL}", f"s = p\n{FOCAL_SLOPE}", FOCAL_ARGUMENTS)
    fused = Equation(
        "binary focal crossentropy logits",
        f"s = sigmoid(p)\n{FOCAL}",
        f"s = sigmoid(p)\n{within('{} * s * (1 - s)', FOCAL_SLOPE)}",
        FOCAL_ARGUMENTS,
        activation=SIGMOID,
    )

    def option(self, name: str) -> float:
        return -1.0 if name == "alpha" and not self.apply_class_balancing else super().option(name)

    formula = "ℓ = mean α_t·(1 − p_t)^γ·BCE(y, ŷ)"
    derivative = "the product rule: α_t·((1 − p_t)^γ·(ŷ − y)/(ŷ·(1 − ŷ)) + γ·(1 − p_t)^(γ−1)·(1 − 2y)·BCE)/outputs"
    range = "0 and above"
    targets = "0 to 1"
    use = "Rare positives among many easy negatives."
    avoid = "Balanced classes, or when the probabilities have to be calibrated."
    paper = "Lin et al., ICCV 2017, arXiv 1708.02002"


@arguments
class CategoricalCrossentropy(OfOneHot):
    """ℓ = −Σ y·log ŷ over the classes, y one-hot or probabilities, ŷ probabilities (divided by their sum).

    from_logits: ŷ is a pre-activation. label_smoothing s: y becomes y·(1 − s) + s/classes.
    """

    from_logits: bool = False
    label_smoothing: Portion = 0.0

    instruction = row_losses.CategoricalCrossentropy
    after = rowwise.Softmax
    fused = row_losses.CategoricalCrossentropyLogits

    formula = "ℓ = −Σ y·log ŷ"
    derivative = "−y/ŷ; by the pre-activations of a softmax ŷ − y"
    range = "0 and above"
    targets = "one-hot or probabilities"
    use = "Classes that exclude each other, with one-hot targets."
    avoid = "Several labels for one row: take binary cross-entropy."
    paper = "Bridle, NIPS 1989"


@arguments
class CategoricalFocalCrossentropy(OfOneHot):
    """ℓ = −Σ alpha·(1 − ŷ)^gamma·y·log ŷ over the classes, y one-hot, ŷ probabilities (divided by their sum).

    from_logits: ŷ is a pre-activation. label_smoothing s: y becomes y·(1 − s) + s/classes. alpha is one number.
    """

    alpha: Amount = 0.25
    gamma: Amount = 2.0
    from_logits: bool = False
    label_smoothing: Portion = 0.0

    instruction = row_losses.CategoricalFocalCrossentropy
    fused = row_losses.CategoricalFocalCrossentropyLogits

    formula = "ℓ = −Σ α·(1 − ŷ)^γ·y·log ŷ"
    derivative = "α·y·(γ·(1 − ŷ)^(γ−1)·log ŷ − (1 − ŷ)^γ/ŷ)"
    range = "0 and above"
    targets = "one-hot or probabilities"
    use = "Many easy rows of frequent classes."
    avoid = "Balanced classes, or when the probabilities have to be calibrated."
    paper = "Lin et al., ICCV 2017, arXiv 1708.02002"


@arguments
class SparseCategoricalCrossentropy(OfClassNumbers):
    """ℓ = −log ŷ[y], y a class number from 0, ŷ probabilities (divided by their sum).

    from_logits: ŷ is a pre-activation. label_smoothing s: a class's target is 1 − s or 0, plus s/classes (Keras has it
    only for one-hot targets, PyTorch also here). There is no `ignore_class`: drop the rows, or give them weight 0.
    """

    from_logits: bool = False
    label_smoothing: Portion = 0.0

    instruction = row_losses.SparseCategoricalCrossentropy
    after = rowwise.Softmax
    fused = row_losses.SparseCategoricalCrossentropyLogits

    formula = "ℓ = −log ŷ[y]"
    derivative = "−[y]/ŷ; by the pre-activations of a softmax ŷ − [y]"
    range = "0 and above"
    targets = "class numbers from 0"
    use = "Classes that exclude each other, with class numbers."
    avoid = "Targets that are probabilities: take categorical cross-entropy."
    paper = "Bridle, NIPS 1989"


@arguments
class CategoricalGeneralizedCrossEntropy(OfClassNumbers):
    """ℓ = (1 − ŷ[y]^q)/q, y a class number from 0, ŷ probabilities.

    >>> CategoricalGeneralizedCrossEntropy(q=0.5)([0], [[0.25, 0.75]])
    1.0
    """

    q: Annotated[float, Checked(positive(1.0))] = 0.5

    instruction = row_losses.GeneralizedCrossEntropy

    formula = "ℓ = (1 − ŷ[y]^q)/q"
    derivative = "−[y]·ŷ^(q − 1)"
    range = "0 to 1/q"
    targets = "class numbers from 0"
    use = "Labels of which some are wrong: q between cross-entropy (0) and absolute error (1)."
    avoid = "Clean labels: it learns more slowly."
    paper = "Zhang and Sabuncu, NeurIPS 2018, arXiv 1805.07836"


@arguments
class KLDivergence(Loss):
    """ℓ = Σ y·log(y/ŷ) over the last axis; both are clipped to [10⁻⁷, 1]."""

    equation = Equation(
        "kl divergence",
        """t = min(max(y, 1e-7), 1)
t * log(t / min(max(p, 1e-7), 1))""",
        """t = min(max(y, 1e-7), 1)
where(p < 1e-7 or p > 1, 0, -t / max(p, 1e-7))""",
    )

    def row_coefficient(self, output: Shape) -> float:
        return 1.0

    formula = "ℓ = Σ y·log(y/ŷ)"
    derivative = "−y/ŷ"
    range = "0 and above, for distributions"
    targets = "probabilities"
    use = "Targets that are distributions: distillation, soft labels."
    avoid = "One-hot targets: cross-entropy has the same gradient and is cheaper."
    paper = "Kullback and Leibler, Annals of Mathematical Statistics, 1951"


@arguments
class Dice(Loss):
    """ℓ = 1 − 2·Σ y·ŷ/(Σ y + Σ ŷ + 10⁻⁷) over the last axis.

    Keras's default, `axis=None`, sums over the whole batch; here ℓ belongs to a row, so axis is −1. For images, end the
    network with `Flatten`: then the sums are over all pixels of one image.
    """

    axis: Axis = -1

    instruction = row_losses.Dice

    formula = "ℓ = 1 − 2·Σ y·ŷ/(Σ y + Σ ŷ)"
    derivative = "2·(Σ y·ŷ/S − y)/S with S = Σ y + Σ ŷ"
    range = "0 to 1"
    targets = "0 or 1"
    use = "Masks in which few pixels are set."
    avoid = "Rows without any positive target: the loss is 1 whatever is predicted."
    paper = "Milletari et al., 3DV 2016, arXiv 1606.04797"


@arguments
class Tversky(Loss):
    """ℓ = 1 − I/(I + alpha·Σ (1 − ŷ)·y + beta·Σ ŷ·(1 − y) + 10⁻⁷) over the last axis, I = Σ y·ŷ.

    As in Keras, alpha weighs false negatives and beta false positives. For axis, see `Dice`.
    """

    alpha: Amount = 0.5
    beta: Amount = 0.5
    axis: Axis = -1

    instruction = row_losses.Tversky

    formula = "ℓ = 1 − I/(I + α·Σ (1 − ŷ)·y + β·Σ ŷ·(1 − y)), I = Σ y·ŷ"
    derivative = "((I/B)·(y − α·y + β·(1 − y)) − y)/B, B the denominator"
    range = "0 to 1"
    targets = "0 or 1"
    use = "Masks in which a miss is worse than a false alarm, or vice versa."
    avoid = "Rows without any positive target."
    paper = "Salehi et al., 2017, arXiv 1706.05721"
