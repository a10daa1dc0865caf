"""A training that has to end in time: its learning rate falls to 0 by then, however fast its steps are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thalweg.schedules import FlatCos


@dataclass(eq=False)
class Course:
    """A training, and when it has to end.

    Attributes:
        model: what is trained.
        until: seconds on the clock.
        steps: that are planned.
        planned: whether its learning rate follows these steps; otherwise it has a course of its own.
        first: seconds on the clock and steps done when some had been done first: before, kernels were compiled.
    """

    model: Any
    until: float = math.inf
    steps: int = 0
    planned: bool = False
    first: tuple[float, int] | None = None

    def stop(self) -> None:
        """Ends it after the steps that are running."""
        self.model.stop_training = True

    def look(self, passed: float) -> None:
        """Stops it if its time is over; otherwise plans as many steps as it has time for at its pace so far, at most
        those planned."""
        done = self.model.optimizer.iterations
        if passed >= self.until:
            self.stop()
        elif self.first is None:
            self.first = (passed, done) if done else None
        elif self.planned and passed > self.first[0]:
            pace = (done - self.first[1]) / (passed - self.first[0])
            self.plan(max(done + 1, min(self.steps, done + int(pace * (self.until - passed)))))

    def plan(self, steps: int) -> None:
        """The learning rate falls to 0 with this step; the chunk that runs isn't changed any more."""
        course = self.model.optimizer.schedule
        if course.total_steps != steps:
            self.model.optimizer.schedule = FlatCos(course.learning_rate, steps, course.flat, course.alpha)
