"""A loop over steps as one instruction: the step is written once, and becomes the body of a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.ops.arrangement import expand_dims, ndim
from thalweg.ops.creation import zeros_like
from thalweg.ops.pointwise import where
from thalweg.ops.tensor import Traced, program_of, traced
from thalweg.program.builder import Builder
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.instructions.recurrence.backward import of_all_steps
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction
from thalweg.support.nested import leaves, mapped

Values = tuple[Any, ...]
Step = Callable[[Values, Values], tuple[Any, Values]]


def chosen(counts: Any, new: Any, old: Any) -> Any:
    """For each row the new value if its step counts, otherwise the old one."""
    while ndim(counts) < ndim(new):
        counts = expand_dims(counts, -1)
    return where(counts, new, old)


def filled(structure: Any, values: Iterable[Any]) -> Any:
    """A structure with other values in the places of its own."""
    queue = iter(values)
    return mapped(structure, lambda _: next(queue))


def scanned(
    step: Step,
    states: Values,
    inputs: Values,
    mask: Any,
    steps: int,
    *,
    backwards: bool,
    in_order: bool,
    zeros: bool,
    all_outputs: bool,
) -> tuple[Any, Values] | None:
    """What `over_steps` returns, by a scan; None if the step does what a scan can't repeat."""
    program = program_of([x for x in (*inputs, *states, mask) if isinstance(x, Traced)])
    sequences = [row_values(program, x) for x in (*inputs, *(() if mask is None else (mask,)))]
    initial: list[Buffer | None] = [row_values(program, x) for x in states]
    parts = [program.value(f"{x}[t]", x.shape[1:]) for x in sequences]
    memories = [program.value("s", b.shape) for b in initial if b is not None]
    writing = Writing(program)
    with writing:
        taken = [Traced(program, part) for part in parts]
        before = tuple(Traced(program, m) for m in memories)
        structure, after = step(tuple(taken[: len(inputs)]), before)
        values = [Traced(program, row_values(program, v)) for v in leaves(structure)]
        if mask is not None:
            lasts = [program.value("last", v.buffer.shape) for v in values]
            olds = [zeros_like(v) if zeros else Traced(program, last) for v, last in zip(values, lasts, strict=True)]
            values = [chosen(taken[-1], v, old) for v, old in zip(values, olds, strict=True)]
            after = tuple(chosen(taken[-1], new, old) for new, old in zip(after, before, strict=True))
            memories, initial = [*memories, *lasts], [*initial, *[None] * len(lasts)]
        outputs = [writing.own(v.buffer) for v in values]
        ends = [writing.own(traced(a, program).buffer) for a in after]
    if not writing.repeatable:
        writing.undo()
        return None
    if mask is not None:
        ends.extend(outputs)
    elif not all_outputs:
        lone = [output for output in dict.fromkeys(outputs) if output not in ends]
        memories = [*memories, *(program.value("last", output.shape) for output in lone)]
        initial, ends = [*initial, *[None] * len(lone)], [*ends, *lone]
    body = hoisted(program, writing.body, [*parts, *memories])
    loop = Loop(steps, sequences, parts, initial, memories, ends, body, outputs, backwards, in_order)
    found, last = loop.results(program, len(states), all_outputs)
    return filled(structure, found), last


@dataclass
class Loop:
    """A scan in the making."""

    steps: int
    sequences: Sequence[Buffer]
    parts: Sequence[Buffer]
    initial: Sequence[Buffer | None]
    memories: Sequence[Buffer]
    ends: Sequence[Buffer]
    body: Sequence[Instruction]
    outputs: Sequence[Buffer]
    backwards: bool
    in_order: bool

    def results(self, program: Builder, states: int, all_outputs: bool) -> tuple[Values, Values]:
        """Appends the scan, which keeps all of its values: what nothing reads goes when all is known."""
        steps = self.steps
        own = dict.fromkeys(b for i in self.body for b in i.outputs if b.view_of is None)
        made = (*own, *self.memories)
        kept = tuple(program.value(f"{b}[:]", (steps, *b.shape)) for b in made)
        finals = tuple(program.value(f"{b}[end]", b.shape) for b in self.ends)
        local = {*self.parts, *made}
        given = dict.fromkeys(b for i in self.body for b in i.inputs if b.storage not in local)
        program.append(
            Scan(
                steps, tuple(self.body), tuple(self.sequences), tuple(self.parts), tuple(self.initial),
                tuple(self.memories), tuple(self.ends), made, kept, finals, tuple(given), self.backwards,
            )
        )  # fmt: skip
        found = dict(zip(made, kept, strict=True)) if all_outputs else dict(zip(self.ends, finals, strict=True))
        results = [found[output] for output in self.outputs]
        if all_outputs and self.backwards and not self.in_order:
            results = [turned(program, x) for x in results]
        return tuple(Traced(program, x) for x in results), tuple(Traced(program, z) for z in finals[:states])


def turned(program: Builder, x: Buffer) -> Buffer:
    """A sequence with the last step first."""
    axes = len(x.shape)
    return program.slice(x, [None] * axes, [None] * axes, [-1, *[1] * (axes - 1)])


def row_values(program: Builder, x: Any) -> Buffer:
    """A value with numbers for each row."""
    return program.broadcast_to(*shaped(traced(x, program)), per_row=True)


def shaped(x: Traced) -> tuple[Buffer, tuple[int, ...]]:
    return x.buffer, x.buffer.shape


def hoisted(program: Builder, body: Sequence[Instruction], changing: Sequence[Buffer]) -> list[Instruction]:
    """The instructions that depend on the step; the others are done before it, once."""
    found, result = set(changing), []
    for i in body:
        if any(b.storage in found for b in i.inputs):
            found.update(b.storage for b in i.outputs)
            result.append(i)
        else:
            program.instructions.append(i)
    return result


class Writing:
    """While it is open, what is written to a program is kept apart."""

    def __init__(self, program: Builder) -> None:
        self.program = program
        self.body: list[Instruction] = []
        self.before = (program.streams, len(program.penalties), len(program.objectives))
        self.carried = dict(program.carried)

    def __enter__(self) -> None:
        self.outside, self.program.instructions = self.program.instructions, self.body

    def __exit__(self, *_: object) -> None:
        self.program.instructions = self.outside

    def own(self, b: Buffer) -> Buffer:
        """A value as one that an instruction of the step writes, in memory of its own."""
        if b.view_of is None and any(b in i.outputs for i in self.body):
            return b
        b = self.program.broadcast_to(b, b.shape, per_row=True)
        return self.program.append(Copy(b, self.program.value("z", b.shape)))

    @property
    def repeatable(self) -> bool:
        """Whether the step only computes values of rows, in ways whose adjoints a scan has."""
        same = self.before[1:] == (len(self.program.penalties), len(self.program.objectives))
        draws = any(i.streams for i in self.body)
        nested = any(isinstance(i, Scan) for i in self.body)
        lasts = any(o.region != WORKSPACE for i in self.body for o in i.outputs)
        sums = any(i.reduces for i in self.body)
        same = same and self.program.carried == self.carried
        return same and not (draws or nested or lasts or sums) and of_all_steps(self.body)

    def undo(self) -> None:
        """As if nothing had been written."""
        streams, penalties, objectives = self.before
        self.program.streams, self.program.carried = streams, self.carried
        del self.program.penalties[penalties:], self.program.objectives[objectives:]
