"""Batches that are made one by one, by a `PyDataset` or a generator: a window of some of them is in memory."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.ahead import END, numbered
from thalweg.batches.dataset import PyDataset
from thalweg.batches.makers import as_array, is_source, length_of, one_pass, told
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.support.checks import whole
from thalweg.support.nested import leaves, mapped

WINDOW_BYTES = 32 << 20
"""About so many bytes of batches are in memory at a time."""
WINDOW_SECONDS = 0.05
"""Batches that take longer to make are trained on one by one."""
UNKNOWN_STEPS = 1 << 36
"""The batches of an epoch whose number isn't known before it ends."""


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

    def close(self) -> None:  # noqa: B027 — some have nothing to close
        """No further window is wanted."""

    def whole(self) -> Window | None:
        """The last window with the rows that other processes take, if it lacks them."""
        return None


class Stream(Windows):
    """A source of batches: x, (x, y) or (x, y, sample_weight).

    Args:
        whole_epochs: an epoch is one window, and its batches are even.
        even: all batches but one have the same number of rows, and it comes last.
        seconds: a window ends when its batches have taken so long to make.
    """

    def __init__(
        self,
        source: Any,
        steps: int | None,
        what: str,
        shuffle: bool = False,
        seed: int = 0,
        whole_epochs: bool = False,
        even: bool = False,
        seconds: float = math.inf,
    ) -> None:
        self.source, self.seed, self.name = source, seed, type(source).__name__
        self.shuffle = shuffle and isinstance(source, PyDataset)  # others have their own order
        self.again = isinstance(source, PyDataset)
        self.steps = None if steps is None else whole(what, steps)
        there = length_of(source)
        if there is not None:
            self.steps = there if self.steps is None else min(self.steps, there)
        self.given = self.steps
        self.what, self.whole_epochs, self.even, self.seconds = what, whole_epochs, even or whole_epochs, seconds
        self.running: Any = None  # the batches of the current epoch

    def windows(self) -> Iterator[Window]:
        """The windows of the next epoch."""
        waiting: tuple[list[list[Any]], int, int] | None = None  # a group that may be the last one
        usual = after = 0
        for group in self.groups():
            if waiting is not None:
                yield self.window(*waiting)
                usual = waiting[1]
            waiting = group
            after = group[2] + len(group[0])
            if self.steps is not None and after < self.steps:
                yield self.window(*waiting)
                usual, waiting = group[1], None
        self.epochs += 1
        self.steps = after
        if waiting is not None:
            parts, rows, at = waiting
            rows = usual if len(parts) == 1 and usual > rows else rows
            yield self.window(parts, rows, at, last=True)

    def window(self, parts: list[list[Any]], rows: int, at: int, last: bool = False) -> Window:
        """Batches of so many rows, the first of which is number `at` of the epoch, as one window."""
        whole_epoch = rows * (UNKNOWN_STEPS if self.steps is None else self.steps)
        if last:
            whole_epoch = at * rows + sum(rows_of(part) for part in parts)
        x, y, sample_weight = joined(parts)
        return Window(x, y, sample_weight, rows, at * rows, whole_epoch)

    def groups(self) -> Iterator[tuple[list[list[Any]], int, int]]:
        """Batches of one number of rows, this number, and that of the first of them; a smaller last one is with them.

        A single smaller one that shuffling has put elsewhere is moved to the end.
        """
        parts: list[list[Any]] = []
        small: list[list[Any]] = []
        usual = at = size = 0
        begin = time.perf_counter()
        for number, part in enumerate(map(unpacked, self.batches())):
            rows, first = rows_of(part), at == 0 and len(parts) == 1 and not small
            if (self.shuffle or self.even) and not small and (rows < usual or (first and rows > usual)):
                small, parts = ([part], parts) if rows < usual else (parts, [part])
                usual = max(rows, usual)
                continue
            last = rows < usual and number + 1 == self.steps
            if self.even and usual and rows != usual:
                raise ShapeError(f"the batches of an epoch need one number of rows, only the last fewer, got {rows}")
            other = parts and kind_of(part) != kind_of(parts[0])
            if other and self.even:
                raise DataError(
                    "the batches of an epoch differ: some have targets or weights and others don't, or other shapes"
                )
            if other or (parts and not last and rows != usual):
                yield parts, usual, at
                at, parts, size = at + len(parts), [], 0
            usual = usual if last else rows
            parts.append(part)
            size += sum(leaf.nbytes for leaf in leaves(part) if leaf is not None)
            full = size >= WINDOW_BYTES or time.perf_counter() - begin >= self.seconds
            if full and not self.whole_epochs and number + 1 != self.steps:
                yield parts, usual, at
                at, parts, size, begin = at + len(parts), [], 0, time.perf_counter()
        if not parts and not small and at:
            return
        if not parts and not small:
            raise DataError(f"{self.name} has no more batches: an epoch needs at least one")
        yield parts + small, usual, at

    def batches(self) -> Iterator[Any]:
        """The batches of an epoch: those of a PyDataset in a new order if `shuffle`."""
        if isinstance(self.source, PyDataset):
            order = np.arange(len(self.source))
            if self.shuffle:
                order = np.random.default_rng((self.seed, self.epochs)).permutation(order)
            self.running = numbered(self.source, order[: self.steps].tolist())
        else:
            self.running = one_pass(self.source)
        made = 0
        for batch in islice(told(self.running, self.name), self.steps):
            yield batch
            made += 1
        if self.steps is not None and 0 < made < self.steps:
            raise DataError(
                f"{self.name} ended after {made} of the {self.steps} batches of an epoch: let it go on for ever, or "
                f"give a smaller {self.what}"
            )
        if self.given is None and self.steps is not None and next(self.running, END) is not END:
            raise DataError(f"{self.name} has more than the {self.steps} batches that its first pass had")
        if isinstance(self.source, PyDataset):
            next(self.running, None)  # so that it notices the end

    def close(self) -> None:
        """Ends what makes batches in advance; a generator of the caller's goes on."""
        if self.running is not self.source and hasattr(self.running, "close"):
            self.running.close()


def rows_of(part: list[Any]) -> int:
    """The rows of a batch."""
    return len(next(leaves(part)))


def kind_of(part: list[Any]) -> Any:
    """What the batches of a window have in common: which parts they have, and the shapes of their rows."""
    return [None if arrays is None else [leaf.shape[1:] for leaf in leaves(arrays)] for arrays in part]


def unpacked(batch: Any) -> list[Any]:
    """[x, y, sample_weight] of a batch; None for what it lacks."""
    parts = list(batch) if isinstance(batch, tuple) else [batch]
    if not 1 <= len(parts) <= 3:
        raise DataError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(parts)} parts")
    return [mapped(part, as_array) for part in parts] + [None] * (3 - len(parts))


def joined(parts: list[list[Any]]) -> list[Any]:
    """The batches as one, in their structure."""
    whole_arrays = iter([together(same) for same in zip(*(leaves(part) for part in parts), strict=True)])
    return [mapped(structure, lambda _: next(whole_arrays)) for structure in parts[0]]


def together(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after the other; where their rows have different lengths, the rows as objects."""
    if len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    rows = [row for array in arrays for row in array]
    result = np.empty(len(rows), object)
    result[:] = rows
    return result


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
