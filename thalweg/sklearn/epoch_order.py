"""The batches of scikit-learn's perceptrons: the same order, and the same division by the weights of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.ordering import Ordering, Taken

Array = NDArray[Any]


class Shuffled(Ordering):
    """Takes the rows in the order in which scikit-learn takes them for the same `random_state`.

    A batch's loss is (Σ w·ℓ + ½·alpha·‖W‖²)/Σ w over its rows. The engine divides by the number of rows n instead: so
    each row gets the weight w·n/Σ w, and the batch's penalty is multiplied by (the usual batch)/Σ w.

    Args:
        random: the estimator's random numbers.
        rows, batch: of the data, and of a batch.
        shuffle: whether each epoch has a new order.
        weights: of the rows, or None.
        scale: the factor of the loss against the penalty.
        usual: the rows of the batch for which the penalty is built into the network.
    """

    def __init__(
        self,
        random: np.random.RandomState,
        rows: int,
        batch: int,
        shuffle: bool,
        weights: Array | None,
        scale: float,
        usual: float,
    ) -> None:
        self.random, self.shuffle, self.weights, self.scale, self.usual = random, shuffle, weights, scale, usual
        self.order = np.arange(rows)
        self.starts = np.arange(0, rows, batch)
        self.sizes = np.diff(np.append(self.starts, rows))
        self.plain = usual / self.sizes

    def epoch(self, number: int) -> Taken:
        if self.shuffle:
            drawn = np.arange(len(self.order))
            self.random.shuffle(drawn)  # as sklearn.utils.shuffle, of the order before
            self.order = self.order[drawn]
        if self.weights is None:
            return Taken(self.order, None, self.plain)
        weights = self.weights[self.order]
        sums = np.add.reduceat(weights, self.starts)
        counted = np.where(sums > 0, sums, np.inf)  # a batch without weight changes nothing
        even = np.empty_like(weights)
        even[self.order] = weights * np.repeat(self.scale * self.sizes / counted, self.sizes)
        return Taken(self.order, even, self.usual / counted)
