"""Metrics of how predictions and targets vary together: R² and the correlation."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.metrics.metric import Metric, Shape
from thalweg.program.instructions import metrics as instructions
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import Index


@arguments
class R2Score(Metric):
    """R² = 1 − Σ(y − ŷ)²/Σ(y − mean y)², the mean over the outputs: 1 is perfect, 0 is as good as the mean.

    class_aggregation: "uniform_average" or "variance_weighted_average" over the outputs. num_regressors p > 0: adjusted
    to 1 − (1 − R²)·(rows − 1)/(rows − p − 1), where Keras takes rows·outputs for rows. Targets that are all equal have
    no variance to explain: R² is then NaN.

    >>> R2Score()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    class_aggregation: Literal["uniform_average", "variance_weighted_average"] = "uniform_average"
    num_regressors: Index = 0

    instruction = instructions.SquaresAndTargets
    higher_is_better = True
    formula = "1 − Σ(y − ŷ)²/Σ(y − mean y)²"
    range = "up to 1, 1 is best"
    use = "Regression, comparable between targets."

    @property
    def between_rows(self) -> bool:
        return True

    def sums(self, output: Shape) -> int:
        return 3 * math.prod(output)

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        residual, total, squares = sums.reshape(3, -1)
        variation = squares - total * total / rows
        rounding = rows * np.finfo(np.float64).eps * squares  # a smaller variation is only the sums' rounding
        scores = [1 - r / v if v > e else math.nan for r, v, e in zip(residual, variation, rounding, strict=True)]
        weights = variation if self.class_aggregation == "variance_weighted_average" else np.ones(len(scores))
        score = float((np.array(scores) * weights).sum() / weights.sum())
        if self.num_regressors == 0:
            return score
        freedom = rows - self.num_regressors - 1
        return 1 - (1 - score) * (rows - 1) / freedom if freedom > 0 else math.nan


def of_rows(what: str, axis: Any) -> int:
    """The axis along which numbers are correlated."""
    if axis not in (-1, 0) or isinstance(axis, bool):
        raise ArgumentError(f"{what} is −1 (each row) or 0 (over all rows), got {axis!r}")
    return int(axis)


@arguments
class PearsonCorrelation(Metric):
    """Σ (y − mean y)·(ŷ − mean ŷ)/(n·σ_y·σ_ŷ), along the outputs of each row (axis −1) and then the mean over rows.

    With `axis=0`, which Keras computes batch by batch, it is over all rows, for each output, and then the mean over the
    outputs: take this for a single output. NaN if predictions or targets don't vary.

    >>> round(PearsonCorrelation(axis=0)([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), 9)
    0.5
    """

    axis: Annotated[int, Checked(of_rows)] = -1

    instruction: ClassVar[type[instructions.Total]] = instructions.RowCorrelations
    higher_is_better = True
    formula = "cov(y, ŷ)/(σ_y·σ_ŷ)"
    range = "−1 to 1, 1 is best"
    use = "Whether predictions rise with targets, whatever their scale."

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> instructions.Total:
        self.check(p.shape, y.shape)
        return (instructions.Moments if self.axis == 0 else instructions.RowCorrelations)(p, y, sums)

    @property
    def between_rows(self) -> bool:
        return self.axis == 0

    def sums(self, output: Shape) -> int:
        return 5 * math.prod(output) if self.axis == 0 else 1

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        if self.axis == -1:
            return float(sums[0] / (rows * math.prod(output[:-1])))
        p, y, pp, yy, py = sums.reshape(5, -1) / rows
        spread = (pp - p * p) * (yy - y * y)
        pairs = zip(py - p * y, spread, strict=True)
        return float(np.mean([c / math.sqrt(s) if s > 0 else math.nan for c, s in pairs]))
