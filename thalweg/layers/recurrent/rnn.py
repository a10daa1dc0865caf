"""Layers that go through the steps of a sequence with a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.layer import Layer, serialize
from thalweg.layers.recurrent.cell import Cell
from thalweg.layers.recurrent.stacked import StackedRNNCells, cell_of, stepped
from thalweg.layers.recurrent.stateful import Keeping, for_every_row
from thalweg.ops.arrangement import ROWS
from thalweg.ops.loops import over_steps
from thalweg.ops.masks import flat
from thalweg.support.arguments import Checked, Taken, arguments
from thalweg.support.nested import leaves, mapped

__all__ = ["RNN"]


class Recurrent(Keeping):
    """Base of layers that go through a sequence with `cell`."""

    uncalled = Layer.uncalled | {"inner_loop": "write what a step computes as a cell, for RNN(cell)"}

    fed = ("initial_state", "mask")
    supports_masking = True
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    unroll: bool
    zero_output_for_mask: bool
    activity_regularizer: Any = None

    @property
    def state_size(self) -> list[Any]:
        """The number of units of each state."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the sequence for the outputs of all steps; the last one and states have none."""
        mask = flat(previous_mask)[0] if self.return_sequences else None
        if mask is not None and self.go_backwards:
            mask = ops.flip(mask, 1)  # in the order of the outputs
        return [mask, *[None] * len(self.state_size)] if self.return_state else mask

    def build(self, sequences_shape: Any) -> None:
        if len(sequences_shape) < 3:
            raise ShapeError(
                f"{type(self).__name__} {self.shown_name} takes sequences (rows, steps, numbers of a step), got rows "
                f"of shape {tuple(sequences_shape[1:])}: ops.expand_dims(x, -1) makes steps of single numbers"
            )
        if not self.cell.built:
            self.cell.build((None, *sequences_shape[2:]))

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """The outputs: see the class."""
        program = sequences.program
        states = initial_state
        if states is None:
            states = self.recalled(program) if self.stateful else self.get_initial_state(ROWS)
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        if len(states) != len(self.state_size):
            owner, count = f"{type(self).__name__} {self.shown_name}", len(self.state_size)
            raise ArgumentError(f"{owner}: initial_state is a list of its {count} states, got {len(states)}")
        states, mask = mapped([states, mask], lambda v: for_every_row(v, program))
        output, states = self.through(sequences, states, mask, training)
        if self.stateful:
            self.leave(program, states)
        result = (output, *states) if self.return_state else output
        if self.activity_regularizer is not None:
            for value in leaves(result):
                self.activity_regularizer.penalize(value.program, value.buffer)
        return result

    def through(self, x: Any, states: list[Any], mask: Any, training: bool) -> tuple[Any, list[Any]]:
        """(outputs, states). Cells on top of each other go through the sequence one after the other, as each step of
        one needs only that step of the one below."""
        stack = StackedRNNCells.plainly(self.cell)
        cells = self.cell.cells if stack else [self.cell]
        wholes = states if stack else [states]
        backwards, last, after = self.go_backwards, len(cells) - 1, []
        for k, (cell, own) in enumerate(zip(cells, wholes, strict=True)):
            options = {"mask": mask, "backwards": backwards, "unroll": self.unroll}
            options["zero_output_for_mask"] = self.zero_output_for_mask and k == last
            x, new = with_cell(cell, x, own, training, all_outputs=self.return_sequences or k < last, **options)
            after.append(new)
            if backwards and k < last:  # from here on, what comes first is the last step
                backwards, mask = False, None if mask is None else ops.flip(mask, 1)
        return x, after if stack else after[0]


def with_cell(cell: Any, x: Any, states: Any, training: bool, **options: Any) -> tuple[Any, Any]:
    """(outputs, states) of one cell's way through a sequence."""
    flat = tuple(leaves(states))
    if isinstance(cell, Cell) and cell.states_alone:
        with cell.acting(x.program, None):
            outputs, after = over_steps(
                cell.stepping(x.program, training), flat, (cell.products(x, training),), **options
            )
    else:

        def step(inputs: tuple[Any, ...], given: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
            queue = iter(given)
            output, new = stepped(cell, inputs[0], mapped(states, lambda _: next(queue)))
            return output, tuple(leaves(new))

        outputs, after = over_steps(step, flat, (x,), **options)
    queue = iter(after)
    return outputs, mapped(states, lambda _: next(queue))


@arguments
class RNN(Recurrent):
    """Goes through the steps of a sequence with a cell:  output_t, states_t = cell(x_t, states_{t−1})

    Args:
        cell: `SimpleRNNCell`, `LSTMCell`, `GRUCell`, a list of them on top of each other, or a layer of your own with
            `state_size`, a number of units or a list of them, and `call(self, inputs, states)`, which returns an
            output and a list of the next states. If it has `get_initial_state(self, batch_size)`, a sequence begins
            with what that returns, otherwise with zeros.
        return_sequences: whether to return the outputs of all steps, (rows, steps, units), or the last, (rows, units).
        return_state: whether to return the states after the last step, too.
        go_backwards: whether to begin with the last step; the outputs come in the order in which they are computed.
        stateful: whether the states after a batch are kept, and row i of the next batch begins with those of row i:
            in `fit` (with shuffle=False), `evaluate`, `predict` and calls alike. No gradient flows from batch to batch.
            The model's `Input` says how many rows a batch has, by `batch_shape` or `batch_size`. `reset_state()` sets
            the states to 0; `states` are the arrays. They aren't saved with the weights.
        unroll: Keras's, which changes no number.
        zero_output_for_mask: whether the output of a step that is left out is 0, rather than the one before.

    Called as layer(x, initial_state=None, mask=None, training=None) with x (rows, steps, …); mask (rows, steps) is 0
    for the steps that are left out: states and output stay as they are.

    >>> from thalweg import Input, Sequential, ops
    >>> class Decaying(Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         h = 0.5 * states[0] + inputs
    ...         return h, [h]
    >>> model = Sequential([Input((4, 3)), RNN(Decaying())])
    >>> model.predict([[[8.0] * 3, [4.0] * 3, [2.0] * 3, [1.0] * 3]]).tolist()
    [[4.0, 4.0, 4.0]]
    >>> keeping, x = RNN(Decaying(), stateful=True), ops.ones((1, 1, 3))
    >>> keeping(x).tolist(), keeping(x).tolist(), keeping.reset_state(), keeping(x).tolist()
    ([[1.0, 1.0, 1.0]], [[1.5, 1.5, 1.5]], None, [[1.0, 1.0, 1.0]])
    """

    cell: Annotated[Taken[Layer | Sequence[Layer], Any], Checked(cell_of, serialize)]
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    name: str | None = None
