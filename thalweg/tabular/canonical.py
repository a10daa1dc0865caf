"""Tables of few rows: whole weights are repetitions, and the order in which rows are given doesn't matter.

So a fit with such weights is, to the bit, the fit of a table in which the rows stand so often.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.tables import Table

Array = NDArray[Any]

FEW_ROWS = 1000
"""Up to so many rows, repetitions included."""


def repetitions(weights: Array) -> Array | None:
    """Row numbers, each as often as its weight says; None if a weight isn't whole or they are too many.

    >>> repetitions(np.array([1.0, 0.0, 2.0])).tolist(), repetitions(np.array([0.5, 1.0]))
    ([0, 2, 2], None)
    """
    if weights.sum() > FEW_ROWS or (weights % 1 != 0).any():
        return None
    return np.repeat(np.arange(len(weights)), weights.astype(np.int64))


def order(table: Table, labels: Array) -> Array:
    """The rows sorted by label, then by the columns from the last to the first; as given, of more than `FEW_ROWS`.

    >>> order(Table.of({"x": [2.0, 1.0, 3.0]}), np.array(["b", "b", "a"])).tolist()
    [2, 1, 0]
    """
    if table.rows > FEW_ROWS:
        return np.arange(table.rows)
    keys: list[Array] = []
    for name in table.names:
        column = table.column(name)
        if column.kind != "other":
            values = column.values
            if column.kind == "text":
                values = np.unique([text or "" for text in values.tolist()], return_inverse=True)[1]
            keys.append(values)
    return np.lexsort([*keys, np.unique(labels, return_inverse=True)[1]])


def alike(x: Array, y: Array) -> Array:
    """A number for each row (rows,), the same for rows that are equal in matrix and target."""
    together = np.column_stack([x, y.astype(np.float32)])
    numbers: Array = np.unique(together, axis=0, return_inverse=True)[1].reshape(-1)
    return numbers
