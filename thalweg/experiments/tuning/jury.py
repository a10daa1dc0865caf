"""How a trial is judged: by a metric that doesn't depend on its loss, on rows that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.data.target import Target
from thalweg.tabular import temperature
from thalweg.tabular.judge import Judge
from thalweg.tabular.scoring import CLASS_METRICS, LOSSES, NUMBER_METRICS, TINY, metric_of, shown

Array = NDArray[Any]
LABELS = {"log_loss": "log-loss", "auc": "AUC", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "mape": "MAPE", "r2": "R²"}
LOG_LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
COOLEST = 0.2
ALWAYS = {"regression": ("rmse", "r2"), "binary": ("log_loss", "accuracy"), "multiclass": ("log_loss", "accuracy")}


@dataclass(frozen=True)
class Metric:
    """What trials are ranked by.

    >>> metric = Metric.of("binary", None)
    >>> metric.label, metric.ahead(0.9), Metric.of("binary", "accuracy").ahead(0.9)
    ('log-loss', -0.9, 0.9)
    """

    name: str
    task: str

    @classmethod
    def of(cls, task: str, name: str | None) -> Metric:
        """The metric of that name; by default the log-loss for classes, the RMSE for numbers."""
        return cls(metric_of(name, task)[0], task)

    @property
    def label(self) -> str:
        """For people."""
        return label_of(self.name)

    @property
    def sign(self) -> int:
        """+1 if more is better, otherwise −1."""
        return -1 if self.name in LOSSES else 1

    def ahead(self, score: float) -> float:
        """A number that is the larger the better."""
        return self.sign * score

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna says it."""
        return "maximize" if self.sign > 0 else "minimize"


def coolest(loss: str) -> float:
    """The least temperature for networks of this loss: the logits of one that isn't the log-loss have any scale.

    >>> coolest("binary_crossentropy"), coolest("squared_hinge")
    (0.7, 0.2)
    """
    return temperature.LOW if loss in LOG_LOSSES else COOLEST


def label_of(metric: str) -> str:
    """A metric's name for people."""
    return LABELS.get(metric, metric.replace("_", " "))


@dataclass(frozen=True)
class Verdict:
    """The scores of one network on some rows, by metric, as people know them, and the temperature of its logits."""

    scores: dict[str, float]
    temperature: float = 1.0


@dataclass(frozen=True)
class Jury:
    """Judges the outputs of networks on the rows with these targets.

    Attributes:
        judge: of these targets, without a metric of its own.
        metrics: what is scored.
        low: the least temperature.
    """

    judge: Judge
    metrics: tuple[str, ...]
    low: float = temperature.LOW

    @classmethod
    def of(cls, target: Target, y: Array, learned: Array, metric: Metric, low: float = temperature.LOW) -> Jury:
        """`y` are the targets of the rows to judge by; predictions are limited to the range of those `learned`."""
        judge = Judge.of(target.task, y.ravel(), None, metric.name, None, target.mean, target.scale)
        if target.task == "regression":
            judge = replace(judge, low=float(learned.min()), high=float(learned.max()))
        return cls(judge, tuple(dict.fromkeys([metric.name, *ALWAYS[target.task]])), low)

    def __call__(self, outputs: Array, at: float | None = None) -> Verdict:
        """The scores of outputs (rows, units): logits, or standardised numbers.

        `at` is the temperature that divides the logits; by default the one that suits these rows best.
        """
        y, regression = self.judge.y, self.judge.task == "regression"
        if at is None:
            at = 1.0 if regression else temperature.fitted(outputs, y, low=self.low)
        predicted = self.judge.predictions(outputs, at)
        truth = self.judge.numbers(y) if regression else y
        known = NUMBER_METRICS if regression else CLASS_METRICS
        return Verdict({name: shown(name, known[name](truth, predicted, None)) for name in self.metrics}, at)

    def losses(self, outputs: Array, at: float) -> Array:
        """Of each row: −log p of the true class, or the squared error of the standardised number."""
        if self.judge.task == "regression":
            errors: Array = (np.clip(outputs[:, 0], self.judge.low, self.judge.high) - self.judge.y) ** 2
            return errors
        shares = self.judge.predictions(outputs, at)[np.arange(len(outputs)), self.judge.y]
        found: Array = -np.log(np.maximum(shares, TINY))
        return found
