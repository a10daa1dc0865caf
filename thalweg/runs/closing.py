"""How long what follows the trainings of a table run will take, tried out on networks that have learned nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.tables import Table
from thalweg.recordings.datafacts import evenly
from thalweg.runs import evidence, judging
from thalweg.runs.table_run import TableRun
from thalweg.tabular import temperature
from thalweg.tabular.clock import Clock
from thalweg.tabular.preparation import Prepared

TRIAL = 10_000
"""Rows that are tried; of more, it takes as many times longer."""
SAFE = 1.5
"""The machine may become busier, and the last steps that are running are finished."""
FITS = 30
"""Losses that are computed to fit a temperature, at most."""


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
