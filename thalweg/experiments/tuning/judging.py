"""How a trial is judged: by a metric that doesn't depend on its loss, on rows that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg.data.recipe import Recipe
from thalweg.support.naming import choose

Array = NDArray[np.float64]
SURE = 1e-7  # probabilities are kept this far from 0 and 1 before their logarithm is taken
COOLEST, HOTTEST = 0.05, 20.0
ROUNDS = 12  # of Newton's method


@dataclass(frozen=True)
class Metric:
    """What trials are ranked by. label: for people. sign: +1 if more is better, otherwise −1."""

    name: str
    label: str
    sign: int

    def ahead(self, score: float) -> float:
        """A number that is the larger the better."""
        return self.sign * score

    @property
    def direction(self) -> str:
        """As Optuna says it."""
        return "maximize" if self.sign > 0 else "minimize"


METRICS = {
    "log_loss": Metric("log_loss", "log-loss", -1),
    "accuracy": Metric("accuracy", "accuracy", 1),
    "rmse": Metric("rmse", "RMSE", -1),
}


def metric_of(task: Recipe, name: str | None) -> Metric:
    """The metric of that name; by default the log-loss for classes, and the RMSE for numbers.

    >>> from thalweg.data.recipe import recipe
    >>> metric_of(recipe("binary"), None).label, metric_of(recipe("binary"), "accuracy").direction
    ('log-loss', 'maximize')
    """
    fitting = ("rmse",) if task.task == "regression" else ("log_loss", "accuracy")
    return METRICS[choose(f"metric for a {task.task} target", name or fitting[0], fitting)]


@dataclass(frozen=True)
class Verdict:
    """The scores of one network on some rows, by metric, with the temperature that these rows want."""

    scores: dict[str, float]
    temperature: float = 1.0


def logits_of(outputs: NDArray[np.float32], activation: str) -> Array:
    """(rows, classes) logits, up to a number for each row, from the outputs of any output layer for classes."""
    z = np.asarray(outputs, np.float64)
    if activation == "softmax":
        z = np.log(np.maximum(z, SURE**2))
    elif activation == "sigmoid":
        z = np.clip(z, SURE, 1 - SURE)
        z = np.log(z) - np.log1p(-z)
    return np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z


def shares_of(logits: Array, temperature: float) -> Array:
    """Softmax(logits / temperature), (rows, classes)."""
    z = logits / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Array = z / z.sum(axis=1, keepdims=True)
    return shares


def best_temperature(logits: Array, codes: NDArray[np.int64]) -> float:
    """The temperature T of the least log-loss on these rows and one more of no class, between 0.05 and 20.

    The log-loss is convex in 1/T, so Newton's method finds it (Guo et al., On Calibration, ICML 2017). The row of no
    class, whose logits are the others' mean, keeps T away from 0 where all rows are right (Platt 1999).

    >>> logits = np.array([[0.0, 9.0]] * 79 + [[9.0, 0.0]] * 20)
    >>> codes = np.ones(99, int)
    >>> round(best_temperature(logits, codes), 3)  # 79.5 of 100 are right, and 9 / T = log(79.5 / 20.5)
    6.64
    """
    inverse, rows = 1.0, len(codes)
    chosen = (rows * logits[np.arange(rows), codes] + logits.mean(axis=1)) / (rows + 1)
    for _ in range(ROUNDS):
        shares = shares_of(logits, 1 / inverse)
        mean = (shares * logits).sum(axis=1)
        slope = float((mean - chosen).mean())
        bend = float(((shares * logits**2).sum(axis=1) - mean**2).mean())
        step = slope / bend if bend > 0 else np.sign(slope) * np.inf
        following = float(np.clip(inverse - step, max(inverse / 4, 1 / HOTTEST), min(inverse * 4, 1 / COOLEST)))
        if abs(following - inverse) < 1e-6 * inverse:
            break
        inverse = following
    return 1 / inverse


def log_losses(logits: Array, codes: NDArray[np.int64], temperature: float) -> Array:
    """−log of the share given to the true class, a row."""
    shares = shares_of(logits, temperature)[np.arange(len(codes)), codes]
    losses: Array = -np.log(np.maximum(shares, SURE**2))
    return losses


def judge(
    outputs: NDArray[np.float32],
    y: NDArray[np.generic],
    activation: str,
    scale: float,
    temperature: float | None = None,
) -> Verdict:
    """The scores of these outputs.

    Args:
        outputs: (rows, units) of the network. activation: of its output layer.
        y: class numbers (rows,), or standardised numbers (rows, 1).
        scale: the size of a standardised target's unit, in the user's own.
        temperature: divides the logits; by default the one that suits these rows best.
    """
    if y.ndim == 2:
        errors = np.asarray(outputs, np.float64) - y
        spread = float(np.var(np.asarray(y, np.float64)))
        mean = float((errors**2).mean())
        return Verdict({"rmse": scale * mean**0.5, "r2": 1 - mean / spread if spread else float("nan")})
    codes = np.asarray(y, np.int64)
    logits = logits_of(outputs, activation)
    if temperature is None:
        temperature = best_temperature(logits, codes)
    right = float((logits.argmax(axis=1) == codes).mean())
    return Verdict({"log_loss": float(log_losses(logits, codes, temperature).mean()), "accuracy": right}, temperature)
