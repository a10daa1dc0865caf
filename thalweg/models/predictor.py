"""Prediction: a few rows through a program that was prepared once, many rows in blocks on all lanes; sequences of any
length by the programs for their lengths."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.batches.streams import joined, stream_of
from thalweg.callbacks.callback import Callback, Model, introduced, listened, notify
from thalweg.engine import make_executor, usable_lanes
from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.layers.recurrent.stateful import states_of
from thalweg.models.by_length import sequences_in
from thalweg.models.compiled import Compiled
from thalweg.models.lengths import filling
from thalweg.models.lengths.filled import BUCKETS, Numbers, Sequences
from thalweg.program.lowering import places
from thalweg.program.passes.draft import Request
from thalweg.support.checks import whole
from thalweg.support.interrupts import Held
from thalweg.support.nested import leaves, mapped
from thalweg.support.progress import level
from thalweg.support.stopwatch import Elapsed

BATCH_EVENTS = ("on_predict_batch_begin", "on_predict_batch_end")
MANY_FLOPS = 50_000_000  # from here on a second lane pays: some hundred microseconds of work
QUIET = ("auto", 0)  # the values of `verbose` that say nothing
LONG_FLOPS = 1_000_000  # and from here on Python's other threads may run meanwhile


class Predictor:
    """Predicts with one network. Any number of threads may call it at once: each has its own workspace."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled, self.engine, self.parameters = compiled, compiled.runs, compiled.weights.vector
        self.program, _ = compiled.lower(Request("inference"))
        self.input_shapes, self.output_shapes = compiled.graph.fed_shapes, compiled.output_shapes
        self.turns = threading.Lock()  # with states, one thread after the other
        self.random = any(hasattr(i, "stream") for i in self.program)  # then each call draws new numbers
        self.steps = 0  # batches predicted so far, if it is
        alone = not self.random and not self.program.states
        single = alone and len(self.input_shapes) == len(self.output_shapes) == 1 and compiled.graph.structure == 0
        flops = max(1, self.program.flops(1))
        prepared = self.engine.predictor is not None and single
        self.many_rows = -(-MANY_FLOPS // flops) if prepared else 0  # the prepared path takes fewer …
        self.long_rows = -(-LONG_FLOPS // flops)  # … and lets other threads run from here on
        self.own = threading.local()  # a predictor for each thread that finds the first one busy
        self.native = self.prepare() if prepared else None
        # The outputs for any x: None unless it is a few rows in exactly the form that the native engine takes.
        looked_at = bool(compiled.id_inputs()) or any(feed.lookups for feed in compiled.graph.feeds)
        enter = None if self.native is None or looked_at else self.native.enter
        self.small_batch: Callable[[Any], Array | None] = enter or refuse

    def __call__(self, inputs: list[Array], batch: int | None = None, lanes: int | None = None) -> list[Array]:
        """The outputs for inputs (rows, …), which are contiguous and hold the engine's floats, or bytes."""
        kind, x = self.parameters.dtype, inputs[0]
        alone = lanes is None or (lanes == 1 and type(lanes) is int)
        if batch is None and alone and len(x) < self.many_rows:
            rows = x.astype(kind, copy=False).view(kind)  # as a view, because equal types may be different objects
            y = self.native.enter(rows) if self.native else None
            if y is None:
                if not hasattr(self.own, "native"):
                    self.own.native = self.prepare()
                y = self.own.native.enter(rows)
            if y is not None:
                return [y]
        outputs = [np.empty((len(x), *shape), kind) for shape in self.output_shapes]
        if self.program.states:
            with self.turns:
                self.many(inputs, outputs, min(self.compiled.batch_size(batch), len(x)), lanes)
        else:
            self.many(inputs, outputs, len(x) if batch is None else min(batch, len(x)), lanes)
        return outputs

    def read(self, x: Any) -> list[Any]:
        """The arrays that it takes, of the caller's."""
        return self.compiled.inputs(x)

    def prepare(self) -> Any:
        """What predicts a few rows without a job."""
        assert self.engine.predictor is not None
        shapes = self.input_shapes[0], self.output_shapes[0]
        return self.engine.predictor(self.program, self.parameters, *shapes, self.many_rows, self.long_rows)

    def many(self, inputs: list[Array], outputs: list[Array], batch: int, lanes: int | None) -> None:
        """Fills the outputs, `batch` rows at a time."""
        rows, of_bytes = len(inputs[0]), inputs[0].dtype == np.uint8
        program, _ = self.compiled.lower(Request("inference", of_bytes=of_bytes))
        lanes = usable_lanes(lanes, program, batch, self.engine)
        data = dict(zip(places("X", len(inputs)), inputs, strict=True))
        data |= dict(zip(places("Y_pred", len(outputs)), outputs, strict=True))
        job = Job(
            program, data, rows, batch, self.parameters, self.parameters[:0], seed=self.compiled.seed, lanes=lanes,
            states=states_of(program, batch, self.parameters.dtype),
        )  # fmt: skip
        executors: dict[Any, Executor] = vars(self.own).setdefault("executors", {})  # this thread's
        executor = executors.get((of_bytes, lanes))
        if executor is None or not executor.rebind(job):
            executor = executors[of_bytes, lanes] = make_executor(self.compiled.engine, job)
        steps = job.steps_per_epoch
        try:
            with Held():  # so that no thread is left behind in the engine
                executor.run(Chunk(0, 0, steps, self.steps, np.zeros(steps)))
            self.steps += steps if self.random else 0
        finally:
            data.clear()  # the executor is kept, the caller's arrays are not


class LengthPredictor:
    """Predicts with a network that takes sequences of any length; used as `Predictor` is.

    A row's program depends on its own length alone, so that it gets the same answer among any others. Where rows can
    be filled up, that is the next of `BUCKETS`; otherwise, and beyond the last of them, the length itself.
    """

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self.predictors: dict[Any, Predictor] = {}
        self.small_batch = refuse

    def read(self, x: Any) -> list[Sequences]:
        """The caller's rows."""
        return [sequences_in(self.compiled, x)]

    def __call__(self, inputs: list[Sequences], batch: int | None = None, lanes: int | None = None) -> list[Array]:
        """The outputs: arrays, or for rows of different lengths an array of objects, if a row has one for its steps."""
        (x,) = inputs
        if x.one is None:
            filling.check(self.compiled, training=False)
        stepwise = [shown[:1] == (None,) for shown in self.compiled.graph.shown_outputs]
        results: list[Any] = [None] * len(stepwise)
        for key, rows in self.groups(x):
            predictor = self.predictor(key)
            for k, y in enumerate(predictor(self.arrays(predictor, x, rows, key), batch, lanes)):
                steps = self.steps_of(k, x, rows) if stepwise[k] else []
                if stepwise[k] and x.one is None:
                    results[k] = np.empty(len(x), object) if results[k] is None else results[k]
                    for row, n, values in zip(rows.tolist(), steps, y, strict=True):
                        results[k][row] = values[:n].copy()
                    continue
                y = y[:, : steps[0]] if steps else y
                results[k] = np.empty((len(x), *y.shape[1:]), y.dtype) if results[k] is None else results[k]
                results[k][rows] = y
        return results

    def groups(self, x: Sequences) -> list[tuple[Any, Numbers]]:
        """The rows by the program that they need: lengths, and whether they are filled up."""
        longest = x.lengths.max(axis=1)
        if x.one is not None and (longest[0] > BUCKETS[-1] or not filling.may_fill(self.compiled)):
            return [((*x.one, False), np.arange(len(x)))]
        sizes = np.array(BUCKETS)[np.searchsorted(BUCKETS, longest)]
        return [((int(n),) * x.lengths.shape[1] + (True,), np.flatnonzero(sizes == n)) for n in np.unique(sizes)]

    def predictor(self, key: Any) -> Predictor:
        """The predictor for these lengths."""
        if key not in self.predictors:
            self.predictors[key] = Predictor(self.compiled.at(key[:-1], filled=key[-1]))
        return self.predictors[key]

    def arrays(self, predictor: Predictor, x: Sequences, rows: Numbers, key: Any) -> list[Array]:
        """What a program gets of some rows."""
        compiled = predictor.compiled
        return compiled.inputs(x.filled(rows, key[0]) if key[-1] else [array[rows] for array in x.inputs])

    def steps_of(self, output: int, x: Sequences, rows: Numbers) -> list[int]:
        """How many steps of an output each row has: those that its own length gives."""
        found: dict[tuple[int, ...], int] = {}
        for lengths in map(tuple, np.unique(x.lengths[rows], axis=0).tolist()):
            found[lengths] = self.compiled.at(lengths).graph.output_shapes[output][0]
        return [found[lengths] for lengths in map(tuple, x.lengths[rows].tolist())]


def predictor_for(compiled: Compiled) -> Predictor | LengthPredictor:
    """What predicts with a network."""
    return LengthPredictor(compiled) if compiled.graph.lengths else Predictor(compiled)


def refuse(x: Any) -> None:
    """Takes the place of `enter` in the other engine, and where inputs have to be checked: always None."""


def predict_all(
    model: Model,
    predictor: Predictor,
    x: Any,
    batch_size: int | None,
    verbose: int | str,
    steps: int | None,
    callbacks: Sequence[Callback] | None,
    lanes: int | None,
) -> Any:
    """The outputs for the caller's arrays, in the list or dict in which the model returns them."""
    inputs = predictor.read(x)
    size = None if batch_size is None else whole("batch_size", batch_size)
    if steps is not None:
        batch = predictor.compiled.batch_size(size)
        inputs = [array[: whole("steps", steps) * batch] for array in inputs]
    if callbacks is None and verbose in QUIET:
        outputs = predictor(inputs, size, lanes)
    else:
        outputs = predict_aloud(model, predictor, inputs, size, verbose, callbacks, lanes)
    places = iter(outputs)
    return mapped(predictor.compiled.graph.structure, lambda _: next(places))


def predict_stream(
    model: Any, x: Any, batch_size: int | None, verbose: int | str, steps: int | None, lanes: int | None
) -> Any:
    """The outputs for the batches of a stream, of which one window is in memory."""
    stream, passed = stream_of(x, None, None, steps, "steps"), Elapsed()
    assert stream is not None
    try:
        outputs = joined([[model.predict(w.x, batch_size, lanes=lanes)] for w in stream.windows()])[0]
    finally:
        stream.close()
    if level(verbose) > 0 and verbose not in QUIET:
        print(f"{len(next(leaves(outputs))):,} rows in {passed.seconds:.3f} s")
    return outputs


def predict_aloud(
    model: Model,
    predictor: Predictor,
    inputs: list[Array],
    batch_size: int | None,
    verbose: int | str,
    callbacks: Sequence[Callback] | None,
    lanes: int | None,
) -> list[Array]:
    """The network's outputs, with callbacks and a printed line."""
    aloud = level(verbose) > 0 and verbose != "auto"
    rows = len(inputs[0])
    batch = predictor.compiled.batch_size(batch_size)
    listeners = introduced(callbacks, model, -(-rows // batch))
    notify(listeners, "on_predict_begin", {})
    model.stop_predicting = False
    passed = Elapsed()
    if listened(listeners, BATCH_EVENTS):
        outputs = by_batch(model, predictor, inputs, batch, listeners, lanes)
    else:
        outputs = predictor(inputs, batch_size, lanes)
    if aloud:
        print(f"{rows:,} rows in {passed.seconds:.3f} s")
    notify(listeners, "on_predict_end", {})
    return outputs


def by_batch(
    model: Model,
    predictor: Predictor,
    inputs: list[Array],
    batch: int,
    callbacks: Sequence[Callback],
    lanes: int | None,
) -> list[Array]:
    """Batch by batch, until a callback sets `stop_predicting`; a callback gets the outputs, several as a list."""
    parts: list[list[Array]] = []
    for number, first in enumerate(range(0, len(inputs[0]), batch)):
        notify(callbacks, "on_predict_batch_begin", number, {})
        parts.append(predictor([x[first : first + batch] for x in inputs], None, lanes))
        outputs = parts[-1][0] if len(parts[-1]) == 1 else parts[-1]
        notify(callbacks, "on_predict_batch_end", number, {"outputs": outputs})
        if model.stop_predicting:
            break
    return [np.concatenate(same) for same in zip(*parts, strict=True)]
