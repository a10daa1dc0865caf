"""Keras's attributes of the weights of a layer or a model: weights, trainable_weights, variables …"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import DataError, ShapeError, ThalwegError
from thalweg.ops.variable import Variable
from thalweg.support.frames import as_array


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
    def weights(self) -> list[Variable]:
        """All weights, kernel before bias; none before they are built."""
        return variables_of(self.all_parameters())

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that gradients change: none of a layer with `trainable = False`."""
        trained = {id(p) for _, p in self.trained_parameters()}
        return [w for w in self.weights if id(w.parameter) in trained]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The other weights: moving averages, and all of a layer with `trainable = False`."""
        trained = {id(p) for _, p in self.trained_parameters()}
        return [w for w in self.weights if id(w.parameter) not in trained]

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`: there are no others."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights


def variables_of(parameters: list[tuple[str, Any]]) -> list[Variable]:
    """The weights themselves, each once, told their path."""
    found: dict[int, Variable] = {}
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
