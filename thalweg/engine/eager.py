"""One layer on arrays: its instructions' references, each once, without memory plan or engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg.engine.contract import Array
from thalweg.engine.reference import compute, written
from thalweg.errors import ThalwegError
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import DATA, WORKSPACE, Buffer, Constant, Instruction, StepState


@dataclass
class Values:
    """Every buffer's array; those of weights are looked up."""

    arrays: dict[int, Array]
    step: StepState
    accumulate: bool = False
    kept: list[Buffer] = field(default_factory=list)  # so that no id is used twice

    def __getitem__(self, buffer: Buffer) -> Array:
        if id(buffer) in self.arrays:
            return self.arrays[id(buffer)]
        if isinstance(buffer, Constant):
            return buffer.values
        found: Array = buffer.array  # type: ignore[attr-defined]
        return found

    def __setitem__(self, buffer: Buffer, array: Array) -> None:
        self.arrays[id(buffer)] = array
        self.kept.append(buffer)

    def execute(self, instruction: Instruction) -> None:
        """Computes what an instruction writes."""
        for buffer, result in zip(written(instruction), compute(instruction, self), strict=True):
            if result is not None:
                self[buffer] = result


def evaluate(program: Builder, inputs: list[tuple[Buffer, Array]], seed: int) -> Values:
    """Executes the builder's instructions on these arrays."""
    rows = len(inputs[0][1]) if inputs else 1
    values = Values({}, StepState(rows=rows, batch_rows=rows, seed=seed))
    for buffer, array in inputs:
        values[buffer] = array
    for instruction in program.instructions:
        if any(o.region not in (WORKSPACE, DATA) for o in instruction.outputs):
            raise ThalwegError(
                f"'{instruction.title}' keeps something from step to step, which a layer called on arrays "
                "can't: train a model"
            )
        values.execute(instruction)
    return values
