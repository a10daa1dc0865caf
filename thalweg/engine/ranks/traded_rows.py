"""Rows of a disk among ranks: each is read by one, and sent to the one whose lanes take it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.contract import Array, Job
from thalweg.engine.native.scheduling.blocks import block_of
from thalweg.engine.ranks.exchange import complete
from thalweg.engine.ranks.world import Ranks
from thalweg.errors import ArgumentError


class Packed(NamedTuple):
    """What a rank gives and gets of a window.

    Attributes:
        places: in the window, of the rows that it gets.
        arrays: of each array, the rows that it gives.
        sent, begins: how many of these each rank gets, and from which on.
        counts: how many come from each.
    """

    places: NDArray[np.int64]
    arrays: list[Array]
    sent: NDArray[np.int64]
    begins: NDArray[np.int64]
    counts: NDArray[np.int64]


class TradedRows:
    """What a rank reads, and takes, of rows that are shuffled anew for each epoch.

    A rank reads the same part of the files in all epochs, in stretches as long as one process would: its machine then
    has to keep only these in the memory of its files.

    Args:
        job: the training, by which lanes take the places of a batch. rows: all there are.

    Attributes:
        part: the numbers of the rows that this rank reads.
    """

    def __init__(self, ranks: Ranks, job: Job, rows: int) -> None:
        if rows < ranks.size:
            raise ArgumentError(f"{rows} rows are too few for {ranks.size} ranks, each of which reads one at least")
        self.ranks = ranks
        self.bounds = np.array([rows * rank // ranks.size for rank in range(ranks.size + 1)])
        self.part = range(*self.bounds[ranks.number : ranks.number + 2].tolist())
        lane = np.arange(job.batch) // block_of(job) % job.lanes
        self.taker = np.searchsorted([own.stop for own in ranks.lanes(job.lanes)], lane, side="right")
        """The rank that takes each place of a batch."""

    def packed(self, rows: NDArray[np.int64], read: list[Array], whole: bool = False) -> Packed:
        """See `Sharing`. Every rank knows which rows come from where, so only the rows themselves are sent."""
        own, size = self.ranks.number, self.ranks.size
        places = np.argsort(rows, kind="stable")
        reader = np.searchsorted(self.bounds, rows[places], side="right") - 1
        taker = self.taker[places % len(self.taker)]
        given = taker[reader == own]
        to = np.argsort(given, kind="stable")
        sent, got = np.bincount(given, minlength=size), taker == own
        begins = np.cumsum(sent) - sent
        if whole:  # then every rank gets all that this one has read
            to, sent, begins, got = np.arange(len(given)), np.full(size, len(given)), np.zeros_like(sent), reader >= 0
        counts = np.bincount(reader[got], minlength=size)
        return Packed(places[got], [array[to] for array in read], sent, begins, counts)

    def trade(self, packed: Packed) -> tuple[NDArray[np.int64], list[Array]]:
        """See `Sharing`: the rows that come from all ranks, one rank's after the other's."""
        return packed.places, [self.got(array, packed) for array in packed.arrays]

    def got(self, array: Array, packed: Packed) -> Array:
        """What comes for an array that this rank gives."""
        from mpi4py import MPI

        counts = packed.counts
        found = np.empty((int(counts.sum()), *array.shape[1:]), array.dtype)
        row = found.itemsize * int(np.prod(array.shape[1:]))
        sides = [
            [side.view(np.uint8).reshape(-1), (numbers * row).tolist(), (begins * row).tolist(), MPI.BYTE]
            for side, numbers, begins in (
                (array, packed.sent, packed.begins),
                (found, counts, np.cumsum(counts) - counts),
            )
        ]
        complete(self.ranks.comm, self.ranks.comm.Ialltoallv(*sides))
        return found
