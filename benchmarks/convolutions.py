"""Single convolutions: forward alone, and with both gradients, beside a peer's and the processor's peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import Data, Weights, Workload


@dataclass(frozen=True)
class Convolution(Workload):
    """A 3×3 convolution that keeps the size of a square image. The data are the images and dh, the error terms."""

    side: int = 28
    gradients: bool = True  # with respect to the kernel and the images, beside the forward pass

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.side, self.side, self.sizes[0])

    @property
    def flops(self) -> int:
        """Of a call by the definition, zeros around the image included: the same for all, even if some need fewer."""
        inputs, outputs = self.sizes
        once = 2 * 9 * self.batch * self.side**2 * inputs * outputs
        return 3 * once if self.gradients else once

    def data(self) -> Data:
        generator = np.random.default_rng(0)
        x = generator.standard_normal((self.batch, *self.shape), np.float32)
        return x, generator.standard_normal((*x.shape[:-1], self.sizes[1]), np.float32)

    def weights(self, network: int = 0) -> Weights:
        """The kernel (3, 3, inputs, outputs)."""
        return [np.random.default_rng(1).standard_normal((3, 3, *self.sizes), np.float32)]


def convolution(side: int, inputs: int, outputs: int, gradients: bool) -> Convolution:
    what = "forward and both gradients" if gradients else "forward"
    name = f"convolutions: 3×3, {side}×{side}, {inputs}→{outputs}, batch 64, {what}"
    return Convolution(name, (inputs, outputs), 64, 64, "convolve", side=side, gradients=gradients)


SHAPES = ((28, 16, 32), (32, 32, 32), (16, 64, 64), (8, 128, 128))
CONVOLUTIONS = [convolution(*shape, gradients) for shape in SHAPES for gradients in (False, True)]
