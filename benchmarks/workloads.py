"""The work that is timed: a network, its training, and data of the right size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = list[NDArray[np.float32]]  # kernel (inputs, units), bias, kernel, bias, …


@dataclass(frozen=True)
class Workload:
    """A dense network with one hidden activation, trained by one optimizer on random data."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    activation: str  # of the hidden layers; of the output too for a regression
    task: str  # "classes": softmax and cross-entropy; "number": the activation and mean squared error
    optimizer: str  # "sgd" or "adam"
    learning_rate: float

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches only: every peer does the same work in each."""
        return self.rows // self.batch

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.float32] | NDArray[np.int64]]:
        """Inputs and targets."""
        generator = np.random.default_rng(0)
        x = generator.normal(size=(self.rows, self.sizes[0])).astype(np.float32)
        if self.task == "number":
            return x, generator.random((self.rows, 1), dtype=np.float32)
        return x, generator.integers(0, self.sizes[-1], self.rows)

    def weights(self) -> Weights:
        """Initial weights."""
        generator = np.random.default_rng(1)
        arrays: Weights = []
        for inputs, units in zip(self.sizes, self.sizes[1:], strict=False):
            limit = (6 / (inputs + units)) ** 0.5
            arrays.append(generator.uniform(-limit, limit, (inputs, units)).astype(np.float32))
            arrays.append(np.zeros(units, np.float32))
        return arrays


WORKLOADS = [
    Workload("5→1 sigmoid, full batch of 400, SGD", (5, 1), 400, 400, "sigmoid", "number", "sgd", 0.5),
    Workload("30-64-64-3, batch 64, Adam", (30, 64, 64, 3), 64, 19_200, "relu", "classes", "adam", 1e-3),
    Workload("784-128-10, batch 128, Adam", (784, 128, 10), 128, 38_400, "relu", "classes", "adam", 1e-3),
]
