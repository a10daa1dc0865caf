"""Batches that can be gone through any number of times: made by a class of one's own, or from folders and series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, final

from thalweg.errors import ArgumentError
from thalweg.support.checks import whole


class PyDataset(ABC):
    """Batches that are made one by one, for `fit`, `evaluate` and `predict`; a subclass says how many, and makes each.

    A batch is x, (x, y) or (x, y, sample_weight), of the same number of rows in all batches but the last; one with
    fewer comes last. Batches of about 32 MB are made, trained on, and forgotten. `fit` takes the batches in a new order
    each epoch, unless shuffle=False.

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

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if workers != 1 or use_multiprocessing:
            raise ArgumentError("a PyDataset makes its batches one after the other: leave out workers")
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
        """These batches themselves, which are made when they are asked for."""
        whole("prefetch's buffer_size", buffer_size, -1)
        return self
