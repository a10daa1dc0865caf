"""How many threads run the lanes: all, or one where that is faster, as where other programs hold the cores.

The results are the same bits. Two things are watched, and kept apart: how long a step takes with one thread and with
all, and how long the first thread waits for one that the operating system doesn't let run. For such waits there is an
account, to which each step on all threads adds what it gains; when it is overdrawn, the machine goes on with one thread
in the middle of a call, and all are tried again after a pause.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

FLOPS_A_SECOND = 5e10  # of one core, before steps have been timed
LEAST_ACCOUNT, MOST_ACCOUNT = 1e-3, 0.05  # seconds
PAUSE, LONGEST_PAUSE = 0.3, 3.0  # seconds on one thread after the account was overdrawn, each time twice as long
PROBE_SECONDS = 0.3  # between two comparisons of one thread with all …
SURE = 10  # … and so many times as long, if all were …
CLEARLY = 1.3  # … so many times as fast as one, and a step since hasn't taken …
LONGER = 1.2  # … so many times as long as then
PROBE_SHARE = 16  # this part of a chunk is run in each way …
PROBE_LEAST = 0.002  # … if it takes more seconds than this


@dataclass(frozen=True)
class Part:
    """What a call of the machine did: steps and seconds on one thread and on all, and what is left of the account."""

    alone: int
    seconds_alone: float
    together: int
    seconds_together: float  # without long waits
    account: float


class ThreadPolicy:
    """Decides how many threads a call gets, and how long the first may wait for the others."""

    def __init__(self, lanes: int, flops: int) -> None:
        """flops: of a step."""
        self.lanes = lanes
        self.best = lanes
        self.seconds: dict[int, float] = {}  # a step, for each number of threads
        self.guess = flops / FLOPS_A_SECOND * (1 - 1 / lanes)  # what a step gains by all threads
        self.account = self.least = max(LEAST_ACCOUNT, self.guess)
        self.until, self.pause = -math.inf, PAUSE  # one thread alone until then
        self.usual = math.inf  # a step of the best, when both ways were last tried …
        self.looked = -math.inf  # … which was then
        self.patience = PROBE_SECONDS

    def plan(self, steps: int) -> Iterator[tuple[int, int]]:
        """(threads, steps): how to run the next steps, each part decided when the one before has been seen."""
        probe = steps // PROBE_SHARE
        long_enough = probe * self.seconds.get(self.best, 0.0) > PROBE_LEAST
        if self.lanes > 1 and long_enough and not self.resting() and self.now() - self.looked > self.patience:
            best, other = self.best, (self.lanes if self.best == 1 else 1)
            yield other, probe
            yield (1 if self.resting() else best), probe
            steps -= 2 * probe
            sure = self.best == self.lanes and self.seconds[1] > CLEARLY * self.seconds[self.lanes]
            self.patience = PROBE_SECONDS * (SURE if sure else 1)
            self.looked, self.usual = self.now(), self.seconds[self.best]
        yield (1 if self.resting() else self.best), steps

    def now(self) -> float:
        return time.perf_counter()

    def resting(self) -> bool:
        return self.now() < self.until

    def limits(self) -> tuple[float, float, float, float]:
        """Seconds: how long to wait for the others to come, the account, what a step on all adds to it, its most."""
        gain = self.gain()
        return gain, self.account, gain, max(MOST_ACCOUNT, self.least)

    def gain(self) -> float:
        """Seconds that a step is shorter on all threads than on one."""
        if len(self.seconds) < 2:
            return self.guess
        return max(0.0, self.seconds[1] - self.seconds[self.lanes])

    def saw(self, threads: int, part: Part) -> None:
        """A part that was to be run by so many threads took so long."""
        if part.alone and (threads == 1 or part.seconds_alone > PROBE_LEAST):
            self.seconds[1] = part.seconds_alone / part.alone
        if part.together:
            self.seconds[self.lanes] = part.seconds_together / part.together
        if self.seconds:
            self.best = min(self.seconds, key=self.seconds.__getitem__)
        if threads in self.seconds and self.seconds[threads] > LONGER * self.usual:
            self.patience = PROBE_SECONDS
        if threads > 1:
            self.settle(part.account)

    def settle(self, account: float) -> None:
        """The account after a call on all threads."""
        if account < 0:
            self.until = self.now() + self.pause
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            self.account = self.least
        else:
            self.account = account
            if self.now() > self.until + 2 * self.pause:
                self.pause = PAUSE
