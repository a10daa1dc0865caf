"""Every value that a network computes for a few rows, and how its answer changes with them, by the references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.engine.eager import LayerValues
from thalweg.errors import ArgumentError
from thalweg.program.autodiff import derive
from thalweg.program.builder import Builder
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.batches import Gather, Store
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.instructions.rowwise import Rowwise
from thalweg.program.ir.instruction import DATA, DOUBLE, LOSS, TOTALS, Buffer, StepState
from thalweg.program.lowering import forward
from thalweg.program.passes.draft import Request
from thalweg.recordings.compiled_model import WholeModel

Array = NDArray[Any]


@dataclass
class Passed:
    """A forward pass: its instructions, and the value of each buffer."""

    program: Builder
    values: LayerValues
    input: Buffer
    output: Buffer

    def __getitem__(self, buffer: Buffer) -> Array:
        return self.values[buffer]


def passed(model: WholeModel, x: Array) -> Passed:
    """Passes rows (n, …) through a model with one input and one output; meant for a few, since NumPy does it."""
    compiled: Any = model._compiled
    network = (compiled.at([x.shape[1]]) if compiled.graph.any_length else compiled).network()
    if len(network.input_shapes) != 1 or len(network.output_shapes) != 1:
        raise ArgumentError(words.Said("pictures of the insides are made of models with one input and one output"))
    program, (output,) = forward(network, Request("inference", of_bytes=x.dtype == np.uint8))
    values = start(model, len(x))
    values[program.inputs[0]] = x.astype(model.dtype)
    for state in (s for states in program.carried.values() for s in states.first):  # as if no batch had been before
        values[state] = np.zeros((len(x), *state.shape), model.dtype)
    for instruction in program.instructions:
        if not isinstance(instruction, Gather | Store):  # the rows are there, and what they leave isn't kept
            values.execute(instruction)
    return Passed(program, values, program.inputs[0], output)


def start(model: WholeModel, rows: int) -> LayerValues:
    """The weights, and nothing else yet."""
    values = LayerValues(StepState(rows=rows, batch_rows=rows, seed=0))
    for _, parameter in model.named_parameters():
        assert parameter.array is not None
        values[parameter.buffer] = parameter.array
    return values


def input_gradient(model: WholeModel, x: Array, classes: Array) -> Array:
    """How much the score of a class changes with each number of the input: ∂hₖ/∂x, (n, …), for class k of each row.

    The score hₖ is the output before its last activation. From Simonyan, Vedaldi and Zisserman, "Deep Inside
    Convolutional Networks" (2014).

    Args:
        model: with one input and one output of shape (classes,).
        x: (n, …) rows. classes: (n,) class numbers; of a network with one output unit, 0.
    """
    found = passed(model, x)
    program, score = found.program, score_of(found)
    if len(score.shape) != 1:
        raise ArgumentError(
            words.Said("saliency is of a class, and the output has the shape {shape}", shape=str(score.shape))
        )
    chosen = Buffer("chosen", score.shape)
    found.values[chosen] = np.eye(score.shape[0], dtype=model.dtype)[np.asarray(classes, np.int64)]
    before = len(program.instructions)
    value = program.reduce("sum", program.binary("multiply", score, chosen), (0,), keepdims=True)
    for instruction in program.instructions[before:]:
        found.values.execute(instruction)
    total = RowValue(value, None, Buffer("L", (1,), TOTALS, per_row=False, offset=LOSS, dtype=DOUBLE), total=True)
    gradient = Buffer("dx", found.input.shape)
    kept = program.instructions[1:]  # without the gather, which has no adjoint
    for instruction in derive([*kept, total], {found.input: gradient}):
        found.values.execute(instruction)
    return np.asarray(found[gradient])


def score_of(found: Passed) -> Buffer:
    """The output before its activation, or the output if it has none."""
    last = next(i for i in reversed(found.program.instructions) if any(o is found.output for o in i.outputs))
    return last.h if isinstance(last, (Elementwise, Rowwise)) else found.output


def maps(found: Passed) -> dict[str, Array]:
    """The feature maps (n, height, width, channels) of each layer, by their names and formulas, in order.

    Of a pre-activation and its activation only the latter, and no input.
    """
    activated = {id(i.h) for i in found.program.instructions if isinstance(i, (Elementwise, Rowwise))}
    result: dict[str, Array] = {}
    for instruction in found.program.instructions:
        for buffer in instruction.outputs:
            shown = buffer.region != DATA and buffer.per_row and len(buffer.shape) == 3
            if shown and buffer is not found.input and id(buffer) not in activated:
                result[f"{buffer.name}: {instruction.title}"] = np.asarray(found[buffer])
    return result
