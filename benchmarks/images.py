"""The networks for images that are timed.

`layers` describes a network once, as tuples: ("conv", filters, size, padding, biased), ("pool", size),
("average", size), ("flatten",), ("dropout", rate), ("dense", units, activation), ("norm",), ("relu",),
("residual", filters, strides), ("global",). The gradient of a bias before a normalisation would be nothing but rounding
errors, which Adam would follow. The weights are thalweg's, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.workloads import Data, Weights, Workload

Layers = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Images(Workload):
    """Training of a classifier of images. `sizes` are the numbers per image, and the classes."""

    image: tuple[int, int, int] = (28, 28, 1)
    layers: Layers = ()

    def data(self) -> Data:
        generator = np.random.default_rng(0)
        x = generator.standard_normal((self.rows, *self.image), np.float32)
        return x, generator.integers(0, self.sizes[-1], self.rows)

    def weights(self, network: int = 0) -> Weights:
        return [w.copy() for w in self._weights]

    @cached_property
    def _weights(self) -> Weights:
        import thalweg
        from benchmarks.peers.ours import image_layers

        model = thalweg.Sequential([thalweg.Input(self.image), *image_layers(self.layers)], seed=1)
        model.build()
        return model.get_weights()

    @property
    def deep(self) -> bool:
        """Whether rounding errors grow through many normalisations."""
        return any(layer[0] == "residual" for layer in self.layers)

    def check_data(self) -> tuple[Data, int]:
        """One batch only if max(h, 0) follows many normalisations.

        Among millions of pre-activations a few lie within a rounding error of 0 (in PyTorch 0 to 11 of each layer's 0.5
        to 2 million change their sign from float32 to float64), and there the derivative jumps. Gradients of the first
        batch differ from PyTorch's in float64 by 0.34 % in thalweg and 1.45 % in PyTorch's float32 (the worst array's
        norm; medians 0.20 % and 0.86 %), after three steps of SGD the weights' changes by 3.6 % and 5.1 %. With x·σ(x)
        in place of max(x, 0), in the same network, it is 0.0006 % and 0.007 %: rounding, and nothing else. Without a
        kink nearby, gradients agree to 2e-6 (tests/layers/test_residual.py, which checks Adam, too).
        """
        if not self.deep:
            return super().check_data()
        x, y = self.data()
        return (x[: self.batch], y[: self.batch]), 1

    def checked(self) -> Images:
        """The work for the check that all compute the same: without dropout, whose random numbers differ.

        By plain gradient descent: Adam's first steps have the size of the learning rate however small a gradient is, so
        that in a deep network, after normalisations, rounding errors decide.
        """
        layers = tuple(layer for layer in self.layers if layer[0] != "dropout")
        return replace(self, layers=layers, optimizer="sgd", learning_rate=0.01)


def images(name: str, image: tuple[int, int, int], batch: int, steps: int, layers: Layers) -> Images:
    work = Images(name, (int(np.prod(image)), 10), batch, batch * steps, image=image, layers=layers)
    return replace(work, tolerance=5e-2) if work.deep else work


CONVNET: Layers = (
    ("conv", 32, 3, "valid", True), ("relu",), ("pool", 2), ("conv", 64, 3, "valid", True), ("relu",), ("pool", 2),
    ("flatten",), ("dropout", 0.5), ("dense", 10, None),
)  # fmt: skip
LENET: Layers = (
    ("conv", 6, 5, "same", True), ("relu",), ("average", 2), ("conv", 16, 5, "valid", True), ("relu",), ("average", 2),
    ("flatten",), ("dense", 120, "relu"), ("dense", 84, "relu"), ("dense", 10, None),
)  # fmt: skip
RESNET: Layers = (
    ("conv", 16, 3, "same", False), ("norm",), ("relu",),
    *(("residual", filters, 2 if filters > 16 and n == 0 else 1) for filters in (16, 32, 64) for n in range(3)),
    ("global",), ("dense", 10, None),
)  # fmt: skip

IMAGES = [
    images("convnet: Keras's simple MNIST convnet, batch 128, Adam", (28, 28, 1), 128, 12, CONVNET),
    images("convnet: LeNet-5, batch 64, Adam", (28, 28, 1), 64, 40, LENET),
    images("convnet: residual network 16-32-64, 3 blocks each, 32×32×3, batch 128, Adam", (32, 32, 3), 128, 16, RESNET),
]
