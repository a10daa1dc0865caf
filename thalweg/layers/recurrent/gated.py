"""The cells of recurrent layers: what they compute in one step."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

from thalweg import ops
from thalweg.initializers import Initializer
from thalweg.layers import kinds
from thalweg.layers.layer import Shape
from thalweg.layers.recurrent.cell import (
    Cell,
    GateArguments,
    Implementation,
    LSTMArguments,
    Masks,
    Product,
    UnitArguments,
    product,
)
from thalweg.support.arguments import arguments

__all__ = ["GRUCell", "LSTMCell", "SimpleRNNCell"]

States = tuple[Any, ...]


@arguments
class SimpleRNNCell(UnitArguments, Cell):
    """One step of `SimpleRNN`: h′ = tanh(x·W + h·R + b), for `RNN` and `StackedRNNCells`.

    Args:
        units, …, recurrent_dropout, seed: those of `SimpleRNN`.

    Called as cell(x, [h]) with x (rows, inputs) and h (rows, units); returns (h′, [h′]).

    >>> import numpy as np
    >>> cell = SimpleRNNCell(4)
    >>> output, states = cell(np.ones((2, 3)), [np.zeros((2, 4))])
    >>> output.shape, cell.count_params()
    ((2, 4), 32)
    """

    seed: kinds.Seed = None
    name: str | None = None

    gates = 1

    def step(self, x: Any, states: States, *recurrent: Product) -> tuple[Any, States]:
        h = self.activation(x + recurrent[0](states[0]))
        return h, (h,)


class Remembering(Cell):
    """Base of cells with the gates of an LSTM."""

    gates = 4
    activation: Any
    recurrent_activation: Any
    unit_forget_bias: bool

    def first_bias(self) -> Any:
        return ForgetBias(self.bias_initializer) if self.unit_forget_bias else self.bias_initializer

    def step(self, x: Any, states: States, *recurrent: Product) -> tuple[Any, States]:
        h, c = states
        i, f, z, o = ops.split(x + recurrent[0](h), 4, -1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(z)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, (h, c)


@arguments
class LSTMCell(LSTMArguments, Remembering):
    """One step of `LSTM`, for `RNN` and `StackedRNNCells`.

    Args:
        units, …, recurrent_dropout, seed, implementation: those of `LSTM`.

    Called as cell(x, [h, c]) with x (rows, inputs), h and c (rows, units); returns (h′, [h′, c′]).

    >>> import numpy as np
    >>> cell = LSTMCell(4)
    >>> output, (h, c) = cell(np.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape, cell.count_params()
    ((2, 4), 128)
    """

    seed: kinds.Seed = None
    name: str | None = None
    _: KW_ONLY
    implementation: Implementation = 2

    @property
    def state_size(self) -> list[int]:
        """Those of h and c."""
        return [self.units, self.units]


class ForgetBias(Initializer):
    """The bias of an LSTM: 1 for the forget gate (Jozefowicz et al., ICML 2015), what another one draws elsewhere."""

    def __init__(self, others: Initializer) -> None:
        self.others = others

    def sample(self, shape: Shape, generator: Any) -> Any:
        u = shape[0] // 4
        return ops.concatenate([self.others((u,), generator), ops.ones(u), self.others((2 * u,), generator)])


@arguments
class GRUCell(GateArguments, Cell):
    """One step of `GRU`, for `RNN` and `StackedRNNCells`.

    Args:
        units, …, recurrent_dropout, reset_after, seed, implementation: those of `GRU`.

    Called as cell(x, [h]) with x (rows, inputs) and h (rows, units); returns (h′, [h′]).

    >>> import numpy as np
    >>> cell = GRUCell(4)
    >>> output, states = cell(np.ones((2, 3)), [np.zeros((2, 4))])
    >>> output.shape, cell.bias.shape
    ((2, 4), (2, 12))
    """

    reset_after: bool = True
    seed: kinds.Seed = None
    name: str | None = None
    _: KW_ONLY
    implementation: Implementation = 2

    gates = 3

    @property
    def bias_shape(self) -> Shape:
        """Of x·W, and of h·R too if the reset comes after that product."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self) -> Any:
        return self.bias[0] if self.use_bias and self.reset_after else self.bias

    def recurrent(self, masks: Masks) -> list[Product]:
        R, u = self.recurrent_kernel, self.units
        if self.reset_after:
            return [product(R, masks, self.bias[1] if self.use_bias else None)]
        return [product(R[:, : 2 * u], masks[:2]), product(R[:, 2 * u :], masks[-1:])]

    def step(self, x: Any, states: States, *recurrent: Product) -> tuple[Any, States]:
        (h,), (xz, xr, xh) = states, ops.split(x, 3, -1)
        hz, hr, *hh = ops.split(recurrent[0](h), 3 if self.reset_after else 2, -1)
        z, r = self.recurrent_activation(xz + hz), self.recurrent_activation(xr + hr)
        candidate = self.activation(xh + (r * hh[0] if self.reset_after else recurrent[1](r * h)))
        h = z * h + (1 - z) * candidate
        return h, (h,)
