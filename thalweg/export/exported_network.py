"""A network as its exports see it: statements between inputs and outputs, and the arrays that belong to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, Statement, statements
from thalweg.program.instructions.batches import Gather, Store
from thalweg.program.ir.instruction import DATA, PARAMETERS, SLOTS, Array, Buffer, Constant, Instruction
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Request
from thalweg.program.plain import PLAIN


@dataclass(frozen=True)
class Network:
    """What predicts.

    Attributes:
        inputs: the arrays that are given, of rows; float32.
        outputs: the arrays that are asked for.
        statements: what is computed, in order.
        weights: the arrays that belong to the network, in the order in which they are first read.
    """

    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    statements: tuple[Statement, ...]
    weights: dict[Buffer, Array]


def network_of(model: Any, rows: int = ROWS) -> Network:
    """What a model computes for `rows` rows; by default for any number.

    Raises:
        ThalwegError: an instruction can't be exported: it is named.
    """
    if model._weights.dtype != np.float32:
        raise ThalwegError(f"exports compute in float32, and {model.name!r} in {model._weights.dtype}")
    program, _ = model._compiled._lower(Request("inference"), passes=PLAIN)
    refuse_states(program)
    inputs = tuple(i.x for i in program.forward if isinstance(i, Gather))
    outputs = tuple(i.y for i in program.forward if isinstance(i, Store))
    computed = [i for i in program.forward if not isinstance(i, Gather | Store)]
    made = statements(computed, Arrays(rows, np.float32, rows))
    return Network(inputs, outputs, tuple(made), weights_of(model, computed))


def refuse_states(program: Program) -> None:
    """Raises if a program's batches begin with what the last one has left."""
    for states in program.states:
        raise ThalwegError(
            f"{states.layer.owner} hands on states from batch to batch, which no export does: export a copy of the "
            "model with stateful=False and the same weights, return_state=True and initial_state"
        )


def weights_of(model: Any, instructions: Iterable[Instruction]) -> dict[Buffer, Array]:
    """The arrays of a model that instructions read."""
    compiled = model._compiled
    flat = {PARAMETERS: compiled.weights.vector, SLOTS: compiled.slots}
    found = {}
    for buffer in dict.fromkeys(b.storage for i in instructions for b in i.inputs):
        if buffer.region in flat:
            found[buffer] = flat[buffer.region][buffer.offset :][: buffer.size].reshape(buffer.shape).copy()
        elif buffer.region == DATA and not isinstance(buffer, Constant):
            raise ThalwegError(f"{buffer} is data that no export knows")
    return found
