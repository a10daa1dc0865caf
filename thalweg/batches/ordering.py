"""How the rows of an epoch are taken, where the caller decides it: their order, their weights, and the penalties'."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Taken:
    """How the rows of one epoch are taken.

    Attributes:
        order: the numbers of the rows, int64, in the order in which the batches take them; None: as they lie.
        weights: a weight for each row, in the order of the data, for this epoch alone; None: the fit's sample_weight.
        penalties: for each batch the factor of the l1 and l2 penalties on weights; None: 1.
    """

    order: Array | None = None
    weights: Array | None = None
    penalties: Array | None = None


class Ordering(ABC):
    """Says for each epoch how its rows are taken; `fit(shuffle=…)` takes one in place of True or False.

    >>> import numpy as np, thalweg
    >>> class Backwards(Ordering):
    ...     def epoch(self, number):
    ...         return Taken(np.arange(4)[::-1])
    >>> model = thalweg.Sequential([thalweg.Input((1,)), thalweg.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> len(model.fit(np.ones((4, 1)), np.ones(4), 2, epochs=3, shuffle=Backwards(), verbose=0).epoch)
    3
    """

    @abstractmethod
    def epoch(self, number: int) -> Taken:
        """How the rows of this epoch are taken; called once for each, in their order. The model's first epoch is 0."""
