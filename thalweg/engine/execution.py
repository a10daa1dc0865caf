"""Instructions executed by their references: values of buffers → values of buffers, with any array library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from thalweg.errors import ThalwegError
from thalweg.program.ir.instruction import TOTALS, Array, Buffer, Instruction, StepState
from thalweg.program.ir.references import compute


class Values(Mapping[Buffer, Array], ABC):
    """The array of every value that was computed, and the step's state.

    dtype: of what is computed; None keeps the type in which it comes.
    """

    def __init__(self, step: StepState, dtype: DTypeLike | None = None) -> None:
        self.step, self.dtype = step, dtype
        self.arrays: dict[Buffer, Array] = {}

    @abstractmethod
    def lasting(self, buffer: Buffer) -> Array | None:
        """The array of a value that is there before anything is computed, in which results are kept too."""

    def __getitem__(self, buffer: Buffer) -> Array:
        found = self.arrays.get(buffer)
        if found is None and buffer.storage in self.arrays:
            return self.arrays[buffer.storage].reshape(*[-1] * buffer.per_row, *buffer.shape)
        if found is None:
            found = self.lasting(buffer)
        if found is None:
            raise ThalwegError(f"{buffer} is read before it is written")
        return found

    def __setitem__(self, buffer: Buffer, value: Array) -> None:
        place = self.lasting(buffer)
        if place is not None:
            place[...] = value
            return
        shape = (self.step.rows, *buffer.shape) if buffer.per_row else buffer.shape
        whole = value if value.shape == shape else np.broadcast_to(value, shape)
        self.arrays[buffer] = np.asarray(whole, self.dtype)

    def execute(self, instruction: Instruction, xp: Any = np) -> None:
        """Calls an instruction's reference and keeps what it returns.

        Running sums (TOTALS) and results that `accumulate` are added to the previous value. All else is set.
        """
        results = [value if value is None else np.asarray(value) for value in compute(instruction, self, xp)]
        for buffer, value in zip(instruction.results, results, strict=True):
            if buffer is not None and value is not None:
                adds = instruction.accumulates or buffer.region == TOTALS
                self[buffer] = self[buffer] + value if adds else value

    def forget(self, buffers: Iterable[Buffer]) -> None:
        """Drops values that nothing reads any more."""
        for buffer in buffers:
            self.arrays.pop(buffer, None)

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)
