"""Keras's attributes of the weights of a layer or a model: weights, trainable_weights, variables …"""

from __future__ import annotations

from typing import Any

from thalweg.ops.variable import Variable


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
