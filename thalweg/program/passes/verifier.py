"""What holds of every program, checked after each pass: a pass that breaks it would compute something else, unseen."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.formula.statements import targets
from thalweg.program.instructions.elementwise import Copy, Reshape
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.ir.instruction import (
    DATA,
    DOUBLE,
    FLOAT,
    GRADIENTS,
    NORMS,
    PARAMETERS,
    SLOTS,
    TOTALS,
    WORKSPACE,
    Buffer,
    Instruction,
    fields_of,
)
from thalweg.program.passes.draft import Draft, Pass

GIVEN = (DATA, PARAMETERS, SLOTS)  # regions that hold their values before a step begins
LASTING = (TOTALS, GRADIENTS, *GIVEN)  # regions that are seen after it, so that what is written there is wanted


def rewritten(draft: Draft, passes: Iterable[Pass], after: str | None = None) -> Draft:
    """The draft after all passes that run for its request, or after the one of that name and those that are needed.

    Each result is verified.
    """
    refuse(violations(draft), "lowering")
    stopped = False
    for p in passes:
        if p.when(draft.request) and (p.needed or not stopped):
            before, draft = draft, p.rewrite(draft)
            if draft is not before:
                old = set(before)
                refuse([*violations(draft, old), *lost(before, draft)], f"the pass '{p.name}'")
            stopped = stopped or p.name == after
    return draft


def in_order(instructions: Iterable[Instruction], step: str) -> None:
    """Raises if one of these instructions doesn't find the values that it reads. step: what has put them in order."""
    refuse(order_violations(instructions), step)


def refuse(found: Iterable[str], step: str) -> None:
    """Raises with the first violation, if there is any."""
    for violation in found:
        raise ThalwegError(f"{step} made a wrong program: {violation}. This is a bug of thalweg's, please report it")


def violations(draft: Draft, old: Collection[Instruction] = ()) -> Iterator[str]:
    """What is wrong with a draft by itself. old: instructions whose own values have been looked at before."""
    yield from order_violations(draft if draft.backward else draft.forward)  # an update has to wait for gradients
    yield from repeated(draft)
    shapes = {W.offset: W.shape for W in draft.trained}
    for i in draft.backward:
        for b in i.outputs:
            if b.region == GRADIENTS and b.shape != shapes.get(b.offset):
                yield f"{b}, a gradient of shape {b.shape}, is not one of a trained weight's"
    yield from wrong_values(draft, old)
    if draft.request.visible:
        for y in draft.outputs:
            if not draft.writers(y.storage):
                yield f"{y}, an output, has to be visible but nothing writes it"


def order_violations(instructions: Iterable[Instruction]) -> Iterator[str]:
    """What is read, or added to, before it is written. An optimizer reads the gradients of several weights as one, and
    their norms."""
    written: set[Buffer] = set()
    for i in instructions:
        for b in (*i.inputs, *(i.outputs if i.accumulates else ())):
            if b in written or b.region in GIVEN or b.region == TOTALS or b.storage in written:
                continue
            if b.region in (GRADIENTS, NORMS) and any(overlap(b, w) for w in written):
                continue
            yield f"'{i.title}' ({i.formula}) reads {b}, which nothing has written"
        written.update(i.outputs)
        written.update(b.storage for b in i.outputs if b.view_of is not None)


def wrong_values(instructions: Iterable[Instruction], old: Collection[Instruction] = ()) -> Iterator[str]:
    """Values whose places, types or shapes can't be. old: instructions whose operands were seen to fit."""
    instructions = list(instructions)
    for b in dict.fromkeys(b for i in instructions for b in i.operands if b is not None):
        yield from misplaced(b)
    for i in instructions:
        if i not in old:
            yield from mistyped(i)
            yield from misshapen(i)


def overlap(one: Buffer, other: Buffer) -> bool:
    """Whether two buffers of a flat vector have elements in common."""
    apart = one.offset >= other.offset + other.size or other.offset >= one.offset + one.size
    return one.region == other.region and not apart


def repeated(draft: Draft) -> Iterator[str]:
    """What several instructions write, of which only the last would count; a state may change several times, and an
    update works on the gradients in place."""
    halves = dict.fromkeys([*draft.forward, *draft.backward])
    several = (b for i in halves for b in i.outputs if len(draft.writers(b)) > 1)
    for b in dict.fromkeys(b for b in several if b.region not in (PARAMETERS, SLOTS)):
        writers = [i for i in draft.writers(b) if not i.accumulates and i in halves]
        own = {i.of for i in writers if isinstance(i, LossAndGradient)}  # both count the loss until they are one
        if len([i for i in writers if i not in own]) > 1:
            yield f"{b} is written by {' and '.join(repr(i.title) for i in writers)}"


def misplaced(b: Buffer) -> Iterator[str]:
    """What is wrong with a buffer by itself."""
    of = b.view_of
    if of is not None and (b.size, b.region, b.per_row, b.dtype) != (of.size, of.region, of.per_row, of.dtype):
        yield f"{b} is a view of {of}, which has other elements"
    if (b.dtype == DOUBLE) != (b.region in (TOTALS, NORMS)):
        yield f"{b}, of type {b.dtype}, can't lie among the {b.region}"
    if b.per_row and b.region not in (WORKSPACE, DATA):
        yield f"{b} has a value for each row, for which the {b.region} have no place"


def mistyped(i: Instruction) -> Iterator[str]:
    """Operands of another type than the one that an instruction works on."""
    for name, value in fields_of(i).items():
        wanted = i.dtypes.get(name, FLOAT)
        several = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value,)
        for b in several:
            if isinstance(b, Buffer) and b.dtype != wanted and b.region not in (TOTALS, NORMS):
                yield f"'{i.title}' ({i.formula}) takes {b} for {wanted}, but it is {b.dtype}"


def misshapen(i: Instruction) -> Iterator[str]:
    """Operands of an elementwise instruction whose shapes don't fit together, and copies of another size."""
    if isinstance(i, Copy | Reshape):
        if (i.x.size, i.x.per_row) != (i.z.size, i.z.per_row):
            yield f"'{i.title}' ({i.formula}): {i.z} has other elements than {i.x}"
        return
    stated = i.stated
    if stated is None:
        return
    values = stated.values.values()
    try:
        space = np.broadcast_shapes(*(b.shape for b in values))
    except ValueError:
        yield f"'{i.title}' ({i.formula}): {' and '.join(f'{b} of shape {b.shape}' for b in values)} don't fit together"
        return
    for z in (stated.values[name] for name in targets(stated.text) if name in stated.values):
        adds = i.reduces or isinstance(i, Pointwise) or z.region in (TOTALS, NORMS)
        if not adds and (z.size, z.per_row) != (math.prod(space), any(b.per_row for b in values)):
            yield f"'{i.title}' ({i.formula}): {z} of shape {z.shape} has no place for each of {space}"


def lost(before: Draft, after: Draft) -> Iterator[str]:
    """The results of a step that a pass has lost, and values that are computed but that it left without a reader.

    What an instruction computes beside a value that is read may be left so.
    """
    results = lasting(after)
    yield from (f"{b} is no longer written" for b in lasting(before) if b not in results)
    for b in dict.fromkeys(b for i in after if not any(after.readers(o) for o in i.outputs) for b in i.outputs):
        if before.readers(b) and not after.readers(b) and b.region not in LASTING:
            yield f"nothing reads {b} any more, though it is computed"


def lasting(draft: Draft) -> dict[Buffer, None]:
    """What a step leaves behind: sums of losses and metrics, gradients, outputs, moving averages."""
    return dict.fromkeys(b for i in draft for b in i.outputs if b.region in LASTING)
