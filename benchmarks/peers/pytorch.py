"""PyTorch: the usual loop over batches that are gathered by index from tensors in memory (no DataLoader)."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.workloads import Workload

CHUNK = 2048  # rows of a prediction in parts, whose activations stay in the cache


def network(work: Workload) -> nn.Sequential:
    """The network; a classifier without its softmax."""
    function = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[work.activation]
    modules: list[nn.Module] = []
    for inputs, units in pairwise(work.sizes):
        modules += [nn.Linear(inputs, units), function()]
    return nn.Sequential(*(modules if work.task == "number" else modules[:-1]))


def give(net: nn.Module, weights: Arrays) -> None:
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(array.T.copy()))


class Fit(Training):
    """Networks trained one after the other."""

    def __init__(self, work: Workload, fused: bool, compiled: bool = False) -> None:
        self.fused, self.compiled = fused, compiled
        super().__init__(work)

    def make(self) -> None:
        self.nets = [network(self.work) for _ in range(self.work.networks)]
        self.loss = nn.CrossEntropyLoss() if self.work.task == "classes" else nn.MSELoss()
        self.forward = [self.forward_of(net) for net in self.nets]
        self.start()

    def forward_of(self, net: nn.Module) -> Any:
        def forward(x: Any, y: Any) -> Any:
            return self.loss(net(x), y)

        return torch.compile(forward, dynamic=False) if self.compiled else forward

    def start(self) -> None:
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[self.work.optimizer]
        extra = {"eps": EPSILON} if self.work.optimizer == "adam" else {}
        self.optimizers: list[Any] = []
        for number, net in enumerate(self.nets):
            give(net, self.work.weights(number))
            self.optimizers.append(kind(net.parameters(), lr=self.work.learning_rate, fused=self.fused, **extra))

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        for forward, optimizer in zip(self.forward, self.optimizers, strict=True):
            for _ in range(epochs):
                order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
                for rows in order.split(self.work.batch):
                    whole = len(rows) == len(x)
                    optimizer.zero_grad()
                    forward(x if whole else x[rows], y if whole else y[rows]).backward()
                    optimizer.step()

    def weights(self, network: int) -> Arrays:
        return [p.detach().numpy().T for p in self.nets[network].parameters()]


class Predict(Prediction):
    def __init__(self, work: Workload, chunk: int = 0, compiled: bool = False) -> None:
        self.chunk, self.compiled = chunk, compiled
        super().__init__(work)

    def make(self) -> None:
        net = network(self.work)
        give(net, self.work.weights())
        net = nn.Sequential(*net, nn.Softmax(dim=-1)).eval()
        self.net: Any = torch.compile(net, dynamic=False) if self.compiled else net

    def predict(self, x: Any) -> Any:
        with torch.inference_mode():
            rows = torch.from_numpy(x)
            if self.chunk:
                return torch.cat([self.net(part) for part in rows.split(self.chunk)]).numpy()
            return self.net(rows).numpy()


def variants(work: Workload) -> dict[str, Any]:
    if work.does == "predict":
        chunked = {"eager, in chunks": partial(Predict, chunk=CHUNK)} if work.rows > CHUNK else {}
        return {"eager": Predict, **chunked, "compiled": partial(Predict, compiled=True)}
    eager = {"eager": partial(Fit, fused=False), "eager, fused": partial(Fit, fused=True)}
    if work.does == "fit many":
        return eager  # 64 networks would be compiled 64 times
    return eager | {"compiled, fused": partial(Fit, fused=True, compiled=True)}
