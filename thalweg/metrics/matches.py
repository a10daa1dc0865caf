"""Classification metrics: shares of correct predictions."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg.metrics.metric import Metric, Shape, needs_class_numbers
from thalweg.program.instructions import metrics as instructions
from thalweg.support.arguments import arguments
from thalweg.support.checks import Count, Real


class Accuracy(Metric):
    """The share of predictions that equal their target."""

    instruction = instructions.EqualMatches
    higher_is_better = True
    formula = "mean [ŷ = y]"
    range = "0 to 1, 1 is best"
    use = "Outputs that are exact values."


@arguments
class BinaryAccuracy(Metric):
    """The share of outputs on the right side of `threshold`, for targets 0 and 1."""

    threshold: Real = 0.5

    instruction = instructions.BinaryMatches
    higher_is_better = True
    formula = "mean [(ŷ > threshold) = y]"
    range = "0 to 1, 1 is best"
    use = "Two classes of similar size."


class ShareOfRows(Metric):
    """Base of the shares of rows (and positions) whose class is predicted correctly."""

    instruction: ClassVar[type[instructions.Total]]
    higher_is_better = True
    range = "0 to 1, 1 is best"

    def score(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / (rows * math.prod(output[:-1])))


class CategoricalAccuracy(ShareOfRows):
    """The share of rows whose largest prediction is at the position of the largest target (one-hot)."""

    instruction = instructions.CategoricalMatches
    formula = "mean [argmax ŷ = argmax y]"
    use = "Classes of similar size, one-hot targets."


class SparseCategoricalAccuracy(ShareOfRows):
    """The share of rows whose largest prediction is that of the target, a class number."""

    instruction = instructions.SparseMatches
    formula = "mean [argmax ŷ = y]"
    use = "Classes of similar size, class numbers."

    def check(self, output: Shape, target: Shape) -> None:
        needs_class_numbers(self, output, target)


@arguments
class TopK(ShareOfRows):
    """Base of the metrics of the k largest predictions."""

    k: Count = 5

    use = "Many classes, some hard to tell apart."


class TopKCategoricalAccuracy(TopK):
    """The share of rows whose class (the largest target) is among the k largest predictions; ties count."""

    instruction = instructions.TopMatches
    formula = "mean [fewer than k predictions exceed ŷ[argmax y]]"


class SparseTopKCategoricalAccuracy(TopK):
    """The share of rows whose class number is among the k largest predictions; ties count."""

    instruction = instructions.SparseTopMatches
    formula = "mean [fewer than k predictions exceed ŷ[y]]"

    def check(self, output: Shape, target: Shape) -> None:
        needs_class_numbers(self, output, target)
