"""The time that this process has spent compiling kernels, and other times without it."""

from __future__ import annotations

import time
from contextlib import ContextDecorator
from threading import Lock
from typing import Any


class Stopwatch(ContextDecorator):
    """Adds up the time in which any thread is inside; time with several inside counts once.

    >>> watch = Stopwatch()
    >>> with watch, watch:
    ...     pass
    >>> 0 < watch.seconds < 1
    True
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.inside, self.begin, self.lock = 0, 0.0, Lock()

    def __enter__(self) -> Stopwatch:
        with self.lock:
            if not self.inside:
                self.begin = time.perf_counter()
            self.inside += 1
        return self

    def __exit__(self, *error: Any) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.seconds += time.perf_counter() - self.begin

    @property
    def so_far(self) -> float:
        """The seconds, with those of a thread that is inside now."""
        with self.lock:
            return self.seconds + (time.perf_counter() - self.begin if self.inside else 0.0)


compiling = Stopwatch()


class Elapsed:
    """The seconds since it was made, without those of compiling kernels, which is done once on a machine."""

    def __init__(self) -> None:
        self.begin = time.perf_counter() - compiling.so_far

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - compiling.so_far - self.begin
