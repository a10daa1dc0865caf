"""Layers around a layer: both ways through a sequence, and the same layer at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import InitVar
from inspect import signature
from typing import Annotated, Any

from numpy.typing import ArrayLike

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.initializers import FromArray
from thalweg.layers.containers import Wrapper
from thalweg.layers.core import Activation, Dense, Dropout
from thalweg.layers.kinds import one_of, optional, owner
from thalweg.layers.layer import Layer, serialize
from thalweg.layers.recurrent.rnn import Recurrent
from thalweg.ops.masks import flat
from thalweg.ops.variable import to_numbers
from thalweg.support.arguments import Checked, Taken, arguments

__all__ = ["Bidirectional", "TimeDistributed"]


def recurrent_layer(what: str, layer: Any) -> Any:
    """A layer that goes through a sequence."""
    if not isinstance(layer, Recurrent):
        raise ArgumentError(f"{owner(what)} takes a recurrent layer, such as LSTM(32) or RNN(cell), got {layer!r}")
    layer.check_free()
    return deepcopy(layer)


MERGING: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda x, y: ops.concatenate([x, y], -1),
    "sum": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "ave": lambda x, y: (x + y) / 2,
}
Merging = Annotated[str | None, Checked(optional(one_of(*MERGING)))]


@arguments
class Bidirectional(Layer):
    """Two layers go through a sequence, one forwards and one backwards; what both return is merged, step by step.

    Schuster and Paliwal, 1997.

    Args:
        layer: a recurrent layer, such as `LSTM(32)`; of it is made the one that goes the other way, too.
        merge_mode: "concat" along the last axis, "sum", "mul", "ave", or None: a tuple of both.
        weights: the initial weights, a list of the arrays of one layer and then of the other.
        backward_layer: another layer for the way back, with go_backwards=True.

    Called as layer(x, initial_state=None, mask=None, training=None); initial_state is a list of the states of one and
    then of the other, in which order return_state returns them, too. A step that is left out by the mask has the output
    0 where the outputs of all steps are returned.

    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import LSTM
    >>> model = Sequential([Input((5, 3)), Bidirectional(LSTM(4, return_sequences=True))])
    >>> model.output_shape, model.count_params()
    ((None, 5, 8), 256)
    """

    fed = ("initial_state", "mask")
    supports_masking = True

    layer: Annotated[Taken[Layer, Any], Checked(recurrent_layer, serialize)]
    merge_mode: Merging = "concat"
    weights: InitVar[Sequence[ArrayLike] | None] = None
    backward_layer: Annotated[Any, Checked(optional(recurrent_layer), serialize)] = None
    name: str | None = None

    def __post_init__(self, weights: Any) -> None:
        self.first_weights = weights
        one, other = self.layer, self.backward_layer
        if other is None:
            self.backward_layer = other = deepcopy(one)
            other.go_backwards, other.name = True, way(one, "backward")
        one.name = way(one, "forward")
        if one.go_backwards == other.go_backwards:
            raise ArgumentError(
                "Bidirectional: layer goes forwards and backward_layer backwards, got go_backwards="
                f"{one.go_backwards} and {other.go_backwards}"
            )
        for name in ("return_sequences", "return_state", "stateful"):
            if getattr(one, name) != getattr(other, name):
                raise ArgumentError(f"Bidirectional: layer and backward_layer differ in {name}")
        for layer in (one, other):
            layer.zero_output_for_mask = layer.return_sequences

    @property
    def forward_layer(self) -> Any:
        """The layer that goes forwards."""
        return self.layer

    @property
    def stateful(self) -> bool:
        """Whether the layers keep their states from batch to batch."""
        return bool(self.layer.stateful)

    @property
    def states(self) -> tuple[Any, ...] | None:
        """With stateful=True, the states with which the next batch begins, of one and then of the other."""
        one, other = self.layer.states, self.backward_layer.states
        return None if one is None or other is None else (*one, *other)

    def reset_state(self) -> None:
        """Lets the next batch begin with zeros."""
        for layer in (self.layer, self.backward_layer):
            layer.reset_state()

    def reset_states(self) -> None:
        """The same, by its older name."""
        self.reset_state()

    def build(self, sequences_shape: Any) -> None:
        for layer in (self.layer, self.backward_layer):
            layer.build(sequences_shape)
        if self.first_weights:
            parameters = [pair for layer in (self.layer, self.backward_layer) for pair in layer.all_parameters()]
            if len(parameters) != len(self.first_weights):
                raise ShapeError(f"Bidirectional's weights are {len(parameters)} arrays, got {len(self.first_weights)}")
            for (path, parameter), given in zip(parameters, self.first_weights, strict=True):
                parameter.initializer = FromArray(to_numbers(given, path))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the sequence for the outputs of all steps; last ones and states have none."""
        mask = flat(previous_mask)[0] if self.layer.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        """What both return, merged."""
        half = None if initial_state is None else len(initial_state) // 2
        ways = (
            layer(sequences, initial_state=None if half is None else initial_state[part], mask=mask)
            for layer, part in ((self.layer, slice(half)), (self.backward_layer, slice(half, None)))
        )
        (one, *states), (other, *others) = (y if self.layer.return_state else (y,) for y in ways)
        if self.layer.return_sequences:
            other = ops.flip(other, 1)
        output = (one, other) if self.merge_mode is None else (MERGING[self.merge_mode](one, other),)
        result = (*output, *states, *others)
        return result if len(result) > 1 else result[0]


def way(layer: Any, direction: str) -> str:
    """The name of a layer that goes one way: forward_lstm."""
    return f"{direction}_{(layer.name or layer.default_name).removeprefix(f'{direction}_')}"


@arguments
class TimeDistributed(Wrapper):
    """The same layer at every step:  z_t = layer(x_t)      x (rows, steps, …) → z (rows, steps, …)

    Args:
        layer: any layer, or a model, of one input and one output.

    Called as layer(x, mask=None, training=None); the mask (rows, steps) is handed on to a layer that takes one. A
    `Dense` works on the last axis anyway, so it doesn't need this.

    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import Conv2D
    >>> model = Sequential([Input((5, 8, 8, 3)), TimeDistributed(Conv2D(4, 3))])
    >>> model.output_shape, model.count_params()
    ((None, 5, 6, 6, 4), 112)
    """

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ShapeError(
                f"TimeDistributed {self.shown_name} takes sequences (rows, steps, …) with an axis behind the steps, "
                f"got rows of shape {tuple(input_shape[1:])}"
            )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the layer returns for each step."""
        if type(self.layer) in (Dense, Activation, Dropout):  # these work on every vector along the last axis
            return self.layer(inputs)
        takes = mask is not None and "mask" in signature(getattr(self.layer, "call", self.layer.forward)).parameters
        return ops.stack(
            [self.layer(inputs[:, k], **({"mask": mask[:, k]} if takes else {})) for k in range(inputs.shape[1])], 1
        )
