"""Batches that are made one by one, by a `PyDataset` or a generator: an epoch of them is collected into arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.support.checks import whole
from thalweg.support.nested import leaves, mapped


class PyDataset(ABC):
    """Batches that are made one by one, for `fit`, `evaluate` and `predict`; a subclass says how many, and makes each.

    A batch is x, (x, y) or (x, y, sample_weight), of the same number of rows in all batches but the last. An epoch is
    collected in memory before it is trained on. `fit` takes the batches in a new order each epoch, unless
    shuffle=False.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), index)
    ...         return x, x**2
    >>> import thalweg
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


def is_stream(x: Any) -> bool:
    """Whether x makes batches, rather than being the data."""
    return isinstance(x, PyDataset) or hasattr(x, "__next__")


@dataclass
class Epoch:
    """The arrays of one epoch, and the rows of a batch; the last may have fewer."""

    x: Any
    y: Any
    sample_weight: Any
    batch: int


class Stream:
    """A source of batches: x, (x, y) or (x, y, sample_weight), each array with the same number of rows."""

    def __init__(self, source: Any, steps: int | None, what: str, shuffle: bool = False, seed: int = 0) -> None:
        self.source, self.shuffle, self.seed, self.epochs = source, shuffle, seed, 0
        self.steps = None if steps is None else whole(what, steps)
        self.what = what
        if isinstance(source, PyDataset):
            there = len(source)
            self.steps = there if self.steps is None else min(self.steps, there)

    def epoch(self) -> Epoch:
        """The arrays of the next epoch."""
        parts = [unpacked(batch) for batch in self.batches()]
        if not parts:
            raise DataError(f"{type(self.source).__name__} has no more batches: an epoch needs at least one")
        rows = [len(next(leaves(part))) for part in parts]
        order = sorted(range(len(parts)), key=lambda k: rows[k] < max(rows))  # a smaller one comes last
        parts, rows = [parts[k] for k in order], [rows[k] for k in order]
        if any(n != rows[0] for n in rows[:-1]):
            raise ShapeError(f"the batches of an epoch need one number of rows, only the last fewer, got {rows[:5]} …")
        self.epochs += 1
        x, y, sample_weight = joined(parts)
        return Epoch(x, y, sample_weight, rows[0])

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
        while self.steps is None or made < self.steps:
            try:
                yield next(self.source)
            except StopIteration:
                if self.steps is not None:
                    raise DataError(
                        f"{type(self.source).__name__} ended after {made} of the {self.steps} batches of an epoch: let "
                        f"it go on for ever, or give a smaller {self.what}"
                    ) from None
                return
            made += 1


def unpacked(batch: Any) -> list[Any]:
    """[x, y, sample_weight] of a batch; None for what it lacks."""
    parts = list(batch) if isinstance(batch, tuple) else [batch]
    if not 1 <= len(parts) <= 3:
        raise DataError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(parts)} parts")
    return [mapped(part, np.asarray) for part in parts] + [None] * (3 - len(parts))


def joined(parts: list[list[Any]]) -> list[Any]:
    """The batches as one, in their structure."""
    whole_arrays = iter([np.concatenate(same) for same in zip(*(leaves(part) for part in parts), strict=True)])
    return [mapped(structure, lambda _: next(whole_arrays)) for structure in parts[0]]


def collected(x: Any, y: Any, sample_weight: Any, steps: int | None, what: str) -> Epoch | None:
    """The arrays of one epoch if x is a stream."""
    if not is_stream(x):
        return None
    if y is not None or sample_weight is not None:
        raise ArgumentError(f"{type(x).__name__} makes batches (x, y) or (x, y, sample_weight): give it alone")
    return Stream(x, steps, what).epoch()
