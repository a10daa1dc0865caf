"""Evaluation: loss and metrics on some rows, all at once, or batch by batch if a callback listens to batches; how `fit`
validates; and single steps: those of `train_on_batch`, and a traced one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg import words
from thalweg.batches.streams import Window, Windows, collected, is_stream, stream_of
from thalweg.callbacks import Callback, Logs
from thalweg.callbacks.callback import Model, introduced, listened, notify
from thalweg.engine import Executors, make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Executor, Job, Ranks, States
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.layers.recurrent.stateful import keeping, single
from thalweg.models.by_length import ByLength, for_rows, one_batch, sequences_in
from thalweg.models.compiled import Compiled
from thalweg.models.diagnosis import all_finite, diagnose, restore_and_diagnose
from thalweg.models.rows import Data, first, has_weights, weights_by_step
from thalweg.program.passes.draft import Request
from thalweg.program.plain import PLAIN
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.once import making
from thalweg.support.printing import out
from thalweg.support.progress import level, shown

if TYPE_CHECKING:
    from thalweg.tracing.step_trace import Trace

BATCH_EVENTS = ("on_test_batch_begin", "on_test_batch_end")


def evaluate(
    model: Model,
    compiled: Compiled,
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int | None,
    verbose: int | str,
    sample_weight: ArrayLike | None,
    steps: int | None,
    callbacks: Sequence[Callback] | None,
    return_dict: bool,
    lanes: int | None,
) -> Any:
    """Loss and metrics on these rows; see `Sequential.evaluate`."""
    aloud = level(verbose) > 0
    stream = stream_of(x, y, sample_weight, steps, "steps")
    if stream is not None and batch_size is not None:
        raise ArgumentError(f"{type(x).__name__} makes batches: leave out batch_size")
    batch = compiled.batch_size(batch_size)
    if stream is None:
        compiled.ready(x)
        compiled, sequences = for_rows(compiled, x)
        if sequences is not None:
            of_lengths = ByLength(compiled, sequences, y, sample_weight, batch)
            stream = of_lengths if steps is None else of_lengths.part(slice(0, whole("steps", steps) * batch))
    if stream is not None:
        streamed = Streamed(model, compiled, stream, lanes)
        logs = streamed(introduced(callbacks, model, getattr(stream, "steps", None)))
        if aloud:
            out(f"{streamed.rows:,} rows  {shown(logs)}")
        return format_scores(logs, return_dict)
    with making:  # no other thread compiles the model
        compiled.ready(x)
        data = batches_of(compiled.data(x, y, sample_weight), "steps", steps, batch)
        rows = len(first(data))
        program, _ = compiled.lower_for("evaluation", data, rows)
        evaluation = Evaluation(model, compiled, data, batch, usable_lanes(lanes, program, rows, compiled.runs))
        listeners = introduced(callbacks, model, -(-rows // batch))
        evaluation.prepare(listeners)
    logs = evaluation(listeners)
    if aloud:
        out(f"{rows:,} rows  {shown(logs)}")
    return format_scores(logs, return_dict)


def batches_of(data: Data, what: str, steps: int | None, batch: int) -> Data:
    """The first `steps` batches of the rows; all of them if it is None."""
    return data if steps is None else {name: a[: whole(what, steps) * batch] for name, a in data.items()}


def format_scores(logs: Logs, return_dict: bool) -> Any:
    """The scores in Keras's form: a dict, a list, or a number if there is only the loss."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


class Evaluation:
    """The evaluation of a model on some rows; may be called many times."""

    def __init__(
        self,
        model: Model,
        compiled: Compiled,
        data: Data,
        batch: int,
        lanes: int,
        ranks: Ranks | None = None,
        executors: Executors | None = None,
    ) -> None:
        self.model, self.compiled, self.data, self.batch, self.lanes = model, compiled, data, batch, lanes
        self.ranks = ranks
        self.goals, self.scores = (
            compiled.goals,
            compiled.scores("evaluation"),
        )  # the ones the arrays were checked against
        self.prepared: dict[int, tuple[Job, Executor]] = {}  # by the rows of a batch
        self.executors = executors  # of evaluations that follow each other
        self.observed = compiled.observed()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(first(self.data))

    def __call__(self, callbacks: Sequence[Callback] = ()) -> Logs:
        """Loss and metrics; the callbacks are notified."""
        notify(callbacks, "on_test_begin", {})
        self.model.stop_evaluating = False
        if self.observed is not None:
            self.observed.reset()
        logs = self.by_batch(callbacks) if listened(callbacks, BATCH_EVENTS) else self.at_once()
        notify(callbacks, "on_test_end", logs)
        return logs

    def prepare(self, callbacks: Sequence[Callback] = ()) -> tuple[Job, Executor]:
        """The job and its engine for these listeners; compiles the kernels if necessary.

        A mean over rows doesn't depend on the batches, and a single batch is the fastest. With a mask, the loss of a
        batch is the mean over its steps that count, as in Keras.
        """
        summed = any(g.loss is not None and g.loss.reduction == "sum" for g in self.compiled.objectives())
        apart = summed or self.observed is not None or any(self.compiled.masked())
        apart = apart or any(True for _ in keeping(self.compiled.graph.layers))
        at_once = not listened(callbacks, BATCH_EVENTS) and not apart
        return self.of(self.rows if at_once else min(self.batch, self.rows))

    def at_once(self) -> Logs:
        """All batches in one go."""
        job, executor = self.prepare()
        return self.steps(job, executor, 0, job.steps_per_epoch)

    def by_batch(self, callbacks: Sequence[Callback]) -> Logs:
        """Batch by batch; after each, the callbacks get loss and metrics of the rows so far."""
        job, executor = self.prepare(callbacks)
        logs: Logs = {}
        for batch in range(job.steps_per_epoch):
            notify(callbacks, "on_test_batch_begin", batch, {})
            logs = self.steps(job, executor, batch, 1)
            notify(callbacks, "on_test_batch_end", batch, logs)
            if self.model.stop_evaluating:
                self.prepared.clear()  # its sums cover only the rows so far
                break
        return logs

    def of(self, rows: int) -> tuple[Job, Executor]:
        """The job with batches of `rows` rows, and its engine."""
        if rows not in self.prepared:
            with making:
                if self.compiled.goals is not self.goals:
                    raise ThalwegError(
                        f"{self.compiled.graph.name!r} was compiled again during its evaluation: call evaluate again"
                    )
                job = self.compiled.job("evaluation", self.data, rows, self.lanes, ranks=self.ranks)
            make = partial(make_executor, self.compiled.engine) if self.executors is None else self.executors.of
            self.prepared[rows] = job, make(job)
        return self.prepared[rows]

    def steps(self, job: Job, executor: Executor, first: int, steps: int) -> Logs:
        """Evaluates `steps` batches from `first` on; returns the logs of all rows so far."""
        totals = self.sums(job, executor, first, steps)
        return {key: values[0] for key, values in self.scores(totals[None]).items()}

    def sums(self, job: Job, executor: Executor, first: int, steps: int) -> Array:
        """The same as the running sums."""
        chunk = Chunk(0, first, steps, 0, np.full(steps, self.compiled.optimizer.learning_rate))
        with Held():  # so that no thread is left behind in the engine
            outcome = executor.run(chunk)
        if not outcome.finite:
            at = replace(chunk, batch=first + outcome.steps, steps=1)
            raise DivergedError(
                words.Said(
                    "evaluation stopped in batch {batch} of {batches}: {finding}",
                    batch=at.batch + 1,
                    batches=job.steps_per_epoch,
                    finding=diagnose(executor, job, at),
                )
            )
        if self.observed is not None:
            self.observed.see(job, self.data, chunk)
        return outcome.records[0] if len(outcome.records) else outcome.totals


class Streamed:
    """The evaluation of a model on a stream, of which one window is in memory; each call takes the next pass."""

    def __init__(self, model: Model, compiled: Compiled, stream: Windows, lanes: int | None) -> None:
        self.model, self.compiled, self.stream, self.lanes = model, compiled, stream, lanes
        self.executors = Executors(compiled.engine)
        self.rows = 0
        """Those of the last pass."""

    def prepare(self, callbacks: Sequence[Callback] = ()) -> None:
        """Nothing can be compiled before the first batches are there."""

    def __call__(self, callbacks: Sequence[Callback] = ()) -> Logs:
        """Loss and metrics, from the sums over the windows; the callbacks are notified."""
        notify(callbacks, "on_test_begin", {})
        self.model.stop_evaluating = False
        self.rows, number = 0, 0
        sums: Array | None = None
        by_batch = listened(callbacks, BATCH_EVENTS)
        try:
            for window in self.stream.windows():
                evaluation, before = self.of(window), sums
                if before is None and evaluation.observed is not None:
                    evaluation.observed.reset()
                job, executor = evaluation.of(window.batch) if by_batch else evaluation.prepare()
                self.rows += evaluation.rows
                for at in range(job.steps_per_epoch) if by_batch else (0,):
                    notify(callbacks, "on_test_batch_begin", number, {})
                    found = evaluation.sums(job, executor, at, 1 if by_batch else job.steps_per_epoch)
                    sums = found if before is None else before + found
                    if by_batch:
                        notify(callbacks, "on_test_batch_end", number, evaluation.compiled.logs(sums, "evaluation"))
                    number += 1
                    if self.model.stop_evaluating:
                        break
                if self.model.stop_evaluating:
                    break
        finally:
            self.stream.close()
        assert sums is not None
        logs = evaluation.compiled.logs(sums, "evaluation")
        notify(callbacks, "on_test_end", logs)
        return logs

    def of(self, window: Window) -> Evaluation:
        """The evaluation of a window."""
        with making:  # no other thread compiles the model
            self.compiled.ready(window.x)
            compiled, given = one_batch(
                self.compiled, window.x, window.y, window.sample_weight, training=False, more=True
            )
            data = compiled.data(*given)
            program, _ = compiled.lower_for("evaluation", data, len(first(data)))
            lanes = usable_lanes(self.lanes, program, len(first(data)), compiled.runs)
            return Evaluation(self.model, compiled, data, window.batch, lanes, executors=self.executors)


@dataclass(frozen=True)
class Validation:
    """How `fit` validates: on how many batches of how many rows, and after which epochs."""

    steps: int | None
    batch_size: int | None
    freq: int | Sequence[int]

    def __post_init__(self) -> None:
        for epoch in self.freq if isinstance(self.freq, (list, tuple)) else [self.freq]:
            whole("validation_freq", epoch)

    def stream(self, given: Any, compiled: Compiled, trained: Compiled, batch: int) -> Windows | None:
        """What validates on batches as they come; None for arrays, and for a generator that is one epoch, and ends.

        Rows of other lengths than those on which the model is trained come in batches, too, as many in each.
        """
        if not is_stream(given) and compiled.graph.any_length and isinstance(given, (tuple, list)) and given:
            x, y, sample_weight = [*given, None, None][:3]
            found, sequences = for_rows(compiled, x)
            if sequences is None and found is trained:
                return None
            rows = batch if self.batch_size is None else whole("validation_batch_size", self.batch_size)
            held = ByLength(compiled, sequences or sequences_in(compiled, x), y, sample_weight, rows)
            return held if self.steps is None else held.part(slice(0, whole("validation_steps", self.steps) * rows))
        if not is_stream(given) or (self.steps is None and hasattr(given, "__next__")):
            return None
        return stream_of(given, None, None, self.steps, "validation_steps")

    def data(self, compiled: Compiled, given: Any) -> Data:
        """The arrays to validate on."""
        made = collected(given, None, None, self.steps, "validation_steps")
        if made is not None:
            return compiled.data(made.x, made.y, made.sample_weight)
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ArgumentError("validation_data is (x, y) or (x, y, sample_weight)")
        return compiled.data(*given)

    def evaluation(self, model: Model, compiled: Compiled, held: Data, job: Job) -> Evaluation:
        """The evaluation of the rows kept for it."""
        batch = job.batch if self.batch_size is None else whole("validation_batch_size", self.batch_size)
        rows = batches_of(held, "validation_steps", self.steps, batch)
        return Evaluation(model, compiled, rows, batch, job.lanes, job.ranks)

    def due(self, epoch: int) -> bool:
        """Whether it is done after this epoch, the first being 0."""
        if isinstance(self.freq, (list, tuple)):
            return epoch + 1 in self.freq
        return (epoch + 1) % whole("validation_freq", self.freq) == 0


class Trainer:
    """Trains a model in one thread at a time, in a `Fit` or step by step."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.thread: int | None = None  # the one that trains now

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"thread": None}

    def check(self, what: str) -> None:
        """Raises while another thread trains the model."""
        if self.thread not in (None, get_ident()):
            raise ThalwegError(
                f"{self.compiled.graph.name!r} is being trained by another thread: {what} when that has ended, or "
                "take a copy of it (copy.deepcopy)"
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lets in only one thread at a time: two would change the same weights."""
        with making:
            self.check("train it")
            before, self.thread = self.thread, get_ident()  # a callback may train, too
        try:
            yield
        finally:
            self.thread = before

    def train_on_batch(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        class_weight: Mapping[int, float] | None,
        return_dict: bool,
    ) -> Any:
        """One step on one batch."""
        self.compiled.ready(x)
        compiled, (x, y, sample_weight) = one_batch(self.compiled, x, y, sample_weight)
        data = compiled.data(x, y, sample_weight, class_weight)
        job = compiled.job("training", data, len(first(data)))
        executor = make_executor(compiled.engine, job)
        chunk = compiled.next_step()
        before = (job.parameters.copy(), job.slots.copy())
        with Held():  # the step is either counted or not done
            outcome = executor.run(chunk)
            if not all_finite(job, outcome):
                finding = restore_and_diagnose(executor, job, chunk, before)
                raise DivergedError(
                    words.Said("the step was not done: {finding} The last finite weights are kept.", finding=finding)
                )
            compiled.optimizer.iterations += 1
        if (observed := compiled.observed()) is not None:
            observed.reset()
            observed.see(job, data, chunk)
        return format_scores(compiled.logs(outcome.records[0]), return_dict)


def trace(compiled: Compiled, x: Any, y: Any, sample_weight: Any, gradient_check: bool) -> Trace:
    """One training step on these rows; see `Model.trace`."""
    from thalweg.tracing import making as tracing
    from thalweg.tracing.following import Place

    with making:  # no other thread compiles the model
        compiled.ready(x)
        compiled, given = one_batch(compiled, x, y, sample_weight)
        data = compiled.data(*given)
        job = compiled.job("training", data, len(first(data)), visible=True)
        plain = plain_job(compiled, job) if gradient_check else None
    goals = compiled.objectives()
    weighted = sample_weight is not None or any(goal.weight != 1 for goal in goals)
    losses = [goal.loss for goal in goals]
    setting = tracing.setting_of(losses, weighted, compiled.optimizer, job, compiled.engine)
    places = [Place(path, p.buffer) for path, p in compiled.weights.named()]
    slots = len(compiled.optimizer.slot_names())
    return tracing.trace(compiled.engine, job, compiled.next_step(), places, setting, slots, plain)


def plain_job(compiled: Compiled, job: Job) -> Job:
    """The same training step for the reference engine, in float64."""
    of_bytes = first(dict(job.data)).dtype == np.uint8
    request = Request("training", job.rows, 1, has_weights(job.data), of_bytes, steps=weights_by_step(job.data))
    program, totals = compiled._lower(request, passes=PLAIN)
    given = dict(job.data) | single(job.program, np.float64, job.rows)
    data = {k: v if v.dtype == np.uint8 else v.astype(np.float64) for k, v in given.items()}
    parameters, slots = job.parameters.astype(np.float64), job.slots.astype(np.float64)
    return replace(job, program=program, totals=totals, data=data, parameters=parameters, slots=slots, states=States())
