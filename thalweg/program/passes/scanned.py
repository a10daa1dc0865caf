"""Scans in a program: what nobody reads of them goes, and they can be written out, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.program.formula import operations
from thalweg.program.instructions.elementwise import Copy, Reshape
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.shapes import MOST_PARTS, Concatenation, Slice
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Constant, Instruction, fields_of
from thalweg.program.ir.program import Program
from thalweg.program.passes.draft import Draft


def without_unread(draft: Draft) -> Draft:
    """Leaves out the sequences and final values of scans that nothing reads, and what is computed for them alone."""
    before = draft
    while True:
        scans = {i: needed(i, draft) for i in draft if isinstance(i, Scan)}
        changes: dict[Instruction, list[Instruction]] = {i: [s] if s.outputs else [] for i, s in scans.items()}
        changes |= {i: [] for i in draft if any(before.readers(b) for b in i.outputs) and not read(i, draft)}
        changed = draft.changed(changes)
        if changed is draft:
            return draft
        draft = changed


def read(i: Instruction, draft: Draft) -> bool:
    """Whether anything is done with what an instruction writes."""
    return any(b.region != WORKSPACE or b in draft.outputs or draft.readers(b) for b in i.outputs)


def needed(scan: Scan, draft: Draft) -> Scan:
    """A scan of what is read alone; the same one if all is."""
    wanted = [number for number, b in enumerate(scan.kept) if draft.readers(b) or b in draft.outputs]
    final = tuple(b if b is not None and (draft.readers(b) or b in draft.outputs) else None for b in scan.finals)
    made = [scan.made[number] for number in wanted]
    read = storages(made) | storages(a for a, z in zip(scan.after, final, strict=True) if z is not None)
    while True:  # a memory is needed if what needs it is
        body = live(scan.body, read)
        read |= storages(b for i in body for b in i.inputs)
        more = storages(a for m, a in zip(scan.memories, scan.after, strict=True) if m in read) - read
        if not more:
            break
        read |= more
    kept = [number for number, m in enumerate(scan.memories) if m in read or final[number] is not None]
    taken = [number for number, part in enumerate(scan.parts) if part in read]
    inputs = {b for i in body for b in i.inputs}
    result: Scan = replace(
        scan, body=tuple(body), made=tuple(made), kept=chosen(scan.kept, wanted), taken=chosen(scan.taken, taken),
        parts=chosen(scan.parts, taken), memories=chosen(scan.memories, kept), after=chosen(scan.after, kept),
        initial=chosen(scan.initial, kept), finals=chosen(final, kept),
        given=tuple(b for b in scan.given if b in inputs),
    )  # fmt: skip
    return scan if all(getattr(scan, name) == value for name, value in fields_of(result).items()) else result


def live(body: Sequence[Instruction], read: set[Buffer]) -> list[Instruction]:
    """The instructions whose results are read, by others or outside."""
    read, result = set(read), []
    for i in reversed(body):
        if any(o.storage in read for o in i.outputs):
            result.append(i)
            read |= storages(i.inputs)
    return result[::-1]


def storages(buffers: Any) -> set[Buffer]:
    return {b.storage for b in buffers}


def chosen(values: tuple[Any, ...], numbers: Sequence[int]) -> tuple[Any, ...]:
    return tuple(values[number] for number in numbers)


def unroll(draft: Draft) -> Draft:
    """Each scan, step by step."""
    return draft.changed({i: list(steps_of(i)) for i in draft if isinstance(i, Scan)})


def unrolled(program: Program) -> Program:
    """A program without scans, for readers who know none; the same one if it has none."""
    if not any(isinstance(i, Scan) for i in program):
        return program
    halves = [
        [new for i in half for new in (steps_of(i) if isinstance(i, Scan) else (i,))]
        for half in (program.forward, program.backward)
    ]
    return Program(halves[0], halves[1], program.update, program.every, states=program.states)


def steps_of(scan: Scan) -> Iterator[Instruction]:
    """The instructions of all steps."""
    memories: list[Buffer] = []
    for m, b in zip(scan.memories, scan.initial, strict=True):
        if b is None:
            b = Buffer(f"{m} at first", m.shape)
            yield Pointwise(operations.SUM, (Constant("0", np.zeros(m.shape)),), b)
        memories.append(b)
    made: list[list[Buffer]] = [[] for _ in scan.made]
    for t in scan.order:
        names = dict(zip(scan.memories, memories, strict=True))
        for part, x in zip(scan.parts, scan.taken, strict=True):
            step = Buffer(f"[{x}[{t + 1}]]", (1, *part.shape))
            names[part] = Buffer(f"{x}[{t + 1}]", part.shape, view_of=step)
            ones = (1,) * len(x.shape)
            yield Slice(x, step, (t, *(0 for _ in part.shape)), ones)
            yield Reshape(step, names[part])
        for i in scan.body:
            for b in i.outputs:
                whole = None if b.view_of is None else names.get(b.view_of, b.view_of)
                names[b] = Buffer(f"{b}[{t + 1}]", b.shape, view_of=whole)
            yield on_values(i, names)
        for found, b in zip(made, scan.made, strict=True):
            found.append(names[b])
        memories = [names[b] for b in scan.after]
    for found, whole in zip(made, scan.kept, strict=True):
        yield from stacked(found[::-1] if scan.backwards else found, whole)
    for m, z in zip(memories, scan.finals, strict=True):
        if z is not None:
            yield Copy(m, z)


def on_values(i: Instruction, names: Mapping[Buffer, Buffer]) -> Instruction:
    """The same instruction on other values."""

    def other(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(other, value))
        if isinstance(value, Instruction):
            return on_values(value, names)
        return names.get(value, value) if isinstance(value, Buffer) else value

    changes = {name: other(v) for name, v in fields_of(i).items() if isinstance(v, Buffer | tuple | Instruction)}
    return replace(i, **changes)  # type: ignore[type-var]


def stacked(parts: Sequence[Buffer], whole: Buffer) -> Iterator[Instruction]:
    """The values of all steps as one sequence."""
    rows = []
    for part in parts:
        rows.append(Buffer(f"[{part}]", (1, *part.shape), view_of=part))
        yield Reshape(part, rows[-1])
    while len(rows) > MOST_PARTS:
        groups = [rows[n : n + MOST_PARTS] for n in range(0, len(rows), MOST_PARTS)]
        rows = []
        for group in groups:
            shape = (sum(b.shape[0] for b in group), *whole.shape[1:])
            rows.append(Buffer(f"{group[0]} …", shape))
            yield Concatenation(tuple(group), rows[-1], 0)
    yield Concatenation(tuple(rows), whole, 0)
