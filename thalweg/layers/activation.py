"""Activations as layers: LeakyReLU, ELU, ReLU, Softmax. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
from typing import Any

from thalweg import activations
from thalweg.checks import number
from thalweg.errors import ArgumentError
from thalweg.layers.base import Layer
from thalweg.program.builder import Builder
from thalweg.program.instruction import Buffer


class LeakyReLU(Layer):
    """a = x for x > 0, otherwise negative_slope·x. (The layer's default slope is .3, the activation's .2: Keras's.)"""

    def __init__(self, negative_slope: float = 0.3, name: str | None = None) -> None:
        super().__init__(name)
        self.negative_slope = number("LeakyReLU's negative_slope", negative_slope)

    @property
    def default_name(self) -> str:
        return "leaky_re_lu"  # Keras's spelling

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.leaky_relu.using(negative_slope=self.negative_slope).forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope, "name": self.name}


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

    @property
    def default_name(self) -> str:
        return "elu"

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.elu.using(alpha=self.alpha).forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "name": self.name}


class ReLU(Layer):
    """a = max_value for x ≥ max_value, x for x ≥ threshold, otherwise negative_slope·(x − threshold)

    max_value: None is no upper bound.
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

    @property
    def default_name(self) -> str:
        return "re_lu"  # Keras's spelling

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
    """a = eˣ / Σ eˣ over the last axis; axis can only be −1."""

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        super().__init__(name)
        if axis != -1:
            raise ArgumentError(f"Softmax works along the last axis: axis can only be -1, got {axis!r}")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return activations.softmax.forward(program, x)

    def get_config(self) -> dict[str, Any]:
        return {"axis": -1, "name": self.name}
