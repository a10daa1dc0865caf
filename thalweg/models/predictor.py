"""Prediction: a few rows through a program that was prepared once, many rows in blocks on all lanes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.callbacks.callback import Callback, introduced, listened, tell
from thalweg.data import arrays as batches
from thalweg.engine import make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.program.ir.program import Program
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.progress import level
from thalweg.support.stopwatch import compiling

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential

BATCH_EVENTS = ("on_predict_batch_begin", "on_predict_batch_end")
MANY_FLOPS = 50_000_000  # from here on a second lane is worth waking: some hundred microseconds of work
LONG_FLOPS = 1_000_000  # and from here on Python's other threads may run meanwhile


class Predictor:
    """Predicts with one network. Any number of threads may call it at once: each has a workspace of its own."""

    def __init__(
        self,
        lower: Callable[[bool], Program],
        engine: str,
        parameters: Array,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
    ) -> None:
        self.lower, self.engine, self.parameters = lower, engine, parameters  # lower(of_bytes): the inference program
        self.program = lower(False)
        self.input_shape, self.output_shape = input_shape, output_shape
        flops = max(1, self.program.flops(1))
        self.many_rows = -(-MANY_FLOPS // flops) if engine == "native" else 0  # the prepared path takes fewer …
        self.long_rows = -(-LONG_FLOPS // flops)  # … and lets other threads run from here on
        self.own = threading.local()  # where another thread is in the first
        self.native = self.prepare() if engine == "native" else None
        # The outputs for x, whatever it is: None unless it is a few rows exactly as the native engine takes them.
        self.few: Callable[[Any], Array | None] = refuse if self.native is None else self.native.enter

    def __call__(self, x: Array, batch: int | None = None, lanes: int | None = None) -> Array:
        """The outputs for x (rows, …), contiguous and of the engine's float type or bytes."""
        kind = self.parameters.dtype
        if batch is None and lanes is None and len(x) < self.many_rows:
            rows = x.astype(kind, copy=False).view(kind)  # as a view, because equal types may be different objects
            y = self.few(rows)
            if y is None:
                if not hasattr(self.own, "native"):
                    self.own.native = self.prepare()
                y = self.own.native.enter(rows)
            if y is not None:
                return y
        y = np.empty((len(x), *self.output_shape), kind)
        self.many(x, y, len(x) if batch is None else min(batch, len(x)), lanes)
        return y

    def prepare(self) -> Any:
        """A native predictor."""
        from thalweg.engine.native.runtime.predict import NativePredictor

        shapes = self.input_shape, self.output_shape
        return NativePredictor(self.program, self.parameters, *shapes, self.many_rows, self.long_rows)

    def many(self, x: Array, y: Array, batch: int, lanes: int | None) -> None:
        """Fills y, `batch` rows at a time."""
        of_bytes = x.dtype == np.uint8
        program = self.lower(of_bytes)
        lanes = usable_lanes(lanes, program, batch, self.engine)
        data = {"X": x, "Y_pred": y}
        job = Job(program, data, len(x), batch, self.parameters, self.parameters[:0], lanes=lanes)
        executors: dict[Any, Executor] = vars(self.own).setdefault("executors", {})  # this thread's
        executor = executors.get((of_bytes, lanes))
        if executor is None or not executor.rebind(job):
            executor = executors[of_bytes, lanes] = make_executor(self.engine, job)
        steps = job.steps_per_epoch
        try:
            with Held():  # no thread is left alone in the engine
                executor.run(Chunk(0, 0, steps, 0, np.zeros(steps)))
        finally:
            data.clear()  # the executor stays, the caller's arrays aren't kept


def refuse(x: Any) -> None:
    """What another engine takes as it is: nothing."""


def predict_aloud(
    model: Sequential,
    x: ArrayLike,
    batch_size: int | None,
    verbose: int | str,
    callbacks: Sequence[Callback] | None,
    lanes: int | None,
) -> Array:
    """The network's outputs, where a callback or the user is told about it."""
    aloud = level(verbose) > 0 and verbose != "auto"
    batch = 32 if batch_size is None else whole("batch_size", batch_size)
    model._build_for(x)
    inputs = batches.input_rows(x, model.input_shape, model.dtype)
    listeners = introduced(callbacks, model, -(-len(inputs) // batch))
    tell(listeners, "on_predict_begin", {})
    model.stop_predicting = False
    begin = time.perf_counter() - compiling.seconds
    if listened(listeners, BATCH_EVENTS):
        outputs = by_batch(model, inputs, batch, listeners, lanes)
    else:
        outputs = model.predict(inputs, batch_size, 0, lanes=lanes)
    if aloud:
        print(f"{len(outputs):,} rows in {time.perf_counter() - compiling.seconds - begin:.3f} s")
    tell(listeners, "on_predict_end", {})
    return outputs


def by_batch(model: Sequential, x: Array, batch: int, callbacks: Sequence[Callback], lanes: int | None) -> Array:
    """Batch after batch, up to the one after which a callback has set `stop_predicting`."""
    parts: list[Array] = []
    for number, first in enumerate(range(0, len(x), batch)):
        tell(callbacks, "on_predict_batch_begin", number, {})
        parts.append(model.predict(x[first : first + batch], None, 0, lanes=lanes))
        tell(callbacks, "on_predict_batch_end", number, {"outputs": parts[-1]})
        if model.stop_predicting:
            break
    return np.concatenate(parts)
