"""How many rows of a large table a time limit allows, found again for every block that is converted."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.runs.large.converted import Converted
from thalweg.tabular.clock import Clock

LEAST = 0.01
"""Of the rows to learn from, so many are kept in any case."""
MOST_TIME = 2 / 3
"""Of what was left when the conversion began, it may take so much."""


@dataclass
class Allowance:
    """As many rows as can be converted, and learned from once, in the time left.

    Blocks are read whole, which is half of the work, whatever is kept of them.

    Attributes:
        rows: of the source.
        each: seconds to convert a row, all of whose block are kept. learning: seconds to learn from a row.
        least: the least share that was allowed so far.
    """

    clock: Clock
    rows: int
    each: float
    learning: float
    least: float = 1.0

    def __post_init__(self) -> None:
        self.begin, self.left = self.clock.passed, self.clock.left
        self.first = self.looked = 0
        self.work, self.share = 0.0, 0.0

    def __call__(self, store: Converted) -> float:
        """The share of the next block; 0 if there is no time for more."""
        if not self.share:
            self.first = self.looked = store.source
        self.work += (store.source - self.looked) * (1 + self.share) / 2
        self.looked = store.source
        if self.work:
            self.each = (self.clock.passed - self.begin) / self.work
        if store.rows and self.clock.left < (1 - MOST_TIME) * self.left:
            self.least = 0.0
            return 0.0
        self.share = self.of(self.rows - store.source, store.rows)
        self.least = min(self.least, self.share)
        return self.share

    def of(self, rest: int, kept: int) -> float:
        """The share of so many rows, where so many others will be learned from."""
        left = self.clock.left - self.each * rest / 2 - self.learning * kept
        return min(1.0, max(LEAST, left / (rest * (self.each / 2 + self.learning))))
