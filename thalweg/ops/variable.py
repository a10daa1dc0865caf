"""Weights, as tensors to compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ShapeError, ThalwegError
from thalweg.ops.tensor import Operators
from thalweg.program.ir.instruction import PARAMETERS, Buffer


class Variable(Operators, Buffer):
    """An array of weights, as `add_weight` returns it: an operand in a layer's `call`.

    >>> from thalweg.layers import Dense, Input
    >>> import thalweg
    >>> dense = Dense(1, kernel_initializer="ones")
    >>> model = thalweg.Sequential([Input((2,)), dense])
    >>> model.build()
    >>> dense.W.numpy()
    array([[1.],
           [1.]], dtype=float32)
    """

    __slots__ = ("parameter", "path")

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        super().__init__(name, shape, PARAMETERS, per_row=False)
        self.path = name  # layer/name, once a layer lists it
        self.parameter: Any = None  # what is known of it besides: initializer, penalty, its numbers

    __str__ = Buffer.__str__
    __repr__ = Buffer.__repr__

    @property
    def array(self) -> NDArray[Any]:
        """The numbers themselves."""
        if self.parameter is None or self.parameter.array is None:
            raise ThalwegError(f"{self.name} has no numbers yet: build its model first")
        found: NDArray[Any] = self.parameter.array
        return found

    def numpy(self) -> NDArray[Any]:
        """A copy of the numbers."""
        return np.array(self.array)

    def assign(self, values: ArrayLike) -> None:
        """Replaces the numbers."""
        array = np.asarray(values)
        if array.shape != self.shape:
            raise ShapeError(f"{self.name} has the shape {self.shape}, the given values {array.shape}")
        self.array[...] = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype)
