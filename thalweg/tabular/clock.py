"""A time limit for a fit: what is left of it, and a watch that stops the trainings in time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thalweg.errors import ArgumentError

RESERVE = 0.1
"""The share of the limit that is kept for what follows the training, 1 second at most."""


class Clock:
    """Counts from when it is made. `limit` in seconds, None: none."""

    def __init__(self, limit: float | None) -> None:
        self.limit = math.inf if limit is None else limit
        self.begin = time.perf_counter()
        self.running: set[Any] = set()
        self.stopped = False

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.begin

    @property
    def left(self) -> float:
        """Seconds for training: without the reserve for what follows."""
        return self.limit - min(1.0, RESERVE * self.limit) - self.passed if self.limit < math.inf else math.inf

    def check(self, done: str) -> None:
        """Raises if the time is over already."""
        if self.left <= 0:
            raise ArgumentError(
                f"time_limit={self.limit:g} s was over before training began: {done} took {self.passed:.2f} s; "
                f"allow {math.ceil(2 * self.passed + 1)} s or more, or give fewer rows"
            )

    def stop(self) -> None:
        """Ends the trainings that run, after the steps that are running, and lets none begin."""
        self.stopped = True
        for model in list(self.running):
            model.stop_training = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Stops the trainings within the block when the time is over."""
        if self.left == math.inf:
            yield
            return
        watch = threading.Timer(max(0.0, self.left), self.stop)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
