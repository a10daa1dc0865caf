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

from thalweg.engine.contract import Array, Chunk, Job, Outcome
from thalweg.engine.native.instructions.embedding import NativeEmbeddingGradient
from thalweg.engine.native.layouts.regions import EXCHANGE
from thalweg.engine.native.layouts.state import State
from thalweg.engine.native.runtime.executor import NativeExecutor, Share
from thalweg.engine.native.runtime.linking import Memory
from thalweg.engine.ranks.exchange import Exchange, Piece, complete
from thalweg.engine.ranks.sent_rows import TableRows
from thalweg.engine.ranks.world import Ranks
from thalweg.program.instructions.normalization import MovingAverage
from thalweg.program.ir.alignment import ALIGNMENT
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction

MEETING = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class RankedExecutor:
    """Runs a job's lanes of this rank, together with the other ranks."""

    def __init__(self, job: Job) -> None:
        assert isinstance(job.ranks, Ranks)
        self.job, self.ranks = job, job.ranks
        self.shares = self.ranks.lanes(job.lanes)
        self.arrived = self.before = self.seconds = 0.0
        """When this rank's lanes came to the last meeting of a step; how long it had been in exchanges before that, all
        in all, and how long until now."""
        self.called = MEETING(self.meet)  # kept alive as long as the machine may call it
        address = ctypes.cast(self.called, ctypes.c_void_p).value
        assert address is not None
        self.native = native = NativeExecutor(job, Share(self.shares[self.ranks.number], address))
        self.last = len(native.cuts)  # the number of the meeting after all rows of the batch
        sparse = [i for i in native.phases[1] if isinstance(i, NativeEmbeddingGradient) and i.counts is not None]
        self.listed = [b for i in sparse for b in i.outputs]
        place = (native.memories, self.shares, self.ranks.number)
        self.sent_rows = [TableRows(self.ranks.comm, i, *place) for i in sparse]
        self.dense = list(self.stretches())
        self.sum_pieces = [self.part_of_vector(rank) for rank in range(self.ranks.size)]
        self.exchanges = [self.exchange(number) for number in range(self.last + 1)]
        self.sums = self.sums_exchange()

    def run(self, chunk: Chunk) -> Outcome:
        return self.native.run(chunk)

    def gradient(self) -> Array:
        return self.native.gradient()

    def rebind(self, job: Job) -> bool:
        self.job = job
        return self.native.rebind(job)

    def restart(self) -> None:
        self.native.restart()

    def trace(self, chunk: Chunk) -> Iterator[tuple[Instruction, Memory]]:
        """By this rank alone, for all lanes, as by an executor of its own."""
        return self.alone().trace(chunk)

    def measure(self, chunk: Chunk, repeats: int) -> list[float]:
        return self.alone().measure(chunk, repeats)

    def alone(self) -> NativeExecutor:
        return NativeExecutor(replace(self.job, ranks=None))

    def undo(self) -> None:
        """Forgets the running sums of steps whose weights have been put back."""
        self.native.totals[:] = 0

    # --- what is exchanged ---------------------------------------------------------------------------------------

    def exchange(self, number: int) -> Exchange:
        """The exchange at a meeting, the last of which comes after all rows of the batch."""
        native, last = self.native, number == self.last
        rows = native.phases[1]
        begin = native.cuts[number - 1] if number else 0
        written = [*rows[begin : None if last else native.cuts[number]], *(native.phases[2] if last else [])]
        shared = list(dict.fromkeys(b for i in written for b in i.outputs if b.region == EXCHANGE))
        everyone = range(self.ranks.size)
        common = [[self.part_of(b, lane) for b in shared for lane in self.shares[rank]] for rank in everyone]
        if not last:
            return self.between(lambda rank, other: common[rank])
        for rank in everyone:
            common[rank] += [self.piece(self.native.totals[lane]) for lane in self.shares[rank]]
            common[rank] += self.read_in_finish(self.shares[rank])
        if self.ranks.fast_sums:
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
        return Piece(self.native.memories[0].address(buffer) + 4 * lane * buffer.size, 4 * buffer.size)

    def read_in_finish(self, lanes: range) -> Iterator[Piece]:
        """What the finish reads of these lanes' workspaces, tables aside: it is there only on the lanes' own rank."""
        computed = {b.storage for phase in self.native.phases[1:3] for i in phase for b in i.outputs}
        for i in self.native.phases[3]:
            for b in dict.fromkeys(i.inputs):
                if b.region == WORKSPACE and b.storage in computed and b not in self.listed:
                    for lane in lanes:
                        if lane == 0 or not isinstance(i, MovingAverage):  # the first lane's is taken
                            yield Piece(self.native.memories[lane].address(b), 4 * b.size)

    def gradients_for(self, rank: int, other: int) -> Iterator[Piece]:
        """What one rank's lanes have of the part of the vector that another sums up."""
        for lane in self.shares[rank]:
            for first, after in self.sum_pieces[other]:
                yield self.piece(self.native.gradients[lane, first:after])

    def stretches(self) -> Iterator[tuple[int, int]]:
        """(first, after) of the stretches of the gradient between tables, whose rows are sent on their own."""
        begin, end = 0, self.native.gradients.shape[1] if self.job.program.backward else 0
        for dW in sorted(self.native.schedule.sparse_gradients, key=lambda dW: dW.offset):
            if begin < dW.offset:
                yield begin, dW.offset
            begin = dW.offset + dW.size
        if begin < end:
            yield begin, end

    def part_of_vector(self, rank: int) -> list[tuple[int, int]]:
        """(first, after) of the stretches of the gradient that a rank sums up, all in equal parts."""
        size = sum(after - first for first, after in self.dense)
        low, high = (ALIGNMENT * (size // ALIGNMENT * n // self.ranks.size) for n in (rank, rank + 1))
        high = size if rank == self.ranks.size - 1 else high
        result, passed = [], 0
        for first, after in self.dense:
            one, other = (min(max(place - passed, 0), after - first) for place in (low, high))
            if one < other:
                result.append((first + one, first + other))
            passed += after - first
        return result

    def sums_exchange(self) -> Exchange:
        """The exchange of the sums, which lie where the first lane's gradients are."""
        return self.between(
            lambda rank, other: [self.piece(self.native.gradients[0, a:b]) for a, b in self.sum_pieces[rank]]
        )

    # --- meetings ------------------------------------------------------------------------------------------------

    def meet(self, number: int, *nothing: int) -> None:
        """Called by the machine when all lanes of this rank have come to a meeting."""
        try:
            begin = time.perf_counter()
            if number == self.last:
                self.arrived, self.before = begin, self.seconds
            self.exchanges[number]()
            if number == self.last and self.job.program.backward:
                busy = int(self.native.states[self.native.own.start, State.busy])
                for table in self.sent_rows:
                    table.exchange(busy)
                if self.ranks.fast_sums:
                    self.sum_by_ranks(busy)
                else:
                    self.sum_in_order(busy)
            self.seconds += time.perf_counter() - begin
        except BaseException as error:  # nobody could catch it here, and the others wait
            self.ranks.end(error)

    def sum_in_order(self, busy: int) -> None:
        """The sums over the lanes in their order: of this rank's part of the vector, then all parts from all ranks."""
        for first, after in self.sum_pieces[self.ranks.number]:
            total = self.native.gradients[0, first:after]
            for lane in range(1, busy):
                total += self.native.gradients[lane, first:after]
        self.sums()

    def sum_by_ranks(self, busy: int) -> None:
        """The sums over this rank's lanes, then over the ranks in an order that is MPI's."""
        from mpi4py import MPI

        own, gradients = self.native.own, self.native.gradients
        for first, after in self.dense:
            total = gradients[0, first:after]
            if own.start:
                total[:] = gradients[own.start, first:after] if own.start < busy else 0
            for lane in range(own.start + 1, min(own.stop, busy)):
                total += gradients[lane, first:after]
            complete(self.ranks.comm, self.ranks.comm.Iallreduce(MPI.IN_PLACE, total))

    @property
    def received(self) -> int:
        """Bytes that a rank receives in a step besides gradients."""
        of_gradients = (
            0
            if self.ranks.fast_sums
            else sum(
                4 * (after - first) * (self.job.lanes - len(self.native.own))
                for first, after in self.sum_pieces[self.ranks.number]
            )
        )
        return sum(exchange.bytes for exchange in self.exchanges) - of_gradients
