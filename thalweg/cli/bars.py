"""The progress of networks trained side by side: redrawn lines on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

from thalweg.cli.doing import doing
from thalweg.support.printing import out
from thalweg.support.progress import LONG, Display, pairs
from thalweg.support.terminal import interactive

MOST_LINES = 8
"""How many networks have a line of their own; those after them count for the bar only."""


class Networks:
    """A bar for all networks of a training, and a line for each; `with` ends the last one.

    The bar counts epochs. A network may end early, so that the time left is an upper limit.
    """

    def __init__(self) -> None:
        self.display: Display | None = None
        self.title, self.done = "", [0]  # epochs of each network
        self.last = time.perf_counter()
        self.silence = ExitStack()  # of epochs that take long, where nothing is drawn

    def __enter__(self) -> Networks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The lines stay as they are."""
        self.silence.close()
        if self.display is not None:
            self.display.ended = True
            self.display.done = self.display.total
            self.display.stop()
            self.display = None

    def stage(self, name: str) -> AbstractContextManager[None]:
        """What follows a training: its lines have ended."""
        self.close()
        return doing(name)

    def begin(self, title: str, members: int) -> Networks:
        """Another training, of so many networks."""
        self.close()
        self.title, self.done = title, [0] * members
        if interactive():
            self.display = Display(1)
            self.display.head = title
            self.display.below = [[f"network {number + 1}"] for number in range(min(members, MOST_LINES))]
            self.display.start()
        else:
            self.silence.enter_context(doing(title))
        return self

    def __call__(self, member: int, epoch: int, epochs: int, logs: dict[str, Any]) -> None:
        """A network has ended an epoch; one call at a time, from any thread."""
        self.done[member] = epoch
        parts = [f"network {member + 1}", f"epoch {epoch}/{epochs}", *pairs(logs)]
        if self.display is not None:
            self.display.total, self.display.done = epochs * len(self.done), sum(self.done)
            if member < MOST_LINES:
                self.display.below[member] = parts
        elif time.perf_counter() - self.last > LONG:
            out("  ".join([self.title, *parts]))
            self.last = time.perf_counter()
