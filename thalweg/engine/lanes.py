"""How many lanes: the cores this process may use, and whether a network is large enough for more than one."""

from __future__ import annotations

import math
import operator
import os
from functools import cache
from pathlib import Path
from threading import Event, Thread

from thalweg.engine.contract import Engine
from thalweg.errors import ArgumentError
from thalweg.program.ir.program import Program


def cores() -> int:
    """Cores this process may use: its affinity, and the quota of its control group."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, quota())))


@cache
def quota() -> float:
    """Cores that the control group allows, infinite without a limit. Cached, as it is read from files."""
    version_2, version_1 = Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu")
    try:
        if version_2.exists():
            limit, period = version_2.read_text().split()
        else:
            limit, period = (version_1.joinpath(f"cpu.cfs_{n}_us").read_text() for n in ("quota", "period"))
        return int(limit) / int(period) if limit.strip() not in ("max", "-1") else math.inf
    except (OSError, ValueError):
        return math.inf


def startable(threads: int) -> int:
    """How many threads the system lets this process have at once, `threads` at most."""
    done = Event()
    started: list[Thread] = []
    try:
        for _ in range(threads):
            thread = Thread(target=done.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:  # can't start new thread
        pass
    done.set()
    for thread in started:
        thread.join()
    return len(started)


def usable_lanes(asked: int | None, program: Program, rows: int, engine: Engine, available: int | None = None) -> int:
    """The number of lanes: the one asked for, otherwise THALWEG_LANES, otherwise by the work in a step.

    available: cores; by default those of this process.
    """
    if asked is None and engine.most_lanes is not None and os.environ.get("THALWEG_LANES"):
        try:
            asked = int(os.environ["THALWEG_LANES"])
        except ValueError:
            raise ArgumentError(f"THALWEG_LANES is a whole number, got {os.environ['THALWEG_LANES']!r}") from None
    if asked is not None:
        try:
            lanes = operator.index(asked)
        except TypeError:
            raise ArgumentError(f"lanes has to be a whole number from 1, got {asked!r}") from None
        if lanes < 1:
            raise ArgumentError(f"lanes has to be a whole number from 1, got {asked!r}")
        return lanes
    if engine.most_lanes is None:
        return 1
    return max(1, min(cores() if available is None else available, engine.most_lanes(program, rows)))
