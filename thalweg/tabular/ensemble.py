"""Networks trained side by side on a matrix, each without its held-out rows, and joined in one graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.on_disk import DiskRows
from thalweg.data.recipe import recipe
from thalweg.engine.ranks.other_ranks import workers
from thalweg.errors import DivergedError, ThalwegError
from thalweg.experiments.population import side_by_side
from thalweg.layers import Activation
from thalweg.models.model import Model
from thalweg.recordings import Recording
from thalweg.recordings.datafacts import with_rows
from thalweg.recordings.timetable import RECORDING_SECONDS
from thalweg.support.interrupts import Kept
from thalweg.tabular import temperature
from thalweg.tabular.beside import Trees
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.clock import Clock
from thalweg.tabular.course import Course
from thalweg.tabular.judge import Judge
from thalweg.tabular.pace import Pace
from thalweg.tabular.qualities import Settings
from thalweg.tabular.scoring import shown
from thalweg.tabular.training import BestEpoch, agree

Array = NDArray[Any]
FEW = 10
"""Rows are few if all are so many times as many: a copy of the others would need much memory for little time."""
Progress = Callable[[int, int, int, dict[str, Any]], None]


@dataclass(frozen=True)
class Rows:
    """What networks learn from.

    Attributes:
        x: the matrix, float32 (rows, features).
        y: targets as `Features.targets` gives them.
        weights: float32 (rows,), or None.
        on_disk: where rows are too many for memory, all of them; x and y are those at hand.
    """

    x: Array
    y: Array
    weights: Array | None = None
    on_disk: DiskRows | None = None

    def __len__(self) -> int:
        return len(self.x if self.on_disk is None else self.on_disk)

    def to_fit(self, held: Array, encode: Callable[[Array], Array], settings: Settings) -> tuple[int, dict[str, Any]]:
        """How many rows `fit` gets, and what it is given, to learn from all rows but these."""
        if self.on_disk is not None:
            return len(self), {"x": self.on_disk.without(held, encode, settings.batch_of(len(self)))}
        learned = self.without(held)
        rows = len(learned.x)
        given = {"x": learned.x, "y": encode(learned.y), "batch_size": settings.batch_of(rows)}
        return rows, given | {"sample_weight": learned.weights}

    def without(self, held: Array) -> Rows:
        """The rows without these: a copy; or, if they are few, all rows, with a weight of 0 for these."""
        if not len(held):
            return self
        if len(held) * FEW <= len(self.x):
            weights = np.ones(len(self.x), np.float32) if self.weights is None else self.weights.copy()
            weights[held] = 0
            return Rows(self.x, self.y, weights)
        learn = np.setdiff1d(np.arange(len(self.x)), held, assume_unique=True)
        return Rows(self.x[learn], self.y[learn], None if self.weights is None else self.weights[learn])


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes:
        network: columns → probabilities at the ensemble's temperature, or standardised numbers: a part of the
            ensemble's graph.
        held_out: the rows it didn't learn from, sorted.
        best_epoch: the epoch whose weights it has, counted from 1; the last, if nothing was held out. All members have
            the same of few rows (`Settings.of_few_rows`).
        score: on the held-out rows at that epoch; NaN if nothing was held out.
        seed: of its initial weights, order of rows and dropout.
        records: a record for each epoch: "epoch", "loss", "held_out".
    """

    network: Model
    held_out: Array
    best_epoch: int
    score: float
    seed: int
    records: list[dict[str, Any]]


@dataclass(frozen=True)
class Ensemble:
    """Members and their common graph.

    Attributes:
        model: the graph: columns → the mean of the members' probabilities or numbers.
        members: the networks.
        temperature: of a single network's logits; 1 for a regression.
        out_of_fold: what the graph would give for each row, (rows, outputs), of the members that didn't learn from it
            alone; NaN where there is none.
        diverged: how many trainings diverged; they have no member.
        interrupted: whether Ctrl-C ended the trainings.
        trees: of other kinds, with their weights; the graph is of the networks alone.
        together: the out-of-fold predictions of networks and trees: probabilities (rows, classes), or numbers (rows,)
            in the target's unit.
        recording: of the first member's training, if it was asked for.
    """

    model: Model
    members: list[Member]
    temperature: float
    out_of_fold: Array
    diverged: int = 0
    interrupted: bool = False
    trees: list[Trees] = field(default_factory=list)
    together: Array | None = None
    recording: Recording | None = None


@dataclass(frozen=True)
class Trained:
    """A training that has ended."""

    number: int
    model: Model
    watcher: BestEpoch
    held_out: Array
    records: list[dict[str, Any]]
    recording: Recording | None = None

    @property
    def steps(self) -> int:
        """Steps done."""
        return self.model.optimizer.iterations

    @property
    def epochs(self) -> int:
        """The best epoch; the last one if nothing was held out."""
        return self.watcher.best_epoch or len(self.records)

    def score(self, metric: str) -> float:
        """On the held-out rows; NaN if there are none."""
        return shown(metric, self.watcher.best[0]) if self.watcher.best_epoch else np.nan


def train(
    blueprint: Blueprint,
    rows: Rows,
    held_out: Sequence[Array],
    judge: Judge,
    seed: int,
    clock: Clock,
    at_once: int,
    progress: Progress | None = None,
    record: bool = False,
) -> Ensemble:
    """Trains a member for each set of held-out rows, `at_once` at a time, and joins them.

    Ctrl-C ends the trainings: those with steps done become members, and the ensemble is `interrupted`.

    Args:
        progress: called after each epoch of a member: (member, epoch from 1, epochs planned, logs), one call at a time.
        record: whether to record the training of the first member.

    Raises:
        DivergedError: every training diverged. ArgumentError: the time limit is too short. KeyboardInterrupt: before
            any step was done.
    """
    elsewhere = workers()
    together = at_once + (0 if elsewhere is None else len(elsewhere.others))
    pace = Pace.of(blueprint, rows.x, rows.y, len(rows), clock, min(together, len(held_out)))
    blueprint, held_out = replace(blueprint, settings=pace.settings), held_out[: pace.settings.members]
    lanes, side = max(1, at_once // len(held_out)), min(together, len(held_out))
    places = None if elsewhere is None else elsewhere.places(at_once)
    given = (blueprint, rows, judge)
    seeds = np.random.SeedSequence(seed).generate_state(len(held_out)).tolist()

    one_by_one = Lock()
    found: dict[int, Trained | DivergedError] = {}

    def tell(number: int, epoch: int, logs: dict[str, Any]) -> None:
        if progress is not None:
            with one_by_one:
                progress(number, epoch, blueprint.settings.epochs, logs)

    def one(number: int) -> None:
        if clock.stopped or (clock.left <= 0 and number):
            return
        place = None if places is None else places.get()
        recorded = record and number == 0
        seconds = max(clock.left, 0.0) / -(-(len(held_out) - number) // side)
        try:
            if elsewhere is not None and place is not None:
                arguments = (held_out[number], number, seeds[number], seconds, lanes, recorded)
                found[number] = elsewhere.call(place, fit_elsewhere, given, *arguments)
                tell_last(found[number], partial(tell, number))
            else:
                found[number] = fit_one(
                    blueprint, rows, held_out[number], judge, number, seeds[number], clock, clock.passed + seconds,
                    lanes, partial(tell, number), recorded,
                )  # fmt: skip
        except DivergedError as error:
            found[number] = error
        finally:
            if places is not None:
                places.put(place)

    interrupted = False
    try:
        with clock.watching():
            side_by_side([partial(one, k) for k in range(len(held_out))], together, clock.stop)
    except KeyboardInterrupt:
        interrupted = True
    interrupted = interrupted or clock.interrupted
    ended = [trained for _, trained in sorted(found.items()) if isinstance(trained, Trained) and trained.steps]
    errors = [error for error in found.values() if isinstance(error, DivergedError)]
    if not ended:
        if interrupted:
            raise KeyboardInterrupt
        raise errors[0] if errors else ThalwegError("no network was trained in time")
    if blueprint.settings.together:
        agree([trained.watcher for trained in ended])
    joined = join(blueprint, ended, seeds, judge, rows)
    return replace(joined, diverged=len(errors), interrupted=interrupted, recording=ended[0].recording)


def fit_elsewhere(
    given: tuple[Blueprint, Rows, Judge], held: Array, number: int, seed: int, seconds: float, lanes: int, record: bool
) -> Trained | DivergedError:
    """Trains a member on another rank. Ctrl-C, which every rank gets, ends it as on the first.

    seconds: that are left for it.
    """
    blueprint, rows, judge = given
    clock = Clock(None)
    clock.limit = clock.until = seconds
    try:
        with Kept() as kept, clock.watching():
            kept.begin(clock.interrupt)
            trained = fit_one(
                blueprint, rows, held, judge, number, seed, clock, seconds, lanes, lambda epoch, logs: None, record
            )  # fmt: skip
    except DivergedError as error:
        return error
    trained.watcher.alone()
    return trained


def tell_last(trained: Trained | DivergedError, tell: Callable[[int, dict[str, Any]], None]) -> None:
    """Tells of the last epoch of a training on another rank."""
    if isinstance(trained, Trained) and trained.records:
        last = trained.records[-1]
        tell(last["epoch"], {name: value for name, value in last.items() if name != "epoch"})


def fit_one(
    blueprint: Blueprint,
    rows: Rows,
    held: Array,
    judge: Judge,
    number: int,
    seed: int,
    clock: Clock,
    until: float,
    lanes: int,
    tell: Callable[[int, dict[str, Any]], None],
    record: bool = False,
) -> Trained:
    """Trains a member, until so many seconds on the clock at most."""
    settings = blueprint.settings

    def encode(y: Array) -> Array:
        return recipe(blueprint.task).encode(y, blueprint.outputs, blueprint.loss)

    count, given = rows.to_fit(held, encode, settings)
    steps = settings.epochs * -(-count // settings.batch_of(count))
    model, bare = blueprint.member(number, seed, steps)
    encoded = encode(rows.y)
    loss = partial(held_loss, model, encoded[held]) if record and len(held) else None
    course = Course(model, until, steps, blueprint.planned)
    watcher = BestEpoch(
        bare, rows.x[held], held, judge, clock, course, lanes, settings.patience, settings.together, tell, loss
    )  # fmt: skip
    try:
        history = model.fit(
            **given, epochs=settings.epochs, verbose=0, callbacks=[watcher], lanes=lanes,
            record=RECORDING_SECONDS if record else False,
        )  # fmt: skip
    except DivergedError as error:
        error.model = model
        raise
    records = [{**record, "epoch": record["epoch"] + 1} for record in history.records()]
    recording = model.recording
    if recording is not None and len(held):  # they are rows of the fit with a weight of 0, or not in it
        learn = np.setdiff1d(np.arange(len(rows.x)), held, assume_unique=True)
        recording = with_rows(recording, rows.x, encoded, learn, held)
        of_all = count / (len(rows) - len(held))  # the fit's loss is a mean over all its rows, with those of weight 0
        course = recording.facts["history"]
        if "loss" in course:  # Ctrl-C may have ended it before its first epoch
            course |= {"loss": [of_all * value for value in course["loss"]], "val_loss": watcher.losses}
        told = {"held_penalised": False, "kept_epoch": watcher.best_epoch, "weighted": rows.weights is not None}
        recording = recording.with_facts(history=course, **told)
    return Trained(number, model, watcher, held, records, recording)


def held_loss(model: Model, y: Array, outputs: Array) -> float:
    """The loss of a member's outputs, which lack the last activation, without penalties and weights of rows.

    A cross-entropy at its best temperature, as it counts: one is chosen for the ensemble in the end.
    """
    last: Any = model.layers[-1]
    if "crossentropy" in model.loss.name and isinstance(last, Activation):
        outputs = outputs / np.float32(temperature.least_loss(outputs, codes_of(y), None)[1])
    made = last(outputs) if isinstance(last, Activation) else outputs
    return float(model.loss(y, made))


def codes_of(y: Array) -> Array:
    """Class numbers (rows,) of encoded targets."""
    wide = y.ndim == 2 and y.shape[1] > 1
    return (y.argmax(axis=1) if wide else y.reshape(len(y))).astype(np.int64)


def join(blueprint: Blueprint, ended: Sequence[Trained], seeds: Sequence[int], judge: Judge, rows: Rows) -> Ensemble:
    """The ensemble of trained members, with its temperature."""
    held = [trained.held_out for trained in ended]
    outputs = [trained.watcher.outputs for trained in ended]
    each = 1.0
    if blueprint.task != "regression":
        seen = [(left, z) for left, z in zip(held, outputs, strict=True) if z is not None]
        if seen:
            at = np.concatenate([left for left, _ in seen])
            logits = np.concatenate([z for _, z in seen])
            each = temperature.fitted(logits, judge.y[at], None if judge.weights is None else judge.weights[at])
        elif (
            blueprint.settings.together
        ):  # too few rows to hold out any: those learned from claim no more than they may
            logits = np.mean([t.watcher.bare.predict(rows.x, verbose=0, lanes=1) for t in ended], axis=0)
            whole = temperature.fitted(logits, judge.y, judge.weights, high=1000.0)
            each = whole if len(ended) == 1 else whole**2  # its root is used
    used = each if len(ended) == 1 else each**0.5
    model, networks = blueprint.ensemble([t.model for t in ended], [used] * len(ended), judge.low, judge.high)
    members = [
        Member(network, t.held_out, t.epochs, t.score(judge.metric), seeds[t.number],
               [{"member": place, **record} for record in t.records])
        for place, (network, t) in enumerate(zip(networks, ended, strict=True))  # without those that are left out
    ]  # fmt: skip
    return Ensemble(model, members, each, out_of_fold(blueprint, held, outputs, judge, used, len(rows.x)))


def out_of_fold(
    blueprint: Blueprint, held: Sequence[Array], outputs: Sequence[Array | None], judge: Judge, used: float, count: int
) -> Array:
    """For each row the mean of what the members that held it out predict; NaN where there is none."""
    width = 1 if blueprint.task == "regression" else max(2, blueprint.outputs)
    sums, seen = np.zeros((count, width)), np.zeros((count, 1))
    for rows, z in zip(held, outputs, strict=True):
        if z is not None:
            predicted = judge.predictions(z, used)
            sums[rows] += predicted.reshape(len(rows), width)
            seen[rows] += 1
    with np.errstate(invalid="ignore"):
        mean: Array = sums / np.where(seen > 0, seen, np.nan)
    return mean


__all__ = ["Ensemble", "Member", "Progress", "Rows", "train"]
