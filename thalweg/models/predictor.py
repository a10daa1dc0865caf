"""Prediction: a few rows through a program that was prepared once, many rows in blocks on all lanes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.callbacks.callback import Callback, Model, introduced, listened, notify
from thalweg.engine import make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.models.compiled import Compiled
from thalweg.program.passes.draft import Request
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.progress import level
from thalweg.support.stopwatch import compiling

BATCH_EVENTS = ("on_predict_batch_begin", "on_predict_batch_end")
MANY_FLOPS = 50_000_000  # from here on a second lane pays: some hundred microseconds of work
LONG_FLOPS = 1_000_000  # and from here on Python's other threads may run meanwhile


class Predictor:
    """Predicts with one network. Any number of threads may call it at once: each has its own workspace."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled, self.engine, self.parameters = compiled, compiled.engine, compiled.weights.vector
        self.program, _ = compiled.lower(Request("inference"))
        self.input_shape, self.output_shape = compiled.graph.fed_shape, compiled.output_shape
        flops = max(1, self.program.flops(1))
        self.many_rows = -(-MANY_FLOPS // flops) if self.engine == "native" else 0  # the prepared path takes fewer …
        self.long_rows = -(-LONG_FLOPS // flops)  # … and lets other threads run from here on
        self.own = threading.local()  # a predictor for each thread that finds the first one busy
        self.native = self.prepare() if self.engine == "native" else None
        self.enter: Callable[[Any], Array | None] = refuse if self.native is None else self.native.enter
        # The outputs for any x: None unless it is a few rows in exactly the form that the native engine takes.
        self.small_batch = refuse if compiled.graph.entry else self.enter

    def __call__(self, x: Array, batch: int | None = None, lanes: int | None = None) -> Array:
        """The outputs for x (rows, …), which is contiguous and holds the engine's floats, or bytes."""
        kind = self.parameters.dtype
        if batch is None and lanes is None and len(x) < self.many_rows:
            rows = x.astype(kind, copy=False).view(kind)  # as a view, because equal types may be different objects
            y = self.enter(rows)
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
        program, _ = self.compiled.lower(Request("inference", of_bytes=of_bytes))
        lanes = usable_lanes(lanes, program, batch, self.engine)
        data = {"X": x, "Y_pred": y}
        job = Job(program, data, len(x), batch, self.parameters, self.parameters[:0], lanes=lanes)
        executors: dict[Any, Executor] = vars(self.own).setdefault("executors", {})  # this thread's
        executor = executors.get((of_bytes, lanes))
        if executor is None or not executor.rebind(job):
            executor = executors[of_bytes, lanes] = make_executor(self.engine, job)
        steps = job.steps_per_epoch
        try:
            with Held():  # so that no thread is left behind in the engine
                executor.run(Chunk(0, 0, steps, 0, np.zeros(steps)))
        finally:
            data.clear()  # the executor is kept, the caller's arrays are not


def refuse(x: Any) -> None:
    """Takes the place of `enter` in the other engine: always None."""


def predict_aloud(
    model: Model,
    predictor: Predictor,
    x: ArrayLike,
    batch_size: int | None,
    verbose: int | str,
    callbacks: Sequence[Callback] | None,
    lanes: int | None,
) -> Array:
    """The network's outputs, with callbacks and a printed line."""
    aloud = level(verbose) > 0 and verbose != "auto"
    batch = 32 if batch_size is None else whole("batch_size", batch_size)
    inputs = predictor.compiled.graph.feed(x, model.dtype)
    listeners = introduced(callbacks, model, -(-len(inputs) // batch))
    notify(listeners, "on_predict_begin", {})
    model.stop_predicting = False
    begin = time.perf_counter() - compiling.seconds
    if listened(listeners, BATCH_EVENTS):
        outputs = by_batch(model, predictor, inputs, batch, listeners, lanes)
    else:
        outputs = predictor(inputs, None if batch_size is None else batch, lanes)
    if aloud:
        print(f"{len(outputs):,} rows in {time.perf_counter() - compiling.seconds - begin:.3f} s")
    notify(listeners, "on_predict_end", {})
    return outputs


def by_batch(
    model: Model, predictor: Predictor, x: Array, batch: int, callbacks: Sequence[Callback], lanes: int | None
) -> Array:
    """Batch by batch, until a callback sets `stop_predicting`."""
    parts: list[Array] = []
    for number, first in enumerate(range(0, len(x), batch)):
        notify(callbacks, "on_predict_batch_begin", number, {})
        parts.append(predictor(x[first : first + batch], None, lanes))
        notify(callbacks, "on_predict_batch_end", number, {"outputs": parts[-1]})
        if model.stop_predicting:
            break
    return np.concatenate(parts)
