"""When samples are taken: at the first and the last step in any case, at others while time allows."""

from __future__ import annotations

import math

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.support.checks import number

FIRST = 4
"""Steps that are sampled before the gaps grow …"""
GROWTH = 1.3
"""… by this factor, until the beginnings of epochs are nearer."""
QUARTERS = 4
"""The training is divided into so many parts, whose beginnings are sampled even before one knows what a step takes."""
FLOOR = 4e-3
"""Seconds that samples may take in the shortest training, unless it is told."""
RECORDING_SECONDS = 0.06
"""The same for a run in a folder, whose report is to show the first steps."""
SHARE = 0.03
"""Of the time of the training, the part that samples may take; …"""
ADVANCE = 0.25
"""… of that, the part that may be spent at once, on the first steps."""

SURE = 5e-3
"""Seconds of steps from which on it is known what one takes: the first calls of the engine are slower."""


class Timetable:
    """The steps of one training that are sampled.

    Which they are beyond the necessary ones depends on measured time: what a sample takes, and what a step does.

    Args:
        steps: of the whole training. per_epoch: of an epoch.
        every: steps whose gradients make one update; the last of them is sampled.
        begun: steps done before this training.
        most: samples that are kept: at so many every second is dropped (see `thin`).
        floor: seconds that samples may take however short the training is.
    """

    def __init__(
        self, steps: int, per_epoch: int, every: int = 1, begun: int = 0, most: int = 512, floor: float = FLOOR
    ) -> None:
        self.steps, self.per_epoch, self.every, self.begun, self.most = steps, per_epoch, every, begun, most
        self.floor = floor
        parts = {self.aligned(steps * k // QUARTERS) for k in range(1, QUARTERS)}
        self.wished = sorted({self.updating(k) for k in (1, *parts) if 0 <= self.updating(k) < steps})
        self.necessary = sorted(
            {self.updating(k) for k in (0, steps - every, steps - 1) if 0 <= self.updating(k) < steps}
        )
        self.apart = 1  # steps from one sample to the next, at least
        self.last = -math.inf  # the last sample
        self.trained = self.spent = self.sampling = 0.0  # seconds; of `spent`, those for samples
        self.trained_steps = self.samples = 0
        self.first = 0.0  # seconds of the first step, without its sample: if it is slow, that is known at once

    def aligned(self, step: int) -> int:
        """The beginning of the epoch in which a step is."""
        return step // self.per_epoch * self.per_epoch

    def updating(self, step: int) -> int:
        """The step, or the next in which the weights are updated."""
        return step + -(self.begun + step + 1) % self.every

    def ran(self, steps: int, seconds: float) -> None:
        """Notes that steps were trained without a sample."""
        self.trained += seconds
        self.trained_steps += steps

    def sampled(self, step: int, seconds: float) -> None:
        """Notes a sample, and what it took beyond its step."""
        self.last = step
        self.samples += 1
        self.spent += seconds
        self.sampling += seconds

    def a_step(self) -> float:
        """Seconds of a step, as measured so far; 0 before there is any."""
        return self.trained / self.trained_steps if self.trained_steps else 0.0

    def next(self, done: int) -> int:
        """The step, counted from 0, at which the next sample is taken; `steps` if there is none."""
        left = [k for k in self.necessary if k >= done]
        necessary = left[0] if left else self.steps
        if not self.samples:
            return necessary
        wished = [k for k in self.wished if k >= done]
        if wished and self.allows(self.sampling / self.samples):
            necessary = min(necessary, wished[0])
            left += wished
        if not self.trained_steps:  # a step by itself tells what a step takes, …
            return min(necessary, done + 1)
        if self.trained < SURE:  # … or many small ones; until then, part of what may be taken in any case
            early = self.sampling + self.sampling / self.samples <= ADVANCE * (self.floor - FLOOR)
            return min(necessary, self.candidate(max(done, self.last + self.apart))) if early else necessary
        wanted = self.spent + (1 + len(left)) * self.sampling / self.samples
        step = self.a_step()
        share = max(SHARE, (self.floor - FLOOR) / (self.steps * step)) if step else SHARE
        lacking = (wanted / share - ADVANCE * self.steps * step) / (1 - ADVANCE) - self.trained
        wait = math.ceil(max(0.0, lacking) / step) if step else 0
        return min(necessary, self.candidate(max(done + wait, self.last + self.apart)))

    def allows(self, cost: float) -> bool:
        """Whether a sample may be taken that is wished for: before it is known what a step takes, it may."""
        known = self.steps * self.a_step() if self.trained >= SURE else math.inf
        if self.trained < SURE < self.first:
            known = self.steps * self.first
        return self.sampling + 2 * cost <= max(self.floor, SHARE * known - self.spent + self.sampling)

    def candidate(self, least: float) -> int:
        """The first step from `least` on that is among the first, in the growing row, or begins an epoch."""
        if least >= self.steps:
            return self.steps
        step = int(least)
        row = float(FIRST)
        while math.ceil(row) < step:
            row *= GROWTH
        growing = step if step <= FIRST else math.ceil(row)
        begins = -(-step // self.per_epoch) * self.per_epoch
        return min(self.updating(max(step, min(growing, begins))), self.steps)

    def thin(self) -> None:
        """Notes that every second sample was dropped: the next are further apart."""
        self.apart = max(2 * self.apart, math.ceil(self.last / self.most))


def seconds_of(record: bool | float) -> float:
    """The seconds that samples may take in any case, of the argument `record` that isn't False."""
    if isinstance(record, (bool, np.bool_)):
        return FLOOR
    try:
        return number("record", record, FLOOR)
    except ArgumentError:
        raise ArgumentError(
            f"record is True, False, or the seconds that samples may take, {FLOOR:g} or more, got {record!r}"
        ) from None
