"""What a training will take, and how many rows a time limit allows to learn from: by trials on a few of the rows."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from thalweg.tabular.clock import Clock
from thalweg.tabular.pace import SHARE, Array, measured
from thalweg.tabular.preparation import Prepared
from thalweg.tabular.qualities import Settings
from thalweg.tabular.trees import BOOSTED, FITS, PART, TreePace, categorical, kinds_for

TRIAL = 20_000
"""Rows of a trial; fewer are always learned from."""
LEAST_OF_CLASS = 50
"""A sample keeps so many rows of each class, or all."""
WORK = 5e10
"""With fewer operations a training takes seconds, and isn't foreseen."""
OPERATIONS = 6
"""For each row and weight: a multiplication and an addition, forwards once and backwards twice."""
CELL, ROW = 16, 40
"""Bytes that a fit of boosted trees takes for each cell, and for each row: copies, one of them in float64."""


@dataclass(frozen=True)
class Sample:
    """The rows that a time limit allows to learn from, sorted, and the limit in seconds that would allow all."""

    rows: Array
    needed: int


def sample_in_time(
    prepare: Callable[[Array], Prepared], count: int, codes: Array | None, clock: Clock, lanes: int, seed: int
) -> Sample | None:
    """A sample of the rows if not all can be prepared, and learned from once, in the time left; None for all.

    Once is enough: of as many steps, those on new rows teach more than those on rows seen before.

    Args:
        prepare: makes rows with these numbers ready.
        count: rows. codes: their class numbers, or None.
        lanes: networks at a time.
        seed: of the draw.
    """
    if clock.limit == math.inf or count <= TRIAL:
        return None
    begin, random = clock.passed, np.random.default_rng(seed)
    some = prepare(np.sort(random.choice(count, TRIAL, replace=False)))
    each = (clock.passed - begin) / TRIAL
    settings = some.blueprint.settings
    step = measured(some.blueprint, some.rows.x, some.rows.y)
    at_once = min(lanes, settings.members)
    learning = step / settings.batch_of(TRIAL) / SHARE * math.ceil(at_once / lanes)
    each += learning / (1 - PART if settings.trees else 1)
    fitting = max(TRIAL, int(clock.left / each))
    if fitting >= count:
        return None
    needed = clock.passed + count * each
    return Sample(drawn(random, count, fitting, codes), rounded_up(needed / (1 - clock.kept / clock.limit)))


def drawn(random: np.random.Generator, count: int, wanted: int, codes: Array | None) -> Array:
    """So many of the rows, at random, and a few more of rare classes, sorted.

    >>> codes = np.repeat([0, 1], [990, 10])
    >>> int(np.bincount(codes[drawn(np.random.default_rng(0), 1000, 100, codes)])[1])
    10
    """
    order = random.permutation(count)
    chosen = order[:wanted]
    if codes is None:
        return np.sort(chosen)
    found = np.bincount(codes[chosen], minlength=int(codes.max()) + 1)
    rest = order[wanted:]
    rare = [rest[codes[rest] == k][: LEAST_OF_CLASS - n] for k, n in enumerate(found) if n < LEAST_OF_CLASS]
    return np.sort(np.concatenate([chosen, *rare]))


def rounded_up(seconds: float) -> int:
    """Whole seconds of two digits.

    >>> rounded_up(7.1), rounded_up(104.0)
    (8, 110)
    """
    unit: int = 10 ** max(0, math.floor(math.log10(max(seconds, 1))) - 1)
    return math.ceil(seconds / unit) * unit


@dataclass(frozen=True)
class Outlook:
    """What a training will take: seconds, if no network ends early, and bytes beside those that are in use."""

    seconds: float
    memory: float


def outlook(prepared: Prepared, lanes: int, *others: Settings) -> list[Outlook]:
    """What the training of these rows will take, and what it would with other settings; nothing if it is short."""
    rows, settings = len(prepared.rows), prepared.blueprint.settings
    weights = prepared.blueprint.member(0, 0, 1)[0].count_params()
    if OPERATIONS * weights * rows * settings.epochs * settings.members < WORK:
        return []
    features, x = prepared.features, prepared.rows.x
    tree = functools.cache(lambda: TreePace.of(features, x, prepared.judge.y, prepared.rows.weights))
    found = []
    for each in (settings, *others):
        step = measured(replace(prepared.blueprint, settings=each), x, prepared.rows.y)
        epochs = each.epochs_of(rows, prepared.blueprint.task)
        seconds, memory = step * each.members * epochs * math.ceil(rows / each.batch_of(rows)) / SHARE / lanes, 0.0
        if BOOSTED in kinds_for(features, x, each.trees if rows <= each.tree_rows else ()):
            at_once = min(FITS, lanes)
            seconds += tree().row * rows * FITS / at_once
            memory = at_once * rows * (CELL * len(categorical(features)) + ROW)
        found.append(Outlook(seconds, memory))
    return found


def peak_memory() -> int:
    """The most bytes of memory that this process has had so far; 0 where the system doesn't say, as on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
