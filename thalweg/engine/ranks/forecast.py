"""How long a step takes on a number of ranks: measured rows and finish, and α + bytes/β for what is exchanged."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from thalweg.engine.contract import Chunk, Job
from thalweg.engine.ranks.ranked_executor import RankedExecutor
from thalweg.engine.ranks.world import Ranks

STEPS = 5  # measured, and undone
PINGS, LARGE = 20, 1 << 20  # messages of eight bytes, and of these many


@dataclass(frozen=True)
class Forecast:
    """A step on any number of ranks with the same lanes in all.

    Attributes:
        ranks, lanes: for which it was measured.
        rows: seconds for the rows of one rank's lanes. finish: seconds for the finish, which every rank does alike.
        exchanged: seconds in exchanges; with waiting for ranks that are slower.
        vector: bytes of the gradient. other: bytes that a rank receives besides it. meetings: exchanges in a step.
        fast: whether MPI sums the gradients, in an order of its own.
        latency, bandwidth: of a message between two ranks, seconds and bytes a second; None for one rank.
    """

    ranks: int
    lanes: int
    rows: float
    finish: float
    exchanged: float
    vector: int
    other: int
    meetings: int
    fast: bool = False
    latency: float | None = None
    bandwidth: float | None = None

    @classmethod
    def measured(cls, ranks: Ranks, executor: RankedExecutor, chunk: Chunk, job: Job) -> Forecast:
        """By some steps, which are undone, and some messages to the next rank; the slowest rank counts."""
        before, took = (job.parameters.copy(), job.slots.copy()), []
        for _ in range(STEPS):
            begin, passed = time.perf_counter(), executor.seconds
            executor.run(chunk)
            total, exchanged = time.perf_counter() - begin, executor.seconds - passed
            rows = executor.arrived - begin - (executor.before - passed)
            took.append((rows, total - rows - exchanged, exchanged))
            job.parameters[:], job.slots[:] = before
        executor.undo()
        rows, finish, exchanged = ranks.agree(np.min(took, axis=0)).max(axis=0).tolist()
        latency, bandwidth = ping(ranks) if ranks.size > 1 else (None, None)
        vector = 4 * executor.native.gradients.shape[1]
        others = (vector, executor.received, len(executor.exchanges) + 1, ranks.fast_sums)
        return cls(ranks.size, job.lanes, rows, finish, exchanged, *others, latency, bandwidth)

    def exchange(self, ranks: int, latency: float, bandwidth: float) -> float:
        """Seconds in exchanges of a step, by the model: a message to every other rank in each, and the bytes."""
        if ranks == 1:
            return 0.0
        return self.meetings * (ranks - 1) * latency + self.received(ranks) / bandwidth

    def received(self, ranks: int) -> int:
        """Bytes that each of so many ranks receives in a step: of gradients its part from all others' lanes, or their
        sum, and the sums of all others' parts."""
        lanes, own = (ranks, 1) if self.fast else (self.lanes, math.ceil(self.lanes / ranks))
        return (self.vector * (lanes - own) + self.vector * (ranks - 1)) // ranks + self.other

    def seconds(self, ranks: int, latency: float | None = None, bandwidth: float | None = None) -> float:
        """A step on so many ranks; by default with the latency and the bandwidth that were measured."""
        latency = self.latency if latency is None else latency
        bandwidth = self.bandwidth if bandwidth is None else bandwidth
        rows = self.rows * math.ceil(self.lanes / ranks) / math.ceil(self.lanes / self.ranks)
        wire = 0.0 if latency is None or bandwidth is None else self.exchange(ranks, latency, bandwidth)
        return rows + self.finish + wire

    def efficiency(self, ranks: int, latency: float | None = None, bandwidth: float | None = None) -> float:
        """How much of so many ranks' time goes into what one rank would do."""
        return self.seconds(1) / (ranks * self.seconds(ranks, latency, bandwidth))

    def counts(self) -> list[int]:
        """Numbers of ranks to tell of: powers of two, and this one."""
        return sorted({self.ranks, *(2**k for k in range(self.lanes.bit_length()) if 2**k <= self.lanes)})

    def __str__(self) -> str:
        if self.latency is None or self.bandwidth is None:
            return f"1 rank with {self.lanes} lanes: a step takes {ms(self.rows + self.finish)}, and nothing is sent"
        step = self.rows + self.finish + self.exchanged
        sent = self.received(self.ranks) / 1e6
        lines = [
            f"{self.ranks} ranks with {self.lanes} lanes: a step takes {ms(step)}, {ms(self.rows)} for its rows, "
            f"{ms(self.finish)} for the update, {ms(self.exchanged)} for {sent:.2g} MB from other ranks "
            f"({self.latency * 1e6:.0f} µs and {self.bandwidth / 1e9:.2g} GB/s a message: "
            f"{ms(self.exchange(self.ranks, self.latency, self.bandwidth))} without waiting)"
        ]
        counts = self.counts()
        told = [f"{n}: {ms(self.seconds(n))} ({self.efficiency(n):.0%})" for n in counts]
        best = min(counts, key=self.seconds)
        slower = f"; more than {best} would be slower" if best < counts[-1] else ""
        lines.append(f"forecast for ranks on such a network, and their efficiency: {', '.join(told)}{slower}")
        return "\n".join(lines)


def ping(ranks: Ranks) -> tuple[float, float]:
    """(latency, bandwidth) of messages to the next rank while all send: the worst of all ranks."""
    comm, after, before = ranks.comm, (ranks.number + 1) % ranks.size, (ranks.number - 1) % ranks.size
    took = []
    for size in (8, LARGE):
        sent, got = np.zeros(size, np.uint8), np.empty(size, np.uint8)
        comm.Sendrecv(sent, after, recvbuf=got, source=before)
        times = []
        for _ in range(PINGS):
            begin = time.perf_counter()
            comm.Sendrecv(sent, after, recvbuf=got, source=before)
            times.append(time.perf_counter() - begin)
        took.append(float(np.median(times)))
    latency, large = ranks.agree(took).max(axis=0).tolist()
    return latency, LARGE / max(large - latency, 1e-9)


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
