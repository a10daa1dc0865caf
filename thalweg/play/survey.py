"""The landscape is surveyed in a thread of its own, while the training goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from thalweg.errors import ThalwegError
from thalweg.play.requests.refusal import told
from thalweg.play.training.ball import Valley, copied, valley
from thalweg.play.training.journey import Course
from thalweg.words import Text

AGAIN = 4.0
"""Seconds from one landscape to the next, when the ball has left it."""


class Survey:
    """A landscape that is being made; `ready` is called in its thread when it is there, or has failed."""

    def __init__(self, course: Course, ready: Callable[[], Any]) -> None:
        network, state = course.network, course.state
        model = copied(network.model)  # here, while nobody trains it
        walked, x, y = list(course.path), network.exercise.x, network.y
        self.valley: Valley | None = None
        self.error: Text | None = None
        self.abandoned = False
        self.begun = time.monotonic()

        def work() -> None:
            try:
                self.valley = valley(model, x, y, walked, state.batch, state.shuffle)
            except ThalwegError as error:
                self.error = told(error)
            if not self.abandoned:
                ready()

        self.thread = threading.Thread(target=work, name="thalweg landscape", daemon=True)
        self.thread.start()

    @property
    def old(self) -> bool:
        """Whether it is done, and was begun long enough ago to be made anew."""
        return self.done and time.monotonic() - self.begun > AGAIN

    @property
    def done(self) -> bool:
        """Whether there is a landscape, or an error."""
        return self.valley is not None or self.error is not None
