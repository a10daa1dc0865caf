"""Cliffs: the time of a step at every width from 1 on, compared with its neighbour."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.compare import duration
from benchmarks.peers.ours import Fit
from benchmarks.workloads import dense

WIDTHS = 300
ROUND_SECONDS = 0.03
WORST = 10


def timed(runner: Any, count: int) -> float:
    begin = time.perf_counter()
    runner.run(count)
    return (time.perf_counter() - begin) / count


def step_seconds(widths: int, rounds: int) -> list[float]:
    """Medians over rounds, each of which goes through all widths."""
    runners = [Fit(dense((w, w, w), 64, 4)) for w in range(1, widths + 1)]
    counts = []
    for runner in runners:
        timed(runner, 4)
        count = 4
        for _ in range(2):  # a fit of few steps is mostly set-up
            count = 4 * max(1, round(ROUND_SECONDS / (4 * timed(runner, count))))
        counts.append(count)
    seconds: list[list[float]] = [[] for _ in runners]
    for _ in range(rounds):
        for own, runner, count in zip(seconds, runners, counts, strict=True):
            own.append(timed(runner, count))
    return [statistics.median(own) for own in seconds]


def cliff(widths: int = WIDTHS, rounds: int = 9) -> None:
    """Prints the worst ratios between neighbours, in both directions: a wider step that is slower, or faster."""
    seconds = step_seconds(widths, rounds)
    ratios = [(seconds[w] / seconds[w - 1], w + 1) for w in range(1, widths)]
    print(f"w-w-w, batch 64, w = 1 … {widths}, medians of {rounds} rounds")
    for title, order in (("slower", sorted(ratios, reverse=True)), ("faster", sorted(ratios))):
        print(f"one wider and most {title}:")
        for ratio, width in order[:WORST]:
            print(
                f"  {width - 1:4} → {width:4}: {ratio:5.2f}×   "
                f"{duration(seconds[width - 2])} → {duration(seconds[width - 1])}"
            )
