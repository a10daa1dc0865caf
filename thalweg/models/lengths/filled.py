"""The caller's sequences: rows of one length, or of different ones, which are filled up batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from thalweg.batches import arrays as batches
from thalweg.batches.arrays import Array, Shape
from thalweg.errors import DataError, ShapeError
from thalweg.models.lengths.ragged import listed, steps_of

Numbers = NDArray[np.int64]
BUCKETS = (8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096)
"""The lengths to which rows are filled up: programs for all up to 4096 are twelve."""


@dataclass
class Steps:
    """Rows of different lengths: the steps of all of them, one row after the other, and at last what fills them up.

    Attributes:
        flat: (steps + 1, …). starts, lengths: the place of each row's first step in it, and how many it has.
    """

    flat: Array
    starts: Numbers
    lengths: Numbers

    @classmethod
    def of(cls, rows: Sequence[Array], fill: float) -> Steps:
        """Rows as arrays of their steps."""
        lengths = np.array([len(row) for row in rows], np.int64)
        end = np.full((1, *rows[0].shape[1:]), fill, np.result_type(*rows[:1]))
        return cls(np.concatenate([*rows, end]), np.cumsum(lengths) - lengths, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> Steps:
        return Steps(self.flat, self.starts[rows], self.lengths[rows])

    def filled(self, size: int) -> Array:
        """(rows, size, …)"""
        steps = np.arange(size)
        places = self.starts[:, None] + steps
        places[steps >= self.lengths[:, None]] = len(self.flat) - 1
        result: Array = self.flat[places]
        return result


@dataclass
class Filled:
    """Rows of different lengths, filled up to one: an array for each input, and how many steps of a row are its own.

    Attributes:
        arrays: of each input (rows, …). lengths: (rows, inputs with sequences of any length).
    """

    arrays: list[Array]
    lengths: Array

    def __len__(self) -> int:
        return len(self.lengths)


class Sequences:
    """Rows for a model that takes sequences of any length.

    Attributes:
        inputs: of each input an array, or `Steps`.
        lengths: (rows, inputs of any length), the steps of each row.
        one: the length of the rows of each such input, if it is one; otherwise None.
    """

    def __init__(self, inputs: list[Any], fills: dict[int, float]) -> None:
        self.inputs, self.fills = inputs, fills
        found = [inputs[k] for k in fills]
        self.lengths = np.stack(
            [x.lengths if isinstance(x, Steps) else np.full(len(x), x.shape[1], np.int64) for x in found], axis=1
        )
        self.one = None if any(isinstance(x, Steps) for x in found) else tuple(x.shape[1] for x in found)

    @classmethod
    def of(cls, given: list[Any], called: list[str], shapes: list[Any], fills: dict[int, float]) -> Sequences:
        """What the caller gave for each input, checked.

        called: what each is called in messages. shapes: of a row of each. fills: by the number of an input of any
            length, what its rows are filled up with.
        """
        inputs: list[Any] = []
        for k, (x, shape, what) in enumerate(zip(given, shapes, called, strict=True)):
            inputs.append(sequences_of(x, shape[1:], fills[k], what) if k in fills else x)
        for x, what in zip(inputs[1:], called[1:], strict=True):
            batches.same_rows(inputs[0], cast(Array, x if isinstance(x, Steps) else batches.to_array(x, what)), what)
        inputs = [
            x if isinstance(x, Steps) else batches.to_array(x, what) for x, what in zip(inputs, called, strict=True)
        ]
        made = cls(inputs, fills)
        if made.one is None and made.lengths.max() > BUCKETS[-1]:
            row = int(np.argmax(made.lengths.max(axis=1)))
            steps = made.lengths[row].max()
            raise ShapeError(
                f"row {row} of x has {steps} steps, but rows are filled up to {BUCKETS[-1]} at most: cut it"
            )
        return made

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> Sequences:
        return Sequences([x[rows] for x in self.inputs], self.fills)

    def filled(self, rows: Any, size: int) -> Filled:
        """Some rows, filled up."""
        arrays = [
            x[rows].filled(size) if isinstance(x, Steps) else lengthened(x[rows], size, self.fills.get(k))
            for k, x in enumerate(self.inputs)
        ]
        return Filled(arrays, self.lengths[rows])


def lengthened(x: Array, size: int, fill: float | None) -> Array:
    """An array (rows, steps, …) with more steps; None: one that isn't filled up."""
    if fill is None or x.shape[1] == size:
        return x
    result = np.full((len(x), size, *x.shape[2:]), fill, x.dtype)
    result[:, : x.shape[1]] = x
    return result


def sequences_of(x: Any, step: Shape, fill: float, what: str) -> Array | Steps:
    """One input: an array if all rows have one length.

    Raises:
        ShapeError: steps of another shape, or more of them than the longest rows that can be filled up. DataError: a
            row without steps.
    """
    rows = listed(x)
    if rows is None:
        array = batches.to_array(x, what)
        if array.shape[2:] != step or array.ndim < 2:
            raise ShapeError(
                f"the network takes inputs of shape ({', '.join(map(str, ('rows', 'steps', *step)))}), {what} has the "
                f"shape {array.shape}"
            )
        if not array.shape[1]:
            raise DataError(f"the rows of {what} have no steps")
        return array
    longest = max(len(row) for row in rows)
    one = all(len(row) == longest for row in rows)
    most = longest if one else BUCKETS[-1]
    arrays = [steps_of(row, (most, *step), k, what) for k, row in enumerate(rows)]
    return np.stack(arrays) if one else Steps.of(arrays, fill)


def like_rows(y: Any, sequences: Sequences, stepwise: bool, what: str) -> Any:
    """Targets or weights: where there is one for each step, as `Steps` of the same lengths as x; otherwise an array.

    Raises:
        ShapeError: a row has another number of steps than in x.
    """
    if not stepwise:
        array = batches.to_array(y, what)
        batches.same_rows(sequences.lengths, array, what)
        return array
    rows = listed(y)
    lengths = sequences.lengths[:, 0]
    if rows is None:
        array = batches.to_array(y, what)
        batches.same_rows(lengths, array, what)
        if array.ndim < 2 or array.shape[1] != lengths.max():
            raise ShapeError(
                f"{what} needs a value for each step: a list of rows as long as those of x, or an array with the "
                f"{lengths.max()} steps of the longest row, got the shape {array.shape}"
            )
        rows = [row[:n] for row, n in zip(array, lengths, strict=True)]
    if len(rows) != len(lengths):
        raise ShapeError(f"x has {len(lengths)} rows, but {what} has {len(rows)}")
    for k, (row, n) in enumerate(zip(rows, lengths, strict=True)):
        if len(row) != n:
            raise ShapeError(f"row {k} has {n} steps in x, but {len(row)} in {what}")
    return Steps.of([np.asarray(row, np.float64) for row in rows], 0.0)
