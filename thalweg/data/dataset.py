"""PyDataset: data as batches that are made one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.support.checks import whole


class PyDataset(ABC):
    """Batches that are made one by one, for `fit`, `evaluate` and `predict`; a subclass says how many, and makes each.

    A batch is x, (x, y) or (x, y, sample_weight), of the same number of rows in all batches but the last. An epoch is
    collected in memory before it is trained on. `fit` takes the batches in a new order each epoch, unless
    shuffle=False.

    >>> import numpy as np
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
