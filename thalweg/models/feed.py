"""What the network gets of the caller's arrays: as they are, or converted by look-up layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.data import arrays as batches
from thalweg.data.arrays import Array, Shape
from thalweg.errors import ArgumentError, DataError
from thalweg.layers import Input
from thalweg.layers.lookups.lookup import NUMBERS, TEXT, Lookup


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
