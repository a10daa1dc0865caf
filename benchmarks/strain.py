"""thalweg on shared cores, and in a long-running process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np

from benchmarks.compare import duration
from benchmarks.peers.ours import compiled, network
from benchmarks.worker import Session, Worker, WorkerError
from benchmarks.workloads import LARGE, MIDDLE, SMALL, Workload, dense

ROUNDS = 5
SECONDS = 0.3
HUNG = 60.0
BUSY = (0, 1, 2, 4, 6)  # other programs that never pause
BESIDE_THEM = [
    dense((8, 16, 2), 32, 1000),
    dense((32, 128, 3), 64, 1000),
    dense(SMALL, 64, 300),
    MIDDLE,
    LARGE,
]


def contention() -> None:
    """A fit of two lanes with two cores to itself, on one core, and beside another such fit; ends if one hangs."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        print("contention needs two cores, and a system that can pin a process")
        return
    cores = allowed[:2]
    beside_busy_loops()
    for work in (dense(SMALL, 64, 300, lanes=2), replace(LARGE, lanes=2)):
        print(f"{work.name}, a step; beside two lanes with two cores to themselves:")
        cases = {
            "two lanes, two cores": [cores],
            "two lanes, one core": [cores[:1]],
            "two such fits at once, two cores": [cores, cores],
        }
        seconds = {name: together(work, pins) for name, pins in cases.items()}
        seconds["one lane, one core"] = together(replace(work, lanes=1), [cores[:1]])
        free = seconds["two lanes, two cores"]
        for name, own in seconds.items():
            print(f"  {name:34} {duration(own):>9}  {own / free:5.2f}×", flush=True)


def beside_busy_loops() -> None:
    """Two lanes' time over one lane's, while other programs want the cores."""
    print("a step on two lanes over one on one lane, beside programs that never rest:")
    print(f"  {'':32}" + "".join(f"{count:>8}" for count in BUSY))
    for work in BESIDE_THEM:
        ratios = []
        for count in BUSY:
            with busy_loops(count):
                one, two = (together(replace(work, lanes=lanes), [sorted(os.sched_getaffinity(0))]) for lanes in (1, 2))
            ratios.append(two / one)
        print(f"  {work.name:32}" + "".join(f"{ratio:7.2f}×" for ratio in ratios), flush=True)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Runs this many processes that only keep cores busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def together(work: Workload, pins: Sequence[Sequence[int]]) -> float:
    """Seconds per step, the median over rounds, while one worker for each set of cores does the same work."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("thalweg", pinned=list(cores))) for cores in pins]
        try:
            for worker in workers:
                worker.ask("make", "thalweg", work, "")
                worker.ask("run", "", work.units, timeout=HUNG)
                once = worker.ask("run", "", work.units, timeout=HUNG) / work.units
            count = work.units * max(1, round(SECONDS / (once * work.units)))
            seconds = []
            for _ in range(ROUNDS):
                for worker in workers:
                    worker.send("run", "", count)
                seconds += [worker.receive(HUNG) / count for worker in workers]
        except WorkerError as error:
            raise SystemExit(f"  HUNG: {error}") from None
    return statistics.median(seconds)


def soak(predicts: int = 10_000, fits: int = 200) -> None:
    """How much the memory of one process grows after the first tenth."""
    work = dense(SMALL, 64, 10)
    model = compiled(work, network(work))
    x, y = work.data()
    session = Session()

    def many(name: str, times: int, once: Callable[[], object]) -> None:
        for _ in range(times // 10):
            once()
        before = session.memory().now
        for _ in range(times - times // 10):
            once()
        grown = session.memory().now - before
        print(f"{times:,} × {name}: {grown / 1024:+,.0f} KiB after the first tenth", flush=True)

    rows = np.ascontiguousarray(x[:17])
    many("predict", predicts, lambda: model.predict(rows, verbose=0))
    many("fit, one lane", fits, lambda: model.fit(x, y, 64, 2, verbose=0, lanes=1))
    many("fit, two lanes", fits, lambda: model.fit(x, y, 64, 2, verbose=0, lanes=2))
