"""Rows to learn from that lie on a disk: matrix and targets, with a network's held-out rows at weight 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.on_disk import OnDisk, give_back

Array = NDArray[Any]


class Encoded:
    """Targets as a loss takes them, encoded as they are read."""

    def __init__(self, y: Any, encode: Callable[[Array], Array]) -> None:
        self.y, self.encode = y, encode
        one = self[0:1]
        self.shape, self.dtype = (len(y), *one.shape[1:]), one.dtype

    def __getitem__(self, rows: slice) -> Array:
        read = np.array(self.y[rows])
        give_back(self.y, rows.start, rows.stop)
        return self.encode(read)


class Weights:
    """Weights of rows: 0 for some, whose numbers are sorted, and 1 for the others."""

    def __init__(self, count: int, without: Array) -> None:
        self.without, self.shape, self.dtype = without, (count,), np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> Array:
        weights = np.ones(rows.stop - rows.start, np.float32)
        first, after = np.searchsorted(self.without, [rows.start, rows.stop])
        weights[self.without[first:after] - rows.start] = 0
        return weights


@dataclass(frozen=True)
class DiskRows:
    """All rows to learn from.

    Attributes:
        x: float32 (rows, inputs). y: their targets, (rows, …). Both are memory-mapped.
        at_hand: the numbers among them of the rows that are in memory, too, sorted: those that networks hold out.
    """

    x: Any
    y: Any
    at_hand: Array

    def __len__(self) -> int:
        return len(self.x)

    def without(self, held: Array, encode: Callable[[Array], Array], batch: int) -> OnDisk:
        """The rows for `fit`; of those at hand, the ones with these places, sorted, don't count."""
        return OnDisk(self.x, Encoded(self.y, encode), Weights(len(self), self.at_hand[held]), batch)
