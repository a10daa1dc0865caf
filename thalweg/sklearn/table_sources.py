"""Tables that needn't be in memory, as X: paths, queries, Arrow datasets, memory-mapped arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table, read_table
from thalweg.data.target import Target, labels_array
from thalweg.errors import ArgumentError, DataError
from thalweg.support.untrusted import readable
from thalweg.tabular.beside import BATCH

Array = NDArray[Any]

BLOCK_BYTES = 32 << 20
"""Of a memory-mapped array, so much is predicted at a time."""
IN_MEMORY = "{} needs all rows in memory: leave out memory and cache"


def is_source(X: Any) -> bool:
    """Whether X names rows rather than holding them: a path, a glob, a folder, a query, an Arrow dataset or reader."""
    arrow = type(X).__module__.startswith("pyarrow") and not hasattr(X, "num_columns")
    return isinstance(X, str | Path) or (arrow and (hasattr(X, "to_table") or hasattr(X, "read_all")))


def is_mapped(X: Any) -> bool:
    """Whether X is a memory-mapped file."""
    return isinstance(X, np.memmap)


def read_whole(X: Any, text: Sequence[str] = (), least_rows: int = 1) -> Table:
    """A source as a table in memory."""
    if not isinstance(X, str | Path):
        with readable(DataError, "the Arrow data can't be read"):
            X = X.to_table() if hasattr(X, "to_table") else X.read_all()
    return read_table(X, text=text, least_rows=least_rows)


def with_target(table: Table, name: Any, regression: bool) -> tuple[Table, Array]:
    """A table without its column `name`, and what that holds: labels, or numbers.

    Raises:
        DataError: there is no such column, or a row has no value in it. ArgumentError: it isn't a name.
    """
    check_name(name)
    target = target_as(table, name, regression)
    missing = np.flatnonzero(target.missing_in(table))
    if len(missing):
        raise DataError(f"Input y contains NaN: row {table.row_number(int(missing[0]))} of {name!r} has no value")
    return table.only([one for one in table.names if one != name]), labels_of(target, table)


def labels_of(target: Target, table: Table) -> Array:
    """The labels, or numbers, of a column."""
    if target.task == "regression":
        return target.numbers(table)
    return classes_of(target)[target.encode(table).ravel().astype(np.int64)]


def classes_of(target: Target) -> Array:
    """The classes as an array: of their own type, if NumPy has one that holds them all."""
    array = np.array(list(target.classes))
    return array if array.tolist() == list(target.classes) else labels_array(target.classes)


def target_as(table: Table, name: str, regression: bool) -> Target:
    """The target of a column, as numbers or as classes."""
    if regression:
        return Target.of(table, name, "regression")
    found = Target.of(table, name)
    return Target.of(table, name, "multiclass") if found.task == "regression" else found


def check_name(name: Any) -> None:
    """Raises unless a column is named."""
    if not isinstance(name, str):
        raise ArgumentError(
            f"with a path, a query or an Arrow dataset as X, y is the name of its column to predict, got a "
            f"{type(name).__name__}"
        )


def slices(X: Any) -> Iterator[Array]:
    """The rows of a memory-mapped array, block by block."""
    batches = max(1, BLOCK_BYTES // max(1, 8 * X[0:1].size * BATCH))
    ends = [*range(batches * BATCH, len(X) - BATCH + 1, batches * BATCH), len(X)]
    for first, after in pairwise([0, *ends]):
        yield np.asarray(X[first:after])
