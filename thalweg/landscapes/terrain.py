"""The loss as a function of the weights alone: the mountain that gradient descent walks down."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.engine import make_executor, usable_lanes
from thalweg.engine.contract import Chunk, mean_loss
from thalweg.errors import ArgumentError
from thalweg.recordings.compiled_model import WholeModel
from thalweg.support.interrupts import Held
from thalweg.support.once import making

Array = NDArray[Any]

ROWS = 512
"""The most rows the loss is a mean over: a landscape takes hundreds of evaluations."""
SLOW = 0.1
"""Seconds of an evaluation that isn't timed again."""


class Terrain:
    """The loss of a compiled model on some rows, for any weights, penalties included. The model isn't changed.

    Args:
        model: a compiled model.
        x, y: rows as `evaluate` takes them; of more than 512, these are chosen at random with the seed.

    Raises:
        ArgumentError: the model isn't compiled, or the rows don't fit it.
    """

    def __init__(self, model: WholeModel, x: Any, y: Any, seed: int = 0) -> None:
        if not model.compiled:
            raise ArgumentError("a loss landscape needs a loss: compile the model first")
        compiled = model._compiled
        with making:  # no other thread compiles the model
            compiled.ready(x)
            data = chosen(compiled.data(x, y), seed)
            rows = len(next(iter(data.values())))
            program, _ = compiled.lower_for("evaluation", data, rows)
            job = compiled.job("evaluation", data, rows, usable_lanes(None, program, rows, compiled.runs))
        self.rows = rows
        self.solution: Array = model.vector.copy()
        self.trained = [p.buffer for _, p in model.trained_parameters()]
        self._places = np.concatenate(
            [np.arange(p.buffer.offset, p.buffer.offset + p.buffer.size) for _, p in model.named_parameters()]
        )
        job.parameters, job.slots = self.solution.copy(), job.slots.copy()
        self._job, self._executor = job, make_executor(compiled.engine, job)
        self._chunk = Chunk(0, 0, 1, 0, np.zeros(1))

    def __call__(self, vector: Array) -> float:
        """The loss for these weights, all in one vector; NaN if it isn't finite."""
        self._job.parameters[:] = vector
        with Held():  # so that no thread is left behind in the engine
            outcome = self._executor.run(self._chunk)
        totals = outcome.records[0] if len(outcome.records) else outcome.totals
        return float(mean_loss(totals)) if outcome.finite else float("nan")

    def vectors(self, weights: ArrayLike) -> Array:
        """Weights as vectors (k, n) like `model.vector`; given so, or the arrays of `get_weights` in turn.

        Raises:
            ArgumentError: they are as many as neither has.
        """
        given = np.asarray(weights, self.solution.dtype)
        given = given[None] if given.ndim == 1 else given
        if given.ndim == 2 and given.shape[1] == self.solution.size:
            return given
        if given.ndim != 2 or given.shape[1] != len(self._places):
            raise ArgumentError(
                f"weights on a landscape are vectors of {len(self._places):,} numbers, got the shape {given.shape}"
            )
        spread = np.repeat(self.solution[None], len(given), axis=0)
        spread[:, self._places] = given
        return spread

    def seconds(self) -> float:
        """The time of one evaluation: the kernels being compiled: the least of three, or of a slow one the first."""
        self(self.solution)
        times: list[float] = []
        while len(times) < 3 and sum(times) < SLOW:
            begin = time.perf_counter()
            self(self.solution)
            times.append(time.perf_counter() - begin)
        return min(times)


def chosen(data: dict[str, Array], seed: int) -> dict[str, Array]:
    """At most `ROWS` rows of each array, the same of all."""
    rows = len(next(iter(data.values())))
    if rows <= ROWS:
        return data
    places = np.sort(np.random.default_rng(seed).choice(rows, ROWS, replace=False))
    return {name: np.ascontiguousarray(array[places]) for name, array in data.items()}
