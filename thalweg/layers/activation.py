"""Activations as layers: LeakyReLU, PReLU, ELU, ReLU, Softmax; penalties. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thalweg import activations, constraints, initializers, regularizers
from thalweg.errors import ShapeError
from thalweg.layers.kernel_layer import RegularizerLike
from thalweg.layers.layer import Layer, Shape, check_last_axis, last_axis
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import number, whole

__all__ = ["ELU", "ActivityRegularization", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class LeakyReLU(Layer):
    """a = x for x > 0, otherwise negative_slope·x. (As in Keras, the default is .3 here, .2 in the activation.)

    alpha: Keras's old name of negative_slope.
    """

    def __init__(self, negative_slope: float = 0.3, name: str | None = None, *, alpha: float | None = None) -> None:
        super().__init__(name)
        slope = negative_slope if alpha is None else alpha
        self.negative_slope = number("LeakyReLU's negative_slope", slope)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.leaky_relu.using(negative_slope=self.negative_slope).forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope, "name": self.name}


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

    def __init__(
        self,
        alpha_initializer: initializers.InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: constraints.ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = shared_axes if isinstance(shared_axes, (list, tuple)) else [] if shared_axes is None else [shared_axes]
        self.shared_axes = [whole("PReLU's shared axis", axis) for axis in axes]

    def build(self, input_shape: Shape) -> None:
        if any(axis > len(input_shape) for axis in self.shared_axes):
            raise ShapeError(f"PReLU's shared_axes {self.shared_axes} go beyond the axes of {('rows', *input_shape)}")
        shape = tuple(1 if axis in self.shared_axes else size for axis, size in enumerate(input_shape, start=1))
        self.alpha = self.add_weight(
            "α", shape, self.alpha_initializer, self.alpha_regularizer, constraint=self.alpha_constraint
        )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.prelu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes or None,
            "name": self.name,
        }


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

    def __init__(self, l1: float = 0.0, l2: float = 0.0, name: str | None = None) -> None:
        super().__init__(name)
        self.l1 = number("ActivityRegularization's l1", l1)
        self.l2 = number("ActivityRegularization's l2", l2)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.l1 or self.l2:
            program.penalize(x, self.l1, self.l2)
        return x

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2, "name": self.name}


class ELU(Layer):
    """a = x for x > 0, otherwise alpha·(eˣ − 1)

    >>> from thalweg import Sequential
    >>> model = Sequential([ELU(alpha=0.5)])
    >>> model.predict([[-50.0, 1.0]])
    array([[-0.5,  1. ]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, name: str | None = None) -> None:
        super().__init__(name)
        self.alpha = number("ELU's alpha", alpha)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.elu.using(alpha=self.alpha).forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "name": self.name}


class ReLU(Layer):
    """a = min(x, max_value) for x > threshold, otherwise negative_slope·(x − threshold)

    max_value: None means no upper bound.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.max_value = None if max_value is None else number("ReLU's max_value", max_value)
        self.negative_slope = number("ReLU's negative_slope", negative_slope)
        self.threshold = number("ReLU's threshold", threshold)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.relu.using(
            max_value=math.inf if self.max_value is None else self.max_value,
            negative_slope=self.negative_slope,
            threshold=self.threshold,
        ).forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
            "name": self.name,
        }


class Softmax(Layer):
    """a = eˣ / Σ eˣ over the last axis: axis is −1 or its number."""

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        self.axis = last_axis("Softmax", axis)

    def build(self, input_shape: Shape) -> None:
        check_last_axis("Softmax", self.axis, input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.softmax.forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis, "name": self.name}
