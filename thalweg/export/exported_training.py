"""A training step as its exports see it: statements, and the arrays that last from step to step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.exported_network import refuse_states
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, Statement, statements
from thalweg.program.instructions.batches import Gather
from thalweg.program.ir.instruction import (
    FIRST_METRIC,
    GRADIENTS,
    NORMS,
    PARAMETERS,
    SLOTS,
    TOTALS,
    Array,
    Buffer,
    Instruction,
)
from thalweg.program.passes.draft import Request
from thalweg.program.plain import PLAIN


@dataclass(frozen=True)
class Lasting:
    """An array that lasts from step to step, and the arrays that are parts of it.

    Attributes:
        whole: the array: (elements,) where it has parts.
        values: its elements before the first step.
        parts: stretches of it, each from its `offset` − `whole.offset` on; an update may change all at once.
    """

    whole: Buffer
    values: Array
    parts: tuple[Buffer, ...] = ()

    def place(self, part: Buffer) -> slice:
        """Where a part lies."""
        first = part.offset - self.whole.offset
        return slice(first, first + part.size)


@dataclass(frozen=True)
class Training:
    """A step of training: a batch of inputs and targets changes the weights.

    Attributes:
        inputs, targets: the arrays of a batch.
        forward, backward, update: what is computed, in order; the update changes what lasts.
        lasting: weights, gradients, and the optimizer's slots.
        sums: of the loss and the penalty, each float64, 0 before each step.
        learning_rate: of the next step.
        iteration, epoch: steps and epochs done so far.
        seed: of random numbers.
    """

    inputs: tuple[Buffer, ...]
    targets: tuple[Buffer, ...]
    forward: tuple[Statement, ...]
    backward: tuple[Statement, ...]
    update: tuple[Statement, ...]
    lasting: tuple[Lasting, ...]
    sums: tuple[Buffer, ...]
    learning_rate: float
    iteration: int
    epoch: int
    seed: int

    def __iter__(self) -> Iterator[Statement]:
        yield from (*self.forward, *self.backward, *self.update)


def training_of(model: Any, rows: int = ROWS) -> Training:
    """A step of training of a compiled model, on batches of `rows` rows; by default of any number.

    Raises:
        ThalwegError: the model trains in a way that no export knows: it is named.
    """
    compiled = model._compiled
    compiled.ready()
    compiled.prepare_slots()
    program = compiled._lower(Request("training", 32), passes=PLAIN)[0]
    refuse_states(program)
    if program.every != 1:
        raise ThalwegError("no export accumulates gradients of several steps: leave gradient_accumulation_steps out")
    if compiled.optimizer.use_ema:
        raise ThalwegError("no export ends a training with the average of its weights: leave use_ema out")
    if compiled.optimizer.schedule is not None:
        raise ThalwegError("no export follows a schedule of the learning rate: give the optimizer a number")
    gathered = [i for i in program.forward if isinstance(i, Gather)]
    inputs = tuple(i.x for i in gathered if i.X.name.startswith("X"))
    targets = tuple(i.x for i in gathered if not i.X.name.startswith("X"))
    lasting_changes = set(program.changes())
    arrays = Arrays(rows, np.float32, rows)
    arrays.step = replace(arrays.step, penalties=1.0)
    forward, backward = (
        tuple(statements((i for i in part if i not in lasting_changes and not left_out(i)), arrays))
        for part in (program.forward, program.backward)
    )
    update = tuple(statements(program.changes(), arrays))
    instructions = [i for i in program if not left_out(i)]
    sums = dict.fromkeys(b for i in instructions for b in i.outputs if b.region in (TOTALS, NORMS))
    return Training(
        inputs,
        targets,
        forward,
        backward,
        update,
        tuple(lasting_of(compiled, instructions)),
        tuple(sorted(sums, key=lambda b: (b.region, b.offset))),
        float(compiled.optimizer.learning_rate),
        compiled.optimizer.iterations,
        compiled.epochs_trained,
        model.seed,
    )


def left_out(i: Instruction) -> bool:
    """Whether an instruction is the batch's, which is given, or a metric's."""
    return isinstance(i, Gather) or all(b.region == TOTALS and b.offset >= FIRST_METRIC for b in i.outputs)


def lasting_of(compiled: Any, instructions: Iterable[Instruction]) -> list[Lasting]:
    """The arrays that last, joined where they share memory."""
    vectors = {PARAMETERS: compiled.weights.vector, SLOTS: compiled.slots, GRADIENTS: None}
    found = []
    used = dict.fromkeys(b.storage for i in instructions for b in i.operands if b is not None)
    for region, vector in vectors.items():
        group: list[Buffer] = []
        for b in sorted((b for b in used if b.region == region), key=lambda b: (b.offset, -b.size)):
            if group and b.offset >= max(o.offset + o.size for o in group):
                found.append(joined(group, vector))
                group = []
            group.append(b)
        if group:
            found.append(joined(group, vector))
    return found


def joined(group: Sequence[Buffer], vector: Array | None) -> Lasting:
    """Arrays that share memory, as parts of one."""
    first, end = group[0].offset, max(b.offset + b.size for b in group)
    every = [b for b in group if b.size == end - first]
    flat = [b for b in every if len(group) == 1 or len(b.shape) == 1]
    joint = f"{group[0].name} to {group[-1].name}" if len(group) > 1 and not every else f"{group[0].name} flat"
    whole = flat[0] if flat else Buffer(joint, (end - first,), group[0].region, False, first)
    values = np.zeros(end - first, np.float32) if vector is None else vector[first:end].astype(np.float32)
    return Lasting(whole, values.reshape(whole.shape), tuple(b for b in group if b is not whole))
