"""Metrics of the confusion matrix: counts, precision, recall, F-scores, the area under a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError, ShapeError
from thalweg.metrics.metric import Metric, Shape, ratio
from thalweg.program.instructions import metrics as instructions
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import AT_MOST_1, Positive, least, number, one_of, optional, positive, whole

EPSILON = 1e-7
Sums = NDArray[np.float64]
Thresholds = float | Sequence[float] | None
Average = Annotated[str | None, Checked(optional(one_of("macro", "micro", "weighted")))]
Decision = Annotated[float | None, Checked(optional(positive(AT_MOST_1)))]


def thresholds(what: str, given: Any) -> Any:
    """One threshold, or several as a tuple."""
    several = isinstance(given, (list, tuple))
    if several and not given:
        raise ArgumentError(f"{what} is a number or a list of them, got an empty one")
    for threshold in given if several else [] if given is None else [given]:
        number(what, threshold, 0, AT_MOST_1)
    return (tuple(given) if len(given) > 1 else given[0]) if several else given


@arguments
class Counts(Metric):
    """Base: true positives, false positives, false negatives and true negatives at one threshold."""

    thresholds: Annotated[Thresholds, Checked(thresholds)] = None

    instruction: ClassVar[type[instructions.Total]] = instructions.ConfusionCounts

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.thresholds, tuple):
            vars(self)["parts"] = tuple(type(self)(**self.get_config() | {"thresholds": t}) for t in self.thresholds)

    def constants(self) -> dict[str, Any]:
        top = getattr(self, "top_k", None)
        threshold = (0.5 if top is None else -np.inf) if self.thresholds is None else self.thresholds
        class_id = getattr(self, "class_id", None)
        return {"threshold": threshold, "class_id": -1 if class_id is None else class_id, "top_k": top or 0}

    def sums(self, output: Shape) -> int:
        return 4

    @property
    def by_element(self) -> bool:
        return getattr(self, "class_id", None) is None and getattr(self, "top_k", None) is None

    def check(self, output: Shape, target: Shape) -> None:
        super().check(output, target)
        class_id = getattr(self, "class_id", None)
        if class_id is not None and class_id >= output[-1]:
            raise ArgumentError(f"class_id of {self.name} is {class_id}, but there are {output[-1]} outputs")


class TruePositives(Counts):
    """The number of outputs with ŷ > threshold and y = 1.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    higher_is_better = True
    formula = "Σ [ŷ > threshold and y = 1]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[0])


class FalsePositives(Counts):
    """The number of outputs with ŷ > threshold and y = 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    formula = "Σ [ŷ > threshold and y = 0]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[1])


class FalseNegatives(Counts):
    """The number of outputs with ŷ ≤ threshold and y = 1.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    formula = "Σ [ŷ ≤ threshold and y = 1]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[2])


class TrueNegatives(Counts):
    """The number of outputs with ŷ ≤ threshold and y = 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    higher_is_better = True
    formula = "Σ [ŷ ≤ threshold and y = 0]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[3])


@arguments
class Rate(Counts):
    """Base of `Precision` and `Recall`: which outputs count, and which of them may be positive."""

    top_k: Annotated[int | None, Checked(optional(whole))] = None
    class_id: Annotated[int | None, Checked(optional(least(0)))] = None

    higher_is_better = True


class Precision(Rate):
    """TP/(TP + FP), or 0 if both are 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None. top_k: only the k largest outputs of a row
    may be positive (without a threshold, unless one is given). class_id: only this output counts.
    """

    formula = "TP/(TP + FP)"
    range = "0 to 1, 1 is best"
    use = "When a false alarm is expensive."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return ratio(float(sums[0]), float(sums[0] + sums[1]))


class Recall(Rate):
    """TP/(TP + FN), or 0 if both are 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None. top_k: only the k largest outputs of a row
    may be positive (without a threshold, unless one is given). class_id: only this output counts.
    """

    formula = "TP/(TP + FN)"
    range = "0 to 1, 1 is best"
    use = "When a miss is expensive."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return ratio(float(sums[0]), float(sums[0] + sums[2]))


class FScore(Metric):
    """Base of `FBetaScore` and `F1Score`: a score for each class, and their average."""

    average: str | None
    threshold: float | None
    beta = 1.0

    instruction: ClassVar[type[instructions.Total]] = instructions.ClassCounts
    higher_is_better = True
    range = "0 to 1, 1 is best"
    use = "Classes of different sizes."

    def constants(self) -> dict[str, float]:
        return {"threshold": -1.0 if self.threshold is None else self.threshold}

    @property
    def between_rows(self) -> bool:
        return True

    def sums(self, output: Shape) -> int:
        return 3 * output[-1]

    def check(self, output: Shape, target: Shape) -> None:
        if target not in (output, (*output[:-1], 1)):
            raise ShapeError(f"metric {self.name!r} needs one-hot targets or class numbers, got {target} for {output}")
        if self.average is None and output[-1] > 1:
            raise ArgumentError(
                f"{self.name} of {output[-1]} outputs needs an average: 'macro', 'micro' or 'weighted' (a history "
                "keeps one number, not one for each class)"
            )

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        counts = sums.reshape(3, -1)
        right, predicted, actual = counts.sum(axis=1, keepdims=True) if self.average == "micro" else counts
        precision, recall = right / (predicted + EPSILON), right / (actual + EPSILON)
        scores = (1 + self.beta**2) * precision * recall / (self.beta**2 * precision + recall + EPSILON)
        if self.average == "weighted":
            return float((scores * actual).sum() / (actual.sum() + EPSILON))
        return float(scores.mean())


@arguments
class FBetaScore(FScore):
    """(1 + β²)·precision·recall/(β²·precision + recall), for each class and then averaged.

    average: "macro" (the mean over the classes), "weighted" (by their frequency), "micro" (all counts together); None
    is for one output only, because a history keeps one number. threshold: an output above it is positive; if None, the
    largest output of a row is. Targets are one-hot, or class numbers (in Keras one-hot only).
    """

    average: Average = None
    beta: Positive = 1.0
    threshold: Decision = None

    short: ClassVar[str] = "fbeta_score"
    formula = "(1 + β²)·P·R/(β²·P + R)"


@arguments
class F1Score(FScore):
    """2·precision·recall/(precision + recall): `FBetaScore` with β = 1."""

    average: Average = None
    threshold: Decision = None

    short: ClassVar[str] = "f1_score"
    formula = "2·P·R/(P + R)"


@arguments
class AUC(Metric):
    """The area under the ROC curve, or with curve="PR" under precision against recall, by `num_thresholds` buckets.

    All outputs are taken together; with `multi_label` the score is the mean of each output's area. from_logits: applies
    a sigmoid first. summation_method: "interpolation", "minoring" or "majoring".
    """

    num_thresholds: Annotated[int, Checked(least(2))] = 200
    curve: Literal["ROC", "PR"] = "ROC"
    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation"
    multi_label: bool = False
    from_logits: bool = False

    instruction: ClassVar[type[instructions.Total]] = instructions.ScoreHistogram
    higher_is_better = True
    formula = "∫ TPR dFPR, or ∫ precision drecall"
    range = "0 to 1, 1 is best; 0.5 is chance (ROC)"
    use = "Ranking, whatever the threshold; rare positives: PR."

    def constants(self) -> dict[str, float]:
        return {"buckets": self.num_thresholds, "by_output": int(self.multi_label), "logits": int(self.from_logits)}

    @property
    def between_rows(self) -> bool:
        return True

    def sums(self, output: Shape) -> int:
        return 2 * self.num_thresholds * (output[-1] if self.multi_label else 1)

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(np.mean([self.area(*pair) for pair in sums.reshape(-1, 2, self.num_thresholds)]))

    def area(self, positives: Sums, negatives: Sums) -> float:
        """The area for the positives and negatives in each bucket of predictions."""
        tp, fp = np.cumsum(positives[::-1])[::-1], np.cumsum(negatives[::-1])[::-1]
        fn, tn = positives.sum() - tp, negatives.sum() - fp
        if self.curve == "PR" and self.summation_method == "interpolation":
            return interpolated_pr(tp, fp, fn)
        recall = divide(tp, tp + fn)
        x, y = (divide(fp, fp + tn), recall) if self.curve == "ROC" else (recall, divide(tp, tp + fp))
        low, high = np.minimum(y[:-1], y[1:]), np.maximum(y[:-1], y[1:])
        heights = {"interpolation": (low + high) / 2, "minoring": low, "majoring": high}[self.summation_method]
        return float(((x[:-1] - x[1:]) * heights).sum())


def divide(a: Sums, b: Sums) -> Sums:
    """a/b, 0 where b is."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def interpolated_pr(tp: Sums, fp: Sums, fn: Sums) -> float:
    """Precision between two thresholds as Davis and Goadrich interpolate it (ICML 2006)."""
    p = tp + fp
    slope = divide(tp[:-1] - tp[1:], np.maximum(p[:-1] - p[1:], 0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    quotient = np.where(both, divide(p[:-1], np.maximum(p[1:], 0)), 1.0)
    increments = slope * (tp[:-1] - tp[1:] + intercept * np.log(quotient))
    return float(divide(increments, np.maximum(tp[1:] + fn[1:], 0)).sum())
