"""A time limit for a fit: what is left of it, and a watch that has the trainings end in time."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.tabular.course import Course

RESERVE = 0.1
"""The share of the limit that is kept for what follows the training, 1 second at most, until that was measured."""
MOST_KEPT = 0.5
"""Of what is left, at most so much is kept for what follows: a short training is better than none."""
ENDING = 0.5
GLANCE = 0.2
"""Seconds between two looks at the trainings."""


class Clock:
    """Counts from when it is made, or from so many seconds `before`. `limit` in seconds, None: none.

    Attributes:
        after: seconds that what follows the trainings takes, until the run is kept.
        page: seconds that are for what follows even that.
        ending: seconds in which a process ends: half of those in which it began, as a busy machine is slow in both.
        running: the trainings that have begun and not ended.
    """

    def __init__(self, limit: float | None, before: float = 0.0, page: float = 0.0) -> None:
        self.limit = self.until = math.inf if limit is None else limit
        self.begin = time.perf_counter() - before
        self.after, self.page, self.ending = 0.0, page, ENDING * before
        self.running: set[Course] = set()
        self.stopped = self.interrupted = False

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.begin

    @property
    def left(self) -> float:
        """Seconds for training: without the reserve for what follows."""
        if self.limit == math.inf:
            return math.inf
        return self.until - self.passed - self.kept

    @property
    def kept(self) -> float:
        """Seconds that are kept for what follows the trainings."""
        return max(self.after, min(1.0, RESERVE * self.limit)) + self.page + self.ending

    def reserve(self, seconds: float) -> None:
        """What follows the trainings will take so long, until the run is kept."""
        if self.limit < math.inf:
            most = MOST_KEPT * max(0.0, self.until - self.passed)
            part = min(1.0, most / max(seconds + self.page, 1e-9))
            self.after, self.page = part * seconds, part * self.page

    @property
    def remaining(self) -> float:
        """Seconds of the limit that are left for all but the end of the process."""
        return max(0.0, self.limit - self.passed - self.ending)

    def part(self, share: float) -> None:
        """One of several fits begins, which has this share of what is left."""
        self.stopped, self.until = self.interrupted, self.limit
        if self.limit < math.inf:
            self.until = self.passed + share * (self.limit - self.passed)

    def check(self, done: str) -> None:
        """Raises if the time is over already."""
        if self.left + self.page <= 0:
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
        try:
            with interrupted_after(self.left + self.page):
                yield
        except TimeOverError:
            raise self.over(doing) from None
        self.check(doing)

    def stop(self) -> None:
        """Ends the trainings that run, after the steps that are running, and lets none begin."""
        self.stopped = True
        for course in list(self.running):
            course.stop()

    def interrupt(self) -> None:
        """Ends the trainings for Ctrl-C."""
        self.interrupted = True
        self.stop()

    def look(self) -> None:
        """Stops the trainings if the time is over; otherwise has each of them fit into what is left for it."""
        if self.left <= 0:
            self.stop()
            return
        for course in list(self.running):
            course.look(self.passed)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks at the trainings within the block, again and again."""
        if self.limit == math.inf:
            yield
            return
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(min(GLANCE, max(0.0, self.left))) and not self.stopped:
                self.look()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class TimeOverError(ThalwegError):
    """A block took longer than it may."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Ends the block on the main thread after so many seconds, as by Ctrl-C.

    On other threads, and for any number of seconds, the block is left alone.

    Raises:
        TimeOverError: it was ended.
    """
    if seconds == math.inf or threading.current_thread() is not threading.main_thread():
        yield
        return
    over: list[bool] = []

    def end() -> None:
        over.append(True)
        _thread.interrupt_main()

    def take(number: int, frame: Any) -> None:
        if over:
            raise KeyboardInterrupt

    watch = threading.Timer(max(0.0, seconds), end)
    watch.daemon = True
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in the background of a shell, or behind nohup
    if ignored:
        signal.signal(signal.SIGINT, take)
    try:
        try:
            watch.start()  # which may interrupt at once
            yield
        finally:
            watch.cancel()
            watch.join()  # so that an interrupt on its way arrives here
    except KeyboardInterrupt:
        if over:
            raise TimeOverError(f"it took more than {seconds:g} s") from None
        raise
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
