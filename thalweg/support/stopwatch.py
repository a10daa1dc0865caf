"""The time that this process has spent compiling kernels, and other times without it."""

from __future__ import annotations

import os
import time
from contextlib import ContextDecorator
from pathlib import Path
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
    """The seconds since it was made, or `before`, without those of compiling kernels (once on a machine)."""

    def __init__(self, before: float = 0.0) -> None:
        self.begin = time.perf_counter() - compiling.so_far - before

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - compiling.so_far - self.begin


class Command:
    """How long a process has worked for its command, which isn't known before the command says that it began."""

    def __init__(self) -> None:
        self.began: float | None = None

    def begin(self) -> None:
        """The process is this command's."""
        self.began = time.perf_counter() - process_seconds()

    @property
    def seconds(self) -> float:
        """Since the process began; 0 if it isn't a command's."""
        return 0.0 if self.began is None else time.perf_counter() - self.began


command = Command()


def process_seconds() -> float:
    """Seconds since this process began, or 0 where the system doesn't say: only Linux does, in a file.

    >>> 0 <= process_seconds() < 1e6
    True
    """
    try:
        told = Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks = int(told[19]) / os.sysconf("SC_CLK_TCK")  # since the system's start, as the clock below
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks)
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0
