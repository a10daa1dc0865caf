"""L-BFGS: the loss of all rows and its gradient as a function of the flat vector of weights, for scipy.optimize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.contract import Chunk, mean_loss
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import DataError
from thalweg.models.sequential import Sequential

Array = NDArray[Any]


class Objective:
    """The loss of a model compiled with plain gradient descent, and its gradient, on all rows as one batch in float64.

    The gradient is what a step with a learning rate of 0 leaves in the engine's memory.
    """

    def __init__(self, model: Sequential, x: Array, y: Array, weights: Array | None, penalty: float) -> None:
        compiled = model._compiled
        compiled.ready(x)
        self.weights = model.vector
        job = compiled.job("training", compiled.data(x, y, weights), len(x))
        self.executor = ReferenceExecutor(job)
        self.step = Chunk(0, 0, 1, 0, np.zeros(1), np.array([penalty]))

    def __call__(self, weights: Array) -> tuple[float, Array]:
        """(loss, gradient) at these weights."""
        self.weights[:] = weights
        outcome = self.executor.run(self.step)
        if not outcome.finite:
            return np.inf, np.zeros_like(weights)
        return float(mean_loss(outcome.records[0])), self.executor.gradient().copy()


def minimize(
    objective: Objective, most_steps: int, most_calls: int, tolerance: float, told: Callable[[int, float], None] | None
) -> tuple[Any, int]:
    """Runs L-BFGS from the model's weights and leaves its result there; returns SciPy's result and the iterations.

    told: called after each iteration with its number and the loss.
    """
    from scipy.optimize import minimize as scipy_minimize
    from sklearn.utils.optimize import _check_optimize_result

    done = 0

    def ended(intermediate_result: Any) -> None:
        nonlocal done
        done += 1
        if told is not None:
            told(done, float(intermediate_result.fun))

    result = scipy_minimize(
        objective,
        objective.weights.copy(),
        method="L-BFGS-B",
        jac=True,
        callback=ended if told is not None else None,
        options={"maxfun": most_calls, "maxiter": most_steps, "gtol": tolerance},
    )
    if not np.isfinite(result.x).all() or not np.isfinite(result.fun):
        raise DataError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            "preprocessed."
        )
    objective.weights[:] = result.x
    return result, _check_optimize_result("lbfgs", result, most_steps)
