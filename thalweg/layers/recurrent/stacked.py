"""Several cells as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from thalweg import ops
from thalweg.errors import ArgumentError
from thalweg.layers.kinds import owner
from thalweg.layers.layer import Layer, Shape, serialize
from thalweg.support.arguments import Checked, Taken, arguments

__all__ = ["StackedRNNCells"]


def checked_cell(what: str, cell: Any) -> Layer:
    """A layer that can be a cell."""
    if not isinstance(cell, Layer) or not hasattr(cell, "call") or not hasattr(cell, "state_size"):
        raise ArgumentError(
            f"{owner(what)} takes a cell, a layer with state_size and call(self, inputs, states), got {cell!r}"
        )
    cell.check_free()
    return cell


def checked_cells(what: str, cells: Any) -> list[Layer]:
    """One cell or more."""
    if not isinstance(cells, (list, tuple)) or not cells:
        raise ArgumentError(f"{owner(what)} takes a list of cells, got {cells!r}")
    return [checked_cell(what, cell) for cell in cells]


def cell_of(what: str, cell: Any) -> Layer:
    """A cell; a list of them as one."""
    return StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else checked_cell(what, cell)


def initial_state(cell: Any, batch_size: Any) -> list[Any]:
    """The states with which a sequence begins: the cell's own, or zeros."""
    own = getattr(cell, "get_initial_state", None)
    if own is not None:
        found = own(batch_size=batch_size)
        return list(found) if isinstance(found, (list, tuple)) else [found]
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [ops.zeros((1 if batch_size is None else batch_size, n)) for n in sizes]


@arguments
class StackedRNNCells(Layer):
    """Cells on top of each other, each with the output of the one below as its input, as one cell for `RNN`.

    Args:
        cells: a list of cells, see `RNN`.

    Its states are a list with those of each cell.

    >>> from thalweg import Input, Sequential
    >>> from thalweg.layers import RNN, GRUCell, LSTMCell
    >>> model = Sequential([Input((5, 3)), RNN(StackedRNNCells([LSTMCell(4), GRUCell(2)]))])
    >>> model.output_shape
    (None, 2)
    """

    cells: Annotated[
        Taken[Sequence[Layer], list[Any]], Checked(checked_cells, lambda kept: [serialize(cell) for cell in kept])
    ]
    name: str | None = None

    @staticmethod
    def plainly(cell: Any) -> bool:
        """Whether a cell is of this class, with its way of calling the cells inside."""
        return isinstance(cell, StackedRNNCells) and type(cell).call is StackedRNNCells.call

    @property
    def state_size(self) -> list[Any]:
        """Those of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """That of the last cell."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        for cell in self.cells:
            cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Those of the cells; that of a cell with a single state, whose `state_size` is a number, is no list."""
        return [state_of(cell, batch_size) for cell in self.cells]

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """(output, states) of one step."""
        after = []
        for cell, own in zip(self.cells, states, strict=True):
            inputs, new = stepped(cell, inputs, own)
            after.append(new)
        return inputs, after


def state_of(cell: Any, batch_size: Any) -> Any:
    """The states of a cell within a stack, as Keras has them: of one that doesn't make its own, as `state_size` is."""
    states = initial_state(cell, batch_size)
    return states if hasattr(cell, "get_initial_state") or isinstance(cell.state_size, (list, tuple)) else states[0]


def stepped(cell: Any, inputs: Any, states: Any) -> tuple[Any, Any]:
    """(output, states) of one step of a cell, which takes a list of states; a single one stays no list."""
    several = isinstance(states, (list, tuple))
    output, after = cell(inputs, states if several else [states])
    return output, after if several or len(after) > 1 else after[0]


def output_size(cell: Any) -> int:
    """How many numbers a cell's output has: by default as many as its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return int(size)
