"""Noise in training: of elements or of whole channels. Names, arguments and defaults are Keras's.

In evaluation and prediction nothing happens. The random numbers come from a counter (seed, step, element), so a run
can be repeated exactly. `seed` shifts a layer's counter; the model's seed sets all of them.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from thalweg.errors import ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions import noise
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, arguments

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"]

EACH = kinds.only(None, " draws for every element: noise_shape can only be None")


@arguments
class GaussianNoise(Layer):
    """a = x + stddev·z, z normal with mean 0 and variance 1: as if there were more data, with every row blurred."""

    supports_masking = True

    stddev: kinds.Amount
    seed: kinds.Seed = None
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.noise(noise.GaussianNoise, x, self.stddev, self.seed)


@arguments
class GaussianDropout(Layer):
    """a = x·(1 + z·√(rate/(1 − rate))), z normal with mean 0 and variance 1 (Srivastava et al., JMLR 2014)."""

    supports_masking = True

    rate: kinds.Share
    seed: kinds.Seed = None
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.noise(noise.GaussianDropout, x, math.sqrt(self.rate / (1 - self.rate)), self.seed)


@arguments
class SpatialDropout(Layer):
    """Base of the layers that drop whole channels."""

    supports_masking = True

    axes: ClassVar[tuple[str, ...]]  # of a row

    rate: kinds.Share
    seed: kinds.Seed = None
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != len(self.axes):
            wanted = f"({', '.join(self.axes)})"
            raise ShapeError(f"{type(self).__name__} takes inputs of shape {wanted}, not {input_shape}")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.noise(noise.SpatialDropout, x, self.rate, self.seed)


class SpatialDropout2D(SpatialDropout):
    """In training, each channel of each image becomes 0 with probability `rate`, the others are divided by 1 − rate.

    (rows, height, width, channels) → the same. Tompson et al., CVPR 2015: neighbouring pixels are alike, so
    dropping single ones would remove little.

    Args:
        rate: the probability, in [0, 1).
        seed: shifts the layer's random numbers; the model's seed sets all of them.

    >>> import numpy as np
    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import Flatten, Dense
    >>> model = Sequential([Input((2, 2, 3)), SpatialDropout2D(0.5), Flatten(), Dense(1)], seed=1)
    >>> model.compile("sgd", "mse")
    >>> model.trace(np.ones((1, 2, 2, 3)), [0])["r"].reshape(4, 3)
    array([[2., 0., 0.],
           [2., 0., 0.],
           [2., 0., 0.],
           [2., 0., 0.]], dtype=float32)
    """

    axes = ("height", "width", "channels")


class SpatialDropout1D(SpatialDropout):
    """In training, each channel of each sequence becomes 0 with probability `rate`, the others are divided by 1 − rate.

    (rows, steps, channels) → the same. Arguments as in `SpatialDropout2D`.
    """

    axes = ("steps", "channels")


@arguments
class AlphaDropout(Layer):
    """Dropout for selu: dropped elements become −1.758, and all are scaled to keep mean 0 and variance 1.

    Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017. Each element is drawn separately: Keras's
    `noise_shape` can only be None.
    """

    supports_masking = True

    rate: kinds.Share
    noise_shape: Annotated[None, Checked(EACH)] = None
    seed: kinds.Seed = None
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.noise(noise.AlphaDropout, x, self.rate, self.seed)
