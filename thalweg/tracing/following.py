"""An engine is followed through one step: what each instruction reads and writes is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.program.instructions.activations import Activation
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import (
    DATA,
    FIRST_METRIC,
    GRADIENTS,
    LOSS,
    PARAMETERS,
    PENALTY,
    SLOTS,
    TOTALS,
    Buffer,
    Constant,
    Instruction,
)
from thalweg.tracing.values import TracedStep, TracedWeight, Value

SECTIONS = ("forward", "backward", "update")


@dataclass(frozen=True)
class Place:
    """Where an array of weights lies in the flat vectors."""

    path: str
    buffer: Buffer


@dataclass(eq=False)
class Seen:
    """What an instruction read and wrote in the blocks of rows so far."""

    instruction: Instruction
    inputs: dict[Buffer, list[Array]] = field(default_factory=dict)
    outputs: dict[Buffer, list[Array]] = field(default_factory=dict)


@dataclass(eq=False)
class Followed:
    """One step: its instructions, every value by name, and the vector of weights before and after."""

    job: Job
    places: Sequence[Place]
    slots: int  # how many vectors the optimizer keeps
    seen: list[Seen]
    values: dict[str, Array]
    before: Array
    gradients: dict[int, Array]  # by offset

    @property
    def loss(self) -> float:
        """The mean loss of the rows, penalties included."""
        sums = {b.offset: float(a[-1][0]) for s in self.seen for b, a in s.outputs.items() if b.region == TOTALS}
        return (sums.get(LOSS, 0.0) + sums.get(PENALTY, 0.0)) / self.job.rows

    def steps(self) -> Iterator[TracedStep]:
        """The instructions in the order of the listing."""
        program = self.job.program
        section = {id(i): "backward" for i in program.backward} | {id(i): "update" for i in program.update}
        ordered = sorted(self.seen, key=lambda s: SECTIONS.index(section.get(id(s.instruction), "forward")))
        for number, seen in enumerate(ordered, start=1):
            i = seen.instruction
            inputs, outputs = (
                tuple(
                    v
                    for b, arrays in kept.items()
                    for v in self.shown(b, np.concatenate([*map(np.atleast_1d, arrays)]))
                )
                for kept in (seen.inputs, seen.outputs)
            )
            activation = isinstance(i, Activation)
            yield TracedStep(number, section.get(id(i), "forward"), i.title, i.formula, inputs, outputs, activation)

    def shown(self, buffer: Buffer, array: Array) -> list[Value]:
        """A value as it is shown: a stretch of a flat vector by the arrays of weights that lie in it."""
        if buffer.region == TOTALS and buffer.offset < FIRST_METRIC:
            array = array / self.job.rows  # the running sum counts every row
        parts = list(self.parts(buffer, array))
        return parts or [Value(buffer.name, array)]

    def parts(self, buffer: Buffer, array: Array) -> Iterator[Value]:
        """The arrays of weights, or their gradients or slots, in a stretch of a flat vector."""
        vectors = {PARAMETERS: "{}", GRADIENTS: "d{}", SLOTS: buffer.name.partition("[")[0] + "[{}]"}
        stride = align(self.before.size)
        if buffer.region not in vectors or len(buffer.shape) != 1 or buffer.offset >= max(1, self.slots) * stride:
            return
        start = buffer.offset % stride
        for place in self.places:
            first = place.buffer.offset - start
            if first >= 0 and first + place.buffer.size <= buffer.size:
                part = array[first : first + place.buffer.size].reshape(place.buffer.shape)
                yield Value(vectors[buffer.region].format(place.buffer), part)

    def weights(self) -> Iterator[TracedWeight]:
        """What the step did to each array of weights."""
        for place in self.places:
            b = place.buffer
            before, after = (v[b.offset : b.offset + b.size].reshape(b.shape) for v in (self.before, self.after))
            gradient = self.gradients.get(b.offset)
            shaped = None if gradient is None else gradient.reshape(b.shape)
            yield TracedWeight(place.path, str(b), before, after, shaped)

    @property
    def after(self) -> Array:
        """The vector of weights after the step."""
        return self.job.parameters


def follow(executor: Executor, job: Job, chunk: Chunk, places: Sequence[Place], slots: int) -> Followed:
    """Executes one step and keeps every value. `job.parameters` and `job.slots` are changed by it."""
    before = job.parameters.copy()
    seen: dict[int, Seen] = {}
    values: dict[str, list[Array]] = {}
    latest: dict[Buffer, Array] = {}  # an operand's memory may be used again before anyone looks
    gradients: dict[int, Array] = {}
    updates = {id(i) for i in job.program.update}
    for instruction, memory in executor.trace(chunk):
        here = seen.setdefault(id(instruction), Seen(instruction))
        for buffer in instruction.inputs:
            found = latest.get(buffer)
            if found is None and buffer.view_of is not None and buffer.storage in latest:
                whole = latest[buffer.storage]
                found = whole.reshape(-1, *buffer.shape) if buffer.per_row else whole.reshape(buffer.shape)
            if found is None:
                found = memory[buffer]
                if buffer.region != DATA or isinstance(buffer, Constant):
                    found = found.copy()
            keep(here.inputs, buffer, found)
        for buffer in instruction.outputs:
            latest[buffer] = array = memory[buffer].copy()
            keep(here.outputs, buffer, array)
            if not buffer.per_row:
                values.pop(buffer.name, None)
            values.setdefault(buffer.name, []).append(array)
            if buffer.region == GRADIENTS and id(instruction) not in updates:
                gradients[buffer.offset] = array
    together = {name: np.concatenate(arrays) for name, arrays in values.items()}
    return Followed(job, places, slots, list(seen.values()), together, before, gradients)


def keep(kept: dict[Buffer, list[Array]], buffer: Buffer, array: Array) -> None:
    """Adds the value of a block of rows, or replaces what isn't for each row."""
    if not buffer.per_row or buffer.region == DATA:
        kept[buffer] = [array]
    else:
        kept.setdefault(buffer, []).append(array)
