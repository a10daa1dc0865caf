"""What ranks send each other: pieces of memory, by their addresses, each to the same place of every other rank."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

give_way = getattr(os, "sched_yield", lambda: time.sleep(0))
TRIES = 200  # before the rank lets others have its core, between two looks
PATIENCE = 60.0  # seconds of waiting after which it is said


class Piece(NamedTuple):
    """Contiguous bytes of this process."""

    address: int
    size: int


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """The same bytes in as few pieces as possible, in the same order; empty ones are left out.

    >>> joined([Piece(0, 4), Piece(4, 4), Piece(16, 0), Piece(32, 8)])
    [Piece(address=0, size=8), Piece(address=32, size=8)]
    """
    result: list[Piece] = []
    for piece in pieces:
        if result and result[-1].address + result[-1].size == piece.address:
            result[-1] = Piece(result[-1].address, result[-1].size + piece.size)
        elif piece.size:
            result.append(piece)
    return result


class Exchange:
    """A message from every rank to every other, always of the same memory.

    Args:
        comm: of mpi4py.
        sent: for each rank, the pieces that it gets from this one. received: for each, those that it fills here.
    """

    def __init__(self, comm: Any, sent: Sequence[Sequence[Piece]], received: Sequence[Sequence[Piece]]) -> None:
        from mpi4py import MPI

        self.comm = comm
        self.bytes = sum(piece.size for pieces in received for piece in pieces)
        """What this rank receives."""
        self.sent, self.received = ([self.typed(MPI, pieces) for pieces in side] for side in (sent, received))
        nothing = [0] * comm.size
        self.arguments = [
            [MPI.BOTTOM, [int(t is not MPI.BYTE) for t in side], nothing, side] for side in (self.sent, self.received)
        ]

    def typed(self, MPI: Any, pieces: Sequence[Piece]) -> Any:
        """These pieces as one element of a type of MPI's; MPI.BYTE for none."""
        pieces = joined(pieces)
        if not pieces:
            return MPI.BYTE
        return MPI.BYTE.Create_hindexed([p.size for p in pieces], [p.address for p in pieces]).Commit()

    def __call__(self) -> None:
        """Sends and receives."""
        complete(self.comm, self.comm.Ialltoallw(*self.arguments))


def complete(comm: Any, request: Any) -> None:
    """Waits for an operation. It looks again and again itself: MPI would hold the core, and Python's signals.

    A long wait is told of, once, by the first rank, and by the next, as the first may be the one that is waited for.
    """
    looks, begin = 0, 0.0
    while not request.Test():
        looks += 1
        if looks == TRIES:
            begin = time.monotonic()
        if looks > TRIES:
            give_way()
            if begin and comm.rank < 2 and time.monotonic() - begin > PATIENCE:
                begin = 0.0
                print(
                    f"rank {comm.rank} of {comm.size} has waited for {PATIENCE:g} s for another, which may be busy, "
                    "stopped or out of reach; all go on when it does",
                    file=sys.__stderr__,
                    flush=True,
                )
