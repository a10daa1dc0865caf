"""What went wrong: the first instruction of a step whose output is not finite, and what to try."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thalweg.engine.contract import Array, Chunk, Executor, Job
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import PARAMETERS, SLOTS, Buffer, Instruction

COLUMN_NAMES = {"X": "x", "Y": "y", "weights": "sample_weight"}


def diagnose(executor: Executor, job: Job, chunk: Chunk) -> str:
    """A sentence about the first step of the chunk, executed one instruction at a time. Changes the weights."""
    for instruction, memory in executor.trace(chunk):
        for output in instruction.outputs:
            values = memory[output]
            if not np.isfinite(values).all():
                if isinstance(instruction, Gather):
                    return bad_data(job, instruction)
                if bad := bad_label(memory, instruction):
                    return bad
                return (
                    f"the first value that is not finite is {worst(values)} in {output.name}, "
                    f"the output of '{instruction.title}', {instruction.formula}. {advice(instruction, chunk)}"
                )
    return "a value was not finite. " + general(chunk)


def worst(values: Array) -> str:
    """ "nan", "inf" or "-inf", whichever comes first."""
    return str(values[~np.isfinite(values)].ravel()[0])


def bad_data(job: Job, gather: Gather) -> str:
    """Names the first row and column (of an image: the pixel and channel) of the data that is not a finite number."""
    data = job.data[gather.X.name].reshape(job.rows, *gather.X.shape)
    row, *inside = (int(i) for i in np.argwhere(~np.isfinite(data))[0])
    kind = gather.X.name.rstrip("0123456789")  # several are numbered: Y1, Y2, …
    what = COLUMN_NAMES[kind] + gather.X.name.removeprefix(kind)
    column = f"column {inside[0]}" if len(inside) == 1 else f"place {tuple(inside)}"
    place = f"row {row}, {column}" if gather.X.size > 1 else f"row {row}"
    return (
        f"the data holds {data[(row, *inside)]}: {what} at {place} (counted from 0), found by '{gather.title}', "
        f"{gather.formula}. Fill in or drop missing values; thalweg.data and the command line do it for tables."
    )


def bad_label(memory: Mapping[Buffer, Array], instruction: Instruction) -> str | None:
    """Names the first class number or id that is not one, if the instruction reads such numbers and one is wrong."""
    if instruction.labels is None:
        return None
    y, classes = instruction.labels
    labels = memory[y]
    wrong = labels[~class_numbers(np, labels, classes)[1]]
    if not len(wrong):
        return None
    what, read = ("an id", "x") if isinstance(instruction, Embedding) else ("a class number", "y")
    return (
        f"{y.name} holds {wrong[0]:g} where {what} from 0 to {classes - 1} is needed, found by "
        f"'{instruction.title}'. It was one when the training began: {read} must not change while fit runs."
    )


def advice(instruction: Instruction, chunk: Chunk) -> str:
    """What to try, depending on the instruction."""
    if any(o.region in (PARAMETERS, SLOTS) for o in instruction.outputs):
        return f"The step itself was too large. {general(chunk)}"
    return general(chunk)


def general(chunk: Chunk) -> str:
    rate = float(chunk.learning_rates[0]) if len(chunk.learning_rates) else 0.0
    return (
        f"The weights have grown too large: try a smaller learning rate (it is {rate:g}), "
        "inputs scaled to about −1 … 1, or smaller initial weights."
    )
