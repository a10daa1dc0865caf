"""Every peer in every setting on one workload: first agreement, then rounds in turn, then each peer's best."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.peak import best_peak
from benchmarks.peers import BEFORE
from benchmarks.peers.base import Arrays
from benchmarks.worker import Worker, WorkerError
from benchmarks.workloads import Workload
from thalweg.engine.lanes import cores

OUTPUTS = ("predict", "convolve")  # work that is compared by its outputs
OUTPUT_TOLERANCE = 1e-4
SETTLE = 0.25  # seconds before a lap: the threads of the peer before may spin for a fifth of a second after their work
HOPELESS = 1.3  # a setting this many times slower than its peer's best after two rounds isn't timed further


@dataclass(frozen=True)
class Plan:
    """How carefully to measure."""

    rounds: int = 7
    seconds: float = 0.25  # of one contender in one round
    compiled: bool = True  # torch.compile is slow to compile
    check: bool = True
    only: tuple[str, ...] = ()  # variants; all if empty


@dataclass
class Contender:
    """One peer in one setting on one workload, with the seconds per unit of work in each round."""

    worker: Worker
    variant: str
    count: int = 1
    seconds: list[float] = field(default_factory=list)

    @property
    def peer(self) -> str:
        return self.worker.peer

    @property
    def setting(self) -> str:
        threads = {None: "", 1: "1 thread"}.get(self.worker.threads, f"{self.worker.threads} threads")
        return ", ".join(part for part in (self.variant, threads) if part)

    def time(self) -> float:
        """Seconds per unit of work, over `count` units."""
        elapsed: float = self.worker.ask("run", self.variant, self.count)
        return elapsed / self.count

    def fill(self, units: int, seconds: float) -> None:
        """Warms up and sets how many units fill a round."""
        self.count = units
        for _ in range(4):  # few units take as long as the call around them, and say little about many
            self.time()  # JAX compiles for every count
            once = self.time()
            if once * self.count > 0.7 * seconds:
                return
            longer = min(seconds, 25 * once * self.count)
            self.count = units * max(1, round(longer / (once * units)))
        self.time()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


Best = dict[str, Contender]


@contextmanager
def workers(peers: Sequence[str]) -> Iterator[list[Worker]]:
    """One process for each peer with one thread and one with all; thalweg decides for itself."""
    threads = sorted({1, cores()})
    started: list[Worker] = []
    try:
        for peer in peers:
            started += [Worker(peer, n) for n in ([None] if peer in ("thalweg", BEFORE) else threads)]
        yield started
    finally:
        for worker in started:
            worker.close()


def say(contender: Contender, error: WorkerError) -> None:
    print(f"  left out: {contender.peer} ({contender.setting}): {error}", flush=True)


def entrants(work: Workload, workers: Sequence[Worker], plan: Plan) -> Iterator[Contender]:
    """Every contender that can do the work."""
    for worker in workers:
        try:
            for variant in worker.ask("variants", worker.peer, work):
                wanted = not plan.only or variant in plan.only or worker.peer == "thalweg"
                if wanted and (plan.compiled or "compiled" not in variant):
                    yield Contender(worker, variant)
        except WorkerError as error:
            say(Contender(worker, ""), error)


def difference(work: Workload, ours: Arrays, theirs: Arrays) -> float:
    """How far apart two results are: weights by their change, outputs by their size; the worst array counts."""
    if work.does in OUTPUTS:
        start: Arrays = [np.zeros_like(a) for a in ours]
    else:
        start = [w for n in work.sample for w in work.weights(n)]
    norm = np.linalg.norm
    return max(float(norm(a - b) / norm(a - s)) for a, b, s in zip(ours, theirs, start, strict=True))


def agreed(work: Workload, everyone: Iterator[Contender], plan: Plan) -> list[Contender]:
    """The contenders that work, checked to agree with the first, and warm."""
    result: list[Contender] = []
    expected: Arrays = []
    limit = OUTPUT_TOLERANCE if work.does in OUTPUTS else work.tolerance
    for contender in everyone:
        try:
            contender.worker.ask("make", contender.peer, work, contender.variant)
            if plan.check:
                computed = contender.worker.ask("check", contender.variant)
                expected = expected or computed
                if not (off := difference(work, expected, computed)) <= limit:
                    raise SystemExit(f"{work.name}: {contender.peer} ({contender.setting}) is off by {off:.1e}")
            contender.fill(work.units, plan.seconds)
            result.append(contender)
        except WorkerError as error:
            say(contender, error)
    return result


def measure(work: Workload, workers: Sequence[Worker], plan: Plan) -> Best:
    """The best setting of each peer, by the median over the rounds; empty if thalweg can't do it."""
    racing = agreed(work, entrants(work, workers, plan), plan)
    for number in range(plan.rounds):
        racing = [contender for contender in racing if lap(contender)]
        if number == 1:
            fastest = best(racing)
            hopeless = [c for c in racing if min(c.seconds) > HOPELESS * min(fastest[c.peer].seconds)]
            racing = [c for c in racing if c not in hopeless]
    for worker in workers:
        if worker.alive:
            worker.ask("clear")
    result = best(racing)
    return result if "thalweg" in result else {}


def lap(contender: Contender) -> bool:
    """One round of one contender; whether it finished."""
    time.sleep(SETTLE)
    try:
        contender.seconds.append(contender.time())
    except WorkerError as error:
        say(contender, error)
        return False
    return True


def best(contenders: Sequence[Contender]) -> Best:
    result: Best = {}
    for contender in contenders:
        if contender.peer not in result or contender.median < result[contender.peer].median:
            result[contender.peer] = contender
    return result


def duration(seconds: float) -> str:
    """A time in a suitable unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:,.3g} {unit}" if seconds < 100 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-4 else f"{seconds * 1e6:,.0f} µs"


def show(work: Workload, result: Best, plan: Plan) -> None:
    """Prints the results, best first, with the range of the rounds; and who beats thalweg."""
    print(f"{work.name}: " + ("all agree" if plan.check else "agreement not checked") + f"; {work.unit}:")
    ours = result["thalweg"].median
    if isinstance(work, Graph):
        limit = work.limit
        parts = f"arithmetic {duration(limit.arithmetic)}, memory {duration(limit.memory)}"
        print(f"  {'limit (' + parts + ')':48} {duration(limit.seconds):>9} {limit.seconds / ours:6.2f}×")
    for contender in sorted(result.values(), key=lambda c: c.median):
        low, high = duration(min(contender.seconds)), duration(max(contender.seconds))
        name = contender.peer + (f" ({contender.setting})" if contender.setting else "")
        ratio = "" if contender.peer == "thalweg" else f"{contender.median / ours:6.2f}×"
        loses = "  thalweg LOSES here" if contender.median < ours else ""
        if isinstance(work, Convolution):
            rate = work.flops / contender.median
            share = rate / best_peak(cores())
            loses = f"  {rate / 1e9:,.0f} GFLOP/s by the definition, {share:.0%} of the peak{loses}"
        print(f"  {name:48} {duration(contender.median):>9} {ratio:>8}   ({low} … {high}){loses}", flush=True)
