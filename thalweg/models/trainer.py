"""The fit loop: chunks of steps in the engine, and between them records, callbacks, progress, Ctrl-C, the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from thalweg.callbacks import Callback, History, Logs, TerminateOnNaN
from thalweg.callbacks.callback import listened, tell
from thalweg.engine.contract import Array, Chunk, Executor, Job, Outcome
from thalweg.errors import DivergedError
from thalweg.models.diagnosis import diagnose
from thalweg.models.evaluator import Evaluation
from thalweg.support.interrupts import Held
from thalweg.support.progress import Progress

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential

CHUNK_SECONDS = 0.1  # between two looks at callbacks, progress and Ctrl-C …
LONGEST_CHUNK = 1.0  # … or as long as this, so that what is done between chunks takes no more than this share:
BETWEEN = 0.03
BATCH_EVENTS = ("on_train_batch_begin", "on_train_batch_end")
EPOCH_EVENTS = ("on_epoch_begin", "on_epoch_end")


@dataclass
class Fit:
    """One call of `fit`: what is trained on, for how long, and who is told."""

    model: Sequential
    job: Job
    executor: Executor
    epochs: int
    initial_epoch: int
    callbacks: Sequence[Callback]
    validate: Evaluation | None
    progress: Progress
    before: tuple[Array, Array] | None = None  # weights and optimizer's vectors at the start of the chunk
    between: float = 0.0  # seconds that the last chunk took without its steps

    def run(self) -> History:
        """Trains; returns the history. The model's weights are updated in place, also when an error ends the fit.

        The first Ctrl-C ends the training after the running chunk, as `stop_training` does, and is handed on then.
        """
        if self.validate is not None:
            self.validate.prepare(self.callbacks)  # compiling isn't training
        history = self.model.history = History()
        history.set_params({"epochs": self.epochs, "steps": self.job.steps_per_epoch, "verbose": 0})
        self.model.stop_training = False
        self.model.initial_epoch = self.initial_epoch
        begin = time.perf_counter()
        for callback in self.callbacks:
            callback.set_model(self.model)
            callback.set_params({"epochs": self.epochs, "steps": self.job.steps_per_epoch, "verbose": 0})
        self.tell("on_train_begin", {})
        self.initial_epoch = self.progress.initial_epoch = self.model.initial_epoch  # a callback may have set it
        interrupts = Held(first_only=True)
        try:
            with interrupts, self.progress:
                try:
                    self.loop(history, interrupts)
                except DivergedError as error:
                    if not any(isinstance(c, TerminateOnNaN) and not c.raise_error for c in self.callbacks):
                        raise
                    self.progress.say(f"TerminateOnNaN: {error}")
                optimizer = self.model.optimizer
                if optimizer.use_ema and optimizer.iterations >= optimizer.every:
                    self.model.use_average()
                history.interrupted = interrupts.pressed
                if listened(self.callbacks, ["on_train_end"]):
                    self.tell("on_train_end", {key: values[-1] for key, values in history.history.items()})
        finally:
            history.interrupted = interrupts.pressed
            history.seconds = time.perf_counter() - begin
        return history

    def loop(self, history: History, interrupts: Held) -> None:
        """Chunk after chunk until the epochs are done or someone stops the training."""
        per_epoch = self.job.steps_per_epoch
        total = (self.epochs - self.initial_epoch) * per_epoch
        batch_by_batch = listened(self.callbacks, BATCH_EVENTS)
        whole_epochs = self.validate is None and not listened(self.callbacks, EPOCH_EVENTS)
        done, pace = 0, 1.0  # steps done; steps to try next
        while done < total and not self.model.stop_training and not interrupts.pressed:
            batch = done % per_epoch
            epoch = self.initial_epoch + done // per_epoch
            limit = total - done if whole_epochs else per_epoch - batch
            steps = 1 if batch_by_batch else max(1, min(limit, int(pace)))
            if batch == 0:
                self.tell("on_epoch_begin", epoch, {})
            if batch_by_batch:
                self.tell("on_train_batch_begin", batch, {})
            begin = time.perf_counter()
            with Held():  # what is done is counted and recorded, however often Ctrl-C is pressed
                records, logs = self.chunk(done, steps)
                if whole_epochs:
                    history.extend(range(epoch, epoch + len(records)), self.model.columns(records))
            seconds = time.perf_counter() - begin
            chunk = min(LONGEST_CHUNK, max(CHUNK_SECONDS, self.between / BETWEEN))
            pace = min(steps * chunk / max(seconds, 1e-6), steps * 16.0)
            done += steps
            if batch_by_batch:
                self.tell("on_train_batch_end", batch, logs)
            if whole_epochs:  # of an epoch nobody but the history and the progress is told
                self.progress.end_epochs(epoch, records, self.model.logs)
            else:
                for record in records:  # at most one
                    self.end_epoch(epoch, self.model.logs(record), history)
            self.progress.advance(self.initial_epoch + done // per_epoch, done % per_epoch, logs)

    def chunk(self, done: int, steps: int) -> tuple[Array, Logs]:
        """Runs some steps. Returns the sums of the epochs that ended, and the logs of the last or of the one begun."""
        job, optimizer = self.job, self.model.optimizer
        per_epoch = job.steps_per_epoch
        chunk = Chunk(
            epoch=self.model.epochs_trained,
            batch=done % per_epoch,
            steps=steps,
            iteration=optimizer.iterations,
            learning_rates=optimizer.rates(steps),
        )
        begin = time.perf_counter()
        if self.before is None:
            self.before = (np.empty_like(job.parameters), np.empty_like(job.slots))
        np.copyto(self.before[0], job.parameters)
        np.copyto(self.before[1], job.slots)
        executing = time.perf_counter()
        outcome = self.executor.run(chunk)
        executing -= time.perf_counter()
        if not sound(job, outcome):
            restore_and_explain(self, chunk, self.before, done, outcome.records)
        self.between = time.perf_counter() - begin + executing
        optimizer.iterations += outcome.steps
        self.model.epochs_trained += len(outcome.records)
        begun = (chunk.batch + steps) % per_epoch
        return outcome.records, self.model.logs(outcome.totals if begun else outcome.records[-1])

    def end_epoch(self, epoch: int, logs: Logs, history: History) -> None:
        """Validates, records, and tells the callbacks."""
        if self.validate is not None:
            logs = logs | {f"val_{key}": value for key, value in self.validate(self.callbacks).items()}
        self.progress.end_epoch(epoch, logs)
        try:
            self.tell("on_epoch_end", epoch, logs)
        finally:
            history.append(epoch, logs)  # with what callbacks have added

    def tell(self, event: str, *arguments: Any) -> None:
        tell(self.callbacks, event, *arguments)


def sound(job: Job, outcome: Outcome) -> bool:
    """Whether loss, weights and the optimizer's vectors are all finite."""
    return outcome.finite and finite(job.parameters) and finite(job.slots)


def finite(vector: Array) -> bool:
    """Whether every element is. A finite sum shows it in one pass; a sum may also overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum()) or np.isfinite(vector).all())


def restore_and_explain(fit: Fit, chunk: Chunk, before: tuple[Array, Array], done: int, ended: Array) -> NoReturn:
    """Goes back to the start of the chunk, repeats it step by step up to the last finite weights, and raises.

    A step depends on nothing but the weights, the seed and its number, so the repetition is exact. The epochs that
    `ended` in the chunk before the step that failed are recorded.
    """
    job, optimizer = fit.job, fit.model.optimizer
    job.parameters[:], job.slots[:] = before
    for step in range(chunk.steps):
        one = replace(
            chunk,
            epoch=chunk.epoch + (chunk.batch + step) // job.steps_per_epoch,
            batch=(chunk.batch + step) % job.steps_per_epoch,
            steps=1,
            iteration=chunk.iteration + step,
            learning_rates=chunk.learning_rates[step : step + 1],
        )
        last = (job.parameters.copy(), job.slots.copy())
        outcome = fit.executor.run(one)
        if sound(job, outcome):
            continue
        job.parameters[:], job.slots[:] = last
        finding = diagnose(fit.executor, job, one)
        job.parameters[:], job.slots[:] = last
        optimizer.iterations += step
        fit.model.epochs_trained = one.epoch
        number = done + step
        history = fit.model.history
        assert history is not None
        for place, totals in enumerate(ended[: one.epoch - chunk.epoch]):
            fit.end_epoch(fit.initial_epoch + done // job.steps_per_epoch + place, fit.model.logs(totals), history)
        raise DivergedError(
            f"training stopped in epoch {fit.initial_epoch + number // job.steps_per_epoch + 1}, "
            f"batch {number % job.steps_per_epoch + 1} of {job.steps_per_epoch}: {finding} "
            "The model keeps its last finite weights."
        )
    raise DivergedError("a value was not finite, but not when the steps were repeated one by one; weights are restored")
