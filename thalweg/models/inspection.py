"""What a network computes on given rows, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk, Job
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.draft import Request

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential


def forward_values(model: Sequential, x: Array) -> Iterator[tuple[Instruction, Array]]:
    """Every instruction of a prediction for x (rows, …), and what it wrote, (rows, …) in float64.

    Rows that don't fit the workspace at once come in several blocks: an instruction is then met several times.
    """
    program, totals = model.lower(Request("inference", visible=True))
    assert model.output_shape is not None
    data = {"X": x, "Y_pred": np.empty((len(x), *model.output_shape), model.dtype)}
    job = Job(program, data, len(x), len(x), model.vector, model.vector[:0], totals=totals)
    for instruction, memory in make_executor(model.engine, job).trace(Chunk(0, 0, 1, 0, np.zeros(1))):
        output = instruction.outputs[0]
        if output.per_row and instruction.name != "store":
            yield instruction, np.array(memory[output], np.float64)
