"""Metrics of the confusion matrix: counts, precision, recall, F-scores, the area under a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError, ShapeError
from thalweg.metrics.metric import Metric, Shape, ratio
from thalweg.program.instructions import metrics as instructions
from thalweg.support.checks import AT_MOST_1, number, whole
from thalweg.support.naming import choose

EPSILON = 1e-7
Sums = NDArray[np.float64]
Thresholds = float | Sequence[float] | None


@dataclass(frozen=True)
class Counts(Metric):
    """Base: true positives, false positives, false negatives and true negatives at one threshold."""

    instruction: ClassVar[type[instructions.Total]] = instructions.ConfusionCounts

    def __post_init__(self) -> None:
        super().__post_init__()
        given: Any = getattr(self, "thresholds")  # noqa: B009 — every subclass has it, in its own place
        several = isinstance(given, (list, tuple))
        if several and not given:
            raise ArgumentError(f"thresholds of {self.name} is a number or a list of them, got an empty one")
        for threshold in given if several else [] if given is None else [given]:
            number(f"thresholds of {self.name}", threshold, 0, AT_MOST_1)
        if several:
            object.__setattr__(self, "thresholds", tuple(given) if len(given) > 1 else given[0])
        if several and len(given) > 1:
            object.__setattr__(self, "parts", tuple(type(self)(**self.get_config() | {"thresholds": t}) for t in given))

    def constants(self) -> dict[str, float]:
        top = getattr(self, "top_k", None)
        given: float | None = getattr(self, "thresholds")  # noqa: B009
        threshold = (0.5 if top is None else -np.inf) if given is None else given
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


@dataclass(frozen=True)
class TruePositives(Counts):
    """The number of outputs with ŷ > threshold and y = 1.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    thresholds: Thresholds = None

    higher_is_better = True
    formula = "Σ [ŷ > threshold and y = 1]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[0])


@dataclass(frozen=True)
class FalsePositives(Counts):
    """The number of outputs with ŷ > threshold and y = 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    thresholds: Thresholds = None

    formula = "Σ [ŷ > threshold and y = 0]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[1])


@dataclass(frozen=True)
class FalseNegatives(Counts):
    """The number of outputs with ŷ ≤ threshold and y = 1.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    thresholds: Thresholds = None

    formula = "Σ [ŷ ≤ threshold and y = 1]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[2])


@dataclass(frozen=True)
class TrueNegatives(Counts):
    """The number of outputs with ŷ ≤ threshold and y = 0.

    thresholds: a number, or a list for use outside of a model; 0.5 if None.
    """

    thresholds: Thresholds = None

    higher_is_better = True
    formula = "Σ [ŷ ≤ threshold and y = 0]"
    range = "0 and above"
    use = "Counting what a decision gets right and wrong."

    def score(self, sums: Sums, rows: float, output: Shape) -> float:
        return float(sums[3])


@dataclass(frozen=True)
class Rate(Counts):
    """Base of `Precision` and `Recall`: which outputs count, and which of them may be positive."""

    thresholds: Thresholds = None
    top_k: int | None = None
    class_id: int | None = None

    higher_is_better = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_k is not None:
            whole(f"top_k of {self.name}", self.top_k)
        if self.class_id is not None:
            whole(f"class_id of {self.name}", self.class_id, 0)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class FScore(Metric):
    """Base of `FBetaScore` and `F1Score`: a score for each class, and their average."""

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None

    instruction: ClassVar[type[instructions.Total]] = instructions.ClassCounts
    higher_is_better = True
    range = "0 to 1, 1 is best"
    use = "Classes of different sizes."

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average is not None:
            choose(f"average of {self.name}", self.average, ("macro", "micro", "weighted"))
        if number(f"beta of {self.name}", self.beta) == 0:
            raise ArgumentError(f"beta of {self.name} has to be greater than 0")
        if self.threshold is not None and number(f"threshold of {self.name}", self.threshold, 0, AT_MOST_1) == 0:
            raise ArgumentError(f"threshold of {self.name} has to be greater than 0")

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


@dataclass(frozen=True)
class FBetaScore(FScore):
    """(1 + β²)·precision·recall/(β²·precision + recall), for each class and then averaged.

    average: "macro" (the mean over the classes), "weighted" (by their frequency), "micro" (all counts together); None
    is for one output only, because a history keeps one number. threshold: an output above it is positive; if None, the
    largest output of a row is. Targets are one-hot, or class numbers (in Keras one-hot only).
    """

    short: ClassVar[str] = "fbeta_score"
    formula = "(1 + β²)·P·R/(β²·P + R)"


@dataclass(frozen=True)
class F1Score(FScore):
    """2·precision·recall/(precision + recall): `FBetaScore` with β = 1."""

    beta: float = field(default=1.0, init=False, repr=False)

    short: ClassVar[str] = "f1_score"
    formula = "2·P·R/(P + R)"

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "beta"}


@dataclass(frozen=True)
class AUC(Metric):
    """The area under the ROC curve, or with curve="PR" under precision against recall, by `num_thresholds` buckets.

    All outputs are taken together; with `multi_label` the score is the mean of each output's area. from_logits: applies
    a sigmoid first. summation_method: "interpolation", "minoring" or "majoring".
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    multi_label: bool = False
    from_logits: bool = False

    instruction: ClassVar[type[instructions.Total]] = instructions.ScoreHistogram
    higher_is_better = True
    formula = "∫ TPR dFPR, or ∫ precision drecall"
    range = "0 to 1, 1 is best; 0.5 is chance (ROC)"
    use = "Ranking, whatever the threshold; rare positives: PR."

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(f"num_thresholds of {self.name}", self.num_thresholds, 2)
        choose(f"curve of {self.name}", self.curve, ("ROC", "PR"))
        choose(f"summation_method of {self.name}", self.summation_method, ("interpolation", "minoring", "majoring"))

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
