"""When a side works: in turn with others, and in bursts between which a page can be heard, at its pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

BURST = 0.012
"""Seconds of training between two looks at what the page asks."""
LATE = 0.5
"""Seconds that a training may lag behind its pace; what is more is forgotten, not made up for."""


class Turns:
    """Lets so many threads work at once, in the order in which they asked.

    Threads that all want Python's lock get it in no order, and some nearly never.

    >>> turns = Turns(2)
    >>> with turns.taken():
    ...     turns.share
    1.0
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = self.free = at_once
        self.lock = threading.Lock()
        self.waiting: deque[threading.Event] = deque()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Waits for this thread's turn, and ends it."""
        mine = None
        with self.lock:
            if self.free:
                self.free -= 1
            else:
                mine = threading.Event()
                self.waiting.append(mine)
        if mine is not None:
            mine.wait()
        try:
            yield
        finally:
            with self.lock:
                if self.waiting:
                    self.waiting.popleft().set()  # the turn is handed on
                else:
                    self.free += 1

    @property
    def share(self) -> float:
        """The part of a burst that is fair to those who wait."""
        return self.at_once / (self.at_once + len(self.waiting))


class Pace:
    """Epochs a second while playing; None for as many as there can be.

    >>> pace = Pace(None)
    >>> pace.wait(10), pace.steps(10)
    (0.0, 1)
    """

    def __init__(self, epochs: float | None) -> None:
        self.epochs = epochs
        self.burst = BURST
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
        return max(1, int(self.burst / max(self.step_seconds, 1e-8)))

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
