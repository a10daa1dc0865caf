"""What the network gets of the caller's arrays: as they are, or converted by look-up layers; and which are ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from thalweg.data import arrays as batches
from thalweg.data.arrays import Array, Shape
from thalweg.errors import ArgumentError, DataError
from thalweg.layers import Input
from thalweg.layers.lookups.lookup import NUMBERS, TEXT, Lookup
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.ir.instruction import Buffer, Instruction


@dataclass
class Feed:
    """An array that the network gets: an input of the model, converted by the look-up layers right behind it."""

    place: int  # of the input among all
    lookups: list[Lookup]

    def array(self, x: Any, shape: Shape, dtype: Any, what: str) -> Array:
        """The array for what the caller gave."""
        if not self.lookups:
            return batches.input_rows(x, shape, dtype, what)
        array = batches.fitted(self.read(x, what), shape, what)
        for layer in self.lookups:
            array = layer.convert(array)
        return batches.contiguous(array, dtype, what)

    def read(self, x: Any, what: str) -> Array:
        """What the caller gave, as an array of what the first layer takes."""
        array = self.lookups[0].read(x) if self.lookups else batches.to_array(x, what)
        if not array.ndim or not len(array):
            raise DataError(f"{what} needs rows, got an array of shape {array.shape}")
        return array

    def check(self, x: Input) -> None:
        """Raises unless the input holds what the first layer takes."""
        takes = self.lookups[0].takes if self.lookups else (NUMBERS,)
        if x.kind == "string" and TEXT not in takes:
            raise ArgumentError("Input has dtype='string', but what follows takes numbers: put StringLookup before it")
        if x.kind != "string" and NUMBERS not in takes:
            raise ArgumentError(f"{self.lookups[0].spelled} takes text: give Input({x.row_shape}, dtype='string')")


class IdInput(NamedTuple):
    """An input that holds ids: its number, the layer that takes them, and how many ids it has."""

    number: int
    layer: str
    size: int

    def check(self, x: Array, what: str) -> None:
        """Raises unless all of x are ids."""
        with np.errstate(invalid="ignore"):
            wrong = ~((x >= 0) & (x < self.size) & (x == np.floor(x)))
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            raise DataError(
                f"layer {self.layer!r} takes ids from 0 to {self.size - 1}, but {what} holds {x[place]:.8g} "
                f"in row {place[0]}"
            )


def id_inputs(forward: Sequence[Instruction], paths: Mapping[Buffer, str]) -> Iterator[IdInput]:
    """The inputs that are ids, from the instructions of a network and the names of its weights."""
    inputs = [i.outputs[0] for i in forward if isinstance(i, Gather)]
    for i in forward:
        if isinstance(i, Embedding) and i.ids.storage in inputs:
            yield IdInput(inputs.index(i.ids.storage), paths[i.W].rpartition("/")[0], i.W.shape[0])
