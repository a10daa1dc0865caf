"""Weights, as tensors to compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import DataError, ShapeError, ThalwegError
from thalweg.ops.tensor import Operators, caller, current
from thalweg.program.ir.instruction import PARAMETERS, Buffer
from thalweg.support.frames import as_array


class WeightBuffer(Operators, Buffer):
    """Base of weights, which are `Variable`s: an array of numbers, and an operand in a layer's `call`.

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
    def known(self) -> bool:
        """Whether it has numbers."""
        return self.parameter is not None and self.parameter.array is not None

    @property
    def array(self) -> NDArray[Any]:
        """The numbers themselves."""
        if not self.known:
            raise ThalwegError(f"{self.name} has no numbers yet: build its model first")
        found: NDArray[Any] = self.parameter.array
        return found

    def numpy(self) -> NDArray[Any]:
        """A copy of the numbers."""
        return np.array(self.array)

    @property
    def value(self) -> NDArray[Any]:
        """A copy of the numbers, as in Keras."""
        return self.numpy()

    def assign(self, values: ArrayLike) -> None:
        """Replaces the numbers."""
        if current() is not None:
            raise ThalwegError(
                f"{caller()}: a call is written down once, before there are numbers, so it can't assign {self.name}: "
                "do it in a callback, between batches"
            )
        array = np.asarray(values)
        if array.shape != self.shape:
            raise ShapeError(f"{self.name} has the shape {self.shape}, the given values {array.shape}")
        self.array[...] = array

    def assign_add(self, values: ArrayLike) -> None:
        """Adds to the numbers."""
        self.assign(self.array + np.asarray(values))

    def assign_sub(self, values: ArrayLike) -> None:
        """Subtracts from the numbers."""
        self.assign(self.array - np.asarray(values))

    def __float__(self) -> float:
        return float(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype)


class HasVariables:
    """Base of what has weights: lists of them, each an array with a name, `numpy()` and `assign(values)`.

    >>> import thalweg
    >>> dense = thalweg.layers.Dense(2, input_dim=3)
    >>> model = thalweg.Sequential([dense])
    >>> [w.path for w in model.weights], dense.bias.shape
    (['dense/W', 'dense/b'], (2,))
    >>> dense.bias.assign([1.0, 2.0])
    >>> model.trainable_weights[1].numpy()
    array([1., 2.], dtype=float32)
    """

    def all_parameters(self) -> list[tuple[str, Any]]:
        """(path, parameter) of all weights."""
        raise NotImplementedError

    def trained_parameters(self) -> list[tuple[str, Any]]:
        """Those of `all_parameters` that gradients change."""
        raise NotImplementedError

    @property
    def weights(self) -> list[WeightBuffer]:
        """All weights, kernel before bias; none before they are built."""
        return variables_of(self.all_parameters())

    @property
    def trainable_weights(self) -> list[WeightBuffer]:
        """The weights that gradients change: none of a layer with `trainable = False`."""
        trained = {id(p) for _, p in self.trained_parameters()}
        return [w for w in self.weights if id(w.parameter) in trained]

    @property
    def non_trainable_weights(self) -> list[WeightBuffer]:
        """The other weights: moving averages, and all of a layer with `trainable = False`."""
        trained = {id(p) for _, p in self.trained_parameters()}
        return [w for w in self.weights if id(w.parameter) not in trained]

    @property
    def variables(self) -> list[WeightBuffer]:
        """The same as `weights`: there are no others."""
        return self.weights

    @property
    def trainable_variables(self) -> list[WeightBuffer]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[WeightBuffer]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights


def variables_of(parameters: list[tuple[str, Any]]) -> list[WeightBuffer]:
    """The weights themselves, each once, told their path."""
    found: dict[int, WeightBuffer] = {}
    for path, parameter in parameters:
        if id(parameter) not in found:
            parameter.buffer.path = path
            found[id(parameter)] = parameter.buffer
    return list(found.values())


def set_arrays(parameters: list[tuple[str, Any]], weights: list[ArrayLike]) -> None:
    """Checks every array first, then replaces them all: a wrong one changes nothing."""
    if len(weights) != len(parameters):
        raise ShapeError(f"set_weights got {len(weights)} arrays for {len(parameters)}: {[p for p, _ in parameters]}")
    arrays = [to_numbers(w, path) for (path, _), w in zip(parameters, weights, strict=True)]
    for (path, parameter), array in zip(parameters, arrays, strict=True):
        if array.shape != parameter.buffer.shape:
            raise ShapeError(f"{path} has the shape {parameter.buffer.shape}, the given array {array.shape}")
        if parameter.array is None:
            raise ThalwegError(f"{path} has no memory yet: build the model first")
        if (
            array.dtype.itemsize > parameter.array.itemsize
            and np.abs(array).max() > np.finfo(parameter.array.dtype).max
        ):
            raise DataError(f"the array for {path} holds a number too large for {parameter.array.dtype}")
    for (_, parameter), array in zip(parameters, arrays, strict=True):
        assert parameter.array is not None
        parameter.array[...] = array


def to_numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """`values` as an array of numbers."""
    try:
        array = as_array(values, what)
    except DataError:
        raise
    except ValueError:  # rows of different lengths
        raise ShapeError(f"the values for {what} don't form an array: their lengths differ") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"the values for {what} have to be numbers, got an array of {array.dtype}")
    return array
