"""Sequences by steps: a step of a scan finds the parts of all rows of a block side by side, as its kernels need them.

What computes every step of a sequence alike, such as the products with all inputs before a scan and the gradients of
weights behind it, works on sequences by steps too, so that little is copied from one layout to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from thalweg.engine.native.instructions.changes import variant
from thalweg.engine.native.instructions.linear import NativeInputGradient
from thalweg.engine.native.instructions.scan import ByStepsOf, NativeScan
from thalweg.engine.native.layouts.orders import BySteps
from thalweg.engine.native.passes.fused_columns import fuse_columns
from thalweg.engine.native.passes.prepared import TRANSPOSED, on_transposed
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.batches import Gather, Store
from thalweg.program.instructions.elementwise import Add, Copy, Rescale, Reshape
from thalweg.program.instructions.linear import Affine, BiasGradient, InputGradient, WeightGradient
from thalweg.program.instructions.losses.loss_instruction import Loss
from thalweg.program.instructions.pointwise import Pointwise, aligned
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction
from thalweg.program.passes.draft import Draft
from thalweg.program.passes.scanned import on_values
from thalweg.support.extras import can_compile

ALIKE = (Reshape, Affine, WeightGradient, BiasGradient, InputGradient, Add, Copy, Rescale)


def place_steps(draft: Draft) -> Draft:
    """Lays out the sequences of scans by steps."""
    if not any(isinstance(i, Scan) for i in draft):
        return draft
    placing = Placing(draft)
    changes = {i: list(placing.placed(i)) for i in (*draft.forward, *draft.backward)}
    return draft.changed(changes)


class Placing:
    """The layouts in which each sequence is there, as the program is walked through."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.steps: dict[Buffer, BySteps] = {}
        self.only: set[Buffer] = set()  # those that aren't there by rows
        self.wanted: set[Buffer] = set()  # by steps
        self.callers = {  # that lie in arrays of the caller's where a prediction reads and writes these directly
            b.storage for i in draft.forward if isinstance(i, Gather | Store) for b in i.operands if b is not None
        }
        for i in reversed([*draft.forward, *draft.backward]):
            if isinstance(i, Scan):
                self.wanted.update(i.taken)
            elif self.alike(i) and any(b in self.wanted for b in i.outputs):
                self.wanted.update(b for b in i.inputs if b.per_row)

    def alike(self, i: Instruction) -> bool:
        """Whether an instruction computes all steps of its sequences in the same way."""
        values = [b for b in i.operands if b is not None and b.per_row]
        lengths = {b.shape[0] if len(b.shape) > 1 else 0 for b in values}
        if len(lengths) != 1 or 0 in lengths or any(b.region != WORKSPACE for b in values):
            return False
        if any(isinstance(reader, Loss) for b in values for reader in self.draft.readers(b)):
            return False  # the last activation may become one with the loss
        if isinstance(i, Pointwise):
            axes = len(i.space)
            steps = next(iter(lengths))
            return (
                axes > 1
                and i.operation.combine == "sum"
                and all(len(b.shape) == axes for b in values)
                and all(aligned(b.shape, axes)[0] == (steps if b.per_row else 1) for b in (*i.values, i.z))
            )
        if isinstance(i, Elementwise | ElementwiseAdjoint):
            return not i.parameters
        return isinstance(i, ALIKE)

    def placed(self, i: Instruction) -> Iterator[Instruction]:
        """What comes in an instruction's place."""
        if isinstance(i, Scan):
            yield from self.scan(i)
            return
        values = [b for b in i.inputs if b.per_row]
        behind = any(b in self.only for b in values) or any(b in self.wanted for b in i.outputs)
        if behind and values and self.alike(i):
            for b in values:
                yield from self.by_steps(b)
            names: dict[Buffer, Buffer] = {b: self.steps[b] for b in values}
            for b in i.outputs:
                if b.per_row:
                    names[b] = self.new(b, None if b.view_of is None else self.steps[b.view_of])
            yield on_values(i, names)
            return
        for b in values:
            yield from self.by_rows(b)
        yield i

    def new(self, b: Buffer, of: Buffer | None = None) -> BySteps:
        """A sequence that is there by steps alone."""
        self.steps[b] = BySteps(b.name, b.shape, view_of=of)
        self.only.add(b)
        return self.steps[b]

    def by_steps(self, b: Buffer) -> Iterator[Instruction]:
        """What makes a sequence by steps of one by rows, unless it is there."""
        if b not in self.steps:
            self.steps[b] = BySteps(f"{b} by steps", b.shape)
            yield ByStepsOf(b, self.steps[b])

    def by_rows(self, b: Buffer) -> Iterator[Instruction]:
        """What makes a sequence by rows of one that is there by steps alone; of a view, that of its whole."""
        if b not in self.only:
            return
        self.only.discard(b)
        if b.view_of is None:
            yield ByStepsOf(self.steps[b], b, back=True)
        else:
            yield from self.by_rows(b.view_of)
            yield Reshape(b.view_of, b)

    def scan(self, i: Scan) -> Iterator[Instruction]:
        outside = [b for b in (*i.initial, *i.given) if b is not None and b.per_row and b.storage in self.callers]
        results = [b for b in i.finals if b is not None and b.storage in self.callers]
        names = {b: Buffer(f"{b} apart", b.shape) for b in (*outside, *results)}
        yield from (Copy(b, names[b]) for b in dict.fromkeys(outside))
        yield from self.placed_scan(cast(Scan, on_values(i, names)) if names else i)
        yield from (Copy(names[b], b) for b in results)

    def placed_scan(self, i: Scan) -> Iterator[Instruction]:
        """The scan, between sequences by steps."""
        for b in i.taken:
            yield from self.by_steps(b)
        for b in (*(b for b in i.initial if b is not None), *i.given):
            yield from self.by_rows(b)
        body, given = [], list(i.given)
        for inner in i.body:
            if isinstance(inner, InputGradient) and inner.W.size <= TRANSPOSED and inner.W in i.given:
                transposition, product = on_transposed(variant(NativeInputGradient, inner))
                yield transposition
                body.append(product)
                given.append(transposition.outputs[0])
            else:
                body.append(inner)
        if can_compile():
            body = fuse_columns(body, {*i.made, *i.after})
        read = {b for inner in body for b in inner.inputs}
        kept = tuple(self.new(b) for b in i.kept)
        sequences = {*i.parts, *i.made}
        held = [b for inner in body for b in inner.outputs if b.view_of is None and b not in sequences]
        held += [m for m in i.memories if m not in sequences]
        changed = replace(
            i, body=tuple(body), taken=tuple(self.steps[b] for b in i.taken), kept=kept,
            given=tuple(b for b in given if b in read),
        )  # fmt: skip
        yield variant(NativeScan, changed, held=tuple(dict.fromkeys(held)))
