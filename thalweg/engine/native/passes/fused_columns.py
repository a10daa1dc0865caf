"""The gates of a step at once: what lies between two products is one instruction, which reads and writes once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from thalweg.engine.native.instructions.gates import Columns
from thalweg.engine.native.passes.chains import pointwise
from thalweg.program.instructions.elementwise import Copy, Rescale
from thalweg.program.instructions.shapes import Concatenation, Placement, Slice
from thalweg.program.ir.instruction import Buffer, Constant, Instruction

MOST_OPERANDS = 20  # a row of the machine's table has no room for more
MOST_PARTS = 8  # of a value


def fuse_columns(body: Sequence[Instruction], wanted: Collection[Buffer]) -> list[Instruction]:
    """The body with its pointwise instructions joined, each with all that depend on the same products.

    wanted: the values that are read elsewhere.
    """
    widths = [b.shape[0] for i in body for b in i.operands if b is not None and b.per_row and len(b.shape) == 1]
    units = min((n for n in widths if n > 1), default=0)
    if not units:
        return list(body)
    level: dict[Buffer, int] = {}  # the number of the group after which a value is there
    groups: dict[int, list[Instruction]] = {}
    others: dict[int, list[Instruction]] = {}
    for i in body:
        own = max((level.get(b.storage, 0) for b in i.inputs), default=0)
        joins = parts_fit(i, units)
        (groups if joins else others).setdefault(own, []).append(i)
        level.update((b, own if joins else own + 1) for b in i.outputs)
    result: list[Instruction] = []
    for number in sorted({*groups, *others}):
        group = groups.get(number, [])
        outside = {b for i in body if i not in group for b in i.inputs}
        result += joined(group, {*wanted, *outside, *(b.storage for b in outside)}, units)
        result += others.get(number, [])
    return result


def joined(group: Sequence[Instruction], wanted: Collection[Buffer], units: int) -> list[Instruction]:
    """One instruction for a group; the group itself if there is nothing to join, or too much."""
    own = {b for i in group for b in i.outputs}
    read = dict.fromkeys(b for i in group for b in i.inputs if b not in own and not is_number(b))
    written = [b for i in group for b in i.outputs if b in wanted]
    if len(group) < 2 or len(read) + len(written) > MOST_OPERANDS:
        return list(group)
    return [Columns(tuple(group), tuple(read), tuple(written), units)]


def is_number(b: Buffer) -> bool:
    return isinstance(b, Constant) and b.shape == ()


def parts_fit(i: Instruction, units: int) -> bool:
    """Whether an instruction computes parts of `units` columns, each from such parts."""
    if not all(fits(b, units) for b in i.operands if b is not None) or not all(b.per_row for b in i.outputs):
        return False
    match i:
        case Slice() | Placement():
            return i.steps == (1,) and i.starts[0] % units == 0 and 1 not in (i.x.size, i.z.size)
        case Concatenation():
            return all(b.size > 1 for b in i.parts)
        case Copy() | Rescale():
            return True
    operation = pointwise(i)
    return operation is not None and not operation.summed and not operation.reduces


def fits(b: Buffer, units: int) -> bool:
    if b.view_of is not None:
        return False
    if not b.per_row and b.shape in ((), (1,)):
        return is_number(b)
    parts = b.size // units
    return len(b.shape) == 1 and (b.size == 1 or (b.size % units == 0 and parts <= MOST_PARTS))
