"""Judges outputs of networks on rows that they didn't learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import losses
from thalweg.tabular import temperature
from thalweg.tabular.scoring import Score, metric_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Judge:
    """Scores outputs of networks: by a metric, or by a regression's loss if that was chosen and no metric.

    Attributes:
        task: "binary", "multiclass" or "regression".
        y: the true classes (rows,) as numbers; or the true numbers, standardised.
        weights: of the rows, for choosing epoch and temperature; None: all alike.
        metric: its name; `score` its function.
        mean, scale: a standardised number z stands for mean + scale·z.
        low, high: the range of y; predictions are limited to it.
        loss: a regression's own loss, which is then the score.
    """

    task: str
    y: Array
    weights: Array | None
    metric: str
    score: Score
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    loss: losses.Loss | None = None

    @classmethod
    def of(
        cls, task: str, y: Array, weights: Array | None, metric: Any, loss: Any, mean: float = 0.0, scale: float = 1.0
    ) -> Judge:
        """The judge of these rows' targets."""
        name, score = metric_of(metric, task)
        if task != "regression":
            return cls(task, y, weights, name, score)
        own = losses.get(loss) if loss is not None and metric is None else None
        shown = name if own is None else own.name
        return cls(task, y, weights, shown, score, mean, scale, float(y.min()), float(y.max()), own)

    def predictions(self, outputs: Array, at: float = 1.0) -> Array:
        """Probabilities (rows, classes) at a temperature, or numbers (rows,) in their own unit."""
        if self.task != "regression":
            return temperature.probabilities(outputs, at)
        return self.numbers(np.clip(outputs[:, 0], self.low, self.high))

    def numbers(self, z: Array) -> Array:
        """Standardised numbers in their own unit, float64."""
        result: Array = z.astype(np.float64) * self.scale + self.mean
        return result

    def __call__(self, rows: Array, outputs: Array) -> tuple[float, ...]:
        """The score of outputs for these rows, the higher the better; of classes, equal ones by their log-loss."""
        y, weights = self.y[rows], None if self.weights is None else self.weights[rows]
        if self.task == "regression":
            return (self.of_predictions(rows, self.predictions(outputs), weights),)
        loss, best = temperature.least_loss(outputs, y, weights)
        if self.metric == "log_loss":
            return (-loss,)
        return self.score(y, self.predictions(outputs, best), weights), -loss

    def of_predictions(self, rows: Array, predicted: Array, weights: Array | None) -> float:
        """The score of predictions for these rows."""
        y = self.y[rows]
        if self.loss is not None:
            z = (predicted - self.mean) / self.scale
            return -float(self.loss(y[:, None], z[:, None], sample_weight=weights))
        return self.score(self.numbers(y) if self.task == "regression" else y, predicted, weights)
