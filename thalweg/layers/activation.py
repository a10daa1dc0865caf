"""Activations as layers: LeakyReLU, PReLU, ELU, ReLU, Softmax; penalties. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, InitVar
from typing import Annotated, Any

from thalweg import activations, ops
from thalweg.errors import ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape, check_last_axis
from thalweg.ops.masks import mask_of
from thalweg.ops.tensor import Traced
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import number, whole

__all__ = ["ELU", "ActivityRegularization", "LeakyReLU", "PReLU", "ReLU", "Softmax"]

LEAST = -1e9  # in place of what a mask leaves out: eˣ is 0


@arguments
class LeakyReLU(Layer):
    """a = x for x > 0, otherwise negative_slope·x. (As in Keras, the default is .3 here, .2 in the activation.)

    alpha: Keras's old name of negative_slope.
    """

    supports_masking = True

    negative_slope: kinds.Amount = 0.3
    name: str | None = None
    _: KW_ONLY
    alpha: InitVar[float | None] = None

    def __post_init__(self, alpha: float | None) -> None:
        if alpha is not None:
            self.negative_slope = number("LeakyReLU's negative_slope", alpha)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.leaky_relu.using(negative_slope=self.negative_slope).forward(program, x)


def axes(what: str, value: Any) -> list[int]:
    """A list of axes, from one, several or none."""
    given = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return [whole("PReLU's shared axis", axis) for axis in given]


Axes = Annotated[Taken[kinds.Sizes | None, list[int]], Checked(axes, lambda kept: kept or None)]


@arguments
class PReLU(Layer):
    """a = x for x > 0, otherwise α·x, with a trained α for each element of a row      x, a (rows, …)

    He, Zhang, Ren and Sun, ICCV 2015. At x = 0 the slope is α, as in PyTorch (Keras: 0). By default, PyTorch has one α,
    initially 0.25; here, list all axes in `shared_axes`.

    Args:
        alpha_initializer: the initial α; with 0 the layer begins as ReLU.
        alpha_regularizer: a penalty that pulls α to 0. alpha_constraint: a constraint on α after each update.
        shared_axes: the axes of x, counted from 1, along which α is the same: [1, 2] is one α for each channel of
            an image.

    >>> from thalweg import Input, Sequential
    >>> layer = PReLU(shared_axes=[1, 2])
    >>> model = Sequential([Input((28, 28, 16)), layer])
    >>> model.count_params()
    16
    """

    supports_masking = True

    alpha_initializer: kinds.Initializer = default("zeros")
    alpha_regularizer: kinds.Regularizer = default(None)
    alpha_constraint: kinds.Constraint = default(None)
    shared_axes: Axes = default(None)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        if any(axis > len(input_shape) for axis in self.shared_axes):
            raise ShapeError(f"PReLU's shared_axes {self.shared_axes} go beyond the axes of {('rows', *input_shape)}")
        shape = tuple(1 if axis in self.shared_axes else size for axis, size in enumerate(input_shape, start=1))
        self.alpha = self.add_weight(
            "α", shape, self.alpha_initializer, self.alpha_regularizer, constraint=self.alpha_constraint
        )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.prelu(x, self.alpha)


@arguments
class ActivityRegularization(Layer):
    """a = x; adds l1·Σ|x| + l2·Σ x², divided by the rows of the batch, to the loss.

    Equivalent to `activity_regularizer` of the layer before.

    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import Dense
    >>> model = Sequential([Input((1,)), Dense(1, use_bias=False), ActivityRegularization(l1=0.5)])
    >>> model.set_weights([[[1.0]]])
    >>> model.compile("sgd", "mse")
    >>> model.evaluate([[3.0], [-1.0]], [3.0, -1.0], verbose=0)  # no error, and 0.5·(3 + 1)/2
    1.0
    """

    supports_masking = True

    l1: kinds.Amount = 0.0
    l2: kinds.Amount = 0.0
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.l1 or self.l2:
            program.penalize(x, self.l1, self.l2)
        return x


@arguments
class ELU(Layer):
    """a = x for x > 0, otherwise alpha·(eˣ − 1)

    >>> from thalweg import Sequential
    >>> model = Sequential([ELU(alpha=0.5)])
    >>> model.predict([[-50.0, 1.0]])
    array([[-0.5,  1. ]], dtype=float32)
    """

    supports_masking = True

    alpha: kinds.Amount = 1.0
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.elu.using(alpha=self.alpha).forward(program, x)


@arguments
class ReLU(Layer):
    """a = min(x, max_value) for x > threshold, otherwise negative_slope·(x − threshold)

    max_value: None means no upper bound.
    """

    supports_masking = True

    max_value: Annotated[float | None, Checked(kinds.optional(number))] = None
    negative_slope: kinds.Amount = 0.0
    threshold: kinds.Amount = 0.0
    name: str | None = None

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.relu.using(
            max_value=math.inf if self.max_value is None else self.max_value,
            negative_slope=self.negative_slope,
            threshold=self.threshold,
        ).forward(program, x)


@arguments
class Softmax(Layer):
    """a = eˣ / Σ eˣ over the last axis: axis is −1 or its number.

    `mask`, (rows, …, outputs), or the mask of x: where it is 0, the output is 0, and the others add up to 1.
    """

    supports_masking = True
    takes_mask = True

    axis: kinds.Axis = -1
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        check_last_axis("Softmax", self.axis, input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        mask = mask_of(Traced(program, x))
        if mask is None:
            return activations.softmax.forward(program, x)
        if len(mask.shape) != len(x.shape) + 1 or mask.shape[-1] not in (1, x.shape[-1]):
            raise ShapeError(f"Softmax takes a mask of its outputs, of shape {(None, *x.shape)}, not of {mask.shape}")
        counted = ops.where(mask, Traced(program, x), LEAST)
        a = activations.softmax.forward(program, counted.buffer)
        return ops.where(mask, Traced(program, a), 0.0).buffer  # type: ignore[no-any-return]
