"""The seconds that an examination may take: work that wouldn't fit isn't begun, and it is said what it would take."""

from __future__ import annotations

from thalweg import words
from thalweg.errors import ThalwegError
from thalweg.support.stopwatch import Elapsed

SECONDS = 10.0
"""For an examination, unless it is told: usual ones take one or two."""


class TooLongError(ThalwegError):
    """Work that would take longer than there is time for."""

    def __init__(self, seconds: float, left: float) -> None:
        self.why = words.text(
            "it would take about {seconds:.2g} s, and {left:.2g} s are left", seconds=seconds, left=left
        )
        super().__init__(self.why["en"])


class Budget:
    """Seconds that pass; compiling kernels isn't counted, since it is done once.

    >>> budget = Budget(5.0)
    >>> budget.allow(1.0)
    >>> budget.allow(60.0)
    Traceback (most recent call last):
    ...
    thalweg.doctor.budget.TooLongError: it would take about 60 s, and 5 s are left
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.passed = seconds, Elapsed()

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.seconds - self.passed.seconds)

    def allow(self, seconds: float) -> None:
        """Raises TooLongError unless there is time for so many seconds of work."""
        if seconds > self.left:
            raise TooLongError(seconds, self.left)
