"""Metrics that are a loss, averaged over the rows: errors, divergences, cross-entropies."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import losses
from thalweg.errors import ArgumentError, ShapeError
from thalweg.losses.loss import Axis
from thalweg.metrics.metric import Array, Metric, Shape
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import Traced, writing
from thalweg.program.builder import Builder
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import arguments
from thalweg.support.checks import Function, Portion


class LossMetric(Metric):
    """Base: the mean over rows (and positions) of the loss of the same name and options."""

    loss: ClassVar[type[losses.Loss]]
    sign: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.as_loss()  # raises for options that it can't take

    def as_loss(self) -> losses.Loss:
        """The loss with this metric's options."""
        return self.loss(**{key: value for key, value in self.given.items() if key != "name"})

    def check(self, output: Shape, target: Shape) -> None:
        wanted = self.as_loss().target_shape(output)
        if target != wanted:
            raise ShapeError(f"metric {self.name!r} needs targets of shape {wanted} for outputs {output}, got {target}")

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Loss:
        self.check(p.shape, y.shape)
        loss = self.as_loss()
        return loss.made(loss.kind, p, y, None, sums, self.sign * loss.row_coefficient(p.shape), metric=True)

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        return self.sign * self.as_loss().rows(y_true, y_pred)

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / (rows * math.prod(output[:-1])))


@arguments
class OutputLoss(Metric):
    """The loss of one of several outputs, as it is, without its weight in the sum."""

    of: losses.Loss

    def check(self, output: Shape, target: Shape) -> None:
        pass  # the loss has checked its targets

    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer:
        return self.of.prepare(program, p, y)

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Loss:
        lowered: Any = self.of.lower(p, None, y, None, sums)
        return replace(lowered, metric=True)  # type: ignore[no-any-return]

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / rows)


@arguments
class FunctionMetric(Metric):
    """The mean over rows of a function of y_true and y_pred, written in `thalweg.ops`.

    >>> from thalweg import ops
    >>> FunctionMetric(lambda y_true, y_pred: ops.abs(y_true - y_pred))([[1.0]], [[3.0]])
    2.0
    """

    function: Function

    @property
    def usual_name(self) -> str:
        return str(getattr(self.function, "__name__", "metric"))

    def check(self, output: Shape, target: Shape) -> None:
        pass  # what the targets mean is up to the function

    def prepare(self, program: Builder, p: Buffer, y: Buffer) -> Buffer:
        with writing(program):
            value, total = row_value(program, self.function(Traced(program, y), Traced(program, p)))
        if total:
            raise ArgumentError(f"the metric {self.name} is a sum over the rows of the batch: take the mean")
        return value

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> Any:
        return RowValue(p, None, sums, metric=True)

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / rows)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """The score of a batch of predictions, by NumPy."""
        value = np.asarray(self.function(np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)))
        return float(np.average(value.reshape(len(value), -1).mean(axis=1), weights=sample_weight))


class MeanSquaredError(LossMetric):
    """mean (y − ŷ)²"""

    loss = losses.MeanSquaredError
    formula = "mean (y − ŷ)²"
    range = "0 and above, 0 is best"
    use = "Regression."


class RootMeanSquaredError(LossMetric):
    """√ mean (y − ŷ)²"""

    loss = losses.MeanSquaredError
    formula = "√ mean (y − ŷ)²"
    range = "0 and above, 0 is best"
    use = "Regression, in the target's own unit."

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return math.sqrt(super().score(sums, rows, output))


class MeanAbsoluteError(LossMetric):
    """mean |y − ŷ|"""

    loss = losses.MeanAbsoluteError
    formula = "mean |y − ŷ|"
    range = "0 and above, 0 is best"
    use = "Regression with outliers."


class MeanAbsolutePercentageError(LossMetric):
    """mean 100·|y − ŷ|/max(|y|, 10⁻⁷)"""

    loss = losses.MeanAbsolutePercentageError
    formula = "mean 100·|y − ŷ|/|y|"
    range = "0 and above, 0 is best"
    use = "Targets away from 0, errors in proportion."


class MeanSquaredLogarithmicError(LossMetric):
    """mean (log(1 + y) − log(1 + ŷ))²"""

    loss = losses.MeanSquaredLogarithmicError
    formula = "mean (log(1 + y) − log(1 + ŷ))²"
    range = "0 and above, 0 is best"
    use = "Amounts over several powers of ten."


class LogCoshError(LossMetric):
    """mean log cosh(ŷ − y)"""

    loss = losses.LogCosh
    formula = "mean log cosh(ŷ − y)"
    range = "0 and above, 0 is best"
    use = "Regression with some outliers."
    short = "logcosh"


@arguments
class CosineSimilarity(LossMetric):
    """mean over the rows of Σ y·ŷ/(‖y‖·‖ŷ‖): as in Keras the similarity, which is minus the loss."""

    axis: Axis = -1

    loss = losses.CosineSimilarity
    formula = "mean Σ y·ŷ/(‖y‖·‖ŷ‖)"
    range = "−1 to 1, 1 is best"
    use = "Embeddings."
    sign = -1.0
    higher_is_better = True


class Hinge(LossMetric):
    """mean max(1 − y·ŷ, 0), y −1 (or 0) or 1"""

    loss = losses.Hinge
    formula = "mean max(1 − y·ŷ, 0)"
    range = "0 and above, 0 is best"
    use = "Margins."


class SquaredHinge(LossMetric):
    """mean max(1 − y·ŷ, 0)², y −1 (or 0) or 1"""

    loss = losses.SquaredHinge
    formula = "mean max(1 − y·ŷ, 0)²"
    range = "0 and above, 0 is best"
    use = "Margins."


class CategoricalHinge(LossMetric):
    """mean max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0), y one-hot"""

    loss = losses.CategoricalHinge
    formula = "mean max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0)"
    range = "0 and above, 0 is best"
    use = "Margins between classes."


@arguments
class BinaryCrossentropy(LossMetric):
    """mean −y·log ŷ − (1 − y)·log(1 − ŷ)"""

    from_logits: bool = False
    label_smoothing: Portion = 0.0

    loss = losses.BinaryCrossentropy
    formula = "mean −y·log ŷ − (1 − y)·log(1 − ŷ)"
    range = "0 and above, 0 is best"
    use = "How good probabilities of two classes are."


@arguments
class CategoricalCrossentropy(LossMetric):
    """mean −Σ y·log ŷ, y one-hot"""

    from_logits: bool = False
    label_smoothing: Portion = 0.0

    loss = losses.CategoricalCrossentropy
    formula = "mean −Σ y·log ŷ"
    range = "0 and above, 0 is best"
    use = "How good probabilities of classes are."


@arguments
class SparseCategoricalCrossentropy(LossMetric):
    """mean −log ŷ[y], y a class number"""

    from_logits: bool = False

    loss = losses.SparseCategoricalCrossentropy
    formula = "mean −log ŷ[y]"
    range = "0 and above, 0 is best"
    use = "How good probabilities of classes are."


class KLDivergence(LossMetric):
    """mean Σ y·log(y/ŷ)"""

    loss = losses.KLDivergence
    formula = "mean Σ y·log(y/ŷ)"
    range = "0 and above, 0 is best"
    use = "Targets that are distributions."


class Poisson(LossMetric):
    """mean ŷ − y·log(ŷ + 10⁻⁷)"""

    loss = losses.Poisson
    formula = "mean ŷ − y·log ŷ"
    range = "any number, less is better"
    use = "Counts."
