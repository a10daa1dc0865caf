"""How the time of a step grows with width, batch, depth and lanes: thalweg beside PyTorch at its best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.compare import Plan, duration, measure, workers
from benchmarks.worker import Worker
from benchmarks.workloads import LARGE, Workload, dense
from thalweg.engine.lanes import cores

PLAN = Plan(rounds=3, seconds=0.1, compiled=False, check=False, only=("eager, fused",))
STEP_FLOPS = 2e9  # the least for an epoch, so that small ones aren't all overhead
LEAST_STEPS = 8


@dataclass(frozen=True)
class Series:
    """Seconds per step of each peer at each value of one size."""

    size: str
    network: str
    values: list[int]
    seconds: dict[str, list[float]]


def epoch(sizes: tuple[int, ...], batch: int, lanes: int | None = None) -> Workload:
    """Training with enough steps in an epoch for timing and to outweigh its start, but not too many."""
    flops = 6 * batch * sum(a * b for a, b in pairwise(sizes))
    return dense(sizes, batch, max(LEAST_STEPS, min(50, round(STEP_FLOPS / flops))), lanes)


def powers(last: int, first: int = 1, factor: int = 2) -> list[int]:
    result = [first]
    while result[-1] * factor <= last:
        result.append(result[-1] * factor)
    return result


def plans(limit: int) -> list[tuple[str, str, list[tuple[int, Workload]]]]:
    """What is varied, in which network, and the work at every value up to the limit."""
    widths, batches, depths = powers(min(4096, limit), 8), powers(min(4096, limit), 1, 4), powers(min(32, limit))
    return [
        ("width", "w-w-w, batch 64", [(w, epoch((w, w, w), 64)) for w in widths]),
        ("batch", "64-64-64, batch b", [(b, epoch((64, 64, 64), b)) for b in batches]),
        ("depth", "64-…-64, d layers, batch 64", [(d, epoch((64,) * (d + 1), 64)) for d in depths]),
    ]


def scaling(peers: Sequence[str], limit: int = 4096) -> list[Series]:
    """Every series; printed as it goes."""
    chosen = [peer for peer in peers if peer in ("thalweg", "PyTorch")]
    result = []
    with workers(chosen) as everyone:
        for size, network, points in plans(limit):
            result.append(series(size, network, points, chosen, lambda _: everyone))
        lanes = list(range(1, cores() + 1)) if cores() <= 8 else powers(cores())
        points = [(n, epoch(LARGE.sizes, LARGE.batch, n)) for n in lanes]
        own = [w for w in everyone if w.threads is None]
        by_threads = {n: own + [w for w in everyone if w.threads == n] for n in lanes}
        result.append(series("lanes", LARGE.name, points, chosen, by_threads.__getitem__))
    return result


def series(
    size: str,
    network: str,
    points: list[tuple[int, Workload]],
    peers: Sequence[str],
    who: Callable[[int], list[Worker]],
) -> Series:
    """One series; `who` are the workers that take part at a value."""
    seconds: dict[str, list[float]] = {peer: [] for peer in peers}
    print(f"{network}:")
    for value, work in points:
        best = measure(work, who(value), PLAN)
        for peer in peers:
            seconds[peer].append(best[peer].median if peer in best else float("nan"))
        times = ", ".join(f"{peer} {duration(s[-1])}" for peer, s in seconds.items())
        print(f"  {size} {value:5}: {times}", flush=True)
    return Series(size, network, [value for value, _ in points], seconds)
