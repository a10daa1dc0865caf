"""What went wrong: the first instruction of a step whose output is not finite, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from thalweg import words
from thalweg.engine.contract import Array, Chunk, Executor, Job, Outcome
from thalweg.errors import DivergedError
from thalweg.program.instructions.batches import Gather
from thalweg.program.instructions.embedding import Embedding
from thalweg.program.instructions.losses.loss_instruction import class_numbers
from thalweg.program.ir.instruction import PARAMETERS, SLOTS, Buffer, Instruction

COLUMN_NAMES = {"X": "x", "Y": "y", "weights": "sample_weight", "S": "state "}


def diagnose(executor: Executor, job: Job, chunk: Chunk) -> words.Said:
    """A sentence about the first step of the chunk, executed one instruction at a time. Changes the weights."""
    for instruction, memory in executor.trace(chunk):
        for output in instruction.outputs:
            values = memory[output]
            if not np.isfinite(values).all():
                if isinstance(instruction, Gather):
                    return bad_data(job, instruction)
                if bad := bad_label(memory, instruction):
                    return bad
                return words.Said(
                    "the first value that is not finite is {value} in {name}, the output of '{title}', {formula}. "
                    "{advice}",
                    value=worst(values),
                    name=output.name,
                    title=instruction.title,
                    formula=instruction.formula,
                    advice=advice(instruction, chunk),
                )
    return words.Said("a value was not finite. {advice}", advice=general(chunk))


def worst(values: Array) -> str:
    """ "nan", "inf" or "-inf", whichever comes first."""
    return str(values[~np.isfinite(values)].ravel()[0])


def bad_data(job: Job, gather: Gather) -> words.Said:
    """Names the first row and column (of an image: the pixel and channel) of the data that is not a finite number."""
    data = job.data[gather.X.name].reshape(-1, *gather.X.shape)
    at = row, *inside = tuple(int(i) for i in np.argwhere(~np.isfinite(data))[0])
    row += job.first
    kind = gather.X.name.rstrip("0123456789")  # several are numbered: Y1, Y2, …
    what = COLUMN_NAMES[kind] + gather.X.name.removeprefix(kind)
    inner = inside[0] if len(inside) == 1 else str(tuple(inside))
    if gather.X.size == 1:
        place = words.Said("row {row}", row=row)
    elif len(inside) == 1:
        place = words.Said("row {row}, column {inner}", row=row, inner=inner)
    else:
        place = words.Said("row {row}, place {inner}", row=row, inner=inner)
    return words.Said(
        "the data holds {value}: {what} at {place} (counted from 0), found by '{title}', {formula}. Fill in or drop "
        "missing values; thalweg.data and the command line do it for tables.",
        value=str(data[at]),
        what=what,
        place=place,
        title=gather.title,
        formula=gather.formula,
    )


def bad_label(memory: Mapping[Buffer, Array], instruction: Instruction) -> words.Said | None:
    """Names the first class number or id that is not one, if the instruction reads such numbers and one is wrong."""
    if instruction.labels is None:
        return None
    y, classes = instruction.labels
    labels = memory[y]
    wrong = labels[~class_numbers(np, labels, classes)[1]]
    if not len(wrong):
        return None
    return words.Said(
        "{name} holds {wrong:g} where an id from 0 to {last} is needed, found by '{title}'. It was one when the "
        "training began: x must not change while fit runs."
        if isinstance(instruction, Embedding)
        else "{name} holds {wrong:g} where a class number from 0 to {last} is needed, found by '{title}'. It was one "
        "when the training began: y must not change while fit runs.",
        name=y.name,
        wrong=float(wrong[0]),
        last=classes - 1,
        title=instruction.title,
    )


def advice(instruction: Instruction, chunk: Chunk) -> words.Said:
    """What to try, depending on the instruction."""
    if any(o.region in (PARAMETERS, SLOTS) for o in instruction.outputs):
        return words.Said("The step itself was too large. {advice}", advice=general(chunk))
    return general(chunk)


def general(chunk: Chunk) -> words.Said:
    return words.Said(
        "The weights have grown too large: try a smaller learning rate (it is {rate:g}), inputs scaled to about "
        "−1 … 1, or smaller initial weights.",
        rate=float(np.max(chunk.learning_rates[0])) if len(chunk.learning_rates) else 0.0,
    )


def stopped(epoch: int, batch: int, job: Job, finding: words.Said) -> DivergedError:
    """The error of a training that ended in this epoch and batch, both counted from 0."""
    return DivergedError(
        words.Said(
            "training stopped in epoch {epoch}, batch {batch} of {batches}: {finding} The model keeps its last finite "
            "weights.",
            epoch=epoch + 1,
            batch=batch + 1,
            batches=job.steps_per_epoch,
            finding=finding,
        )
    )


def unrepeatable() -> DivergedError:
    """The error of steps whose repetition doesn't show what was wrong."""
    return DivergedError(
        words.Said("a value was not finite, but not when the steps were repeated one by one; weights are restored")
    )


def all_finite(job: Job, outcome: Outcome) -> bool:
    """Whether loss, weights and the optimizer's vectors are all finite."""
    return outcome.finite and finite(job.parameters) and finite(job.slots)


def finite(vector: Array) -> bool:
    """Whether every element is finite. A finite sum proves it in one pass; other sums may be an overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum()) or np.isfinite(vector).all())


def restore_and_diagnose(executor: Executor, job: Job, step: Chunk, before: tuple[Array, Array]) -> words.Said:
    """Restores the state before a step, and says what went wrong in it."""
    job.parameters[:], job.slots[:] = before
    job.states.undo()
    finding = diagnose(executor, job, step)
    job.parameters[:], job.slots[:] = before
    return finding


def restore_and_explain(fit: Any, chunk: Chunk, before: tuple[Array, Array], done: int, ended: Array) -> NoReturn:
    """Restores the start of the chunk, repeats it step by step up to the last finite weights, and raises.

    A step depends on nothing but the weights, the seed and its number, so the repetition is exact. The epochs that
    `ended` in the chunk before the step that failed are recorded. fit: a `Fit`. done: its steps before the chunk.
    """
    job, optimizer = fit.job, fit.compiled.optimizer
    job.parameters[:], job.slots[:] = before
    job.states.undo()
    for step in range(chunk.steps):
        one = replace(
            chunk.part(step, step + 1),
            epoch=chunk.epoch + (chunk.batch + step) // job.steps_per_epoch,
            batch=(chunk.batch + step) % job.steps_per_epoch,
            watched=fit.recorder is not None,
        )
        last = (job.parameters.copy(), job.slots.copy())
        outcome = fit.executor.run(one)
        fine = all_finite(job, outcome)
        if fit.recorder is not None:
            fit.recorder.repeated(one, outcome, done + step, last[0], fit.executor.gradient(), fine)
        if fine:
            continue
        job = fit.whole()
        finding = restore_and_diagnose(fit.executor, job, one, last)
        optimizer.iterations += step
        fit.compiled.epochs_trained = one.epoch
        number = done + step
        if fit.recorder is not None:
            fit.recorder.take_last()
        history = fit.model.history
        assert history is not None
        for place, totals in enumerate(ended[: one.epoch - chunk.epoch]):
            fit.end_epoch(fit.initial_epoch + done // job.steps_per_epoch + place, fit.compiled.logs(totals), history)
        raise stopped(fit.initial_epoch + number // job.steps_per_epoch, number % job.steps_per_epoch, job, finding)
    raise unrepeatable()
