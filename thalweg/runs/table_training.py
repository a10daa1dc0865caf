"""Trains the networks of a table run, and judges them on rows held out."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import words
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.engine.lanes import cores
from thalweg.errors import ArgumentError, BadRowsError
from thalweg.recordings.datafacts import evenly
from thalweg.runs import baselines, evidence, judging, suspicions
from thalweg.runs.divisions import group_codes, times
from thalweg.runs.judging import Judgement
from thalweg.runs.run import Array, Parts, balanced_weights
from thalweg.runs.table_run import TableOptions, TableRun, divide, fit_all
from thalweg.support.interrupts import Kept
from thalweg.support.progress import stage
from thalweg.support.seeds import draw_seed
from thalweg.support.stopwatch import Elapsed
from thalweg.tabular import temperature
from thalweg.tabular.clock import Clock
from thalweg.tabular.ensemble import Ensemble, Progress
from thalweg.tabular.planning import Outlook, Sample, outlook, sample_in_time
from thalweg.tabular.preparation import Prepared, encoded, prepare
from thalweg.tabular.qualities import OF_MEMBERS, Settings

COMPARED = 0.1
"""Of a time limit, what the comparisons before the training may take."""

TRIAL = 10_000
"""Rows that are tried; of more, it takes as many times longer."""
SAFE = 1.5
"""The machine may become busier, and the last steps that are running are finished."""
FITS = 30
"""Losses that are computed to fit a temperature, at most."""

Begin = Callable[[str, int], Progress]
"""What is told of the epochs of a training: made from its title and the number of its networks."""


@dataclass(frozen=True)
class Plan:
    """What is known before training begins.

    Attributes:
        prepared, parts: the rows to learn from, made ready, and all.
        sample: which of them, if the time limit doesn't allow all.
        outlook: how long this takes, and how long with the quality "fast" if that is another; nothing if it is short.
        rows: how many there are to learn from without a limit.
        learned: how many are learned from.
        on_disk: what is said of a table whose rows are on a disk: where, and how they were looked at; "" of others.
    """

    prepared: Prepared
    parts: Parts[Table]
    sample: Sample | None
    outlook: list[Outlook]
    rows: int
    learned: int
    on_disk: str = ""


def train(
    table: Table,
    options: TableOptions,
    announce: Callable[[Plan], None] | None = None,
    progress: Begin | None = None,
    clock: Clock | None = None,
    kept: Kept | None = None,
) -> TableRun:
    """Divides the rows, fits the columns on the training rows, trains, and judges on the held-out rows.

    Args:
        announce: called before training begins, with all that is known by then.
        progress: see `Begin`.
        clock: of the time limit, if it began before, as the table was read.
        kept: has Ctrl-C end the training once that has begun.
    """
    options.check()
    options = replace(options, seed=draw_seed() if options.seed is None else options.seed)
    clock = clock or Clock(options.time_limit)
    clock.part(1 / (1 + (options.folds or 0)))
    clock.reserve(COMPARED * clock.limit)
    with clock.refusing("reading the table and its columns"), stage("fitting the columns"):
        table, target, parts = divide(table, options)
        prepared, sample = ready_in_time(table, parts.train, target, options, clock)
    foreseen = [] if options.time_limit is not None else outlook(prepared, lanes_of(options), *faster(options))
    count = parts.train.rows
    if sample is not None:
        parts = replace(parts, train=parts.train.take(sample.rows))
    if announce is not None:
        given = [times_folds(one, options) for one in foreseen]
        announce(Plan(prepared, parts, sample, given, count, parts.train.rows))
    beside = compared(prepared, parts, options, clock)
    if kept is not None:
        kept.begin(clock.interrupt)
    passed = Elapsed()
    found = solve(prepared, options, "training", progress, clock, record=True)
    rows = parts.count(lambda part: part.rows) | {"without target": target.missing}
    if sample is not None:
        rows["left out by the time limit"] = count - parts.train.rows
    run = judged(found, prepared, parts, options, table.source, rows, passed.seconds, beside)
    if options.folds is not None and not found.interrupted:
        run.facts["folds"] = cross_validated(table, target, options, progress, clock)
    return run


def judged(
    found: Ensemble,
    prepared: Prepared,
    parts: Parts[Table],
    options: TableOptions,
    source: str,
    rows: dict[str, int],
    seconds: float,
    beside: Beside,
) -> TableRun:
    """The run of a training, with its scores on the rows held out and all else that run.json says.

    Args:
        rows: how many there are of each kind. seconds: of the training. beside: what was known of the rows before.
    """
    run = TableRun(model=found.model, features=prepared.features, history=history(found), trees=found.trees)
    if found.recording is not None:
        run.recording = found.recording.with_facts(columns=list(prepared.features.feature_names))
    assert options.seed is not None
    run.facts = options.facts(source, rows, options.seed, seconds, found.interrupted)
    run.facts["options"] |= settings(prepared)
    run.facts |= members(found, prepared)
    with stage("judging by the rows held out"):
        if run.trees:
            run.facts["networks"] = run.judge(parts.test, alone=True).values
        predicted = run.predicted(parts.test)
        judgement = judging.judge(run.features, predicted, parts.test)
        run.evidence = evidence.of_table(run.features, predicted, parts.test)
    run.facts |= judgement.facts() | beside.facts(judgement, options)
    return run


def ready_in_time(
    table: Table, train: Table, target: Target, options: TableOptions, clock: Clock
) -> tuple[Prepared, Sample | None]:
    """The training rows made ready, or a sample of them if the time limit doesn't allow all."""

    def ready(rows: Array) -> Prepared:
        return made_ready(train.take(rows), target, options)

    try:
        codes = None if clock.limit == math.inf or target.task == "regression" else encoded(target, train)
        sample = sample_in_time(ready, train.rows, codes, clock, lanes_of(options), options.split_seed)
        return made_ready(train, target, options) if sample is None else ready(sample.rows), sample
    except BadRowsError:
        fit_all(table, options)  # names the bad rows of all parts
        raise


def faster(options: TableOptions) -> list[Settings]:
    """The settings of the quality "fast", if that is another."""
    return [replace(options, quality="fast").settings] if options.quality != "fast" else []


def times_folds(one: Outlook, options: TableOptions) -> Outlook:
    """What it is with the trainings on folds."""
    return replace(one, seconds=one.seconds * (1 + (options.folds or 0)))


def lanes_of(options: TableOptions) -> int:
    """Networks at a time."""
    return cores() if options.lanes is None else options.lanes


def made_ready(table: Table, target: Target, options: TableOptions) -> Prepared:
    """The rows to learn from, with what the options say of them."""
    target = target.fitted(table)
    return prepare(
        table,
        target,
        options.settings,
        class_factors=class_factors(table, target, options),
        metric=options.metric,
        groups=None if options.group is None else group_codes(table, options.group),
        time=None if options.time is None else times(table, options.time),
        ignore=options.no_inputs,
        categories=options.categories,
        numeric=options.inputs_as_numbers,
        seed=options.split_seed,
    )


def class_factors(table: Table, target: Target, options: TableOptions) -> Array | None:
    """With --class-weight balanced, a weight for each row (rows,), so that all classes have the same sum."""
    if options.class_weight is None:
        return None
    if target.task == "regression":
        raise ArgumentError("--class-weight is for classes, and the target is a number")
    codes = encoded(target, table)
    weights: Array = balanced_weights(codes)[codes]
    return weights


def solve(
    prepared: Prepared, options: TableOptions, title: str, progress: Begin | None, clock: Clock, record: bool = False
) -> Ensemble:
    """Trains the networks side by side, within this training's part of the time limit; may record the first."""
    told = None if progress is None else progress(title, prepared.blueprint.settings.members)
    return prepared.train(clock, lanes_of(options), told, record)


def settings(prepared: Prepared) -> dict[str, Any]:
    """What the networks are made of and how they are trained, by the names of the options."""
    blueprint = prepared.blueprint
    used = asdict(blueprint.settings)
    rows = len(prepared.rows) - max(map(len, prepared.folds))
    chosen = {"dropout": blueprint.dropout, "batch_size": blueprint.settings.batch_of(rows)}
    return {name: used[name] for name in OF_MEMBERS} | chosen


def history(found: Ensemble) -> list[dict[str, Any]]:
    """A record for each epoch of each network; epochs are counted from 0, as those of every history."""
    records = [record for member in found.members for record in member.records]
    return [record | {"epoch": record["epoch"] - 1} for record in records]


def members(found: Ensemble, prepared: Prepared) -> dict[str, Any]:
    """What run.json says of the networks."""
    listed = [
        {
            "best epoch": member.best_epoch,
            "epochs": max(len(member.records), member.best_epoch),  # with one that was broken off, if it is kept
            "held out": len(member.held_out),
            "score": member.score,
            "seed": member.seed,
        }
        for member in found.members
    ]
    about = {"metric": prepared.judge.metric, "temperature": found.temperature, "diverged": found.diverged}
    trees = [{"name": kind.name, "weight": kind.weight} for kind in found.trees]
    return {"members": listed, "trees": trees, **about}


@dataclass(frozen=True)
class Beside:
    """What run.json says beside the scores: those of simpler answers, and what makes one careful."""

    always: dict[str, Any]
    linear: dict[str, Any]
    twins: int
    warnings: list[words.Said]

    def facts(self, judgement: Judgement, options: TableOptions) -> dict[str, Any]:
        """With the warnings of scores that aren't better."""
        balanced = options.class_weight is not None
        beaten = judging.beaten(judgement, self.always, self.linear, balanced, words.Said("columns"))
        found = {"baseline": self.always, "linear": self.linear, "twins": self.twins}
        return found | {"warnings": [*beaten, *self.warnings]}


def compared(prepared: Prepared, parts: Parts[Table], options: TableOptions, clock: Clock) -> Beside:
    """All that needs no trained network is done before the training; and of a time limit, what the rest will take is
    kept, by a trial."""
    features, seed, balanced = prepared.features, options.split_seed, options.class_weight is not None
    most = COMPARED / 2 * max(0.0, clock.left)
    with stage("fitting a linear model to compare with"):
        always = baselines.constant(features, parts.train, parts.test)
        line = baselines.linear(features, parts.train, parts.test, balanced, seed, most)
    with stage("looking for columns that give the answer away"):
        leaks, looked = suspicions.leaks(features, parts.train, seed, min(suspicions.SECONDS, most))
        keys = suspicions.keys(features, parts.train, seed)
    with stage("looking for rows that are in both parts"):
        twins = suspicions.twins(features, parts.train, parts.test)
    rare = {} if balanced else suspicions.rare_classes(features, parts.train)
    used = sum(1 for column in features.columns if column.features)
    warnings = [
        *judging.given_away(leaks, looked, used),
        *judging.counting(keys),
        *judging.seen_before(twins, parts.test.rows),
        *judging.too_rare(rare),
    ]
    if clock.limit < math.inf:
        with stage("timing what follows the training"):
            clock.reserve(closing_seconds(prepared, parts.test, clock))
    return Beside(always, line, twins, warnings)


def closing_seconds(prepared: Prepared, test: Table, clock: Clock) -> float:
    """Seconds until a run is kept, once its networks are trained. What has to be compiled for it is, then.

    Args:
        prepared: the rows to learn from; those in memory are enough. test: those to judge by.
        clock: that it is measured by.
    """
    blueprint, judge, features = prepared.blueprint, prepared.judge, prepared.features
    members = blueprint.settings.members
    model, _ = blueprint.ensemble([], [1.0] * members, judge.low, judge.high)
    _, bare = blueprint.member(0, 0, 1)
    run, some = TableRun(model=model, features=features, history=[]), test.take(evenly(test.rows, TRIAL))
    rows = np.arange(min(TRIAL, len(prepared.rows.x)))

    def judged() -> None:
        predicted = run.predicted(some)
        judging.judge(features, predicted, some)
        evidence.of_table(features, predicted, some)

    def looked() -> None:
        judge(rows, bare.predict(prepared.rows.x[rows], verbose=0, lanes=1))

    def written() -> None:
        with tempfile.TemporaryDirectory(prefix="thalweg-trial-") as folder:
            model.save(Path(folder) / "model.safetensors")

    test_share, held = test.rows / max(1, some.rows), sum(map(len, prepared.folds[:members])) / max(1, len(rows))
    looks = held * (1 + FITS / len(temperature.GRID))  # the last look of each network, and their common temperature
    return SAFE * (second(judged, clock) * test_share + second(looked, clock) * looks + second(written, clock))


def second(work: Callable[[], Any], clock: Clock) -> float:
    """Seconds that work takes when it is done again."""
    work()
    begin = clock.passed
    work()
    return clock.passed - begin


def cross_validated(
    table: Table, target: Target, options: TableOptions, progress: Begin | None, clock: Clock
) -> dict[str, list[float]]:
    """The scores of ensembles, each trained without a fold of all rows and judged on it; until Ctrl-C."""
    assert options.folds is not None
    scores: dict[str, list[float]] = {}
    try:  # on Ctrl-C the run, which is trained, is kept with the folds that are done
        for number, (learn, test) in enumerate(options.division.folds(table, target, options.folds), start=1):
            clock.part(1 / (options.folds - number + 1))
            prepared, _ = ready_in_time(table, table.take(learn), target, options, clock)
            found = solve(prepared, options, f"fold {number} of {options.folds}", progress, clock)
            if found.interrupted:
                break
            run = TableRun(model=found.model, features=prepared.features, history=[], trees=found.trees)
            for name, value in run.judge(table.take(test)).values.items():
                scores.setdefault(name, []).append(value)
    except KeyboardInterrupt:
        return scores
    return scores
