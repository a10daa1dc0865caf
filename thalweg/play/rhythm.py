"""How many steps are due: no more than so many epochs a second, in bursts between which a page can be heard."""

from __future__ import annotations

import time

BURST = 0.012
"""Seconds of training between two looks at what the page asks."""
LATE = 0.5
"""Seconds that a training may lag behind its pace; what is more is forgotten, not made up for."""


class Pace:
    """Epochs a second while playing; None for as many as there can be.

    >>> pace = Pace(None)
    >>> pace.wait(10), pace.steps(10)
    (0.0, 1)
    """

    def __init__(self, epochs: float | None) -> None:
        self.epochs = epochs
        self.step_seconds = BURST  # of one step, as measured; at first one step is tried
        self.measured = 0.0  # epochs a second
        self.begin()

    def set(self, epochs: float | None) -> None:
        """Another pace."""
        self.epochs = epochs
        self.begin()

    def begin(self) -> None:
        """Counts from now on."""
        self.since, self.steps_done = time.monotonic(), 0
        self.window = (self.since, 0)

    def affordable(self) -> int:
        """Steps that take about as long as a burst."""
        return max(1, int(BURST / max(self.step_seconds, 1e-8)))

    def due(self, per_epoch: int) -> float:
        """Steps that should have been done by now, and haven't."""
        assert self.epochs is not None
        return (time.monotonic() - self.since) * self.epochs * per_epoch - self.steps_done

    def wait(self, per_epoch: int) -> float:
        """Seconds until there is something to do; several steps are done at once, a picture's time apart."""
        if self.epochs is None:
            return 0.0
        due, rate = self.due(per_epoch), self.epochs * per_epoch
        together = max(1.0, min(rate / 60, self.affordable()))
        return max(0.0, (together - due) / rate)

    def steps(self, per_epoch: int) -> int:
        """Steps to do now."""
        if self.epochs is None:
            return self.affordable()
        due = self.due(per_epoch)
        rate = self.epochs * per_epoch
        if due > LATE * rate + 1:
            self.since, self.steps_done = time.monotonic() - 1 / rate, 0
            due = 1.0
        return min(int(due + 1e-6), self.affordable())

    def done(self, steps: int, seconds: float, per_epoch: int) -> None:
        """Notes what a burst took."""
        self.step_seconds = 0.7 * self.step_seconds + 0.3 * seconds / steps
        self.steps_done += steps
        now, (since, count) = time.monotonic(), self.window
        count += steps
        if now - since > 0.5:
            self.measured = count / per_epoch / (now - since)
            since, count = now, 0
        self.window = (since, count)
