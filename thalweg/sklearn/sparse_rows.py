"""Sparse rows: made dense some batches at a time, never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from thalweg.batches.arrays import contiguous
from thalweg.batches.ordering import Ordering, Taken

Array = NDArray[Any]
BYTES = 1 << 26  # of dense rows at once


def rows_at_once(columns: int, itemsize: int) -> int:
    """How many dense rows there may be at a time."""
    return max(1, BYTES // (columns * itemsize))


def dense(x: Any, dtype: Any) -> Array:
    """Rows as a dense array of this type."""
    if sparse.issparse(x):
        x = x.toarray()
    return contiguous(np.asarray(x), dtype, "X")


def pieces(x: Any, dtype: Any) -> Iterator[Array]:
    """The rows as dense arrays, one after the other: all at once if they are dense already."""
    if not sparse.issparse(x):
        yield dense(x, dtype)
        return
    x, most = x.tocsr(), rows_at_once(x.shape[1], np.dtype(dtype).itemsize)
    for first in range(0, x.shape[0], most):
        yield dense(x[first : first + most], dtype)


class Parts(Ordering):
    """An epoch of sparse rows in parts of a few batches, each of which the fit takes for an epoch of its own.

    Iterating yields the batches (x, y) or (x, y, weights) of one epoch after the other, without an end.

    Attributes:
        batches: in a part. parts: in an epoch.
    """

    def __init__(self, x: Any, y: Array, taken: Ordering, batch: int, weighted: bool, dtype: Any) -> None:
        self.x, self.y, self.taken, self.batch, self.weighted, self.dtype = x.tocsr(), y, taken, batch, weighted, dtype
        steps = -(-x.shape[0] // batch)
        most = max(1, rows_at_once(x.shape[1], np.dtype(dtype).itemsize) // batch)
        self.batches = max(n for n in range(1, steps + 1) if steps % n == 0 and n <= most)
        self.parts = steps // self.batches
        self.penalties: list[Array] = []  # of the batches that have been made and not been asked for

    def epoch(self, number: int) -> Taken:
        made, self.penalties = self.penalties[: self.batches], self.penalties[self.batches :]
        return Taken(penalties=np.array(made))

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        rows, number = self.x.shape[0], 0
        while True:
            taken = self.taken.epoch(number)
            assert taken.order is not None
            assert taken.penalties is not None
            for place, first in enumerate(range(0, rows, self.batch)):
                chosen = taken.order[first : first + self.batch]
                self.penalties.append(taken.penalties[place])
                x, y = dense(self.x[chosen], self.dtype), self.y[chosen]
                if self.weighted:
                    assert taken.weights is not None
                    yield x, y, taken.weights[chosen]
                else:
                    yield x, y
            number += 1


def in_pieces(function: Callable[[Array], Array], x: Any, dtype: Any) -> Array:
    """A function of dense rows, applied to all rows piece by piece."""
    return np.concatenate([function(piece) for piece in pieces(x, dtype)])
