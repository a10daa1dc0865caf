"""Ids in the data: the inputs that an embedding reads directly are checked before training and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from thalweg.engine.contract import Array
from thalweg.errors import DataError
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.ir.instruction import Buffer, Instruction


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
