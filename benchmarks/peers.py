"""Who is compared: each peer trains the same network from the same weights, in its own best way of doing so.

A trainer has `steps(count)`, which trains in shuffled batches gathered from memory, and `check(batches)`, which trains
on the first batches in order and returns the weights, to see that all compute the same thing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from benchmarks.workloads import Weights, Workload

EPSILON = 1e-10  # Adam's; PyTorch adds it in another place than Keras and scikit-learn, so it has to be small


class Trainer(Protocol):
    def steps(self, count: int) -> None: ...
    def check(self, batches: int) -> Weights: ...


Setting = tuple[str, Callable[[Workload], Trainer]]


class Thalweg:
    """thalweg through its public `fit`, all its overhead included."""

    def __init__(self, work: Workload, lanes: int | None = None) -> None:
        import thalweg
        from thalweg import layers

        units = work.sizes[1:]
        output = "softmax" if work.task == "classes" else work.activation
        activations = [work.activation] * (len(units) - 1) + [output]
        self.work, self.lanes = work, lanes
        self.x, self.y = work.data()
        self.model = thalweg.Sequential(
            [thalweg.Input((work.sizes[0],)), *(layers.Dense(*pair) for pair in zip(units, activations, strict=True))],
            seed=0,
        )
        kind = {"sgd": thalweg.optimizers.SGD, "adam": thalweg.optimizers.Adam}[work.optimizer]
        extra = {"epsilon": EPSILON} if work.optimizer == "adam" else {}
        loss = "sparse_categorical_crossentropy" if work.task == "classes" else "mse"
        self.compile = lambda: self.model.compile(optimizer=kind(work.learning_rate, **extra), loss=loss)
        self.compile()
        self.model.set_weights(work.weights())

    def steps(self, count: int) -> None:
        epochs = max(1, count // self.work.steps_per_epoch)
        self.model.fit(self.x, self.y, self.work.batch, epochs, verbose=0, lanes=self.lanes)

    def check(self, batches: int) -> Weights:
        self.model.set_weights(self.work.weights())
        self.compile()
        rows = batches * self.work.batch
        epochs, rows = (batches, self.work.rows) if rows > self.work.rows else (1, rows)
        self.model.fit(
            self.x[:rows], self.y[:rows], self.work.batch, epochs, verbose=0, shuffle=False, lanes=self.lanes
        )
        return self.model.get_weights()


class Torch:
    """PyTorch eager, the usual loop; batches are gathered by index from tensors in memory (no DataLoader)."""

    def __init__(self, work: Workload, threads: int, fused: bool) -> None:
        import torch

        self.torch, self.work, self.threads, self.fused = torch, work, threads, fused
        x, y = work.data()
        self.x, self.y = torch.tensor(x), torch.tensor(y)
        self.loss = torch.nn.CrossEntropyLoss() if work.task == "classes" else torch.nn.MSELoss()
        self.start()

    def start(self) -> None:
        nn, work = self.torch.nn, self.work
        function = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[work.activation]
        modules: list[Any] = []
        for inputs, units in zip(work.sizes, work.sizes[1:], strict=False):
            modules += [nn.Linear(inputs, units), function()]
        self.net = nn.Sequential(*(modules if work.task == "number" else modules[:-1]))
        with self.torch.no_grad():
            for parameter, array in zip(self.net.parameters(), work.weights(), strict=True):
                parameter.copy_(self.torch.tensor(array.T))
        kind = {"sgd": self.torch.optim.SGD, "adam": self.torch.optim.Adam}[work.optimizer]
        extra = {"eps": EPSILON} if work.optimizer == "adam" else {}
        self.optimizer = kind(self.net.parameters(), lr=work.learning_rate, fused=self.fused, **extra)

    def step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        self.loss(self.net(x), y).backward()
        self.optimizer.step()

    def steps(self, count: int) -> None:
        self.torch.set_num_threads(self.threads)
        work = self.work
        while count > 0:
            order = self.torch.randperm(work.rows)
            for start in range(0, work.rows, work.batch)[: min(count, work.steps_per_epoch)]:
                if work.batch == work.rows:
                    self.step(self.x, self.y)
                else:
                    rows = order[start : start + work.batch]
                    self.step(self.x[rows], self.y[rows])
            count -= work.steps_per_epoch

    def check(self, batches: int) -> Weights:
        self.torch.set_num_threads(self.threads)
        self.start()
        for batch in range(batches):
            start = batch * self.work.batch % self.work.rows
            self.step(self.x[start : start + self.work.batch], self.y[start : start + self.work.batch])
        return [p.detach().numpy().T for p in self.net.parameters()]


class ScikitLearn:
    """scikit-learn's MLPClassifier, one epoch of `partial_fit` at a time."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.x, self.y = work.data()
        self.start()

    def start(self, shuffle: bool = True) -> None:
        from sklearn.neural_network import MLPClassifier

        work = self.work
        self.net = MLPClassifier(
            work.sizes[1:-1],
            activation=work.activation,
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.learning_rate,
            epsilon=EPSILON,
            shuffle=shuffle,
        )
        self.net.partial_fit(self.x[: work.batch], self.y[: work.batch], classes=np.arange(work.sizes[-1]))
        arrays = work.weights()
        for own, array in zip([*self.net.coefs_, *self.net.intercepts_], [*arrays[::2], *arrays[1::2]], strict=True):
            own[...] = array
        optimizer = self.net._optimizer
        optimizer.t = 0
        for slot in (*optimizer.ms, *optimizer.vs):
            slot[...] = 0

    def steps(self, count: int) -> None:
        rows = min(count, self.work.steps_per_epoch) * self.work.batch
        for _ in range(max(1, count // self.work.steps_per_epoch)):
            self.net.partial_fit(self.x[:rows], self.y[:rows])

    def check(self, batches: int) -> Weights:
        self.start(shuffle=False)
        rows = batches * self.work.batch
        self.net.partial_fit(self.x[:rows], self.y[:rows])
        return [a for pair in zip(self.net.coefs_, self.net.intercepts_, strict=True) for a in pair]


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def settings(work: Workload, cores: int) -> Iterator[tuple[str, list[Setting]]]:
    """(peer, its settings) for a workload; a peer that can't do the work, or isn't installed, is left out."""
    yield "thalweg", [("", Thalweg)]
    if installed("torch"):
        yield (
            "PyTorch",
            [
                (
                    f"{threads} threads, {'fused' if fused else 'not fused'}",
                    lambda w, t=threads, f=fused: Torch(w, t, f),
                )
                for threads in sorted({1, cores})
                for fused in (False, True)
            ],
        )
    if installed("sklearn") and work.task == "classes":
        yield "scikit-learn", [("", ScikitLearn)]
