"""The network of a perceptron: Dense layers, with normalization and dropout between them where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import layers, regularizers
from thalweg.errors import ArgumentError
from thalweg.models.sequential import Sequential
from thalweg.sklearn.aim import OURS
from thalweg.support.checks import number

Array = NDArray[Any]


@dataclass(frozen=True)
class Hidden:
    """A hidden layer: units, activation, the share of its outputs that is dropped, whether it is normalized."""

    units: int
    activation: Any
    dropout: float
    normalized: bool


def hidden_layers(sizes: Any, activation: Any, dropout: Any, normalized: bool) -> list[Hidden]:
    """The hidden layers; activation and dropout are one for all, or a list with one for each."""
    units = [int(n) for n in (sizes if hasattr(sizes, "__iter__") else [sizes])]
    if any(n <= 0 for n in units):
        raise ArgumentError(f"hidden_layer_sizes must be > 0, got {units}.")
    every = zip(
        units, one_each("activation", activation, len(units)), one_each("dropout", dropout, len(units)), strict=True
    )
    return [Hidden(n, given, number("dropout", share, 0, 1), normalized) for n, given, share in every]


def one_each(what: str, given: Any, count: int) -> list[Any]:
    """One value for each hidden layer."""
    if not isinstance(given, (list, tuple, np.ndarray)):
        return [given] * count
    if len(given) != count:
        raise ArgumentError(
            f"{what} has {len(given)} values for {count} hidden layers: give one for each, or one alone"
        )
    return list(given)


def network(
    inputs: int, hidden: Sequence[Hidden], outputs: int, activation: str, l2: float, seed: int, dtype: str
) -> Sequential:
    """The network; its Dense layers are called layer_1, layer_2, …

    A hidden layer is act(x·W + b), normalized before act if asked for, and dropped after it.
    """
    penalty = regularizers.L2(l2) if l2 else None
    stack: list[Any] = [layers.Input((inputs,))]
    for n, h in enumerate(hidden, start=1):
        act = OURS.get(h.activation, h.activation) if isinstance(h.activation, str) else h.activation
        inside = None if h.normalized else act
        stack.append(layers.Dense(h.units, activation=inside, kernel_regularizer=penalty, name=f"layer_{n}"))
        if h.normalized:
            stack += [layers.BatchNormalization(), layers.Activation(act)]
        if h.dropout:
            stack.append(layers.Dropout(h.dropout))
    end = f"layer_{len(hidden) + 1}"
    stack.append(layers.Dense(outputs, activation=activation, kernel_regularizer=penalty, name=end))
    engine = "native" if dtype == "float32" else "reference"
    model = Sequential(stack, seed=seed, engine=engine, dtype=dtype)
    model.build()
    return model


def draw_weights(model: Sequential, hidden: Sequence[Hidden], random: np.random.RandomState, dtype: Any) -> None:
    """Draws the initial weights that scikit-learn draws: within ±√(6/(inputs + units)), with "logistic" ±√(2/…).

    Biases are drawn like weights. The output layer follows the activation of the last hidden one.
    """
    acts = [h.activation for h in hidden]
    for W, b, act in zip(*kernels_and_biases(model), [*acts, acts[-1] if acts else None], strict=True):
        factor = 2.0 if isinstance(act, str) and act == "logistic" else 6.0
        bound = np.sqrt(factor / (W.shape[0] + W.shape[1]))
        W[...] = random.uniform(-bound, bound, W.shape).astype(dtype, copy=False)
        b[...] = random.uniform(-bound, bound, b.shape).astype(dtype, copy=False)


def kernels_and_biases(model: Sequential) -> tuple[list[Array], list[Array]]:
    """The kernels and the biases of the Dense layers, as views of the network's weights."""
    found: dict[str, list[Array]] = {"W": [], "b": []}
    for path, parameter in model.named_parameters():
        key = path.rpartition("/")[2]
        if key in found:
            assert parameter.array is not None
            found[key].append(parameter.array)
    return found["W"], found["b"]
