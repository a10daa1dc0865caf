"""A search on a table, kept as a run folder: the best network, the trials, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.experiments.tuning.jury import label_of
from thalweg.experiments.tuning.outcome import Tuning
from thalweg.runs.table_run import TableRun

TRIALS = "trials.json"
PICTURES = {f"{picture}.png": picture for picture in Tuning.PICTURES}


def as_run(found: Tuning, options: dict[str, Any], source: str, skipped: int) -> TableRun:
    """The refitted network as a run, which `thalweg predict` and `thalweg inspect` read."""
    facts = {
        "options": options | vars(found.best),
        "source": source,
        "rows": found.rows | {"skipped": skipped},
        "seed": options["seed"],
        "seconds": found.seconds,
        "interrupted": found.interrupted,
        "held-out": named(found.held_out["best"].scores),
        "default settings": named(found.held_out["default"].scores) if "default" in found.held_out else None,
        "baseline": None,
    }
    return TableRun(model=found.model, features=found.features, history=found.history, facts=facts)


def named(scores: dict[str, float]) -> dict[str, float]:
    """Scores by the names that people know."""
    return {label_of(name): score for name, score in scores.items()}


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
