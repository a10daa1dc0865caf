"""Metrics: scores that people read, computed beside the loss from running float64 sums. Names and defaults are Keras's.

A metric never weights its rows, as `compile(metrics=…)` in Keras.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError, ShapeError
from thalweg.naming import choose, snake_case
from thalweg.program import metrics as instructions
from thalweg.program.instruction import TOTALS, Buffer

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Metric:
    """Base of all metrics: which sums it needs (`instruction`), and how they become a score (`result`)."""

    instruction: ClassVar[type[instructions.Total]]
    short: ClassVar[str] = ""  # the name in history, where it isn't the class's
    higher_is_better: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The key in `History` and in the logs."""
        return self.short or snake_case(type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return asdict(self)

    def sums(self, output: Shape) -> int:
        """How many running sums it needs for predictions of shape (rows, *output)."""
        return 1

    def check(self, output: Shape, target: Shape) -> None:
        """Raises where the metric has no meaning for these shapes."""
        if output != target:
            raise ShapeError(
                f"metric {self.name!r} compares targets and predictions of one shape, got {target} and {output}"
            )

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> instructions.Total:
        """The instruction that adds a batch to the sums."""
        self.check(p.shape, y.shape)
        return self.instruction(p, y, sums)

    def result(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        """The score from the sums over `rows` rows: by default the mean over rows and outputs."""
        return float(sums[0] / (rows * math.prod(output)))

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike) -> float:
        """The score of a batch of predictions.

        >>> SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]])
        0.5
        """
        from thalweg.engine.reference import evaluate_metric

        p, y = np.asarray(y_pred, dtype=np.float64), np.asarray(y_true, dtype=np.float64)
        p = p[:, None] if p.ndim == 1 else p
        y = y[:, None] if y.ndim == 1 else y
        if len(y) != len(p):
            raise ShapeError(f"y_pred has {len(p)} rows but y_true has {len(y)}")
        sums = Buffer(self.name, (self.sums(p.shape[1:]),), TOTALS, per_row=False)
        instruction = self.lower(Buffer("y_pred", p.shape[1:]), Buffer("y", y.shape[1:]), sums)
        return self.result(evaluate_metric(instruction, p, y), len(p), p.shape[1:])


@dataclass(frozen=True)
class MeanSquaredError(Metric):
    """mean (y − ŷ)²"""

    instruction = instructions.SquaredErrors


@dataclass(frozen=True)
class RootMeanSquaredError(Metric):
    """√ mean (y − ŷ)²"""

    instruction = instructions.SquaredErrors

    def result(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return math.sqrt(super().result(sums, rows, output))


@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    """mean |y − ŷ|"""

    instruction = instructions.AbsoluteErrors


@dataclass(frozen=True)
class R2Score(Metric):
    """R² = 1 − Σ(y − ŷ)²/Σ(y − mean y)², the mean over the outputs: 1 is perfect, 0 is as good as the mean.

    Targets that are all equal have no variance to explain: R² is then NaN.

    >>> R2Score()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    instruction = instructions.SquaresAndTargets
    short = "r2_score"
    higher_is_better = True

    def sums(self, output: Shape) -> int:
        return 3 * math.prod(output)

    def result(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        residual, total, squares = sums.reshape(3, -1)
        variation = squares - total * total / rows
        rounding = rows * np.finfo(np.float64).eps * squares  # a smaller variation is no more than the sums' rounding
        scores = [1 - r / v if v > e else math.nan for r, v, e in zip(residual, variation, rounding, strict=True)]
        return float(np.mean(scores))


@dataclass(frozen=True)
class Accuracy(Metric):
    """The share of predictions that equal their target."""

    instruction = instructions.EqualMatches
    higher_is_better = True


@dataclass(frozen=True)
class BinaryAccuracy(Metric):
    """The share of outputs on the right side of `threshold`, for targets 0 and 1."""

    threshold: float = 0.5

    instruction = instructions.BinaryMatches
    higher_is_better = True

    def lower(self, p: Buffer, y: Buffer, sums: Buffer) -> instructions.Total:
        self.check(p.shape, y.shape)
        return instructions.BinaryMatches(p, y, sums, self.threshold)


@dataclass(frozen=True)
class CategoricalAccuracy(Metric):
    """The share of rows whose largest prediction is at the place of the largest target (one-hot)."""

    instruction: ClassVar[type[instructions.Total]] = instructions.CategoricalMatches
    higher_is_better = True

    def result(self, sums: NDArray[np.float64], rows: float, output: Shape) -> float:
        return float(sums[0] / (rows * math.prod(output[:-1])))


@dataclass(frozen=True)
class SparseCategoricalAccuracy(CategoricalAccuracy):
    """The share of rows whose largest prediction is at the place that the target, a class number, names."""

    instruction = instructions.SparseMatches

    def check(self, output: Shape, target: Shape) -> None:
        if target != (*output[:-1], 1):
            raise ShapeError(f"metric {self.name!r} needs class numbers of shape {(*output[:-1], 1)}, got {target}")


CLASSES: dict[str, type[Metric]] = {
    c.__name__: c
    for c in (
        MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, R2Score,
        Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
    )
}  # fmt: skip
NAMES: dict[str, type[Metric]] = {snake_case(n): c for n, c in CLASSES.items()} | {
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "rmse": RootMeanSquaredError, "RMSE": RootMeanSquaredError,
    "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "r2": R2Score, "R2": R2Score, "r2_score": R2Score,
}  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A metric and the key under which it is logged: the user's own word where one was given."""

    key: str
    metric: Metric


def get(identifier: str | Metric | dict[str, Any], output: Shape, target: Shape) -> Named:
    """A metric from its name, its description, or itself, for a network's output and target shapes.

    "accuracy" or "acc" is the binary, categorical or sparse categorical one by these shapes, as in Keras.

    >>> get("accuracy", output=(10,), target=(1,))
    Named(key='accuracy', metric=SparseCategoricalAccuracy())
    """
    if isinstance(identifier, Metric):
        return Named(identifier.name, identifier)
    if isinstance(identifier, dict):
        metric = choose("metric", identifier["class_name"], CLASSES)(**identifier["config"])
        return Named(identifier.get("key", metric.name), metric)
    if identifier in ("accuracy", "acc"):
        if output[-1] == 1:
            return Named(identifier, BinaryAccuracy())
        return Named(identifier, CategoricalAccuracy() if output == target else SparseCategoricalAccuracy())
    if not isinstance(identifier, str):
        raise ArgumentError(f"a metric is a name or one of thalweg.metrics, got {identifier!r}")
    return Named(identifier, choose("metric", identifier, NAMES | CLASSES | {"acc": Accuracy})())


def serialize(named: Named) -> dict[str, Any]:
    """A plain description that `get` turns back into an equal metric."""
    return {"class_name": type(named.metric).__name__, "config": named.metric.get_config(), "key": named.key}
