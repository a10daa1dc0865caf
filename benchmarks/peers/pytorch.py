"""PyTorch: the usual loop over batches that are gathered by index from tensors in memory (no DataLoader)."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.images import Images
from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.peers.pytorch_convolution import Convolve
from benchmarks.peers.pytorch_graphs import variants as graph_variants
from benchmarks.workloads import Workload

CHUNK = 2048  # rows of a part of a prediction, whose activations stay in the cache


class Flat(nn.Module):
    """(rows, channels, height, width) → (rows, height·width·channels): the order of channels last."""

    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1).flatten(1)


class Block(nn.Module):
    """He et al.'s residual block."""

    def __init__(self, inputs: int, filters: int, strides: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            Same(inputs, filters, 3, strides),
            nn.BatchNorm2d(filters, 1e-3, 0.01),
            nn.ReLU(),
            Same(filters, filters, 3, 1),
            nn.BatchNorm2d(filters, 1e-3, 0.01),
        )
        short = [nn.Conv2d(inputs, filters, 1, strides, bias=False), nn.BatchNorm2d(filters, 1e-3, 0.01)]
        self.shortcut = nn.Sequential(*short if strides > 1 else [])

    def forward(self, x: Any) -> Any:
        return nn.functional.relu(self.inside(x) + self.shortcut(x))


class Same(nn.Conv2d):
    """Keras's padding "same" for an even image: with strides of 2, the zero comes after the image."""

    def __init__(self, inputs: int, filters: int, size: int, strides: int) -> None:
        super().__init__(inputs, filters, size, strides, padding=size // 2 if strides == 1 else 0, bias=False)

    def forward(self, x: Any) -> Any:
        return super().forward(x if self.stride[0] == 1 else nn.functional.pad(x, (0, 1, 0, 1)))


def image_network(work: Images) -> nn.Sequential:
    """The layers of a network for images."""
    modules: list[nn.Module] = []
    (height, width, channels), units = work.image, 0
    for kind, *values in work.layers:
        if kind == "conv":
            same = values[2] == "same"
            padding = values[1] // 2 if same else 0
            modules.append(nn.Conv2d(channels, values[0], values[1], padding=padding, bias=values[3]))
            channels, lost = values[0], 0 if same else values[1] - 1
            height, width = height - lost, width - lost
        elif kind in ("pool", "average"):
            modules.append(nn.MaxPool2d(values[0]) if kind == "pool" else nn.AvgPool2d(values[0]))
            height, width = height // values[0], width // values[0]
        elif kind == "residual":
            modules.append(Block(channels, *values))
            channels = values[0]
        elif kind == "dense":
            modules.append(nn.Linear(units, values[0]))
            modules += [nn.ReLU()] * (values[1] == "relu")
            units = values[0]
        elif kind in ("flatten", "global"):
            modules += [nn.AdaptiveAvgPool2d(1)] * (kind == "global") + [Flat()]
            units = channels * (1 if kind == "global" else height * width)
        else:
            simple = {"relu": nn.ReLU, "dropout": nn.Dropout, "norm": partial(nn.BatchNorm2d, channels, 1e-3, 0.01)}
            modules.append(simple[kind](*values))
    return nn.Sequential(*modules)


def arrays_of(net: nn.Module) -> list[Any]:
    """The network's weights, layer by layer, with the moving averages of normalisations."""
    result: list[Any] = []
    for module in net.modules():
        result += list(module.parameters(recurse=False))
        result += [buffer for name, buffer in module.named_buffers(recurse=False) if name.startswith("running")]
    return result


def network(work: Workload) -> nn.Sequential:
    """The network; a classifier without its softmax."""
    if isinstance(work, Images):
        return image_network(work)
    function = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[work.activation]
    modules: list[nn.Module] = []
    for inputs, units in pairwise(work.sizes):
        modules += [nn.Linear(inputs, units), function()]
    return nn.Sequential(*(modules if work.task == "number" else modules[:-1]))


def give(net: nn.Module, weights: Arrays) -> None:
    with torch.no_grad():
        for parameter, array in zip(arrays_of(net), weights, strict=True):
            turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            parameter.copy_(torch.from_numpy(turned.copy()))


class Fit(Training):
    """Networks trained one after the other."""

    def __init__(self, work: Workload, fused: bool, compiled: bool = False, last: bool = False) -> None:
        self.fused, self.compiled, self.last = fused, compiled, last
        super().__init__(work)

    def make(self) -> None:
        self.nets = [network(self.work) for _ in range(self.work.networks)]
        if self.last:
            self.nets = [net.to(memory_format=torch.channels_last) for net in self.nets]
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
        if x.ndim == 4:
            x = x.permute(0, 3, 1, 2) if self.last else x.permute(0, 3, 1, 2).contiguous()
        for forward, optimizer in zip(self.forward, self.optimizers, strict=True):
            for _ in range(epochs):
                order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
                for rows in order.split(self.work.batch):
                    whole = len(rows) == len(x)
                    optimizer.zero_grad()
                    forward(x if whole else x[rows], y if whole else y[rows]).backward()
                    optimizer.step()

    def weights(self, network: int) -> Arrays:
        arrays = [p.detach().numpy() for p in arrays_of(self.nets[network])]
        return [a.transpose(2, 3, 1, 0) if a.ndim == 4 else a.T for a in arrays]


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
    if isinstance(work, Graph):
        return graph_variants(work)
    if isinstance(work, Convolution):
        return {"eager": Convolve, "eager, channels last": partial(Convolve, last=True)}
    if work.does == "predict":
        chunked = {"eager, in chunks": partial(Predict, chunk=CHUNK)} if work.rows > CHUNK else {}
        return {"eager": Predict, **chunked, "compiled": partial(Predict, compiled=True)}
    if isinstance(work, Images):
        return {
            "eager, fused": partial(Fit, fused=True),
            "eager, fused, channels last": partial(Fit, fused=True, last=True),
        }
    eager = {"eager": partial(Fit, fused=False), "eager, fused": partial(Fit, fused=True)}
    if work.does == "fit many":
        return eager  # 64 networks would be compiled 64 times
    return eager | {"compiled, fused": partial(Fit, fused=True, compiled=True)}
