"""Training by a few steps at a time, between which everything may be looked at and much may be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from thalweg.callbacks import Logs
from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk
from thalweg.errors import ThalwegError
from thalweg.models.diagnosis import all_finite, restore_and_diagnose, stopped, unrepeatable
from thalweg.models.evaluator import Evaluation
from thalweg.models.model import Model
from thalweg.models.rows import first
from thalweg.recordings import Recording
from thalweg.recordings.recorder import Recorder
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held

OPEN = 1 << 40
"""Steps of a training without a planned end."""


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
        self.compiled.observed("Bursts")
        self.compiled.graph.refuse("Bursts", alone=True)
        data = self.compiled.data(x, y)
        self.job = self.compiled.training_job(data, whole("batch_size", batch_size), lanes, shuffle)
        self.executor = make_executor(self.compiled.engine, self.job)
        self.epochs = 0
        """Epochs that have ended."""
        self.batch = 0
        """Batches done of the current one."""
        self.recorder: Recorder | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self.job.steps_per_epoch

    def record(self, held_x: Any = None, held_y: Any = None) -> None:
        """Begins a recording, for `recording`: the loss of every batch, and samples of the steps that ask for it."""
        held = None if held_x is None else self.compiled.data(held_x, held_y)
        facts = {"epochs": None, "shuffle": self.job.shuffle, "validation_freq": 1}
        self.recorder = Recorder(self.compiled, self.job, held, OPEN, facts)

    def recording(self, history: dict[str, list[Any]], diverged: str | None = None) -> Recording:
        """What was recorded so far.

        Args:
            history: "epoch", "loss" and what else there is by epoch. diverged: what a DivergedError has said.
        """
        if self.recorder is None:
            raise ThalwegError("nothing is recorded: call record() before the first step")
        ended: dict[str, Any] = {"diverged": diverged, "interrupted": False, "stopped": False, "epochs": self.epochs}
        return self.recorder.finished(self.steps, history, ended)

    @property
    def steps(self) -> int:
        """Steps done."""
        return self.epochs * self.steps_per_epoch + self.batch

    def run(self, steps: int, sampled: bool = False) -> list[Logs]:
        """Trains; returns loss and metrics of each epoch that ended, as `fit`'s history has them.

        sampled: whether the recording gets a sample of the first of the steps.

        Raises:
            DivergedError: a value wasn't finite. The last finite weights are kept, and the steps up to them count.
        """
        sampled = sampled and self.recorder is not None
        if sampled and whole("steps", steps) > 1:
            return self.run(1, True) + self.run(steps - 1)
        job, recorder = self.job, self.recorder
        before = (job.parameters.copy(), job.slots.copy())
        chunk = self.chunk(whole("steps", steps), sampled)
        with Held():  # what is done is counted
            outcome = self.executor.run(chunk)
            if not all_finite(job, outcome):
                job.parameters[:], job.slots[:] = before
                self.step_by_step(chunk)
            if recorder is not None:
                recorder.note(chunk, outcome)
                if sampled:
                    recorder.take(chunk, self.steps, before[0], self.executor.gradient())
            return self.count(chunk.steps, outcome.records)

    def chunk(self, steps: int, watched: bool = False) -> Chunk:
        """The next steps."""
        optimizer = self.compiled.optimizer
        return Chunk(
            epoch=self.compiled.epochs_trained,
            batch=self.batch,
            steps=steps,
            iteration=optimizer.iterations,
            learning_rates=optimizer.rates(steps),
            watched=watched,
        )

    def count(self, steps: int, records: Array) -> list[Logs]:
        """Notes that steps were done."""
        self.compiled.optimizer.iterations += steps
        self.compiled.epochs_trained += len(records)
        self.epochs += len(records)
        self.batch = (self.batch + steps) % self.steps_per_epoch
        if not len(records):
            return []
        columns = self.compiled.columns(records)()
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def step_by_step(self, chunk: Chunk) -> NoReturn:
        """Repeats a chunk that failed, up to its last finite weights, and raises."""
        job, recorder = self.job, self.recorder
        for step in range(chunk.steps):
            one = replace(
                chunk.part(step, step + 1),
                epoch=self.compiled.epochs_trained,
                batch=self.batch,
                watched=recorder is not None,
            )
            last = (job.parameters.copy(), job.slots.copy())
            outcome = self.executor.run(one)
            fine = all_finite(job, outcome)
            if recorder is not None:
                recorder.repeated(one, outcome, self.steps, last[0], self.executor.gradient(), fine)
            if fine:
                self.count(1, outcome.records)
                continue
            finding = restore_and_diagnose(self.executor, job, one, last)
            if recorder is not None:
                recorder.take_last()
            raise stopped(self.epochs, self.batch, job, finding)
        raise unrepeatable()


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
