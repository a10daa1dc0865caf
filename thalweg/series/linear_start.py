"""The linear model of a window: where networks begin, and what they are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.series.origins import Strip

Array = NDArray[Any]

WINDOWS, LATEST = 20_000, 0.2
"""Windows that it learns from, at most; the share of them, the latest, that the penalty is chosen by."""
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Of squared weights; inputs and targets are in scales."""
FURTHEST = 50.0
"""Targets lie within so many scales."""


def scaled_targets(strip: Strip, lines: Array, origins: Array) -> tuple[Array, Array, Array]:
    """Inputs of windows, what a network has to say there, (windows, horizon), and which of that is known."""
    x, base, scale = strip.at(lines, origins)
    y, seen = strip.targets(lines, origins)
    return x, np.clip((y - base) / scale, -FURTHEST, FURTHEST), seen


def linear_model(strip: Strip, lines: Array, origins: Array, seed: int) -> tuple[Array, Array, Array]:
    """W = (XᵀX + penalty·I)⁻¹ XᵀY for all steps at once, with the penalty that is best on the latest windows.

    Returns:
        W, (inputs, horizon); b, (horizon,); and what Y − XW − b is on the windows, (windows, horizon).
    """
    chosen = np.random.default_rng(seed).permutation(len(lines))[:WINDOWS]
    chosen = chosen[np.argsort(origins[chosen], kind="stable")]
    x, y, _ = scaled_targets(strip, lines[chosen], origins[chosen])
    x = np.column_stack([x.astype(np.float64), np.ones(len(x))])
    early = max(1, int(len(x) * (1 - LATEST)))
    penalty = PENALTIES[1]
    if early < len(x):
        errors = [np.abs(y[early:] - x[early:] @ w).mean() for w in solutions(x[:early], y[:early])]
        penalty = PENALTIES[int(np.argmin(errors))]
    weights = solutions(x, y, (penalty,))[0]
    return weights[:-1], weights[-1], y - x @ weights


def solutions(x: Array, y: Array, penalties: tuple[float, ...] = PENALTIES) -> list[Array]:
    """The weights for each penalty: (inputs, horizon)."""
    products, aims = x.T @ x, x.T @ y
    return [np.linalg.solve(products + penalty * np.eye(len(products)), aims) for penalty in penalties]
