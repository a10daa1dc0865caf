"""Activation functions, by Keras's names. Each can be given to a layer, by name or itself, and called on an array.

>>> import numpy as np
>>> relu(np.array([-1.0, 2.0]))
array([0., 2.])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError
from thalweg.naming import choose
from thalweg.program import elementwise
from thalweg.program.builder import Builder
from thalweg.program.instruction import Buffer


@dataclass(frozen=True)
class ActivationFunction:
    """A named function a = f(h), carried out by one instruction (or by none, for `linear`)."""

    name: str
    instruction: type[elementwise.Elementwise] | type[elementwise.Softmax] | None
    constants: tuple[float, ...] = ()

    def forward(self, program: Builder, h: Buffer) -> Buffer:
        """Appends the instruction."""
        if self.instruction is None:
            return h
        if issubclass(self.instruction, elementwise.Softmax):
            return program.softmax(h)
        return program.elementwise(self.instruction, h, *self.constants)

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        """f(x) by the NumPy reference, in the precision of x (whole numbers become float64)."""
        h = np.asarray(x)
        h = h if np.issubdtype(h.dtype, np.floating) else h.astype(np.float64)
        if self.instruction is None:
            return h
        source, result = Buffer("h", h.shape[1:]), Buffer("a", h.shape[1:])
        values = {source: h, result: np.empty_like(h)}
        self.instruction(source, result, *self.constants).reference(values)  # type: ignore[arg-type]
        return values[result]


linear = ActivationFunction("linear", None)
sigmoid = ActivationFunction("sigmoid", elementwise.Sigmoid)
tanh = ActivationFunction("tanh", elementwise.Tanh)
relu = ActivationFunction("relu", elementwise.Relu)
leaky_relu = ActivationFunction("leaky_relu", elementwise.LeakyRelu, (0.2,))
softmax = ActivationFunction("softmax", elementwise.Softmax)

NAMES = {f.name: f for f in (linear, sigmoid, tanh, relu, leaky_relu, softmax)}


def get(identifier: str | ActivationFunction | dict[str, Any] | None) -> ActivationFunction:
    """An activation from its name, from what `serialize` returned, or itself; None is linear.

    >>> get("relu").name
    'relu'
    """
    if identifier is None:
        return linear
    if isinstance(identifier, ActivationFunction):
        return identifier
    if isinstance(identifier, dict):
        kind = choose("activation", identifier["name"], NAMES)
        return ActivationFunction(kind.name, kind.instruction, tuple(identifier["constants"]))
    if isinstance(identifier, str):
        return choose("activation", identifier, NAMES)
    raise ArgumentError(
        f"an activation is a name or one of thalweg.activations, got {identifier!r}. Choose from: {', '.join(NAMES)}"
    )


def serialize(function: ActivationFunction) -> str | dict[str, Any]:
    """A plain description that `get` turns back into an equal activation: the name where that is enough."""
    if NAMES.get(function.name) == function:
        return function.name
    return {"name": function.name, "constants": list(function.constants)}
