"""The gradient of a table of embeddings among ranks: only the rows that occur in the batch are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.engine.contract import Array
from thalweg.engine.native.instructions.embedding import NativeEmbeddingGradient
from thalweg.program.ir.instruction import Buffer


class TableRows:
    """What a gradient's kernel has listed and written for each lane.

    Args:
        memories: of all lanes. shares: the lanes of each rank. rank: this one.
    """

    def __init__(
        self, comm: Any, i: NativeEmbeddingGradient, memories: Sequence[Mapping[Buffer, Array]],
        shares: Sequence[range], rank: int,
    ) -> None:  # fmt: skip
        assert i.counts is not None
        assert i.touched is not None
        self.comm, self.shares, self.rank = comm, shares, rank
        self.gradients, self.counts, self.touched = (
            [memory[b] for memory in memories] for b in (i.dW, i.counts, i.touched)
        )

    def packed(self, lane: int, busy: int) -> list[Array]:
        """How many rows a lane has, which they are, and the rows. A lane that had no block of the batch has none."""
        count = int(self.touched[lane][0]) if lane < busy else 0
        rows = self.touched[lane][1 : 1 + count]
        return [np.array([count], np.float32), rows, self.gradients[lane][rows.astype(np.int64)].reshape(-1)]

    def exchange(self, busy: int) -> None:
        """Brings all lanes' rows to every rank. busy: lanes that had a block of the batch."""
        own = np.concatenate([part for lane in self.shares[self.rank] for part in self.packed(lane, busy)])
        sizes = np.empty(self.comm.size, np.int64)
        self.comm.Allgather(np.array([own.size], np.int64), sizes)
        everyones = np.empty(int(sizes.sum()), np.float32)
        self.comm.Allgatherv(own, (everyones, sizes.tolist()))
        ends = np.cumsum(sizes)
        for rank, lanes in enumerate(self.shares):
            if rank != self.rank:
                self.unpack(lanes, everyones[ends[rank] - sizes[rank] : ends[rank]])

    def unpack(self, lanes: range, numbers: Array) -> None:
        """Puts these lanes' rows where their kernels would have."""
        for lane in lanes:
            listed, counts, gradient = self.touched[lane], self.counts[lane], self.gradients[lane]
            counts[listed[1 : 1 + int(listed[0])].astype(np.int64)] = 0
            count = int(numbers[0])
            listed[: 1 + count] = numbers[: 1 + count]
            rows, width = numbers[1 : 1 + count].astype(np.int64), gradient.shape[1]
            counts[rows] = 1
            gradient[rows] = numbers[1 + count : 1 + count + count * width].reshape(count, width)
            numbers = numbers[1 + count + count * width :]
