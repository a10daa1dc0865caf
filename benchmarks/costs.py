"""Costs beside a step's time: the share of the processor's peak, memory, import, and the start of a program."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks.compare import duration
from benchmarks.images import IMAGES
from benchmarks.peak import peak
from benchmarks.peers import PEERS, variants
from benchmarks.worker import Worker, WorkerError, environment
from benchmarks.workloads import LARGE, MIDDLE, Workload, shrunk
from thalweg.engine.lanes import cores

PRODUCTS = ("affine", "weight gradient", "input gradient")
DEFAULT = {"PyTorch": "eager, fused"}  # the variant whose memory and start are measured, if the first isn't typical


@dataclass
class Cost:
    """A row of the second table: a cost, and a cell for each peer."""

    key: str
    cells: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Share:
    """FLOP/s of the processor and of thalweg on one network."""

    work: Workload
    one: float
    all: float
    products_on_one: float  # of one core's peak, in the instructions that are products, each timed alone
    products: float  # of all cores' peak, the same on all cores at once, each with its part of the batch
    step_on_one: float  # of one core's peak, in a whole step of `fit` on one lane
    step: float  # of all cores' peak, in a whole step of `fit` with the default lanes


def products(runners: Sequence[Any], batch: int) -> float:
    """FLOP/s of the instructions that are products: a thread for each network, each with this many rows."""

    def rate(runner: Any) -> float:
        rows = [row for row in runner.models[0].profile(batch, repeats=5) if row.name in PRODUCTS]
        return sum(row.flops for row in rows) / sum(row.seconds for row in rows)

    with ThreadPoolExecutor(len(runners)) as pool:
        return sum(pool.map(rate, runners))


def share(work: Workload = LARGE, rounds: int = 7, seconds: float = 0.2) -> Share:
    """Peak and step in turn. The best peak, and medians of the rest: a busy machine only makes the shares smaller.

    Only the FLOPs of the products count, for the whole step too.
    """
    from benchmarks.peers.ours import Fit

    runners = [variants("thalweg", work)[""](work) for _ in range(cores())]
    runner = runners[0]
    assert isinstance(runner, Fit)
    model = runner.models[0]
    flops = sum(row.flops for row in model.schedule(batch_size=work.batch) if row.name in PRODUCTS)

    def step(lanes: int | None) -> float:
        begin, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - begin < seconds:
            model.fit(runner.x, runner.y, work.batch, 1, verbose=0, lanes=lanes)
            steps += work.steps
        return flops * steps / (time.perf_counter() - begin)

    step(None)  # compiled and warm
    values: list[list[float]] = []
    for _ in range(rounds):
        one, both = peak(1), peak(cores())
        alone, at_once = products([runner], work.batch), products(runners, work.batch // cores())
        values.append([one, both, alone, at_once, step(1), step(None)])
    one, both = (max(row[place] for row in values) for place in (0, 1))
    alone, at_once, step_alone, together = (statistics.median(row[place] for row in values) for place in (2, 3, 4, 5))
    return Share(work, one, both, alone / one, at_once / both, step_alone / one, together / both)


def memory(peer: str, work: Workload = MIDDLE, epochs: int = 3) -> tuple[int, int] | None:
    """Bytes at the peak of a training, without the data; and the part of them above the imports.

    None if the peer can't do the work.
    """
    with Worker(peer) as worker:
        offered = worker.ask("variants", peer, work)  # imports the peer
        if not offered:
            return None
        chosen = DEFAULT.get(peer) or offered[0]
        imported = worker.ask("memory").now
        worker.ask("make", peer, work, chosen)
        worker.ask("run", chosen, epochs * work.units)
        data = sum(array.nbytes for array in work.data())
        peak_ = worker.ask("memory").peak - data
        return peak_, peak_ - imported


def process(code: str) -> float:
    """Seconds from the start of an interpreter to its end."""
    begin = time.perf_counter()
    with environment(None):
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, timeout=120)
    return time.perf_counter() - begin


def first_step(peer: str) -> None:
    """The start of a program: import, build, one epoch of four steps."""
    work = shrunk(MIDDLE)
    every = variants(peer, work)
    every[DEFAULT.get(peer) or next(iter(every))](work).run(work.units)


def starts(peers: Sequence[str], rounds: int) -> list[Cost]:
    """Import, and start to the first steps, of every peer in turn; the first round warms the disk cache."""
    codes = {
        "import": {peer: PEERS[peer].imports for peer in peers},
        "start": {peer: f"from benchmarks.costs import first_step; first_step({peer!r})" for peer in peers},
    }
    result = []
    for key, by_peer in codes.items():
        seconds: dict[str, list[float]] = {peer: [] for peer in peers}
        for number in range(rounds + 1):
            for peer, code in by_peer.items():
                elapsed = process(code)
                if number:
                    seconds[peer].append(elapsed)
        result.append(Cost(key, {peer: duration(statistics.median(s)) for peer, s in seconds.items()}))
    return result


def costs(peers: Sequence[str], rounds: int) -> list[Cost]:
    """The second table."""
    result = starts(peers, rounds)
    for work, suffix in ((MIDDLE, ""), (IMAGES[0], " convnet")):
        whole, above = Cost(f"memory{suffix}"), Cost(f"memory above import{suffix}")
        for peer in peers:
            try:
                if found := memory(peer, work):
                    whole.cells[peer], above.cells[peer] = (f"{size / 1e6:,.0f} MB" for size in found)
            except WorkerError as error:
                print(f"  left out: memory of {peer}: {error}")
        result += [whole, above]
    return result
