"""The adjoint of a scan: one in the other direction, and behind it the gradients of weights, of all steps at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from thalweg.program.formula import operations
from thalweg.program.instructions.elementwise import Add, Copy, Reshape
from thalweg.program.instructions.linear import Affine, BiasGradient, WeightGradient
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.ir.instruction import Adjoints, Buffer, Carry, Constant, Instruction


class Loop(Instruction):
    """Base of `Scan`: what one is made of, see there."""

    steps: int
    body: tuple[Instruction, ...]
    taken: tuple[Buffer, ...]
    parts: tuple[Buffer, ...]
    initial: tuple[Buffer | None, ...]
    memories: tuple[Buffer, ...]
    after: tuple[Buffer, ...]
    made: tuple[Buffer, ...]
    kept: tuple[Buffer, ...]
    finals: tuple[Buffer | None, ...]
    given: tuple[Buffer, ...]
    backwards: bool = False


def of_all_steps(body: Sequence[Instruction]) -> bool:
    """Whether the gradients of all weights that a body reads can be computed of all steps at once."""
    readers = (i for i in body if any(not (b.per_row or isinstance(b, Constant)) for b in i.inputs))
    return all(isinstance(i, Affine) or (isinstance(i, Pointwise) and i.operation.combine == "sum") for i in readers)


def adjoint_of_loop(scan: Loop, d: Adjoints) -> Iterator[Instruction]:
    """The adjoints of what a scan takes, begins with and is given."""
    return Backward(scan, d).instructions()


class Backward:
    """A scan's adjoint in the making: which sequences it takes and keeps, and what stands around it."""

    def __init__(self, scan: Loop, d: Adjoints) -> None:
        self.scan, self.d = scan, d
        self.kept_by_scan = dict(zip(scan.made, scan.kept, strict=True)) | dict(
            zip(scan.parts, scan.taken, strict=True)
        )
        self.own = {*scan.parts, *scan.memories, *(b for i in scan.body for b in i.outputs)}  # of the scan's steps
        self.taken: dict[Buffer, Buffer] = {}  # part → sequence
        self.kept: dict[Buffer, Buffer] = {}  # what is made → sequence
        self.body: list[Instruction] = []
        self.before: list[Instruction] = []
        self.behind: list[Instruction] = []
        self.memories: list[tuple[Buffer, Buffer, Buffer | None, Buffer | None]] = []  # memory, after, initial, final

    def instructions(self) -> Iterator[Instruction]:
        """Everything in order."""
        scan, d = self.scan, self.d
        ends: dict[Buffer, list[Buffer]] = {}
        for value, sequence in zip(scan.made, scan.kept, strict=True):
            if d.known(sequence):
                part = Buffer(f"d{value}", value.shape)
                self.taken[part] = d(sequence)
                ends.setdefault(value, []).append(part)
        carries = [
            Carry(m, a, Buffer(f"d{a} from later", a.shape), z is not None and d.known(z))
            for m, a, z in zip(scan.memories, scan.after, scan.finals, strict=True)
        ]
        begins = zip(scan.memories, scan.initial, strict=True)
        wanted = [
            *(part for part, x in zip(scan.parts, scan.taken, strict=True) if d.wants(x)),
            *(m for m, x in begins if x is not None and d.wants(x)),
            *(g for g in scan.given if d.wants(g)),
        ]
        backward, found = d.of_part(scan.body, wanted, ends, carries)
        weights = [g for g in scan.given if d.wants(g) and not g.per_row]
        places = {place: W for W in weights for place in found.places(W)}
        lifted = [i for i in backward if any(o in places for o in i.outputs)]
        self.body = [i for i in backward if i not in lifted]
        passed = [*self.carry(carries, found), *self.accumulate(found)]
        for part, x in zip(scan.parts, scan.taken, strict=True):
            if found.known(part) and d.wants(x):
                passed.append((self.made(found(part)), x))
        gradients = list(self.of_weights(weights, lifted, found))
        backward_scan = self.made_scan()
        yield from self.before
        yield backward_scan
        yield from self.behind
        yield from gradients
        for adjoint, value in passed:
            yield from d.pass_on(adjoint, value)

    def carry(self, carries: Sequence[Carry], found: Adjoints) -> Iterator[tuple[Buffer, Buffer]]:
        """The adjoints of memories become memories; yields the adjoints of the first ones."""
        d, scan = self.d, self.scan
        for c, x, z in zip(carries, scan.initial, scan.finals, strict=True):
            if c.adjoint not in found.places(c.after):
                continue
            if found.known(c.memory):
                after = self.separate(found(c.memory))
            else:  # the step doesn't depend on it
                after = Buffer(f"d{c.memory}", c.memory.shape)
                self.body.append(Pointwise(operations.SUM, (Constant("0", np.zeros(c.memory.shape)),), after))
            final = None
            if found.known(c.memory) and x is not None and d.wants(x):
                final = Buffer(f"d{c.memory} first", c.memory.shape)
                yield final, x
            self.memories.append((c.adjoint, after, d(z) if c.given and z is not None else None, final))

    def separate(self, value: Buffer) -> Buffer:
        """A value as one that the body writes: no memory, which another could overwrite."""
        if value in (memory for memory, *_ in self.memories) or not any(value in i.outputs for i in self.body):
            self.body.append(Copy(value, copy := Buffer(f"{value}′", value.shape)))
            return copy
        return value

    def accumulate(self, found: Adjoints) -> Iterator[tuple[Buffer, Buffer]]:
        """The adjoints of per-row values that are the same in each step: their sum is carried."""
        for g in self.scan.given:
            if g.per_row and self.d.wants(g) and found.known(g):
                sums = [Buffer(f"d{g}{k}", g.shape) for k in (" so far", " with this step", "")]
                self.body.append(Add(sums[0], found(g), sums[1]))
                self.memories.append((sums[0], sums[1], None, sums[2]))
                yield sums[2], g

    def of_weights(
        self, weights: Sequence[Buffer], lifted: Sequence[Instruction], found: Adjoints
    ) -> Iterator[Instruction]:
        """The gradients of weights, by instructions on whole sequences; several contributions are added."""
        for W in weights:
            parts = [i for place in found.places(W) for i in lifted if place in i.outputs]
            total: Buffer | None = None
            for number, i in enumerate(parts, start=1):
                last = number == len(parts)
                place = self.d.into(W) if last and total is None else Buffer(f"d{W}_{number}", W.shape, per_row=False)
                yield from self.whole(i, place)
                if total is not None:
                    result = self.d.into(W) if last else Buffer(f"d{W}_{number}s", W.shape, per_row=False)
                    yield Add(total, place, result)
                    place = result
                total = place

    def whole(self, i: Instruction, place: Buffer) -> Iterator[Instruction]:
        """A step's instruction that adds to a weight's gradient, for all steps."""
        around: list[Instruction] = []

        def sequence(b: Buffer) -> Buffer:
            if not b.per_row:
                return b
            if b not in self.own and b in self.scan.given:
                row = Buffer(f"{b} once", (1, *b.shape), b.region, view_of=b)
                every = Buffer(f"{b} in each step", (self.scan.steps, *b.shape))
                around.extend([Reshape(b, row), Pointwise(operations.SUM, (row,), every)])
                return every
            return self.made(b)

        match i:
            case WeightGradient():
                result: Instruction = WeightGradient(sequence(i.x), sequence(i.dh), place)
            case BiasGradient():
                result = BiasGradient(sequence(i.dh), place)
            case Pointwise():
                result = replace(i, values=tuple(map(sequence, i.values)), z=place)
            case _:
                raise AssertionError(f"'{i.title}' can't be computed of all steps at once")
        yield from around
        yield result

    def made(self, value: Buffer) -> Buffer:
        """The sequence of a value of the steps: the scan's, or one that the backward scan takes or keeps."""
        if value in self.own:
            return self.sequence(value)
        if value in self.taken:
            return self.taken[value]
        if value.view_of is not None:
            whole = self.made(value.view_of)
            view = Buffer(f"{value}", (self.scan.steps, *value.shape), view_of=whole)
            self.behind.append(Reshape(whole, view))
            return view
        if value not in self.kept:
            self.kept[value] = Buffer(value.name, (self.scan.steps, *value.shape))
        return self.kept[value]

    def sequence(self, value: Buffer) -> Buffer:
        """The sequence of a value of the forward steps."""
        if value not in self.kept_by_scan:
            assert value.view_of is not None, f"{value} isn't kept"
            whole = self.sequence(value.view_of)
            view = Buffer(f"{value}", (self.scan.steps, *value.shape), view_of=whole)
            self.before.append(Reshape(whole, view))
            self.kept_by_scan[value] = view
        return self.kept_by_scan[value]

    def made_scan(self) -> Loop:
        """The backward scan, which takes what its body reads of the forward one."""
        scan = self.scan
        own = {b for i in self.body for b in i.outputs} | {m for m, *_ in self.memories} | set(self.taken)
        given: dict[Buffer, None] = {}
        for b in (b for i in self.body for b in i.inputs):
            if b in own or b.storage in own:
                continue
            if b in self.own:
                self.taken[b.storage] = self.sequence(b.storage)
            else:
                given[b] = None
        written = {b for i in self.body for b in i.outputs}
        views = dict.fromkeys(b for i in self.body for b in i.inputs if b.storage in self.taken and b not in self.taken)
        self.body[:0] = [Reshape(b.storage, b) for b in views if b not in written]
        memories, after, initial, finals = zip(*self.memories, strict=True) if self.memories else ((), (), (), ())
        return type(scan)(
            scan.steps, tuple(self.body), tuple(self.taken.values()), tuple(self.taken), initial, memories, after,
            tuple(self.kept), tuple(self.kept.values()), finals, tuple(given), not scan.backwards,
        )  # fmt: skip
