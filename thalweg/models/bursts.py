"""Training by a few steps at a time, between which everything may be looked at and much may be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from thalweg.callbacks import Logs
from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk
from thalweg.errors import DivergedError
from thalweg.models.evaluator import Evaluation
from thalweg.models.model import Model
from thalweg.models.rows import first
from thalweg.models.trainer import all_finite, restore_and_diagnose
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held


class Bursts:
    """Trains a compiled model step by step, with the same numbers as one `fit` with the same rows, batch and lanes.

    `fit` can only be cut between epochs; here every step may be the last of a burst. The learning rate may be changed
    at any time (`model.optimizer.learning_rate`); a model that is compiled anew needs new Bursts.

    Args:
        model: a compiled model; its weights are updated in place.
        x, y, batch_size, shuffle, lanes: as `fit` takes them.

    >>> from thalweg import Input, Sequential, layers
    >>> model = Sequential([Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")], seed=0)
    >>> model.compile("sgd", "mse")
    >>> bursts = Bursts(model, [[1.0], [1.0]], [[0.0], [0.0]], batch_size=1)
    >>> bursts.run(1), bursts.steps_per_epoch, bursts.batch
    ([], 2, 1)
    >>> round(bursts.run(1)[0]["loss"], 4), bursts.epochs
    (0.9802, 1)
    """

    def __init__(
        self, model: Model, x: Any, y: Any, batch_size: int = 32, *, shuffle: bool = True, lanes: int | None = 1
    ) -> None:
        self.model, self.compiled = model, model._compiled
        self.compiled.ready(x)
        data = self.compiled.data(x, y)
        self.job = self.compiled.training_job(data, whole("batch_size", batch_size), lanes, shuffle)
        self.executor = make_executor(self.compiled.engine, self.job)
        self.epochs = 0
        """Epochs that have ended."""
        self.batch = 0
        """Batches done of the current one."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.job.steps_per_epoch

    def run(self, steps: int) -> list[Logs]:
        """Trains; returns loss and metrics of each epoch that ended, as `fit`'s history has them.

        Raises:
            DivergedError: a value wasn't finite. The last finite weights are kept, and the steps up to them count.
        """
        job = self.job
        before = (job.parameters.copy(), job.slots.copy())
        chunk = self.chunk(whole("steps", steps))
        with Held():  # what is done is counted
            outcome = self.executor.run(chunk)
            if all_finite(job, outcome):
                return self.count(chunk.steps, outcome.records)
            job.parameters[:], job.slots[:] = before
            self.step_by_step(chunk)
        raise DivergedError("a value was not finite, but not when the steps were repeated; the weights are restored")

    def chunk(self, steps: int) -> Chunk:
        """The next steps."""
        optimizer = self.compiled.optimizer
        return Chunk(
            epoch=self.compiled.epochs_trained,
            batch=self.batch,
            steps=steps,
            iteration=optimizer.iterations,
            learning_rates=optimizer.rates(steps),
        )

    def count(self, steps: int, records: Array) -> list[Logs]:
        """Notes that steps were done."""
        self.compiled.optimizer.iterations += steps
        self.compiled.epochs_trained += len(records)
        self.epochs += len(records)
        self.batch = (self.batch + steps) % self.steps_per_epoch
        return [self.compiled.logs(totals) for totals in records]

    def step_by_step(self, chunk: Chunk) -> None:
        """Repeats a chunk that failed, up to its last finite weights, and raises."""
        job = self.job
        for step in range(chunk.steps):
            one = replace(chunk.part(step, step + 1), epoch=self.compiled.epochs_trained, batch=self.batch)
            last = (job.parameters.copy(), job.slots.copy())
            outcome = self.executor.run(one)
            if all_finite(job, outcome):
                self.count(1, outcome.records)
                continue
            number = self.batch + 1
            finding = restore_and_diagnose(self.executor, job, one, last)
            raise DivergedError(
                f"training stopped in epoch {self.epochs + 1}, batch {number} of {job.steps_per_epoch}: {finding} "
                "The model keeps its last finite weights."
            )


def evaluation(model: Model, x: Any, y: Any) -> Evaluation:
    """Loss and metrics on these rows whenever it is called, prepared once.

    >>> from thalweg import Input, Sequential, layers
    >>> model = Sequential([Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")], seed=0)
    >>> model.compile("sgd", "mse")
    >>> evaluation(model, [[2.0]], [[0.0]])()
    {'loss': 4.0}
    """
    compiled = model._compiled
    compiled.ready(x)
    data = compiled.data(x, y)
    made = Evaluation(model, compiled, data, len(first(data)), 1)
    made.prepare()
    return made
