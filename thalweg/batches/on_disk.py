"""Rows that lie on a disk, read window by window in a shuffled order, beside the training."""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.streams import RowSource, Sharing, Window, Windows
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.program.ir.counter import key
from thalweg.support.checks import whole
from thalweg.support.naming import suggesting

Array = NDArray[Any]

WINDOW_BYTES = 4 << 20
"""Of a window: one is trained on, and one read, at a time."""
BLOCKS = 64
"""Parts of a window, which lie anywhere in the files: a table sorted by its classes is well mixed, too."""
AROUND = 1 << 16
"""Bytes of a file that Linux maps together, if it has them at hand."""
RING = 3
"""Windows whose memory is used in turn: one is learned from, one is ready, one is read."""
NAMES = ("x", "y", "sample_weight")
HELD = RING + 1
"""Windows in memory, with what is read of the files before it is in order."""


class OnDisk(RowSource):
    """Rows of arrays that may be larger than memory, for `fit`, `evaluate` and `predict`.

    Four windows of about 4 MB are in memory, whatever the number of rows: one to learn from while the next is read, by
    a thread of its own. `fit` shuffles them anew for each epoch: blocks of neighbouring rows come in a random
    order, 64 of them are a window, and within a window rows are in a random order. `order` says it; training on arrays
    in that order gives the same bits. Under `thalweg.distributed.Ranks`, each rank reads a part of the rows, and the
    ranks trade those of a window.

    Args:
        x, y, sample_weight: arrays of as many rows: `numpy.memmap`, `numpy.load(…, mmap_mode="r")`, or anything with
            `shape`, `dtype` and slices, such as a dataset of h5py or zarr. Pages of a memory-mapped file are given back
            once they are read, so they don't count as this process's memory.
        batch_size: rows of a step.

    Raises:
        ShapeError: different numbers of rows. DataError: no rows.

    >>> import thalweg
    >>> from thalweg.data import OnDisk
    >>> rows = OnDisk(np.ones((100, 3), np.float32), np.ones((100, 1), np.float32), batch_size=10)
    >>> model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(1)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> len(model.fit(rows, epochs=2, verbose=0).epoch), rows.order(seed=0, epoch=1)[:4]
    (2, array([16, 43,  2, 66]))
    """

    @suggesting
    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int = 32) -> None:
        self.arrays = [array for array in (x, y, sample_weight) if array is not None]
        self.given = [array is not None for array in (x, y, sample_weight)]
        self.batch = whole("batch_size", batch_size)
        for array, name in zip((x, y, sample_weight), NAMES, strict=True):
            if array is not None and not (hasattr(array, "shape") and hasattr(array, "dtype") and len(array.shape)):
                raise ArgumentError(
                    f"{name} has to be an array of rows, such as numpy.memmap, got {type(array).__name__}"
                )
            if array is not None and array.shape[0] != x.shape[0]:
                raise ShapeError(f"x has {x.shape[0]} rows but {name} has {array.shape[0]}")
        self.rows = int(x.shape[0])
        if not self.rows:
            raise DataError("x has no rows")
        self.row: int = sum(math.prod(a.shape[1:]) * np.dtype(a.dtype).itemsize for a in self.arrays)
        batches = max(1, WINDOW_BYTES // max(1, self.row * self.batch))
        self.block = self.batch * -(-batches // BLOCKS)
        self.window: int = self.block * max(1, batches * self.batch // self.block)

    @property
    def bytes(self) -> int:
        """Of the windows that are in memory."""
        return HELD * self.window * self.row

    def stream(
        self, steps: int | None, shuffle: bool = False, seed: int = 0, sharing: Sharing | None = None
    ) -> OnDiskStream:
        rows = self.rows if steps is None else min(self.rows, steps * self.batch)
        return OnDiskStream(self, rows, shuffle, seed, sharing)

    def head(self) -> Window:
        return self.windowed([stretch(array, 0, self.batch) for array in self.arrays], 0, self.rows)

    def sample(self) -> dict[str, Any]:
        each = -(-self.window // BLOCKS)
        first = [(self.rows - min(each, self.rows)) * k // (BLOCKS - 1) for k in range(BLOCKS)]
        named = self.named([np.concatenate([stretch(a, n, n + each) for n in first]) for a in self.arrays])
        return {name: array for name, array in named.items() if array is not None}

    def windowed(self, found: list[Array], first: int, rows: int) -> Window:
        """These arrays as the window that begins at this place of an epoch of so many rows."""
        named = self.named(found)
        return Window(named["x"], named["y"], named["sample_weight"], self.batch, first, rows)

    def named(self, found: list[Array]) -> dict[str, Array | None]:
        """One array for each of the source's, by name; None for those that it lacks."""
        arrays = iter(found)
        return {name: next(arrays) if there else None for name, there in zip(NAMES, self.given, strict=True)}

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The numbers of the rows in the order in which `fit` takes them in an epoch, counted from 0: int64 (rows,).
        `seed` is the model's. The first epoch of a call is its `initial_epoch`."""
        return np.concatenate(list(self.shuffled(seed, epoch)))

    def shuffled(self, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The numbers of the rows of each window.

        Blocks are counted from a row that changes with the epoch; the last one is shorter, and stays the last.
        """
        begin, full = key(seed, epoch, 1) % self.rows, self.rows // self.block
        blocks = np.append(shuffle(key(seed, epoch, 2), full), np.arange(full, -(-self.rows // self.block)))
        each = self.window // self.block
        for number, at in enumerate(range(0, len(blocks), each)):
            places = (blocks[at : at + each, None] * self.block + np.arange(self.block)).reshape(-1)
            rows = (places[places < self.rows] + begin) % self.rows
            yield rows[shuffle(key(seed, epoch, 3 + number), len(rows))]


def shuffle(seed: int, count: int) -> NDArray[np.int64]:
    """An order of so many things, by a counter: the same everywhere.

    >>> shuffle(seed=1, count=5)
    array([2, 0, 4, 3, 1])
    """
    return np.argsort(hashed(seed, 0, count), kind="stable")


def hashed(seed: int, first: int, after: int) -> NDArray[np.uint64]:
    """A random number for each of first … after − 1: the output of SplitMix64 (see `counter.splitmix`)."""
    z = np.arange(first, after, dtype=np.uint64) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


class OnDiskStream(Windows):
    """The windows of `OnDisk`, one read ahead; their memory is used again after two more.

    Where processes share the rows, a window has those that this one takes at their places; at the others are rows that
    it doesn't look at.
    """

    def __init__(self, source: OnDisk, rows: int, shuffled: bool, seed: int, sharing: Sharing | None = None) -> None:
        self.source, self.rows, self.shuffled, self.seed = source, rows, shuffled, seed
        self.sharing = sharing
        self.readers = [Reader(array, min(source.window, rows)) for array in source.arrays]
        self.last: tuple[NDArray[np.int64], int] | None = None  # the numbers of a window's rows, and the first's place
        if sharing is not None:
            for reader in self.readers:
                for array in reader.ring:
                    array[:] = reader.read(np.array([sharing.part.start]))

    def windows(self) -> Iterator[Window]:
        first, epoch = 0, self.epochs
        self.epochs += 1
        orders = self.source.shuffled(self.seed, epoch) if self.shuffled else self.in_order()
        with ThreadPoolExecutor(1, "thalweg-reader") as pool:
            rows = next(orders, None)
            ahead = None if rows is None else pool.submit(self.read, self.readers, rows)
            while ahead is not None and rows is not None:
                found = ahead.result()
                if self.sharing is not None:
                    found = self.traded(self.sharing, self.readers, found, len(rows))
                self.last = rows, first
                following = next(orders, None)
                ahead = None if following is None else pool.submit(self.read, self.readers, following)
                yield self.source.windowed(found, first, self.rows)
                first, rows = first + len(rows), following

    def in_order(self) -> Iterator[NDArray[np.int64]]:
        """The numbers of the rows of each window, as they lie."""
        window = self.source.window
        for first in range(0, self.rows, window):
            yield np.arange(first, min(first + window, self.rows))

    def read(self, readers: list[Reader], rows: NDArray[np.int64], whole: bool = False) -> Any:
        """The arrays of a window; where processes share the rows, what this one gives of them."""
        if self.sharing is not None:
            part = self.sharing.part
            lying = np.sort(rows[(rows >= part.start) & (rows < part.stop)])
            return self.sharing.packed(rows, [reader.read(lying) for reader in readers], whole)
        places = np.argsort(rows, kind="stable")
        return [reader.placed(reader.read(rows[places]), places, len(rows)) for reader in readers]

    def traded(self, sharing: Sharing, readers: list[Reader], packed: Any, rows: int) -> list[Array]:
        """The arrays of a window of so many rows, of which this process takes some, or all."""
        places, found = sharing.trade(packed)
        return [reader.placed(got, places, rows) for reader, got in zip(readers, found, strict=True)]

    def whole(self) -> Window | None:
        if self.sharing is None or self.last is None:
            return None
        rows, first = self.last
        readers = [Reader(array, len(rows)) for array in self.source.arrays]
        found = self.traded(self.sharing, readers, self.read(readers, rows, whole=True), len(rows))
        return self.source.windowed(found, first, self.rows)


class Reader:
    """Reads rows of an array, from its file if it is one that is memory-mapped: to map its pages takes longer."""

    def __init__(self, array: Any, rows: int) -> None:
        self.array, shape = array, tuple(array.shape[1:])
        self.raw = apart((rows, *shape), array.dtype)
        self.ring = [apart((rows, *shape), array.dtype) for _ in range(RING)]
        self.turn, self.start = 0, 0
        self.file: int | None = None
        if in_file(array) and array.mode != "c" and hasattr(os, "preadv"):  # of "c", changes are in memory alone
            self.file = os.open(array.filename, os.O_RDONLY)
            weakref.finalize(self, os.close, self.file)
            self.start = offset_of(array)

    def read(self, lying: NDArray[np.int64]) -> Array:
        """The rows with these numbers, sorted, until others are read."""
        ends = [*(np.flatnonzero(np.diff(lying) != 1) + 1).tolist(), len(lying)] if len(lying) else []
        begin = 0
        for end in ends:
            self.fill(self.raw[begin:end], int(lying[begin]), int(lying[end - 1]) + 1)
            begin = end
        return self.raw[: len(lying)]

    def placed(self, read: Array, places: NDArray[np.int64], rows: int) -> Array:
        """A window of so many rows, with these at their places."""
        out = self.ring[self.turn][:rows]
        self.turn = (self.turn + 1) % RING
        out[places] = read
        return out

    def fill(self, out: Array, first: int, after: int) -> None:
        """Reads neighbouring rows."""
        if self.file is None:
            out[...] = self.array[first:after]
            give_back(self.array, first, after)
            return
        row = self.array.nbytes // len(self.array)
        bytes_of: Any = out.reshape(-1).view(np.uint8)  # a buffer, which not every NumPy says of arrays
        rest: Any = memoryview(bytes_of)
        at = self.start + first * row
        while len(rest):
            count = os.preadv(self.file, [rest], at)
            if not count:
                raise DataError(f"{self.array.filename} has become shorter: it has to stay as it is while it is read")
            rest, at = rest[count:], at + count


def stretch(array: Any, first: int, after: int) -> Array:
    """A copy of neighbouring rows, no more than there are."""
    after = min(after, array.shape[0])
    found = np.array(array[first:after])
    give_back(array, first, after)
    return found


def apart(shape: tuple[int, ...], dtype: Any) -> Array:
    """Memory that the system gets back as soon as nothing refers to the array; the allocator would keep it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(1, size)), np.dtype(dtype), math.prod(shape)).reshape(shape)


def in_file(array: Any) -> bool:
    """Whether an array is a memory-mapped file whose rows lie one after the other."""
    return getattr(array, "_mmap", None) is not None and array.flags.c_contiguous


def begin_of(array: Any) -> int:
    """Where in its mapped file an array begins, which may be a slice."""
    return int(array.ctypes.data - np.frombuffer(array._mmap, np.uint8).ctypes.data)


def offset_of(array: Any) -> int:
    """Where in its file a memory-mapped array begins, which may be a slice."""
    return int(array.offset - array.offset % mmap.ALLOCATIONGRANULARITY + begin_of(array))


def give_back(array: Any, first: int, after: int) -> None:
    """Lets go of the pages of these rows, if the array is a memory-mapped file whose rows lie one after the other."""
    if not in_file(array) or not hasattr(array._mmap, "madvise") or array.mode == "c":
        return  # of a private copy, what was written would be lost
    mapped, begin = array._mmap, begin_of(array)
    row = array.nbytes // len(array)
    start = (begin + first * row) // AROUND * AROUND
    end = min(len(mapped), -(-(begin + after * row) // AROUND) * AROUND)
    mapped.madvise(mmap.MADV_DONTNEED, start, end - start)


class Encoded:
    """Targets as a loss takes them, encoded as they are read."""

    def __init__(self, y: Any, encode: Callable[[Array], Array]) -> None:
        self.y, self.encode = y, encode
        one = self[0:1]
        self.shape, self.dtype = (len(y), *one.shape[1:]), one.dtype

    def __getitem__(self, rows: slice) -> Array:
        read = np.array(self.y[rows])
        give_back(self.y, rows.start, rows.stop)
        return self.encode(read)


class Weights:
    """Weights of rows: 0 for some, whose numbers are sorted, and 1 for the others."""

    def __init__(self, count: int, without: Array) -> None:
        self.without, self.shape, self.dtype = without, (count,), np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> Array:
        weights = np.ones(rows.stop - rows.start, np.float32)
        first, after = np.searchsorted(self.without, [rows.start, rows.stop])
        weights[self.without[first:after] - rows.start] = 0
        return weights


@dataclass(frozen=True)
class DiskRows:
    """All rows to learn from.

    Attributes:
        x: float32 (rows, inputs). y: their targets, (rows, …). Both are memory-mapped.
        at_hand: the numbers among them of the rows that are in memory, too, sorted: those that networks hold out.
    """

    x: Any
    y: Any
    at_hand: Array

    def __len__(self) -> int:
        return len(self.x)

    def __reduce__(self) -> Any:
        """For another process: which files they are, instead of what is in them."""
        files = [(a.filename, a.dtype, offset_of(a), a.shape) for a in (self.x, self.y)]
        return lying_in, (*files, self.at_hand)

    def without(self, held: Array, encode: Callable[[Array], Array], batch: int) -> OnDisk:
        """The rows for `fit`; of those at hand, the ones with these places, sorted, don't count."""
        return OnDisk(self.x, Encoded(self.y, encode), Weights(len(self), self.at_hand[held]), batch)


def lying_in(x: tuple[Any, ...], y: tuple[Any, ...], at_hand: Array) -> DiskRows:
    """Rows of these files, each by its path, type, offset and shape."""
    mapped = []
    for path, kind, offset, shape in (x, y):
        try:
            mapped.append(np.memmap(path, kind, "r", offset, shape))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} can't be read here ({error}): processes on several machines need a folder for the converted "
                "rows, --cache, on a disk that all of them see"
            ) from None
    return DiskRows(mapped[0], mapped[1], at_hand)
