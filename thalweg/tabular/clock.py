"""A time limit for a fit: what is left of it, and a watch that stops the trainings in time."""

from __future__ import annotations

import _thread
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
        self.limit = self.until = math.inf if limit is None else limit
        self.begin = time.perf_counter()
        self.running: set[Any] = set()
        self.stopped = self.interrupted = False

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.begin

    @property
    def left(self) -> float:
        """Seconds for training: without the reserve for what follows."""
        return self.until - min(1.0, RESERVE * self.limit) - self.passed if self.limit < math.inf else math.inf

    def part(self, share: float) -> None:
        """One of several fits begins, which has this share of what is left."""
        self.stopped, self.until = self.interrupted, self.limit
        if self.limit < math.inf:
            self.until = self.passed + share * (self.limit - self.passed)

    def check(self, done: str) -> None:
        """Raises if the time is over already."""
        if self.left <= 0:
            raise self.over(done)

    def over(self, done: str) -> ArgumentError:
        """The error that says so."""
        return ArgumentError(
            f"time_limit={self.limit:g} s was over before training began: {done} took {self.passed:.2f} s; "
            f"allow {math.ceil(2 * self.passed + 1)} s or more, or give fewer rows"
        )

    @contextmanager
    def refusing(self, doing: str) -> Iterator[None]:
        """Raises as soon as the time is over while the block, which can't be planned, still works on the main thread.

        It is interrupted as by Ctrl-C.
        """
        if self.limit == math.inf or threading.current_thread() is not threading.main_thread():
            yield
            return
        over: list[bool] = []

        def end() -> None:
            over.append(True)
            _thread.interrupt_main()

        watch = threading.Timer(max(0.0, self.left), end)
        watch.daemon = True
        try:
            try:
                watch.start()  # which may interrupt at once
                yield
            finally:
                watch.cancel()
                watch.join()  # so that an interrupt on its way arrives here
        except KeyboardInterrupt:
            if over:
                raise self.over(doing) from None
            raise
        self.check(doing)

    def stop(self) -> None:
        """Ends the trainings that run, after the steps that are running, and lets none begin."""
        self.stopped = True
        for model in list(self.running):
            model.stop_training = True

    def interrupt(self) -> None:
        """Ends the trainings for Ctrl-C."""
        self.interrupted = True
        self.stop()

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
