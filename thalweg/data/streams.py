"""Batches that are made one by one, by a `PyDataset` or a generator: a window of some of them is in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.data.batches.dataset import Batches, PyDataset
from thalweg.data.batches.makers import as_array, is_source, one_pass
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.support.checks import whole
from thalweg.support.nested import leaves, mapped

WINDOW_BYTES = 32 << 20
"""About so many bytes of batches are in memory at a time."""


class RowSource(ABC):
    """Rows that are read window by window, such as `thalweg.data.OnDisk`."""

    rows: int
    """How many there are."""

    @abstractmethod
    def stream(
        self, steps: int | None, shuffle: bool = False, seed: int = 0, sharing: Sharing | None = None
    ) -> Windows:
        """Their windows; of the first `steps` batches, unless it is None. sharing: with other processes."""

    @abstractmethod
    def head(self) -> Window:
        """The first batch, as the rows lie."""

    @abstractmethod
    def sample(self) -> dict[str, Any]:
        """Some rows of each array, by its name, as many as a window has: enough to tell other data apart."""


class Sharing(Protocol):
    """Processes that learn from the same rows together: each reads a part of them, and takes some of every batch."""

    part: range
    """The numbers of the rows that this process reads."""

    def packed(self, rows: NDArray[np.int64], read: list[NDArray[Any]], whole: bool = False) -> Any:
        """What `trade` takes, made beside the training.

        Args:
            rows: the number of the row at each place of a window. read: of each array, those of this process's part,
                in the order of their numbers.
            whole: whether it takes all rows.
        """
        ...

    def trade(self, packed: Any) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
        """The places in the window of the rows that this process takes, and these rows; all processes call it."""
        ...


def is_stream(x: Any) -> bool:
    """Whether x makes batches, rather than being the data."""
    return isinstance(x, RowSource) or is_source(x)


@dataclass
class Window:
    """A stretch of the rows of an epoch, which is a whole number of batches, but for the last one of the epoch.

    Attributes:
        x, y, sample_weight: the arrays.
        batch: rows of a batch.
        first: the place in the epoch of its first row. rows: of the epoch; before its last window, as if the last batch
            were as large as the others.
    """

    x: Any
    y: Any
    sample_weight: Any
    batch: int
    first: int
    rows: int


class Windows(ABC):
    """Rows that come window by window. The memory of one may be used again when the next but one is asked for."""

    epochs = 0
    """The number of the next epoch, by which it is shuffled."""
    again = True
    """Whether any epoch can be asked for."""

    @abstractmethod
    def windows(self) -> Iterator[Window]:
        """The windows of the next epoch."""

    def whole(self) -> Window | None:
        """The last window with the rows that other processes take, if it lacks them."""
        return None


class Stream(Windows):
    """A source of batches: x, (x, y) or (x, y, sample_weight), each array with the same number of rows.

    Args:
        whole_epochs: an epoch is one window. So it is if its number of batches isn't known.
    """

    def __init__(
        self,
        source: Any,
        steps: int | None,
        what: str,
        shuffle: bool = False,
        seed: int = 0,
        whole_epochs: bool = False,
    ) -> None:
        self.source, self.shuffle, self.seed = source, shuffle, seed
        self.again = isinstance(source, PyDataset)
        self.steps = None if steps is None else whole(what, steps)
        if isinstance(source, (PyDataset, Batches)):
            there = len(source)
            self.steps = there if self.steps is None else min(self.steps, there)
        self.what, self.whole_epochs = what, whole_epochs or self.steps is None

    def windows(self) -> Iterator[Window]:
        """The windows of the next epoch. A batch with fewer rows than the others comes last."""
        parts: list[list[Any]] = []
        small: list[list[Any]] = []
        counts: list[int] = []
        first = usual = size = 0
        for part in map(unpacked, self.batches()):
            rows = len(next(leaves(part)))
            counts.append(rows)
            if rows > usual and len(parts) <= 1 and not first and not small:
                small, parts, usual, size = parts, [], rows, 0
            if rows < usual and not small:
                small = [part]
                continue
            if rows != usual:
                raise ShapeError(
                    f"the batches of an epoch need one number of rows, only the last fewer, got {counts[:5]} …"
                )
            if size >= WINDOW_BYTES and self.steps is not None and not self.whole_epochs:
                yield self.window(parts, usual, first, self.steps * usual)
                first, parts, size = first + usual * len(parts), [], 0
            parts.append(part)
            size += sum(leaf.nbytes for leaf in leaves(part) if leaf is not None)
        if not parts:
            raise DataError(f"{type(self.source).__name__} has no more batches: an epoch needs at least one")
        self.epochs += 1
        rows = first + usual * len(parts) + sum(len(next(leaves(part))) for part in small)
        yield self.window(parts + small, usual, first, rows)

    def window(self, parts: list[list[Any]], batch: int, first: int, rows: int) -> Window:
        """Batches as one window."""
        x, y, sample_weight = joined(parts)
        return Window(x, y, sample_weight, batch, first, rows)

    def batches(self) -> Iterator[Any]:
        """The batches of an epoch: those of a PyDataset in a new order if `shuffle`."""
        if isinstance(self.source, PyDataset):
            assert self.steps is not None
            order = np.arange(len(self.source))
            if self.shuffle:
                order = np.random.default_rng((self.seed, self.epochs)).permutation(order)
            for number in order[: self.steps]:
                yield self.source[int(number)]
            self.source.on_epoch_end()
            return
        made = 0
        for batch in islice(one_pass(self.source), self.steps):
            yield batch
            made += 1
        if self.steps is not None and made < self.steps:
            raise DataError(
                f"{type(self.source).__name__} ended after {made} of the {self.steps} batches of an epoch: let "
                f"it go on for ever, or give a smaller {self.what}"
            )


def unpacked(batch: Any) -> list[Any]:
    """[x, y, sample_weight] of a batch; None for what it lacks."""
    parts = list(batch) if isinstance(batch, tuple) else [batch]
    if not 1 <= len(parts) <= 3:
        raise DataError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(parts)} parts")
    return [mapped(part, as_array) for part in parts] + [None] * (3 - len(parts))


def joined(parts: list[list[Any]]) -> list[Any]:
    """The batches as one, in their structure."""
    whole_arrays = iter([np.concatenate(same) for same in zip(*(leaves(part) for part in parts), strict=True)])
    return [mapped(structure, lambda _: next(whole_arrays)) for structure in parts[0]]


def stream_of(
    x: Any, y: Any, sample_weight: Any, steps: int | None, what: str, whole_epochs: bool = False
) -> Windows | None:
    """The windows of one epoch if x is a stream, whose windows hold its targets, too."""
    if not is_stream(x):
        return None
    if y is not None or sample_weight is not None:
        raise ArgumentError(f"{type(x).__name__} makes batches (x, y) or (x, y, sample_weight): give it alone")
    if isinstance(x, RowSource):
        return x.stream(None if steps is None else whole(what, steps))
    return Stream(x, steps, what, whole_epochs=whole_epochs)


def collected(x: Any, y: Any, sample_weight: Any, steps: int | None, what: str) -> Window | None:
    """The arrays of one epoch if x is a stream."""
    stream = stream_of(x, y, sample_weight, steps, what, whole_epochs=True)
    if stream is None:
        return None
    windows = [
        replace(w, x=copied(w.x), y=copied(w.y), sample_weight=copied(w.sample_weight)) for w in stream.windows()
    ]
    if len(windows) == 1:
        return windows[0]
    x, y, sample_weight = joined([[w.x, w.y, w.sample_weight] for w in windows])
    return Window(x, y, sample_weight, windows[0].batch, 0, windows[-1].rows)


def copied(structure: Any) -> Any:
    """Arrays of a window, whose memory may be used again."""
    return mapped(structure, np.copy)
