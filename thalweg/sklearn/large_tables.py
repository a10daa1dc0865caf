"""Tables larger than memory, as X of `memory=`: rows go to a disk, as for `thalweg train --memory`, and come back in
blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.large_source import LargeSource
from thalweg.data.recipe import Task
from thalweg.data.stored_rows import StoredRows, stored_rows
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs.large.large_training import SMALL, Place, Ready, prepared_rows, target_of
from thalweg.runs.large.memory import READER, block_of, bytes_of, reader_of_predictions
from thalweg.runs.large.roles import Roles
from thalweg.runs.table_run import TableOptions
from thalweg.sklearn.intake import array_names
from thalweg.sklearn.table_sources import IN_MEMORY, check_name, is_mapped, is_source
from thalweg.support.extras import need
from thalweg.support.files import own_folder
from thalweg.tabular.beside import BATCH
from thalweg.tabular.clock import Clock
from thalweg.tabular.features import Features
from thalweg.tabular.qualities import OF_MEMBERS

ALIKE = ("quality", "metric", "time_limit")
"""Parameters of an estimator that are options of a run, too, besides those of the networks."""
ARRAY_BYTES = 4 << 20
"""Of an array, so much is handed to DuckDB at a time."""
RESULT = 16
"""Bytes of each number of the result, which is whole: in blocks, and then in one array."""
USUAL = "4GB"
"""The most memory, where only a cache is given."""


def large_source(X: Any, y: Any = None, name: str = "") -> LargeSource:
    """X as rows that go to a disk; of an array with y as a column of this name, if it isn't None."""
    if not is_mapped(X):
        return LargeSource.of(X, together=True)
    need("pyarrow", "arrow", "rows of an array larger than memory")
    import pyarrow as pa

    if X.ndim != 2 or X.dtype.kind not in "biuf":
        raise DataError(f"X has to be numbers (rows, columns), got {X.dtype} of the shape {X.shape}")
    if y is not None and np.shape(y) != (len(X),):
        raise DataError(f"y has the shape {np.shape(y)}; X has {len(X)} rows, and each needs one value")
    some, names = max(1, ARRAY_BYTES // max(1, X.strides[0])), array_names(X.shape[1])

    def columns(first: int) -> dict[str, Any]:
        rows = np.asarray(X[first : first + some])
        found = dict(zip(names, rows.T, strict=True))
        return found if y is None else found | {name: np.asarray(y[first : first + some])}

    schema = pa.RecordBatch.from_pydict(columns(0)).schema
    batches = (pa.RecordBatch.from_pydict(columns(first), schema) for first in range(0, len(X), some))
    return replace(LargeSource.of(pa.RecordBatchReader.from_batches(schema, batches)), name="X")


def options_of(estimator: Any, target: str) -> TableOptions:
    """What an estimator's parameters say, as the options of a run. No row is held out to judge by.

    Raises:
        ArgumentError: a parameter that needs all rows in memory.
    """
    if estimator.class_weight is not None:
        raise ArgumentError(IN_MEMORY.format("class_weight"))
    asked = {name: getattr(estimator, name) for name in ("ignore", "categories", "numbers")}
    text = next((name for name, given in asked.items() if isinstance(given, str)), None)
    if text is not None:
        raise ArgumentError(f"{text} is a list of columns, got the text {asked[text]!r}: give [{asked[text]!r}]")
    listed = {name: tuple(given) for name, given in asked.items()}
    place = next((one for names in listed.values() for one in names if not isinstance(one, str)), None)
    if place is not None:
        raise ArgumentError(f"the columns of rows on a disk are given by name, got {place!r}")
    given: dict[str, Any] = {
        name: getattr(estimator, name) for name in (*OF_MEMBERS, *ALIKE) if hasattr(estimator, name)
    }
    return TableOptions(target=target, test_share=0.0, lanes=estimator._lanes(), **(given | listed))


@dataclass(frozen=True)
class Found:
    """What is to be learned from.

    Attributes:
        rows: few as a table, many ready to be learned from.
        target: the column to predict. names: the other columns.
    """

    rows: Table | Ready
    target: str
    names: list[str]


@contextmanager
def found_rows(estimator: Any, X: Any, y: Any, seed: int, clock: Clock, regression: bool) -> Iterator[Found]:
    """The rows of X, read and converted within the limit of memory."""
    if not (is_source(X) or is_mapped(X)):
        raise ArgumentError(
            "memory and cache are for a path, a query, an Arrow dataset or a numpy.memmap as X, got a "
            f"{type(X).__name__}, which is in memory: leave them out"
        )
    if is_source(X):
        check_name(y)
    target = y if isinstance(y, str) else "target"
    source = large_source(X, None if is_source(X) else y, target)
    place = Place(bytes_of(estimator.memory or USUAL), None if estimator.cache is None else Path(estimator.cache))
    options = replace(options_of(estimator, target), seed=seed, task="regression" if regression else None)
    with place.folder(source) as folder:
        with place.rows(source, folder, options, clock) as rows:
            names = [name for name, _ in rows.how.types if name != target]
            few = rows.table(0, rows.rows) if rows.rows < SMALL else None
            if few is None:
                options = replace(options, task=options.task or task_of(rows, options))
                many = prepared_rows(rows, source, options, folder, clock)
        yield Found(many if few is None else few, target, names)


def task_of(rows: StoredRows, options: TableOptions) -> Task:
    """ "binary" or "multiclass", as many classes as there are."""
    members = options.settings.members
    roles = Roles.of(rows.rows, rows.columns, options.test_share, members, options.split_seed)
    found = target_of(rows, roles, options).task
    return "multiclass" if found == "regression" else found


@contextmanager
def blocks(memory: str | int, X: Any, features: Features, outputs: int) -> Iterator[Iterator[Table]]:
    """The rows of a source, block by block; their predictions have the bits of the table in memory."""
    limit, inputs = bytes_of(memory), len(features.feature_names)
    given: dict[str, Any] = {"text": features.kept, "least_rows": 0}
    with (
        own_folder("thalweg-rows-") as folder,
        stored_rows(large_source(X), folder, reader_of_predictions(limit), READER, **given) as rows,
    ):
        yield rows.blocks(block_of(limit, rows, inputs, outputs, RESULT * outputs), BATCH)
