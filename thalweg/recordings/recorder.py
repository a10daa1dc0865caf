"""Makes the recording of a fit: samples around single steps, the loss of each batch, facts of model and data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg import activations, losses
from thalweg.engine.contract import Chunk, Job, Outcome
from thalweg.layers import Layer
from thalweg.losses.probabilities import OfClassNumbers, OfOneHot, OfProbabilities
from thalweg.recordings.compiled_model import Compiled
from thalweg.recordings.datafacts import evenly, sample_of, target_facts, twins
from thalweg.recordings.measuring import NOTHING, Activity, Summary, summary
from thalweg.recordings.probe import Probe, parts_of
from thalweg.recordings.recording import HISTOGRAMS, STATISTICS, Array, Histograms, Recording, Sample
from thalweg.recordings.timetable import FLOOR, Timetable
from thalweg.support.stopwatch import compiling

SAMPLES_BYTES, MOST_SAMPLES, LEAST_SAMPLES = 1_000_000, 512, 16
BYTES_A_LAYER = 8 * len(STATISTICS) + len(HISTOGRAMS) * (8 * 32 + 16)
Rows = Mapping[str, Array]  # by the names under which programs know them: X, Y, weights

clock = time.perf_counter if os.name == "nt" else time.thread_time
"""Of this thread: other programs delay long calls more often than short samples. That of Windows is too coarse."""
PENDING_BYTES = 4_000_000
"""Vectors of steps that are still to be measured."""
LOSSES_AT_ONCE = 100_000
MOST_LOSSES = 20_000
PATH_BYTES = 4_000_000
MOST_EPOCHS = 2000
"""Epochs of the history that are kept."""


@dataclass(frozen=True, eq=False)
class Step:
    """A step to be measured: its number, weights before it, its gradient, weights after it; None for what it hasn't."""

    done: int
    learning_rate: float
    before: Array
    gradient: Array | None
    after: Array | None


@dataclass(frozen=True, eq=False)
class Taken:
    """A sample: of every layer the summaries of weights, gradients and updates, its activity, and its equal units."""

    iteration: int
    epoch: float
    learning_rate: float
    weights: list[Summary]
    gradients: list[Summary]
    updates: list[Summary]
    activities: list[Activity]
    equal: list[float]


class Recorder:
    """Records one fit.

    Args:
        data, held: the rows trained and validated on. steps: of the whole fit. facts: those that only the fit knows.
        floor: seconds that samples may take in any case.
    """

    def __init__(
        self, compiled: Compiled, job: Job, held: Rows | None, steps: int, facts: dict[str, Any],
        floor: float = FLOOR,
    ) -> None:  # fmt: skip
        begin, before = clock(), compiling.seconds
        self.compiled, self.job, self.steps = compiled, job, steps
        job.by_step = True
        self.begun = compiled.optimizer.iterations
        self.parts = parts_of(compiled)
        self.probe = Probe(compiled, self.parts, job.data, job.batch)
        bytes_a_sample = BYTES_A_LAYER * max(1, len(self.parts))
        self.most = max(LEAST_SAMPLES, min(MOST_SAMPLES, SAMPLES_BYTES // bytes_a_sample))
        every = job.program.every
        self.timetable = Timetable(steps, job.steps_per_epoch, every, self.begun, self.most, floor)
        self.samples: list[Taken] = []
        self.losses: list[tuple[int, int, Array, Array]] = []
        """Of the last chunks: the first step, its batch, the sums of each step, and the learning rate of each."""
        self.at, self.means, self.rates = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        """Of those before: steps, mean losses, learning rates."""
        self.kept, self.apart = 0, 1  # steps in `losses`; from one of `at` to the next
        self.penalty: float | None = None  # of the first step
        buffers = [p.buffer for _, p in compiled.weights.named()]
        self.points = PATH_BYTES // max(1, 4 * sum(buffer.size for buffer in buffers))
        kept = buffers if self.points >= 2 else []  # of many weights, their places alone would take much memory
        self.compact = np.concatenate([np.zeros(0, np.int64), *(np.arange(b.offset, b.offset + b.size) for b in kept)])
        self.path: list[tuple[int, Array]] = []
        self.walk(0)
        self.since = begin  # when the running steps began
        self.pending: list[Step] = []  # still to be measured
        self.own = self.a_sample = (
            0.0  # seconds that the sample of the running step has taken; that measuring one takes
        )
        self.latest: Step | None = None  # of steps that are repeated
        self.failed: Step | None = None
        self.sample = self.rows(job.data, held)
        self.facts = facts | self.described(job, held)
        if compiling.seconds == before:  # compiling is no part of a training's time
            self.timetable.spent += clock() - begin

    # --- facts ---------------------------------------------------------------------------------------------------

    def rows(self, data: Rows, held: Rows | None) -> Sample:
        """A sample of the rows, for models with one input."""
        x, y = sample_of(data, ("X", "Y"))
        held_x, held_y = sample_of(held or {}, ("X", "Y"))
        return Sample(x, y, held_x, held_y)

    def described(self, job: Job, held: Rows | None) -> dict[str, Any]:
        """Facts of model and data."""
        compiled, goals = self.compiled, self.compiled.objectives()
        loss = goals[0].loss if len(goals) == 1 else None
        kind = target_kind(loss, compiled.scored_shapes[0]) if loss is not None else None
        names = [goal.loss.name if goal.loss is not None else None for goal in goals]
        optimizer = compiled.optimizer
        return {
            "loss": names[0] if len(names) == 1 else names,
            "output_activation": self.probe.output_activation if len(goals) == 1 else None,
            "optimizer": type(optimizer).__name__,
            "learning_rate": float(optimizer.rates(1)[0]),
            "batch": job.batch,
            "steps_per_epoch": job.steps_per_epoch,
            "rows": job.rows,
            "held_rows": 0 if held is None else len(next(iter(held.values()))),
            "weighted": any(name.startswith("weights") for name in job.data),
            "penalty": penalised(compiled),
            "inputs": len(compiled.graph.fed_shapes),
            "outputs": len(goals),
            "columns": None,
            "twins": twins(job.data["X"], held["X"]) if held is not None and "X" in held else None,
            "architecture": list(architecture(compiled.graph.layers)),
            "weights": [[path, list(p.buffer.shape)] for path, p in compiled.weights.named()],
        } | target_facts(job.data.get("Y"), kind)

    # --- while it trains -----------------------------------------------------------------------------------------

    def room(self, done: int, steps: int) -> tuple[int, bool]:
        """How many steps to run next, at most `steps`, and whether that is one to sample."""
        self.since = clock()
        following = self.timetable.next(done)
        return (1, True) if following <= done else (min(steps, following - done), False)

    def ran(self, done: int, steps: int, sampled: bool) -> None:
        """Notes how long the steps from `done` on took, and, if they are one that was sampled, the sample.

        It cuts the steps around it into two calls of the engine, each of which takes some time.
        """
        seconds = clock() - self.since
        if not sampled:
            self.timetable.ran(steps, seconds)
            return
        self.timetable.first = self.timetable.first or max(0.0, seconds - self.own - self.a_sample)
        step = self.timetable.a_step()
        cut = 2 * max(0.0, seconds - self.own - step) if step else 0.0
        self.timetable.sampled(done, self.own + cut + self.a_sample)
        self.own = 0.0

    def note(self, chunk: Chunk, outcome: Outcome) -> None:
        """Keeps the losses and learning rates of a chunk."""
        assert outcome.losses is not None
        rates = chunk.learning_rates[: len(outcome.losses)]
        self.losses.append((chunk.iteration - self.begun, chunk.batch, outcome.losses, rates))
        self.kept += len(outcome.losses)
        if self.kept > LOSSES_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Means over the rows of each batch, from the sums noted, evenly thinned out."""
        noted, self.losses, self.kept = self.losses, [], 0
        if not noted:
            return
        job, per_epoch = self.job, self.job.steps_per_epoch
        steps = np.concatenate([first + np.arange(len(sums)) for first, _, sums, _ in noted])
        batches = np.concatenate([batch + np.arange(len(sums)) for _, batch, sums, _ in noted]) % per_epoch
        sums = np.concatenate([sums for _, _, sums, _ in noted])
        rows = np.where(batches == per_epoch - 1, job.rows - (per_epoch - 1) * job.batch, job.batch)
        if self.penalty is None and len(sums):
            self.penalty = float(sums[0, 1] / rows[0])
        self.at = np.concatenate([self.at, steps])
        self.means = np.concatenate([self.means, sums.sum(axis=1) / rows])
        self.rates = np.concatenate([self.rates, *(rates for _, _, _, rates in noted)])
        while np.count_nonzero(self.at % self.apart == 0) > MOST_LOSSES:
            self.apart *= 2
        chosen = self.at % self.apart == 0
        self.at, self.means, self.rates = self.at[chosen], self.means[chosen], self.rates[chosen]

    def take(self, chunk: Chunk, done: int, before: Array, gradient: Array | None, failed: bool = False) -> None:
        """Keeps a sample of the step that a chunk was: weights before it, its gradient, its update unless it failed.

        Most are measured later, together: then code and data are in the caches, and the step that follows has its own.
        """
        begin = clock()
        kept = None if gradient is None else gradient.copy()
        after = None if failed else self.job.parameters.copy()
        if len(self.samples) + len(self.pending) >= self.most:
            self.measure()
            self.samples = self.samples[::2]
            self.timetable.thin()
        self.pending.append(Step(done, float(chunk.learning_rates[0]), before.copy(), kept, after))
        self.own += clock() - begin
        if not self.samples or 3 * before.nbytes * len(self.pending) > PENDING_BYTES:
            self.measure()

    def measure(self) -> None:
        """Measures the steps that were kept."""
        begin, count, compiled, first = clock(), len(self.pending), compiling.seconds, not self.samples
        for step in self.pending:
            self.samples = [s for s in self.samples if s.iteration < step.done]
            self.samples.append(self.measured(step))
            if step.done:
                self.walk(step.done, step.before)
        if count:
            self.a_sample = (clock() - begin) / count
        if count and first and (compiling.seconds > compiled or self.timetable.floor > FLOOR):
            # The first takes longer than those after it, whose number depends on what one takes.
            warm = clock()
            self.measured(self.pending[-1])
            self.a_sample = clock() - warm
            self.since += clock() - begin - count * self.a_sample
        self.pending.clear()

    def measured(self, step: Step) -> Taken:
        """The numbers of a step."""
        with np.errstate(all="ignore"):
            update = None if step.after is None else step.after - step.before

        def summaries(vector: Array | None) -> list[Summary]:
            return [
                summary(p.of(vector), self.probe.native) if p.trained and vector is not None else NOTHING
                for p in self.parts
            ]

        return Taken(
            iteration=step.done,
            epoch=step.done / self.job.steps_per_epoch,
            learning_rate=step.learning_rate,
            weights=[summary(part.of(step.before), self.probe.native) for part in self.parts],
            gradients=summaries(step.gradient),
            updates=summaries(update),
            activities=self.probe.measure(step.before),
            equal=[part.equal_units(step.before) for part in self.parts],
        )

    def repeated(self, step: Chunk, outcome: Outcome, done: int, before: Array, gradient: Array, finite: bool) -> None:
        """Notes a step of a chunk that failed and is repeated step by step, for `take_last`."""
        self.note(step, outcome)
        rate = float(step.learning_rates[0])
        if finite:
            self.latest = Step(done, rate, before, gradient.copy(), self.job.parameters.copy())
        else:  # with a loss that isn't finite, the gradient isn't finished
            self.failed = Step(done, rate, before, gradient.copy() if outcome.finite else None, None)

    def take_last(self) -> None:
        """Keeps samples of the last of the repeated steps and of the one that failed."""
        self.pending += [step for step in (self.latest, self.failed) if step is not None]
        self.measure()

    def walk(self, done: int, weights: Array | None = None) -> None:
        """Adds weights to the path; of too many, every second point is dropped."""
        if self.points < 2:
            return
        if len(self.path) >= self.points - 1:
            self.path = self.path[::2]
        if len(self.path) < self.points - 1:
            vector = self.compiled.weights.vector if weights is None else weights
            self.path.append((done, vector[self.compact].astype(np.float32)))

    def so_far(self) -> tuple[Array, dict[str, Array]]:
        """The epochs of the samples, and of each trained layer mean|Δw|/mean|w| in them: for a figure that is live."""
        self.measure()  # what would wait for the end
        samples = list(self.samples)
        table = dict(statistics(samples, len(self.parts)))["update_ratio"]
        ratios = {part.name: table[:, n] for n, part in enumerate(self.parts) if part.trained}
        return np.array([s.epoch for s in samples], np.float64), ratios

    # --- at its end ----------------------------------------------------------------------------------------------

    def finished(self, done: int, history: dict[str, list[Any]], facts: dict[str, Any]) -> Recording:
        """The recording, after `done` steps."""
        self.measure()
        samples, parts = self.samples, self.parts
        path = [(k, w) for k, w in self.path if k < done or not k]
        if self.points >= 2 and (done or not path):
            path.append((done, self.compiled.weights.vector[self.compact].astype(np.float32)))
        self.settle()
        known = self.facts | {
            "steps": done,
            "epochs_done": done / self.job.steps_per_epoch,
            "initial_penalty": self.penalty,
            "history": thinned(history),
            "recording_seconds": self.timetable.spent,
        }
        return Recording(
            layers=[part.name for part in parts],
            iterations=np.array([s.iteration for s in samples], np.int64),
            epochs=np.array([s.epoch for s in samples], np.float64),
            statistics=dict(statistics(samples, len(parts))),
            histograms=dict(histograms(samples, len(parts))),
            batch_losses=self.means,
            batch_iterations=self.at,
            batch_rates=self.rates,
            learning_rates=np.array([s.learning_rate for s in samples], np.float64),
            path=np.stack([w for _, w in path]) if path else None,
            path_iterations=np.array([k for k, _ in path], np.int64),
            sample=self.sample,
            facts=known | facts,
        )


def statistics(samples: list[Taken], layers: int) -> Iterator[tuple[str, Array]]:
    """The statistics by name, (samples, layers)."""

    def table(rows: list[list[float]]) -> Array:
        return np.array(rows, np.float64).reshape(len(samples), layers)

    weights, updates = [s.weights for s in samples], [s.updates for s in samples]
    for name, groups in (("weight", weights), ("gradient", [s.gradients for s in samples]), ("update", updates)):
        yield f"{name}_norm", table([[one.norm for one in group] for group in groups])
    sizes = table([[one.mean_abs for one in group] for group in weights])
    steps = table([[one.mean_abs for one in group] for group in updates])
    yield "weight_mean_abs", sizes
    yield "update_mean_abs", steps
    with np.errstate(all="ignore"):
        yield "update_ratio", np.where(sizes > 0, steps / sizes, np.nan)
    for name in ("mean", "std"):
        yield f"activation_{name}", table([[getattr(one, name) for one in s.activities] for s in samples])
    for name in ("dead", "saturated"):
        yield name, table([[getattr(one, name) for one in s.activities] for s in samples])
    yield "equal_units", table([s.equal for s in samples])


def histograms(samples: list[Taken], layers: int) -> Iterator[tuple[str, Histograms]]:
    """The histograms by name."""
    for name in HISTOGRAMS:
        of: list[list[Any]] = [s.activities if name == "activations" else getattr(s, name) for s in samples]
        yield (
            name,
            Histograms(
                np.array([[one.counts for one in group] for group in of], np.int64).reshape(len(samples), layers, 32),
                np.array([[one.low for one in group] for group in of], np.float64).reshape(len(samples), layers),
                np.array([[one.high for one in group] for group in of], np.float64).reshape(len(samples), layers),
            ),
        )


def thinned(history: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The numbers by epoch, of evenly spaced epochs if there are very many."""
    epochs = len(history.get("epoch", []))
    places = evenly(epochs, MOST_EPOCHS).tolist()
    return {
        key: [values[k] for k in places] if len(values) == epochs else list(values) for key, values in history.items()
    }


def target_kind(loss: losses.Loss, output: tuple[int, ...]) -> str | None:
    """What the targets of a loss are: see `target_facts`. None: only a loss of one's own knows."""
    if loss.own:
        return None
    if isinstance(loss, OfClassNumbers):
        return "classes"
    if isinstance(loss, (OfOneHot, losses.CategoricalHinge, losses.KLDivergence)):
        return "one-hot"
    if isinstance(loss, (OfProbabilities, losses.Dice, losses.Tversky, losses.Hinge, losses.SquaredHinge)):
        return "binary" if output == (1,) else "multilabel"
    return "numbers"


def penalised(compiled: Compiled) -> bool:
    """Whether penalties are part of the loss."""
    return any(p.regularizer is not None for _, p in compiled.weights.trained())


def architecture(layers: Sequence[Layer], path: str = "") -> Iterator[dict[str, Any]]:
    """Every layer, in order; in place of one that holds others, those."""
    for layer in layers:
        name = f"{path}{layer.name}"
        if layer.inside:
            yield from architecture(layer.inside, f"{name}/")
            continue
        shape, activation = layer.row_out, getattr(layer, "activation", None)
        yield {
            "name": name,
            "kind": type(layer).__name__,
            "activation": activation.name if isinstance(activation, activations.ActivationFunction) else None,
            "units": int(shape[-1]) if isinstance(shape, tuple) and shape else None,
        }
