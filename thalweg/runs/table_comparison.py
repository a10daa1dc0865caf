"""Comparisons on a table, from its columns to a folder with the numbers and the chart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.data.tables import Table
from thalweg.experiments import comparison
from thalweg.experiments.results import Comparison
from thalweg.runs.folder import refuse_existing
from thalweg.runs.table_run import TableOptions, divide
from thalweg.support.files import explained
from thalweg.tabular.features import Features

SETTINGS = ("layers", "activation", "loss", "learning_rate", "optimizer", "batch_size", "epochs")
FILES = ("comparison.json", "comparison.png", "comparison.svg")


def compare(
    knob: str,
    table: Table,
    options: TableOptions,
    entries: Sequence[Any] | None,
    seeds: int,
    progress: Callable[[int, int], None] | None = None,
    storage: str | None = None,
    study: str | None = None,
) -> Comparison:
    """`thalweg.compare` on a table, with columns fitted on the training rows."""
    options.check()
    _, target, parts = divide(table, options)
    features = Features.fit(
        parts.train, target, ignore=options.ignore, categories=options.categories, numbers=options.inputs_as_numbers
    )
    settings = {name: getattr(options, name) for name in SETTINGS} | {"initializer": options.initial_weights}
    settings.pop(knob, None)
    return comparison.compare(
        knob,
        features.matrix(parts.train),
        features.targets(parts.train).ravel(),
        entries=entries,
        seeds=seeds,
        task=target.task,
        validation_data=(features.matrix(parts.test), features.targets(parts.test).ravel()),
        lanes=options.lanes,
        storage=storage,
        study=study,
        progress=progress,
        **settings,
    )


def save_comparison(found: Comparison, folder: Path) -> list[Path]:
    """Writes the numbers and, if matplotlib is installed, the picture; returns the paths."""
    refuse_existing(folder)
    with explained(folder):
        folder.mkdir(parents=True)
    pictures = find_spec("matplotlib") is not None
    paths = [folder / name for name in FILES if name.endswith(".json") or pictures]
    try:
        for path in paths:
            found.save(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return paths
