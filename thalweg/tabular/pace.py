"""How fast a member learns here, and how much of the ensemble fits into the time that is left."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.recipe import recipe
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.clock import Clock
from thalweg.tabular.qualities import Settings

Array = NDArray[Any]

PROBE_STEPS = 8
SHARE = 0.8
"""Of the time left, what steps are sure to get; held-out rows have to be scored too."""
FEW_EPOCHS = 10
"""With so many epochs or fewer, fewer members are better than fewer epochs."""


@dataclass(frozen=True)
class Pace:
    """The settings that fit into the time left, and the seconds of a step (NaN without a limit)."""

    settings: Settings
    step: float = np.nan

    @classmethod
    def of(cls, blueprint: Blueprint, x: Array, y: Array, rows: int, clock: Clock, at_once: int) -> Pace:
        """Measures some steps on the first rows, and plans for so many; a `Course` plans again while they run."""
        settings = blueprint.settings
        if clock.limit == np.inf:
            return cls(settings)
        clock.check("reading the columns")
        step = measured(blueprint, x, y)
        return cls(planned(settings, rows, step, max(clock.left, 0.0) * at_once, at_once), step)


def measured(blueprint: Blueprint, x: Array, y: Array) -> float:
    """Seconds of a step, after the first, which may have to compile kernels."""
    batch = blueprint.settings.batch_of(len(x))
    model, _ = blueprint.member(0, 0, PROBE_STEPS)
    rows = x[: batch * PROBE_STEPS]
    targets = recipe(blueprint.task).encode(y[: len(rows)], blueprint.outputs, model.loss)
    model.fit(rows[:batch], targets[:batch], batch, verbose=0, lanes=1)
    begin = time.perf_counter()
    model.fit(rows, targets, batch, verbose=0, lanes=1)
    return (time.perf_counter() - begin) / -(-len(rows) // batch)


def planned(settings: Settings, rows: int, step: float, seconds: float, at_once: int) -> Settings:
    """Fewer members, then fewer epochs, if the seconds of one core aren't enough for all; time that is over then, as
    there are fewer members, is for more epochs. Those are planned for a faster machine, as the last one may be ended.

    >>> asked = Settings(members=4, epochs=32, batch_size=100)
    >>> for seconds in (1000, 50, 10):
    ...     plan = planned(asked, rows=1000, step=0.1, seconds=seconds, at_once=2)
    ...     print(plan.members, plan.epochs)
    4 32
    4 16
    2 7
    """
    epoch = step * -(-rows // settings.batch_of(rows))
    if settings.members * settings.epochs * epoch <= SHARE * seconds:
        return settings
    few = min(FEW_EPOCHS, settings.epochs)
    members = max(min(at_once, settings.members), min(settings.members, int(SHARE * seconds / (few * epoch))))
    most = settings.epochs * (settings.longer if members < settings.members else 1)
    return replace(settings, members=members, epochs=min(most, math.ceil(seconds / (SHARE * members * epoch) or 1)))
