"""Normalization: scales inputs by statistics of data from before training. Names and defaults are Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers.layer import Array, Layer, Shape, check_last_axis, last_axis
from thalweg.ops.variable import to_numbers
from thalweg.program.builder import Builder
from thalweg.program.instructions.standardization import ChannelScale
from thalweg.program.ir.instruction import Buffer

__all__ = ["Normalization"]

LEAST = 1e-7  # the least standard deviation, so that a constant column becomes 0: Keras's epsilon
ROWS = 4096  # measured at a time


class Normalization(Layer):
    """z = (x − mean)/σ, σ the square root of the variance, at least 1e-7; with `invert` z = mean + σ·x

    Mean and variance are given, or measured by `adapt` before training; until then they are 0 and 1. Training doesn't
    change them; they are saved with the weights.

    Args:
        axis: −1, or the last axis's number: a mean and variance for each column or channel; None: one for everything.
        mean, variance: both or neither: a number, or one for each column or channel.
        invert: whether to undo the scaling.

    >>> import numpy as np
    >>> from thalweg import Input, Sequential
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 11.0]]))
    >>> Sequential([Input((2,)), layer]).predict([[1.0, 11.0]])
    array([[0., 1.]], dtype=float32)
    """

    title_zh = "標準化"
    summary_zh = "以訓練資料的平均與變異數標準化輸入。"

    def __init__(
        self,
        axis: int | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization takes mean and variance together, or neither")
        self.axis = None if axis is None else last_axis("Normalization", axis)
        self.invert = bool(invert)
        self.given = mean is not None
        self.mean = self.given_numbers("mean", 0.0 if mean is None else mean)
        self.variance = self.given_numbers("variance", 1.0 if variance is None else variance)
        if (self.variance < 0).any():
            raise ArgumentError(f"Normalization's variance can't be negative, got {variance!r}")

    def given_numbers(self, what: str, values: ArrayLike) -> Array:
        """One number, or a vector if each column or channel has its own."""
        array = to_numbers(values, f"Normalization's {what}").astype(np.float64)
        if array.ndim > (self.axis is not None):
            wanted = "a number" if self.axis is None else "a number or a vector"
            raise ArgumentError(f"Normalization's {what} is {wanted}, got an array of shape {array.shape}")
        if not np.isfinite(array).all():
            raise ArgumentError(f"Normalization's {what} has to be finite, got {values!r}")
        return array

    def adapt(self, data: ArrayLike) -> None:
        """Measures mean and variance on data of shape (rows, …), in float64; call it before training."""
        if self.given:
            raise ArgumentError("this Normalization was given its mean and variance: make one without them to adapt it")
        x = to_numbers(data, "Normalization.adapt")
        if x.size == 0 or x.ndim == 0:
            raise DataError(f"Normalization.adapt needs rows to measure, got an array of shape {x.shape}")
        if self.axis is not None:
            check_last_axis("Normalization.adapt", self.axis, x.shape[1:] or (1,))
        channels = x.shape[-1] if x.ndim > 1 else 1
        if self.input_shape is not None and channels != self.input_shape[-1]:
            raise ShapeError(
                f"Normalization.adapt got data of shape {x.shape} for a layer with inputs of {self.input_shape}: "
                "the last axes differ"
            )
        x = x.reshape(len(x), -1, channels)
        parts = [x[first : first + ROWS] for first in range(0, len(x), ROWS)]
        places = len(x) * x.shape[1]
        mean = sum(part.sum(axis=(0, 1), dtype=np.float64) for part in parts) / places
        if not np.isfinite(mean).all():
            row = next((n for n, values in enumerate(x) if not np.isfinite(values).all()), None)
            where = "numbers too large to be summed" if row is None else f"a value that is not finite in row {row}"
            raise DataError(f"Normalization.adapt got {where}")
        variance = sum(((part - mean) ** 2).sum(axis=(0, 1), dtype=np.float64) for part in parts) / places
        if self.axis is None:
            mean, variance = mean.mean(), (variance + (mean - mean.mean()) ** 2).mean()
        self.mean, self.variance = np.asarray(mean), np.asarray(variance)
        for parameter, value in zip(self.parameters, self.values(channels), strict=False):
            if parameter.array is not None:
                parameter.array[...] = value

    def values(self, channels: int) -> tuple[Array, Array]:
        """The contents of the layer's arrays: the mean and the variance, or σ with `invert`."""
        least = np.maximum(self.variance, LEAST**2)
        mean, scale = (np.broadcast_to(v, (channels,)) for v in (self.mean, np.sqrt(least) if self.invert else least))
        return mean, scale

    def build(self, input_shape: Shape) -> None:
        if self.axis is not None:
            check_last_axis("Normalization", self.axis, input_shape)
        channels = input_shape[-1]
        for what, values in (("mean", self.mean), ("variance", self.variance)):
            if values.ndim and len(values) != channels:
                raise ShapeError(f"Normalization's {what} has {len(values)} numbers for {channels} columns or channels")
        mean, scale = self.values(channels)
        self.centre = self.add_weight("μ", (channels,), mean, trainable=False)
        self.scale = self.add_weight("σ" if self.invert else "σ²", (channels,), scale, trainable=False)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        program.number = self.centre.name.lstrip("μ")
        if self.invert:
            return program.append(ChannelScale(x, self.scale, self.centre, program.value("n", x.shape)))
        return program.normalization(x, self.centre, self.scale, None, None, 0.0)

    def get_config(self) -> dict[str, Any]:
        given = {"mean": self.mean.tolist(), "variance": self.variance.tolist()} if self.given else {}
        return {"axis": self.axis, "mean": None, "variance": None, **given, "invert": self.invert, "name": self.name}
