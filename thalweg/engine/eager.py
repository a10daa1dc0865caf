"""One layer on arrays: its instructions' references, each once, without a job."""

from __future__ import annotations

from thalweg.engine.contract import Array
from thalweg.engine.execution import Values
from thalweg.errors import ThalwegError
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import DATA, WORKSPACE, Buffer, Constant, StepState


class LayerValues(Values):
    """The values of a layer called on arrays: weights bring their own, and every value keeps its type."""

    def lasting(self, buffer: Buffer) -> Array | None:
        if isinstance(buffer, Constant):
            return buffer.values
        found: Array | None = getattr(buffer, "array", None)
        return found


def evaluate(program: Builder, inputs: list[tuple[Buffer, Array]], seed: int) -> LayerValues:
    """Executes the builder's instructions on these arrays."""
    rows = len(inputs[0][1]) if inputs else 1
    values = LayerValues(StepState(rows=rows, batch_rows=rows, seed=seed))
    values.arrays.update(inputs)
    for instruction in program.instructions:
        if any(o.region not in (WORKSPACE, DATA) and o.view_of is None for o in instruction.outputs):
            raise ThalwegError(
                f"'{instruction.title}' keeps something from step to step, which a layer called on arrays "
                "can't: train a model"
            )
        values.execute(instruction)
    return values
