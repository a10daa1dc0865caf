"""Batches that can be gone through any number of times: made by a class of one's own, or from folders and series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, final

from thalweg.batches.ahead import prefetched
from thalweg.support.checks import whole
from thalweg.support.naming import suggesting


class PyDataset(ABC):
    """Batches that are made one by one, for `fit`, `evaluate` and `predict`; a subclass says how many, and makes each.

    A batch is x, (x, y) or (x, y, sample_weight). It is trained on as it comes, and forgotten; those that take no time
    are made some at once, of 32 MB together at most. `fit` takes the batches in a new order each epoch, unless
    shuffle=False; a single one with fewer rows then comes last.

    Args:
        workers: how many threads or processes make batches beside the training. 1 (of threads), or 0: none, they are
            made one after the other between the steps.
        use_multiprocessing: whether they are processes, in which Python works at the same time. Where they are not
            copies of this one, as on Windows and macOS, the class has to be in a module that can be imported.
        max_queue_size: how many batches are being made or wait at most.

    >>> import numpy as np, thalweg
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), index)
    ...         return x, x**2
    >>> model = thalweg.Sequential([thalweg.layers.Dense(1, input_dim=1)])
    >>> model.compile("sgd", "mse")
    >>> len(model.fit(Squares(), epochs=2, verbose=0).history["loss"])
    2
    """

    workers, use_multiprocessing, max_queue_size = 1, False, 10  # of a subclass that doesn't call this __init__

    @suggesting
    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing = whole("workers", workers, 0), bool(use_multiprocessing)
        self.max_queue_size = whole("max_queue_size", max_queue_size)

    @abstractmethod
    def __len__(self) -> int:
        """The number of batches in an epoch."""

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""

    @property
    def num_batches(self) -> int:
        """The number of batches in an epoch."""
        return len(self)

    def on_epoch_begin(self) -> None:  # noqa: B027 — a subclass may have it
        """Called before the batches of an epoch are made."""

    def on_epoch_end(self) -> None:  # noqa: B027 — a subclass may have it
        """Called when the batches of an epoch have been made."""


@final
class Batches:
    """Batches x or (x, y) for `fit`, `evaluate`, `predict` and `adapt`, and for a loop: each loop makes them anew.

    It has what Keras programs ask of the `tf.data.Dataset` that is in its place there.

    Args:
        make: makes the batches of a pass, whose number it gets, from 0: by it they may be shuffled.
        count: how many there are.
        class_names: the classes' names. file_paths: the files, in the order in which they were found or shuffled.

    >>> squares = Batches(lambda number: ((k, k * k) for k in range(4)), 4)
    >>> list(squares.map(lambda x, y: (x, y + 1)).take(2)), len(squares)
    ([(0, 1), (1, 2)], 4)
    """

    def __init__(
        self,
        make: Callable[[int], Iterable[Any]],
        count: int,
        class_names: list[str] | None = None,
        file_paths: list[str] | None = None,
    ) -> None:
        self.make, self.count = make, count
        self.class_names, self.file_paths = class_names, file_paths
        self.passes = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return iter(self.make(self.passes - 1))

    def __repr__(self) -> str:
        return f"<Batches: {self.count}>"

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The batches of a pass."""
        return iter(self)

    def map(self, function: Callable[..., Any]) -> Batches:
        """Every batch changed: the function gets x, or x and y, and returns what takes their place."""

        def changed(batch: Any) -> Any:
            return function(*batch) if isinstance(batch, tuple) else function(batch)

        return Batches(lambda _: map(changed, self), self.count)

    def take(self, count: int) -> Batches:
        """The first batches; all if there are fewer, or for −1."""
        kept = self.count if count == -1 else min(whole("take's count", count, 0), self.count)
        return Batches(lambda _: islice(self, kept), kept, self.class_names)

    def skip(self, count: int) -> Batches:
        """All but the first batches."""
        left = min(whole("skip's count", count, 0), self.count)
        return Batches(lambda _: islice(self, left, None), self.count - left, self.class_names)

    def cache(self) -> Batches:
        """The batches of the first whole pass, kept in memory for those to come."""
        kept: list[Any] = []

        def make(_: int) -> Iterator[Any]:
            if kept:
                yield from kept
                return
            made = []
            for batch in self:
                made.append(batch)
                yield batch
            kept[:] = made

        return Batches(make, self.count, self.class_names, self.file_paths)

    def prefetch(self, buffer_size: int) -> Batches:
        """The same batches, of which a thread makes so many before they are asked for; −1: two of them."""
        size = whole("prefetch's buffer_size", buffer_size, -1)
        if size == 0:
            return self
        return Batches(
            lambda _: prefetched(iter(self), 2 if size < 0 else size), self.count, self.class_names, self.file_paths
        )
