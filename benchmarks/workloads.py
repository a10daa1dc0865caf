"""The work that is timed: a network, what is done with it, and data of the right size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Weights = list[Floats]  # kernel (inputs, units), bias, kernel, bias, …
Data = tuple[Floats, NDArray[np.float32] | NDArray[np.int64]]

MANY_EPOCHS = 3  # of 64 networks, which take some peers long
CHECK_BATCHES = 5  # Adam divides by small numbers: after many steps rounding errors make the same equations differ


@dataclass(frozen=True)
class Workload:
    """A dense network with one hidden activation, and what is done with it on random data."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    does: str = "fit"  # or "predict", "fit many", "convolve"
    activation: str = "relu"  # of the hidden layers; of the output too for a regression
    task: str = "classes"  # softmax and cross-entropy; "number": the activation and mean squared error
    optimizer: str = "adam"  # or "sgd"
    learning_rate: float = 1e-3
    networks: int = 1
    lanes: int | None = None  # passed to thalweg; None: its own choice
    tolerance: float = 1e-2  # relative to the change of the weights: float32, summed in different orders

    @property
    def steps(self) -> int:
        """Batches in an epoch; only whole ones, so that every peer does the same work in each."""
        return self.rows // self.batch

    @property
    def units(self) -> int:
        """The fewest units of work at a time: the steps of an epoch, a call, or some epochs of all networks.

        A single epoch of many small networks would measure the calls more than the training.
        """
        return {"fit": self.steps, "fit many": MANY_EPOCHS}.get(self.does, 1)

    @property
    def unit(self) -> str:
        return {"fit": "a step", "fit many": "an epoch of all"}.get(self.does, "a call")

    def data(self) -> Data:
        """Inputs and targets."""
        generator = np.random.default_rng(0)
        x = generator.standard_normal((self.rows, self.sizes[0]), np.float32)
        if self.task == "number":
            return x, generator.random((self.rows, 1), np.float32)
        return x, generator.integers(0, self.sizes[-1], self.rows)

    def check_data(self) -> tuple[Data, int]:
        """The first batches, and the number of passes over them, to check that all compute the same."""
        x, y = self.data()
        rows = min(CHECK_BATCHES, self.steps) * self.batch
        return (x[:rows], y[:rows]), -(-CHECK_BATCHES // self.steps)

    def weights(self, network: int = 0) -> Weights:
        """Initial weights of one of the networks."""
        generator = np.random.default_rng(1 + network)
        arrays: Weights = []
        for inputs, units in pairwise(self.sizes):
            limit = (6 / (inputs + units)) ** 0.5
            arrays.append(generator.uniform(-limit, limit, (inputs, units)).astype(np.float32))
            arrays.append(np.zeros(units, np.float32))
        return arrays

    @property
    def sample(self) -> list[int]:
        """The networks whose weights are compared: the first, one in the middle, the last."""
        return sorted({0, self.networks // 2, self.networks - 1})


def dense(sizes: tuple[int, ...], batch: int, steps: int, lanes: int | None = None) -> Workload:
    """Training of a classifier with Adam, named by its sizes and its batch."""
    name = f"{'-'.join(map(str, sizes))}, batch {batch:,}, Adam"
    return Workload(name, sizes, batch, batch * steps, lanes=lanes)


SMALL = (30, 64, 64, 3)
MIDDLE = dense((784, 128, 10), 128, 100)
LARGE = dense((784, 800, 800, 10), 256, 40)

WORKLOADS = [
    Workload("5-1 σ, batch 400 (all), SGD", (5, 1), 400, 400, "fit", "sigmoid", "number", "sgd", 0.5),
    dense(SMALL, 64, 300),
    MIDDLE,
    LARGE,
    Workload("predict 1 row, 30-64-64-3", SMALL, 1, 1, "predict"),
    Workload("predict 100,000 rows, 30-64-64-3", SMALL, 100_000, 100_000, "predict"),
    Workload("fit 64 networks 30-64-64-3, batch 64, Adam", SMALL, 64, 64 * 30, "fit many", networks=64),
]


def shrunk(work: Workload) -> Workload:
    """The same work on little data, to check that everything runs."""
    return replace(work, rows=min(work.rows, work.batch * 4), networks=min(work.networks, 4))
