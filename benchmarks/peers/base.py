"""What every peer has: work to run, and a result to compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from benchmarks.images import Images
from benchmarks.workloads import Workload

EPSILON = 1e-15  # Adam's; PyTorch adds it in a different place, so it has to be too small to matter

Arrays = list[np.ndarray[Any, Any]]


def checked(work: Workload) -> Workload:
    """The work whose result is compared: without randomness."""
    return work.checked() if isinstance(work, Images) else work


class Runner(ABC):
    """One workload in one variant of one peer."""

    @abstractmethod
    def run(self, count: int) -> None:
        """Does `count` units of work."""

    @abstractmethod
    def check(self) -> Arrays:
        """The result that has to be the same for all peers."""

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """Ends what `run` has started."""


class Training(Runner):
    """Training, timed in whole epochs; compared by the weights after the first batches in order."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.x, self.y = work.data()
        self.make()

    def run(self, count: int) -> None:
        epochs = count // self.work.steps if self.work.does == "fit" else count
        self.train(self.x, self.y, epochs, shuffle=True)

    def check(self) -> Arrays:
        (x, y), epochs = self.work.check_data()
        given, self.work = self.work, checked(self.work)
        if self.work is not given:
            self.make()
        self.start()
        self.train(x, y, epochs, shuffle=False)
        result = self.result()
        if self.work is not given:
            self.work = given
            self.make()
        return result

    def result(self) -> Arrays:
        """The weights that are compared."""
        return [np.asarray(w) for network in self.work.sample for w in self.weights(network)]

    @abstractmethod
    def make(self) -> None:
        """Builds the networks."""

    @abstractmethod
    def start(self) -> None:
        """Gives them their initial weights and fresh optimizers."""

    @abstractmethod
    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None: ...

    @abstractmethod
    def weights(self, network: int) -> Arrays: ...


class Prediction(Runner):
    """Prediction: arrays in memory in, an array in memory out."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.x, _ = work.data()
        self.make()

    def run(self, count: int) -> None:
        predict, x = self.predict, self.x
        for _ in range(count):
            predict(x)

    def check(self) -> Arrays:
        return [np.asarray(self.predict(self.x))]

    @abstractmethod
    def make(self) -> None:
        """Builds the network with the initial weights."""

    @abstractmethod
    def predict(self, x: Any) -> Any: ...
