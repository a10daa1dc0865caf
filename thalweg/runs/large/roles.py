"""What each row of a large table is for, by a counter: its number decides, so nothing is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.on_disk import hashed
from thalweg.program.ir.counter import key

Array = NDArray[Any]

MOST_TEST = 50_000
"""Rows held out to judge by, at most: of so many, an accuracy is known to ±0.4 %."""
MOST_HELD = 10_000
"""Rows that a network holds out to choose its epoch by, at most."""
MOST_SAMPLE, MOST_CELLS = 200_000, 1_200_000
"""Rows that the columns are fitted on, and their cells, at most."""
AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Roles:
    """Which rows are held out to judge by, held out by networks, and in the sample that columns are fitted on.

    A row's draw is a number from 0 to 1. Up to `test` it is judged by; up to `test + held` a network holds it out;
    above `1 - sample` it is in the sample. What isn't judged by is learned from.
    """

    rows: int
    seed: int
    test: float
    held: float
    sample: float

    @classmethod
    def of(cls, rows: int, columns: int, share: float, members: int, seed: int) -> Roles:
        """Roles of so many rows, of which this share is to be held out to judge by."""
        test = min(share, MOST_TEST / rows)
        most = min(MOST_SAMPLE, MOST_CELLS // columns)
        sample = 1 - test if (1 - test) * rows <= most else most / rows
        return cls(rows, seed, test, min(members * MOST_HELD / rows, (1 - test) / 2), sample)

    def draws(self, first: int, after: int) -> Array:
        """The draws of the rows first … after − 1: float64."""
        return (hashed(key(self.seed, 0, 4), first, after) >> np.uint64(11)) * 2.0**-53

    def tested(self) -> Array:
        """The numbers of the rows to judge by, sorted."""
        return self.chosen(0.0, self.test)

    def sampled(self) -> Array:
        """The numbers of the rows in the sample, sorted."""
        return self.chosen(1 - self.sample, 1.0)

    def chosen(self, low: float, high: float) -> Array:
        """The numbers of the rows with draws of this range, sorted."""
        return np.concatenate([first + np.flatnonzero((d >= low) & (d < high)) for first, d in self.parts()])

    def parts(self) -> Iterator[tuple[int, Array]]:
        """All draws, some at a time, with the first row's number."""
        for first in range(0, self.rows, AT_ONCE):
            yield first, self.draws(first, min(first + AT_ONCE, self.rows))
