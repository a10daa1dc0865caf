"""How many threads run the lanes: all, or one if that is faster, such as when other programs hold the cores.

The results are the same bits. Two times are measured separately: how long a step takes with one thread and with all,
and how long the first thread waits for one that the operating system doesn't let run. These waits are charged to an
account, to which each step on all threads adds what it gains. When it is overdrawn, the machine continues with one
thread, even in the middle of a call, and all are tried again after a pause.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

FLOPS_A_SECOND = 5e10  # of one core, before steps have been timed
LEAST_ACCOUNT, MOST_ACCOUNT = 1e-3, 0.05  # seconds
PAUSE, LONGEST_PAUSE = 0.3, 3.0  # seconds on one thread after the account was overdrawn; doubled each time
PROBE_SECONDS = 0.3  # between two comparisons of one thread with all
SURE = 10  # times that long, if all were clearly faster:
CLEARLY = 1.3  # more than this many times as fast as one
LONGER = 1.2  # a step that takes this many times as long as in the last comparison ends the longer interval
PROBE_SHARE = 16  # a comparison runs this fraction (1/16) of a chunk each way …
PROBE_LEAST = 0.002  # … if that takes more seconds than this


@dataclass(frozen=True)
class Part:
    """What a call of the machine did: steps and seconds on one thread and on all, and the account's balance."""

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
        self.seconds: dict[int, float] = {}  # per step, for each number of threads
        self.guess = flops / FLOPS_A_SECOND * (1 - 1 / lanes)  # seconds that all threads should save per step
        self.account = self.least = max(LEAST_ACCOUNT, self.guess)
        self.until, self.pause = -math.inf, PAUSE  # when a pause on one thread ends; the length of the next
        self.usual = math.inf  # seconds per step of the faster way, in the last comparison
        self.looked = -math.inf  # when the last comparison ended
        self.patience = PROBE_SECONDS  # from then to the next comparison

    def plan(self, steps: int) -> Iterator[tuple[int, int]]:
        """(threads, steps): how to run the next steps; each part is decided when the one before is done."""
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
        """In seconds: the wait for the others to come, the account, what a step on all adds to it, its maximum."""
        gain = self.gain()
        return gain, self.account, gain, max(MOST_ACCOUNT, self.least)

    def gain(self) -> float:
        """Seconds that all threads save per step, compared with one."""
        if len(self.seconds) < 2:
            return self.guess
        return max(0.0, self.seconds[1] - self.seconds[self.lanes])

    def saw(self, threads: int, part: Part) -> None:
        """Takes in how long a part planned for this many threads took."""
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
        """Updates the account after a call on all threads; if it is overdrawn, a pause begins."""
        if account < 0:
            self.until = self.now() + self.pause
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            self.account = self.least
        else:
            self.account = account
            if self.now() > self.until + 2 * self.pause:
                self.pause = PAUSE
