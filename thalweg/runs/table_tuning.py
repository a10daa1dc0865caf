"""A search on a table, kept as a run folder: the best network, the trials, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.data.tables import Table
from thalweg.experiments.tuning.outcome import Tuning
from thalweg.runs import baselines, evidence
from thalweg.runs.judging import judge
from thalweg.runs.table_run import TableRun

TRIALS = "trials.json"
PICTURES = {f"{picture}.png": picture for picture in Tuning.PICTURES}


def as_run(found: Tuning, options: dict[str, Any], table: Table, skipped: int) -> TableRun:
    """The refitted network as a run, which `thalweg predict` and `thalweg inspect` read."""
    run = TableRun(model=found.model, features=found.features, history=found.history)
    learn, test = map(table.take, found.row_numbers)
    predicted = run.predicted(test)
    run.evidence = evidence.of_table(run.features, predicted, test)
    run.facts = {
        "options": options | vars(found.best),
        "source": table.source,
        "rows": found.rows | {"skipped": skipped},
        "seed": options["seed"],
        "seconds": found.seconds,
        "interrupted": found.interrupted,
        "baseline": baselines.constant(found.features, learn, test),
        **judge(found.features, predicted, test).facts(),
    }
    return run


def save_tuning(found: Tuning, run: TableRun, folder: Path, command: Sequence[str]) -> list[Path]:
    """Writes the run folder, with the trials and, if matplotlib is installed, the pictures; returns these paths."""
    run.save(folder, command)
    paths = [folder / TRIALS]
    found.save(paths[0])
    if find_spec("matplotlib") is not None:
        for name, picture in PICTURES.items():
            found.save(folder / name, picture)
            paths.append(folder / name)
    return paths
