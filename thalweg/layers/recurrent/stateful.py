"""States that recurrent layers with stateful=True keep from one batch to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.engine.contract import States
from thalweg.engine.handed_on import shuffled
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.layer import Layer
from thalweg.layers.recurrent.stacked import initial_state
from thalweg.ops.arrangement import ROWS, broadcast_to, shape
from thalweg.ops.tensor import Traced, traced, writing
from thalweg.ops.with_numpy import ArrayResult
from thalweg.program.builder import Builder
from thalweg.program.carried import AFTER, hand_on, recall
from thalweg.program.ir.program import Program
from thalweg.support.nested import leaves, mapped


class Keeping(Layer):
    """Base of layers that can keep the states after a batch, for the same rows of the next one."""

    stateful: bool
    cell: Any
    batch_rows: int | None = None  # the rows of a batch, once they are known
    kept: Any = None  # the states of these rows, (rows, …) each

    @property
    def states(self) -> Any:
        """With stateful=True, the states with which the next batch begins, (rows, …) each; None before the first.

        They are the layer's own arrays: what is written into them is kept.
        """
        if self.kept is None:
            return None
        queue = iter(self.kept)
        return mapped(self.get_initial_state(1), lambda _: ArrayResult.of(next(queue)))

    def reset_state(self) -> None:
        """Lets the next batch begin with zeros."""
        for array in self.kept or ():
            array[...] = 0

    def reset_states(self) -> None:
        """The same, by its older name."""
        self.reset_state()

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The states with which a sequence begins, for so many rows."""
        return initial_state(self.cell, batch_size)

    @property
    def owner(self) -> str:
        """Who keeps the states, in messages."""
        return f"{type(self).__name__} {self.shown_name} with stateful=True"

    def claim(self, rows: int) -> None:
        """Takes note of how many rows a batch has; raises if it was said to be another number."""
        if self.batch_rows not in (None, rows):
            raise ShapeError(f"{self.owner} keeps the states of {self.batch_rows} rows, and gets batches of {rows}")
        self.batch_rows = rows

    def held(self, kind: Any) -> list[Any]:
        """The states, as arrays of a type; made if there are none yet."""
        assert self.batch_rows is not None
        if self.kept is None:
            first = zip(leaves(self.get_initial_state(self.batch_rows)), self.state_shapes(), strict=True)
            self.kept = [np.array(np.broadcast_to(v, (self.batch_rows, *shape)), kind) for v, shape in first]
        elif self.kept[0].dtype != kind:
            self.kept = [array.astype(kind) for array in self.kept]
        return list(self.kept)

    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of a row of each state."""
        program = Builder(training=False)
        with writing(program):
            first = self.get_initial_state(ROWS)
        return [for_every_row(value, program).buffer.shape for value in leaves(first)]

    def recalled(self, program: Builder) -> Any:
        """The states that the last batch has left."""
        queue = iter(recall(program, self, self.state_shapes()))
        return mapped(self.get_initial_state(1), lambda _: Traced(program, next(queue)))

    def leave(self, program: Builder, states: Any) -> None:
        """Keeps these states for the next batch."""
        recall(program, self, self.state_shapes())
        hand_on(program, self, [for_every_row(v, program).buffer for v in leaves(states)])


def for_every_row(value: Any, program: Builder) -> Any:
    """A value of a program; an array (1, …) or a weight is the same for all rows."""
    return broadcast_to(traced(value, program), (ROWS, *shape(value)[1:]))


def keeping(layers: Iterable[Any]) -> Iterator[Keeping]:
    """The layers that keep states, among these and those inside them."""
    for layer in layers:
        if isinstance(layer, Keeping) and layer.stateful:
            yield layer
        yield from keeping(layer.inside)


def claimed(layers: Iterable[Any], inputs: Sequence[Any]) -> int | None:
    """The rows of a batch that these layers of a model keep states for, by what its inputs say; None if none does, or
    the first batch will say it."""
    given = {x.batch_size for x in inputs if getattr(x, "batch_size", None) is not None}
    found = list(keeping(layers))
    if found and len(given) > 1:
        raise ArgumentError(f"the inputs of a model have batches of one size, got {sorted(given)}")
    for rows in (*given, *(layer.batch_rows for layer in found)):
        for layer in found if rows is not None else ():
            layer.claim(rows)
    return found[0].batch_rows if found else None


def require_rows(layers: Iterable[Any], inputs: Sequence[Any]) -> None:
    """Raises if layers behind the inputs of a model keep states, and these don't say how many rows a batch has."""
    layers = list(layers)
    if inputs and claimed(layers, inputs) is None:
        for layer in keeping(layers):
            raise ShapeError(
                f"{layer.owner} keeps states for the rows of a batch, and has to know their number: begin with "
                "Input(batch_shape=(32, …)), or Input(shape, batch_size=32)"
            )


def refuse_shuffling(layers: Iterable[Any]) -> None:
    """Raises if batches are shuffled, among which layers hand on states."""
    for layer in keeping(layers):
        raise shuffled(layer.owner)


def states_of(program: Program, rows: int, kind: Any) -> States:
    """What the batches of a program begin with; of so many rows, if this is the first."""
    for of in program.states:
        if of.layer.batch_rows is None:
            of.layer.claim(rows)
    arrays = {n: a for of in program.states for n, a in zip(of.names, of.layer.held(kind), strict=True)}
    return States(arrays, program.states[0].layer.owner if arrays else "")


def single(program: Program, kind: Any, rows: int) -> dict[str, Any]:
    """The same as data of a single batch of so many rows, whose states aren't kept."""
    states = states_of(program, rows, kind)
    for of in program.states:
        of.layer.claim(rows)
    before = {name: array.copy() for name, array in states.items()}
    return before | {name + AFTER: np.empty_like(array) for name, array in states.items()}
