"""The native engine on several ranks: each runs some of the lanes, and at meetings gets what the others have computed.

Every rank has room for the gradients, sums and statistics of all lanes, and computes what is its own lanes'. Where
lanes read what others have written, the ranks send it to the very places where it would lie if one process ran all
lanes; so what follows is the same code on the same numbers, and the bits don't depend on the number of ranks. The
finish of a step runs on every rank for all lanes.

The gradients are summed in the order of the lanes in two exchanges, together as much as an all-reduce sends: each rank
gets all lanes' gradients of its part of the vector, adds them up, and sends the sums to all. Of a table of embeddings
only the rows that occur in the batch are sent.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from thalweg.engine.contract import Array, Chunk, Job
from thalweg.engine.native.instructions.embedding import NativeEmbeddingGradient
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.layouts.state import BUSY
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.native.runtime.linking import Memory
from thalweg.engine.native.scheduling.phases import finish_of
from thalweg.engine.native.scheduling.schedule import Schedule, Segment
from thalweg.engine.ranks.exchange import Exchange, Piece
from thalweg.engine.ranks.table_rows import TableRows
from thalweg.engine.ranks.world import Ranks
from thalweg.program.instructions.normalization import MovingAverage
from thalweg.program.ir.alignment import ALIGNMENT
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction

MEETING = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class RankedExecutor(NativeExecutor):
    """Runs a job's lanes of this rank, together with the other ranks."""

    def __init__(self, job: Job) -> None:
        assert isinstance(job.ranks, Ranks)
        self.ranks = job.ranks
        self.shares = self.ranks.lanes(job.lanes)
        self.called = MEETING(self.meet)  # kept alive as long as the machine may call it
        self.arrived = self.before = self.seconds = 0.0
        """When this rank's lanes came to the last meeting of a step; how long it had been in exchanges before that, all
        in all, and how long until now."""
        super().__init__(job)
        sparse = [i for i in self.phases[1] if isinstance(i, NativeEmbeddingGradient) and i.counts is not None]
        self.listed = [b for i in sparse for b in i.outputs]
        place = (self.memories, self.shares, self.ranks.number)
        self.sent_rows = [TableRows(self.ranks.comm, i, *place) for i in sparse]
        self.sum_pieces = [self.part_of_vector(rank) for rank in range(self.ranks.size)]
        self.exchanges = [self.exchange(number) for number in range(len(self.cuts) + 1)]
        self.sums = self.sums_exchange()

    def own_lanes(self) -> range:
        return self.shares[self.ranks.number]

    def divide(self, schedule: Schedule) -> tuple[list[Buffer], list[Segment]]:
        """No gradient waits for the finish, and the sums over the lanes are taken here, not by the machine."""
        return [], finish_of(schedule, 1, [])

    def elsewhere(self) -> int:
        return ctypes.cast(self.called, ctypes.c_void_p).value or 0

    # --- what is exchanged ---------------------------------------------------------------------------------------

    def exchange(self, number: int) -> Exchange:
        """The exchange at a meeting, the last of which comes after all rows of the batch."""
        rows, last = self.phases[1], number == len(self.cuts)
        begin = self.cuts[number - 1] if number else 0
        written = [*rows[begin : None if last else self.cuts[number]], *(self.phases[2] if last else [])]
        shared = list(dict.fromkeys(b for i in written for b in i.outputs if b.region == EXCHANGE))
        everyone = range(self.ranks.size)
        common = [[self.part_of(b, lane) for b in shared for lane in self.shares[rank]] for rank in everyone]
        if not last:
            return self.between(lambda rank, other: common[rank])
        for rank in everyone:
            common[rank] += [self.piece(self.totals[lane]) for lane in self.shares[rank]]
            common[rank] += self.read_in_finish(self.shares[rank])
        if not self.job.program.backward:
            return self.between(lambda rank, other: common[rank])
        return self.between(lambda rank, other: [*common[rank], *self.gradients_for(rank, other)])

    def between(self, pieces: Any) -> Exchange:
        """The exchange of pieces(rank, other), what a rank sends to another."""
        own, everyone = self.ranks.number, range(self.ranks.size)
        sent = [pieces(own, other) if other != own else [] for other in everyone]
        received = [pieces(rank, own) if rank != own else [] for rank in everyone]
        return Exchange(self.ranks.comm, sent, received)

    def piece(self, array: Array) -> Piece:
        return Piece(array.ctypes.data, array.nbytes)

    def part_of(self, buffer: Buffer, lane: int) -> Piece:
        """A lane's part of what lanes exchange."""
        return Piece(self.memories[0].address(buffer) + 4 * lane * buffer.size, 4 * buffer.size)

    def read_in_finish(self, lanes: range) -> Iterator[Piece]:
        """What the finish reads of these lanes' workspaces, tables aside: it is there only on the lanes' own rank."""
        computed = {b.storage for phase in self.phases[1:3] for i in phase for b in i.outputs}
        for i in self.phases[3]:
            for b in dict.fromkeys(i.inputs):
                if b.region == WORKSPACE and b.storage in computed and b not in self.listed:
                    for lane in lanes:
                        if lane == 0 or not isinstance(i, MovingAverage):  # the first lane's is taken
                            yield Piece(self.memories[lane].address(b), 4 * b.size)

    def gradients_for(self, rank: int, other: int) -> Iterator[Piece]:
        """What one rank's lanes have of the part of the vector that another sums up."""
        for lane in self.shares[rank]:
            for first, after in self.sum_pieces[other]:
                yield self.piece(self.gradients[lane, first:after])

    def part_of_vector(self, rank: int) -> list[tuple[int, int]]:
        """(first, after) of the stretches of the gradient that a rank sums up: all but tables, in equal parts."""
        if not self.job.program.backward:
            return []
        dense, begin = [], 0
        for dW in sorted(self.schedule.sparse_gradients, key=lambda dW: dW.offset):
            dense.append((begin, dW.offset))
            begin = dW.offset + dW.size
        dense.append((begin, self.gradients.shape[1]))
        lines = sum(after - first for first, after in dense) // ALIGNMENT
        low, high = (ALIGNMENT * (lines * n // self.ranks.size) for n in (rank, rank + 1))
        if rank == self.ranks.size - 1:
            high = sum(after - first for first, after in dense)
        result, passed = [], 0
        for first, after in dense:
            one, other = (min(max(place - passed, 0), after - first) for place in (low, high))
            if one < other:
                result.append((first + one, first + other))
            passed += after - first
        return result

    def sums_exchange(self) -> Exchange:
        """The exchange of the sums, which lie where the first lane's gradients are."""
        return self.between(lambda rank, other: [self.piece(self.gradients[0, a:b]) for a, b in self.sum_pieces[rank]])

    # --- meetings ------------------------------------------------------------------------------------------------

    def meet(self, number: int, *nothing: int) -> None:
        """Called by the machine when all lanes of this rank have come to a meeting."""
        try:
            begin = time.perf_counter()
            if number == len(self.cuts):
                self.arrived, self.before = begin, self.seconds
            self.exchanges[number]()
            if number == len(self.cuts) and self.job.program.backward:
                busy = int(self.states[self.own.start, BUSY])
                for table in self.sent_rows:
                    table.exchange(busy)
                for first, after in self.sum_pieces[self.ranks.number]:
                    total = self.gradients[0, first:after]
                    for lane in range(1, busy):
                        total += self.gradients[lane, first:after]
                self.sums()
            self.seconds += time.perf_counter() - begin
        except BaseException as error:  # nobody could catch it here, and the others wait
            self.ranks.end(error)

    @property
    def received(self) -> int:
        """Bytes that a rank receives in a step, without rows of tables."""
        return sum(exchange.bytes for exchange in self.exchanges) + self.sums.bytes

    # --- one instruction at a time -------------------------------------------------------------------------------

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Memory]]:
        """By this rank alone, for all lanes, as by an executor of its own."""
        return self.alone().trace(chunk)

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        return self.alone().measure(chunk, repeats)

    def alone(self) -> NativeExecutor:
        return NativeExecutor(replace(self.job, ranks=None))
