"""Batch, layer, group and unit normalisation, and scaling by statistics from before training, all as in Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from thalweg import ops
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Array, Layer, Shape, check_last_axis
from thalweg.ops.masks import mask_of
from thalweg.ops.tensor import Traced
from thalweg.ops.variable import WeightBuffer, to_numbers
from thalweg.program.builder import Builder
from thalweg.program.instructions.standardization import ChannelScale, Standardization
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole

__all__ = [
    "BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization", "RMSNormalization",
    "UnitNormalization",
]  # fmt: skip

LEAST = 1e-7  # the least standard deviation, so that a constant column becomes 0: Keras's epsilon
ROWS = 4096  # measured at a time


@arguments
class BatchNormalization(Layer):
    """a = γ·(x − μ)/√(σ² + ε) + β, with the mean μ and variance σ² of each channel over the batch

    Ioffe and Szegedy, ICML 2015. In training the statistics are the batch's, over all its rows and positions, even if
    several lanes share them, and the moving averages follow: moving ← momentum·moving + (1 − momentum)·batch (the
    variance is the biased one, as in Keras). Evaluation and prediction use the moving averages, and so does training
    if `trainable` is False, which freezes them. They are saved with the weights; no gradient changes them.

    Args:
        axis: the last one (the channels): -1, or its number, 3 for images.
        momentum: of the moving averages.
        epsilon: added to the variance.
        center: whether to add β. scale: whether to multiply by γ.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: initial values.
        beta_regularizer, gamma_regularizer: penalties.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((8, 8, 3)), BatchNormalization()])
    >>> model.build()
    >>> [name for name, _ in model.named_parameters()]
    ['batch_normalization/γ', 'batch_normalization/β', 'batch_normalization/μ', 'batch_normalization/σ²']
    """

    supports_masking = True

    axis: kinds.Axis = -1
    momentum: kinds.Share = 0.99
    epsilon: kinds.Amount = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: kinds.Initializer = default("zeros")
    gamma_initializer: kinds.Initializer = default("ones")
    moving_mean_initializer: kinds.Initializer = default("zeros")
    moving_variance_initializer: kinds.Initializer = default("ones")
    beta_regularizer: kinds.Regularizer = default(None)
    gamma_regularizer: kinds.Regularizer = default(None)
    name: str | None = None

    @property
    def moving_mean(self) -> WeightBuffer | None:
        """μ, the moving average of the mean, once the layer is built."""
        return self.moving[0] if self.built else None

    @property
    def moving_variance(self) -> WeightBuffer | None:
        """σ², the moving average of the variance, once the layer is built."""
        return self.moving[1] if self.built else None

    def build(self, input_shape: Shape) -> None:
        check_last_axis("BatchNormalization", self.axis, input_shape)
        shape = (input_shape[-1],)
        self.gamma = self.add_weight("γ", shape, self.gamma_initializer, self.gamma_regularizer) if self.scale else None
        self.beta = self.add_weight("β", shape, self.beta_initializer, self.beta_regularizer) if self.center else None
        self.moving = (
            self.add_weight("μ", shape, self.moving_mean_initializer, trainable=False),
            self.add_weight("σ²", shape, self.moving_variance_initializer, trainable=False),
        )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if program.training and not program.frozen and self.trainable and mask_of(Traced(program, x)) is not None:
            raise ShapeError(
                f"layer {self.shown_name} can't leave the steps of a mask out of the statistics of a batch: take "
                "LayerNormalization, or put it before the layer that makes the mask"
            )
        options = self.momentum, self.epsilon, self.trainable
        return program.batch_normalization(x, self.moving, self.gamma, self.beta, *options)


class RowNormalization(Layer):
    """Base of layers that standardise each row separately, then scale each channel by γ and shift it by β."""

    supports_masking = True

    by_place: ClassVar[bool]

    axis: kinds.Axis
    epsilon: kinds.Amount
    center: bool
    scale: bool
    beta_initializer: kinds.Initializer
    gamma_initializer: kinds.Initializer
    beta_regularizer: kinds.Regularizer
    gamma_regularizer: kinds.Regularizer

    def groups_of(self, channels: int) -> int:
        """The number of groups that the channels are divided into."""
        return 1

    def build(self, input_shape: Shape) -> None:
        check_last_axis(type(self).__name__, self.axis, input_shape)
        shape = (input_shape[-1],)
        self.parts = self.groups_of(input_shape[-1])
        self.gamma = self.add_weight("γ", shape, self.gamma_initializer, self.gamma_regularizer) if self.scale else None
        self.beta = self.add_weight("β", shape, self.beta_initializer, self.beta_regularizer) if self.center else None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.standardization(x, self.gamma, self.beta, self.parts, self.by_place, self.epsilon)


@arguments
class LayerNormalization(RowNormalization):
    """a = γ·(x − mean)/√(variance + ε) + β, mean and variance over the last axis, at each position separately

    Ba, Kiros and Hinton, arXiv 1607.06450. Training and prediction do the same.

    Args:
        axis: the last one: -1, or its number.
        epsilon: added to the variance.
        center: whether to add β. scale: whether to multiply by γ.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer: initial values and penalties.
    """

    by_place = True

    axis: kinds.Axis = -1
    epsilon: kinds.Amount = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: kinds.Initializer = default("zeros")
    gamma_initializer: kinds.Initializer = default("ones")
    beta_regularizer: kinds.Regularizer = default(None)
    gamma_regularizer: kinds.Regularizer = default(None)
    name: str | None = None


def each_or_whole(what: str, value: Any) -> int:
    """A number of groups; −1 for as many as there are channels."""
    return -1 if value == -1 else whole(what, value)


@arguments
class GroupNormalization(RowNormalization):
    """a = γ·(x − mean)/√(variance + ε) + β, mean and variance over a group of channels at all positions of a row

    Wu and He, ECCV 2018. Training and prediction do the same.

    Args:
        groups: the number of equal parts of the channels; -1: each channel by itself (instance normalisation).
        axis, epsilon, center, scale, beta_initializer, …: as in `LayerNormalization`.
    """

    by_place = False

    groups: Annotated[int, Checked(each_or_whole)] = 32
    axis: kinds.Axis = -1
    epsilon: kinds.Amount = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: kinds.Initializer = default("zeros")
    gamma_initializer: kinds.Initializer = default("ones")
    beta_regularizer: kinds.Regularizer = default(None)
    gamma_regularizer: kinds.Regularizer = default(None)
    name: str | None = None

    def groups_of(self, channels: int) -> int:
        groups = channels if self.groups == -1 else self.groups
        if channels % groups:
            raise ShapeError(f"GroupNormalization's {groups} groups don't divide the {channels} channels of its input")
        return groups


@arguments
class RMSNormalization(Layer):
    """a = γ·x/√(mean x² + ε), the mean over the last axis, at each position separately

    Zhang and Sennrich, NeurIPS 2019: layer normalisation without the mean. Training and prediction do the same.

    Args:
        axis: the last one: -1, or its number.
        epsilon: added to the mean of the squares.

    >>> import thalweg
    >>> model = thalweg.Sequential([thalweg.Input((2,)), RMSNormalization(epsilon=0.0)])
    >>> model.predict([[3.0, 4.0]]).round(3)
    array([[0.849, 1.131]], dtype=float32)
    """

    axis: kinds.Axis = -1
    epsilon: kinds.Amount = 1e-6
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        check_last_axis("RMSNormalization", self.axis, input_shape)
        self.gamma = self.add_weight("γ", (input_shape[-1],), "ones")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        program.number = self.gamma.name[1:]
        n = program.value("n", x.shape)
        n = program.append(Standardization(x, n, groups=1, by_place=True, epsilon=self.epsilon, centered=False))
        return program.append(ChannelScale(n, self.gamma, None, program.value("n", x.shape)))


def inner_axes(what: str, axis: Any) -> int | list[int]:
    """An axis or several, none of which is that of the rows."""
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    for one in axes:
        if isinstance(one, bool) or not isinstance(one, (int, np.integer)):
            raise ArgumentError(f"{what} is a whole number or a list of them, got {axis!r}")
        if one == 0:
            raise ArgumentError(f"{what} can't be 0, as that would mix the rows of a batch, got {axis!r}")
    return [int(one) for one in axes] if isinstance(axis, (list, tuple)) else int(axis)


@arguments
class UnitNormalization(Layer):
    """a = x/‖x‖, ‖x‖ = √Σx² along one axis or several of a row, and at least 1e-12

    Args:
        axis: the axes that one vector fills, rows being axis 0: a number, or a list of them.

    >>> import thalweg
    >>> thalweg.Sequential([thalweg.Input((2,)), UnitNormalization()]).predict([[3.0, 4.0]])
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    axis: Annotated[Taken[int | Sequence[int], int | list[int]], Checked(inner_axes)] = default(-1)
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)  # with None for the rows
        for axis in self.axis if isinstance(self.axis, list) else [self.axis]:
            if not 0 < axis % rank == (axis if axis > 0 else axis + rank):
                shape = ("rows", *input_shape[1:])
                raise ShapeError(f"UnitNormalization of inputs {shape} takes the axes 1 … {rank - 1}, not {axis}")

    def call(self, x: Any) -> Any:
        """The vectors of length 1."""
        return ops.normalize(x, tuple(self.axis) if isinstance(self.axis, list) else self.axis)


@arguments
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

    supports_masking = True

    axis: Annotated[int | None, Checked(kinds.optional(kinds.last_axis))] = -1
    mean: Taken[ArrayLike | None, Array] = default(None)
    variance: Taken[ArrayLike | None, Array] = default(None)
    invert: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        mean: Any = self.mean
        variance: Any = self.variance
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization takes mean and variance together, or neither")
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
        """Measures mean and variance on data (rows, …), or on batches of it, in float64; call it before training."""
        from thalweg.batches.makers import arrays_of

        if self.given:
            raise ArgumentError("this Normalization was given its mean and variance: make one without them to adapt it")
        measured: list[tuple[int, Any, Any]] = []
        for x in arrays_of(data, "Normalization.adapt"):
            measured.append(self.measured(x))
            if len({len(mean) for _, mean, _ in measured}) > 1:
                raise ShapeError("Normalization.adapt got batches whose last axes differ")
            measured = [together(*measured)] if len(measured) > 1 else measured
        if not measured:
            raise DataError("Normalization.adapt needs rows to measure, and there are no batches")
        _, mean, variance = measured[0]
        channels = len(mean)
        if self.axis is None:
            mean, variance = mean.mean(), (variance + (mean - mean.mean()) ** 2).mean()
        self.mean, self.variance, self.adapted = np.asarray(mean), np.asarray(variance), True
        for parameter, value in zip(self.parameters, self.values(channels), strict=False):
            if parameter.array is not None:
                parameter.array[...] = value

    def measured(self, data: ArrayLike) -> tuple[int, Any, Any]:
        """How many numbers each channel has in the data, and their mean and variance."""
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
        mean: Any = sum(part.sum(axis=(0, 1), dtype=np.float64) for part in parts) / places
        if not np.isfinite(mean).all():
            row = next((n for n, values in enumerate(x) if not np.isfinite(values).all()), None)
            where = "numbers too large to be summed" if row is None else f"a value that is not finite in row {row}"
            raise DataError(f"Normalization.adapt got {where}")
        variance = sum(((part - mean) ** 2).sum(axis=(0, 1), dtype=np.float64) for part in parts) / places
        return places, mean, variance

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
        given = (self.mean.tolist(), self.variance.tolist()) if self.given else (None, None)
        return super().get_config() | dict(zip(("mean", "variance"), given, strict=True))


def together(some: tuple[int, Any, Any], more: tuple[int, Any, Any]) -> tuple[int, Any, Any]:
    """Count, mean and variance of two parts as one (Chan, Golub and LeVeque 1979).

    >>> together((1, 0.0, 0.0), (3, 4.0, 2.0))
    (4, 3.0, 4.5)
    """
    count, apart = some[0] + more[0], more[1] - some[1]
    share = more[0] / count
    variance = (1 - share) * some[2] + share * more[2] + share * (1 - share) * apart**2
    return count, some[1] + share * apart, variance
