"""Training: chunks of steps in the engine, and between them records, callbacks, progress, Ctrl-C, the diagnosis."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import words
from thalweg.batches import arrays as batches
from thalweg.batches.dataset import PyDataset
from thalweg.batches.makers import length_of
from thalweg.batches.ordering import Ordering, Taken
from thalweg.batches.streams import (
    UNKNOWN_STEPS,
    WINDOW_SECONDS,
    RowSource,
    Sharing,
    Stream,
    Window,
    Windows,
    is_stream,
)
from thalweg.callbacks import Callback, History, Logs, TerminateOnNaN
from thalweg.callbacks.callback import Model, checked, listened, notify
from thalweg.engine import Executors
from thalweg.engine.contract import Array, Chunk, Job
from thalweg.engine.ranks.world import current
from thalweg.errors import ArgumentError, DataError, DivergedError
from thalweg.models.by_length import ByLength, for_rows, one_batch, refuse_with_lengths
from thalweg.models.compiled import Compiled
from thalweg.models.diagnosis import all_finite, restore_and_explain
from thalweg.models.evaluator import Evaluation, Streamed, Validation
from thalweg.models.rows import Data, first, of_engine, weigh
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.jupyter import cell, maybe_notebook
from thalweg.support.progress import Progress, level

if TYPE_CHECKING:
    from thalweg.engine.ranks.team import Team
    from thalweg.recordings import Recording
    from thalweg.recordings.recorder import Recorder

CHUNK_SECONDS = 0.1  # from one look at callbacks, progress and Ctrl-C to the next …
LONGEST_CHUNK = 1.0  # … or up to this, so that the work between chunks takes no more than this share:
BETWEEN = 0.03
BATCH_EVENTS = ("on_train_batch_begin", "on_train_batch_end")
EPOCH_EVENTS = ("on_epoch_begin", "on_epoch_end")


class Fit:
    """One call of `fit`: its job, engine, epochs and callbacks. The arguments are those of `Sequential.fit`."""

    def __init__(
        self,
        model: Model,
        compiled: Compiled,
        x: Any,
        y: Any,
        batch_size: int | None,
        epochs: int,
        verbose: int | str,
        callbacks: Sequence[Callback] | None,
        validation_split: float,
        validation_data: Any,
        shuffle: bool | Ordering,
        class_weight: Mapping[int, float] | None,
        sample_weight: Any,
        initial_epoch: int,
        lanes: int | None,
        validation: Validation,
        steps_per_epoch: int | None,
        record: bool | float,
    ) -> None:
        if not isinstance(shuffle, (bool, np.bool_, Ordering)):
            raise ArgumentError(f"shuffle is True or False, got {shuffle!r}")
        self.ordering = shuffle if isinstance(shuffle, Ordering) else None
        self.taken = Taken()  # how the rows of the current epoch are taken, if there is an ordering
        shuffle = self.ordering is None and bool(shuffle)
        batch = compiled.batch_size(batch_size, shuffle and isinstance(x, (PyDataset, RowSource)))
        self.model, self.compiled, self.whole_model = model, compiled, compiled
        self.epochs, self.initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        self.callbacks = checked(callbacks)
        self.stream: Windows | None = None
        self.windows: Iterator[Window] = iter(())  # those of the stream's epoch that are still to come
        self.sums: Array | None = None  # the running sums of the epoch in the engine, …
        self.carried: Array | None = None  # … and those of engines that ran some of its batches before
        self.lanes, self.class_weight = lanes, class_weight
        self.executors = Executors(compiled.engine)
        ranks = current()
        self.team: Team | None = None
        if ranks is not None:
            from thalweg.engine.ranks.team import Team

            self.team = Team(ranks, compiled)
        source, made = x, None
        if is_stream(x):
            if y is not None or sample_weight is not None or batch_size is not None or validation_split:
                raise ArgumentError(
                    f"{type(x).__name__} makes batches (x, y) or (x, y, sample_weight): leave out y, sample_weight, "
                    "batch_size and validation_split"
                )
            self.stream = self.streaming(x, steps_per_epoch, shuffle, bool(record))
            self.stream.epochs = self.initial_epoch
            self.windows = self.stream.windows()
            made = next(self.windows)
            x, y, sample_weight, batch, shuffle = made.x, made.y, made.sample_weight, made.batch, False
        if record:
            compiled.graph.refuse("a recording", alone=True)
        compiled.ready(x)
        sequences = None
        if made is None:
            compiled, sequences = for_rows(compiled, x)
        held: Data | None = None
        streamed: Windows | None = None
        if sequences is not None:
            refuse_with_lengths(bool(record), self.ordering, self.team)
            of_lengths = ByLength(compiled, sequences, y, sample_weight, batch, shuffle, training=True)
            if validation_split and validation_data is None:
                of_lengths, streamed = of_lengths.parts(validation_split)
                streamed.shuffle = False
            self.stream, shuffle = of_lengths, False
            self.windows = self.stream.windows()
            made = next(self.windows)
        self.compiled = compiled
        data = compiled.data(x, y, sample_weight) if made is None else self.rows_of(made)
        compiled = self.compiled
        if validation_data is not None:
            streamed = (
                validation.stream(validation_data, self.whole_model, compiled, batch) if self.team is None else None
            )
            held = validation.data(compiled, validation_data) if streamed is None else None
        elif validation_split and sequences is None:
            data, held = batches.split_off(data, validation_split)
        if made is None:
            weigh(data, self.class_weight, self.compiled.weights.dtype)
        self.given = data
        self.observed = compiled.observed("a fit on several ranks" if self.team is not None else "")
        self.job = job = compiled.training_job(data, batch, lanes, shuffle, ranks)
        if made is not None:
            job.rows, job.first = made.rows, made.first
        job.ordered = self.ordering is not None
        if self.team is not None:
            if self.team.shares is not None and record:
                raise ArgumentError("a recording looks at all rows, and each rank has some of those: leave out record")
            self.team.compare(job, held, {"epochs": self.epochs, "initial_epoch": self.initial_epoch})
            if not self.team.ranks.first:
                verbose, record = 0, False
        self.executor = self.executors.of(job)
        if (
            (self.stream is None or isinstance(source, RowSource))
            and steps_per_epoch is not None
            and whole("steps_per_epoch", steps_per_epoch) != job.steps_per_epoch
        ):
            raise ArgumentError(
                f"steps_per_epoch={steps_per_epoch}, but {job.rows} rows are {job.steps_per_epoch} batches of {batch}, "
                "and an epoch is all of them: leave it out, or give fewer rows"
            )
        self.aloud = level(verbose) > 0
        self.validation = validation
        self.validate: Evaluation | Streamed | None = None
        if streamed is not None:
            self.validate = Streamed(model, self.whole_model, streamed, lanes)
        elif held is not None:
            self.validate = validation.evaluation(model, compiled, held, job)
        self.progress = Progress(verbose, self.epochs, self.initial_epoch, job.steps_per_epoch, job.rows, figure)
        self.progress.unknown = self.unknown
        self.record, self.held = seconds_of(record), held
        self.steps_together = compiled.runs.steps_together()
        if self.steps_together is not None and self.record is not None:
            raise ArgumentError("a recording is timed by one process's clock, and several train: leave out record")
        self.recorder: Recorder | None = None
        self.before: tuple[Array, Array] | None = None  # weights and optimizer's vectors at the start of the chunk
        self.between = 0.0  # seconds of the last chunk outside its steps

    @property
    def unknown(self) -> bool:
        """Whether the end of the epoch hasn't come into sight, of a stream whose length nobody knows."""
        return self.job.steps_per_epoch == UNKNOWN_STEPS

    def streaming(self, source: Any, steps: int | None, shuffle: bool, recorded: bool) -> Windows:
        """The windows of each epoch; where an ordering says how rows are taken, an epoch is one."""
        if not isinstance(source, RowSource):
            even = recorded or self.team is not None
            endless = steps is None and length_of(source) is None
            return Stream(
                source, steps, "steps_per_epoch", shuffle, self.compiled.seed,
                whole_epochs=self.ordering is not None or (even and endless), even=even,
                seconds=math.inf if even else WINDOW_SECONDS,
            )  # fmt: skip
        if self.ordering is not None:
            raise ArgumentError(f"{type(source).__name__} has an order of its own: shuffle is True or False")
        return source.stream(None, shuffle, self.compiled.seed, self.sharing(source, shuffle))

    def sharing(self, source: RowSource, shuffle: bool) -> Sharing | None:
        """How ranks share the rows of a disk, if there are several ranks."""
        if self.team is None or self.team.ranks.size == 1:
            return None
        made = source.head()
        self.compiled.ready(made.x)
        job = self.compiled.training_job(self.rows_of(made), made.batch, self.lanes, False, self.team.ranks)
        return self.team.sharing(job, source, shuffle)

    def rows_of(self, made: Window) -> Data:
        """The arrays of a window; from now on, the compiled model is that for their length."""
        self.compiled, given = one_batch(self.whole_model, made.x, made.y, made.sample_weight, more=True)
        data = self.compiled.data(*given)
        weigh(data, self.class_weight, self.compiled.weights.dtype)
        return data

    @property
    def until(self) -> int:
        """The batch before which another window of the stream's epoch begins, or its last one ends."""
        here = self.job.first + len(first(dict(self.job.data)))
        return -(-here // self.job.batch)

    def refill(self, stream: Windows) -> None:
        """Takes the next window of a stream."""
        made = next(self.windows, None)
        if made is None:
            self.windows = stream.windows()
            made = next(self.windows)
        data = self.rows_of(made)
        compiled = self.compiled
        before, batch, unknown = self.job, min(made.batch, made.rows), self.unknown
        program, _ = compiled.lower_for("training", data, batch, before.lanes)
        same = program is before.program and batch == before.batch
        job = replace(
            before,
            program=program,
            data=of_engine(data, compiled.goals_and_shapes(), compiled.weights.dtype),
            rows=made.rows,
            batch=batch,
            first=made.first,
        )
        if self.team is not None and self.team.shares is None:
            self.team.compare(job, None, {})
        if job.steps_per_epoch not in (before.steps_per_epoch, UNKNOWN_STEPS) and not unknown:
            raise DataError(f"an epoch had {before.steps_per_epoch} batches, and now {job.steps_per_epoch}")
        if made.first and not same and (self.recorder is not None or self.team is not None):
            raise DataError("the batches of an epoch differ: some are of bytes, or have weights, and others don't")
        self.job, self.given = job, data
        self.progress.steps_per_epoch, self.progress.rows = job.steps_per_epoch, job.rows
        self.progress.unknown = self.unknown
        if self.recorder is not None:
            self.recorder.job = job
        if not (same and self.executor.rebind(job)):
            self.executor = self.executors.of(job)
            if made.first and self.sums is not None:
                self.carried = self.sums if self.carried is None else self.carried + self.sums

    def whole(self) -> Job:
        """The job with all rows of its window, for an executor that runs all lanes."""
        made = None if self.stream is None else self.stream.whole()
        if made is not None:
            self.job = replace(
                self.job,
                data=of_engine(self.rows_of(made), self.compiled.goals_and_shapes(), self.compiled.weights.dtype),
            )
            self.executor.rebind(self.job)
        return self.job

    def take(self, ordering: Ordering) -> None:
        """Asks how the rows of the next epoch are taken."""
        self.taken = ordering.epoch(self.compiled.epochs_trained)
        if self.taken.weights is not None:
            if "weights" not in self.job.data:
                raise ArgumentError(f"{type(ordering).__name__} weights the rows of a fit: give it a sample_weight")
            self.job.data["weights"][:, 0] = self.taken.weights

    def run(self) -> History:
        """Trains; returns the history. The model's weights are updated in place, even if an error ends the fit.

        The first Ctrl-C ends the training after the running chunk, as `stop_training` does, and is then passed on.
        """
        if self.validate is not None:
            self.validate.prepare(self.callbacks)  # compiling isn't training
        history = self.model.history = History()
        steps = None if self.unknown else self.job.steps_per_epoch
        params = {"epochs": self.epochs, "steps": steps, "verbose": 0}
        history.set_params(params)
        self.model.stop_training = False
        self.model.initial_epoch = self.initial_epoch
        begin = time.perf_counter()
        for callback in self.callbacks:
            callback.set_model(self.model)
            callback.set_params(params)
        self.notify("on_train_begin", {})
        if self.team is not None:
            self.team.begin(self.model)  # what a callback has restored
            self.team.forecast(self.executor, self.compiled.next_step(), self.job, self.aloud)
        if self.initial_epoch != self.model.initial_epoch:  # a callback has set it
            self.initial_epoch = self.progress.initial_epoch = self.model.initial_epoch
            if self.stream is not None and self.stream.again:
                self.stream.epochs = self.initial_epoch
                self.windows = self.stream.windows()
                self.refill(self.stream)
        self.model.recording = None
        self.recorder = None if self.record is None else self.begin_recording(self.record)
        if self.recorder is not None and self.progress.figure is not None:
            self.progress.figure.inside = self.recorder.so_far
        diverged: str | None = None
        interrupts = Held(first_only=True)
        try:
            with interrupts, self.progress:
                try:
                    self.loop(history, interrupts)
                except DivergedError as error:
                    diverged = words.Said.of(error)
                    if not any(isinstance(c, TerminateOnNaN) and not c.raise_error for c in self.callbacks):
                        raise
                    self.progress.say(f"TerminateOnNaN: {error}")
                optimizer = self.compiled.optimizer
                if optimizer.use_ema and optimizer.iterations >= optimizer.every:
                    self.compiled.use_average()
                history.interrupted = self.progress.interrupted = interrupts.pressed
                if listened(self.callbacks, ["on_train_end"]):
                    self.notify("on_train_end", {key: values[-1] for key, values in history.history.items()})
        finally:
            history.interrupted = interrupts.pressed
            history.drawn_in = cell() if self.progress.pictured else None
            history.seconds = time.perf_counter() - begin
            if self.recorder is not None:
                self.model.recording = self.recording(self.recorder, history, diverged)
            if self.stream is not None:  # its windows' memory, before circles of references are looked for
                self.stream.close()
                self.stream, self.windows = None, iter(())
                dict.clear(self.job.data)  # type: ignore[arg-type]
        return history

    def begin_recording(self, seconds: float) -> Recorder:
        """The recorder of the steps to come."""
        from thalweg.recordings.recorder import Recorder

        epochs = max(0, self.epochs - self.initial_epoch)
        facts = {
            "epochs": epochs,
            "shuffle": self.job.shuffle or self.ordering is not None,
            "validation_freq": self.validation.freq if self.held is not None else None,
        }
        return Recorder(self.compiled, self.job, self.held, epochs * self.job.steps_per_epoch, facts, seconds)

    def recording(self, recorder: Recorder, history: History, diverged: str | None) -> Recording:
        """What was recorded."""
        done = self.compiled.optimizer.iterations - recorder.begun
        ended = {
            "diverged": diverged,
            "interrupted": history.interrupted,
            "stopped": done < recorder.steps,
            "seconds": history.seconds,
        }
        return recorder.finished(done, {"epoch": list(history.epoch), **history.history}, ended)

    def loop(self, history: History, interrupts: Held) -> None:
        """Runs chunks until the epochs are done or the training is stopped."""
        batch_by_batch = listened(self.callbacks, BATCH_EVENTS)
        by_epoch = self.validate is not None or self.stream is not None or self.ordering is not None
        by_epoch = by_epoch or self.observed is not None
        whole_epochs = not by_epoch and not listened(self.callbacks, EPOCH_EVENTS)
        done, pace = 0, float(self.steps_together or 1)  # steps done; steps to try next
        while done < self.steps_in_all and self.goes_on(interrupts):
            batch = done % self.job.steps_per_epoch
            if self.stream is not None and done and batch in (0, self.until):
                self.refill(self.stream)
            per_epoch, total = self.job.steps_per_epoch, self.steps_in_all
            epoch = self.initial_epoch + done // per_epoch
            limit = total - done if whole_epochs else per_epoch - batch
            if self.stream is not None:
                limit = min(limit, self.until - batch)
            steps = 1 if batch_by_batch else max(1, min(limit, int(pace)))
            sampled = False
            if self.recorder is not None:
                steps, sampled = self.recorder.room(done, steps)
            if self.team is not None:
                steps, sampled = self.team.chunk(steps, sampled)
            if batch == 0 and self.ordering is not None:
                self.take(self.ordering)
            if batch == 0:
                self.notify("on_epoch_begin", epoch, {})
            if batch_by_batch:
                self.notify("on_train_batch_begin", batch, {})
            begin = time.perf_counter()
            with Held():  # what is done is counted and recorded, however often Ctrl-C is pressed
                records, logs = self.chunk(done, steps, sampled)
                if whole_epochs:
                    history.extend(range(epoch, epoch + len(records)), self.compiled.columns(records))
            seconds = time.perf_counter() - begin
            chunk = min(LONGEST_CHUNK, max(CHUNK_SECONDS, self.between / BETWEEN))
            if self.recorder is not None:
                self.recorder.ran(done, steps, sampled)
            if not sampled and self.steps_together is None:
                pace = min(steps * chunk / max(seconds, 1e-6), steps * 16.0)
            done += steps
            if batch_by_batch:
                self.notify("on_train_batch_end", batch, logs)
            if whole_epochs:  # only the history and the progress get the epochs
                self.progress.end_epochs(epoch, records, self.compiled.logs)
            elif len(records):  # one, with which the chunk ended
                self.end_epoch(epoch, dict(logs), history)
            self.progress.advance(self.initial_epoch + done // per_epoch, done % per_epoch, logs)

    @property
    def steps_in_all(self) -> int:
        """The steps of all epochs, as far as it is known."""
        return (self.epochs - self.initial_epoch) * self.job.steps_per_epoch

    def goes_on(self, interrupts: Held) -> bool:
        """Whether neither a callback nor Ctrl-C has ended the training, on any rank."""
        if self.team is not None:
            return self.team.goes_on(self.job, self.model.stop_training, interrupts)
        return not self.model.stop_training and not interrupts.pressed

    def chunk(self, done: int, steps: int, sampled: bool) -> tuple[Array, Logs]:
        """Runs some steps. Returns the sums of the epochs that ended, and the logs of the current or last epoch.

        sampled: whether the recorder takes a sample of them, one step.
        """
        job, optimizer = self.job, self.compiled.optimizer
        per_epoch = job.steps_per_epoch
        batch, penalties = done % per_epoch, self.taken.penalties
        chunk = Chunk(
            epoch=self.compiled.epochs_trained,
            batch=batch,
            steps=steps,
            iteration=optimizer.iterations,
            learning_rates=optimizer.rates(steps),
            penalties=None if penalties is None else penalties[batch : batch + steps],
            order=self.taken.order,
            watched=sampled,
        )
        begin = time.perf_counter()
        if self.before is None:
            self.before = (np.empty_like(job.parameters), np.empty_like(job.slots))
        np.copyto(self.before[0], job.parameters)
        np.copyto(self.before[1], job.slots)
        executing = time.perf_counter()
        outcome = self.executor.run(chunk)
        executing -= time.perf_counter()
        if not all_finite(job, outcome):
            if self.team is not None:
                self.team.ranks.common = True  # all have the same numbers
            restore_and_explain(self, chunk, self.before, done, outcome.records)
        self.between = time.perf_counter() - begin + executing
        if self.recorder is not None:
            self.recorder.note(chunk, outcome)
            if sampled:
                self.recorder.take(chunk, done, self.before[0], self.executor.gradient())
        optimizer.iterations += outcome.steps
        self.compiled.epochs_trained += len(outcome.records)
        begun = (chunk.batch + steps) % per_epoch
        if self.observed is not None:
            if batch == 0:
                self.observed.reset()
            self.observed.see(job, self.given, chunk)
        self.sums, records, totals = outcome.totals, outcome.records, outcome.totals
        if self.carried is not None and begun:
            totals = totals + self.carried
        elif self.carried is not None:  # then a chunk is within an epoch
            records, self.carried = records + self.carried, None
        return records, self.compiled.logs(totals if begun else records[-1])

    def end_epoch(self, epoch: int, logs: Logs, history: History) -> None:
        """Validates, records, and notifies the callbacks."""
        if self.validate is not None and self.validation.due(epoch):
            logs = logs | {f"val_{key}": value for key, value in self.validate(self.callbacks).items()}
        self.progress.end_epoch(epoch, logs)
        try:
            self.notify("on_epoch_end", epoch, logs)
        finally:
            history.append(epoch, logs)  # with what callbacks have added

    def notify(self, event: str, *arguments: Any) -> None:
        first = self.team is None or self.team.ranks.first
        notify([c for c in self.callbacks if first or not c.first_rank_only], event, *arguments)


def figure() -> Any:
    """The live figure of a fit that begins now, if this is a notebook."""
    if not maybe_notebook():
        return None
    from thalweg.views.notebook.live import live_figure

    return live_figure()


def seconds_of(record: bool | float) -> float | None:
    """The seconds that samples may take in any case; None if nothing is recorded."""
    if isinstance(record, (bool, np.bool_)) and not record:
        return None
    from thalweg.recordings import timetable

    return timetable.seconds_of(record)
