"""Temperature: one number by which logits are divided, so that probabilities fit how often they come true.

Guo, Pleiss, Sun, Weinberger, ICML 2017. Of several networks each is divided by √T, as averaging softens too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.tabular.scoring import mean

Array = NDArray[Any]

LOW, HIGH = 0.7, 8.0
MANY = 2000
"""Of fewer rows, T is at least 1: they can't show that probabilities should be sharper."""
GRID = np.geomspace(0.7, 4.0, 9)
"""Temperatures tried after every epoch."""


def probabilities(logits: Array, temperature: float = 1.0) -> Array:
    """Softmax(logits/T), (rows, classes) in float64; one logit a row is that of the second of two classes.

    >>> probabilities(np.array([[0.0], [2.0]]), 2.0).round(2).tolist()
    [[0.5, 0.5], [0.27, 0.73]]
    """
    z = logits.astype(np.float64) / temperature
    if z.shape[1] == 1:
        z = np.hstack([np.zeros_like(z), z])
    e = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Array = e / e.sum(axis=1, keepdims=True)
    return shares


def loss_at(logits: Array, y: Array, temperature: float, weights: Array | None = None) -> float:
    """The mean of −log p of the true classes y (rows,), at a temperature, as if one more row were wrong.

    So n rows that are all right claim no more than about 1 − 1/(n + 2): each target is mixed with a share of all
    classes (Laplace's rule of succession).
    """
    z = logits.astype(np.float64) / temperature
    if z.shape[1] == 1:
        z = np.hstack([np.zeros_like(z), z])
    top = z.max(axis=1, keepdims=True)
    total = np.log(np.exp(z - top).sum(axis=1)) + top[:, 0]
    classes = z.shape[1]
    doubt = classes / (classes - 1) / (len(y) + 2)
    return mean(total - (1 - doubt) * z[np.arange(len(y)), y] - doubt * z.mean(axis=1), weights)


def least_loss(logits: Array, y: Array, weights: Array | None = None) -> tuple[float, float]:
    """The least loss on the grid, and its temperature."""
    return min((loss_at(logits, y, t, weights), t) for t in GRID.tolist())


def fitted(
    logits: Array, y: Array, weights: Array | None = None, low: float | None = None, high: float = HIGH
) -> float:
    """The temperature of least loss, between `low` and 8; 1 if there are no rows. `low` is 0.7, or 1 for few rows.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 1))
    >>> y = (rng.random(2000) < 1 / (1 + np.exp(-logits[:, 0]))).astype(int)
    >>> 1.8 < fitted(2 * logits, y) < 2.2
    True
    """
    if not len(y):
        return 1.0
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: loss_at(logits, y, float(np.exp(log_t)), weights),
        bounds=(np.log(low or (LOW if len(y) >= MANY else 1.0)), np.log(high)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
