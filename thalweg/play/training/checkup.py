"""The doctor at a training that is still going on: samples now and then, and what they say."""

from __future__ import annotations

import time
from typing import Any

from thalweg.doctor import diagnose
from thalweg.play.training.curves import Curves
from thalweg.play.training.network import Network

BETWEEN = 0.25
"""Seconds from one sample to the next: one takes a few milliseconds."""
FIRST, GROWTH = 12, 1.5
"""Samples that are taken early, and by how much the steps between them grow."""
AGAIN = 1.0
"""Seconds from one diagnosis to the next."""


class Checkup:
    """When a training is sampled, and the newest findings about it."""

    def __init__(self) -> None:
        self.taken, self.at = 0, 0.0  # samples; the step from which on the next of the early ones is taken
        self.sampled = -BETWEEN
        self.known: list[dict[str, Any]] = []
        self.of: tuple[Any, ...] = ()  # what the findings are about
        self.made = -AGAIN

    def due(self, steps: int) -> bool:
        """Whether the step after these is one to sample."""
        now = time.monotonic()
        early = self.taken < FIRST and steps >= self.at
        if not early and now - self.sampled < BETWEEN:
            return False
        self.taken, self.at, self.sampled = self.taken + 1, max(steps + 1.0, steps * GROWTH), now
        return True

    def findings(self, network: Network, curves: Curves, begun: int, diverged: str | None) -> list[dict[str, Any]]:
        """What is wrong, as JSON, the gravest first; looked at anew from time to time.

        begun: epochs before this part of the training. diverged: what ended it.
        """
        about = (self.taken, diverged)
        now = time.monotonic()
        if about == self.of or (diverged is None and now - self.made < AGAIN):
            return self.known
        recording = network.bursts.recording(curves.history(begun), diverged)
        found = diagnose(recording, lambda x: network.model.predict(x, verbose=0), thorough=False)
        self.known = [finding.to_json() for finding in found.findings]
        self.of, self.made = about, now
        return self.known
