"""Products of which only some columns are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thalweg.engine.native.instructions.variants import native
from thalweg.program.instructions.linear import InputGradient
from thalweg.program.instructions.shapes import Slice
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.passes.draft import Draft


def narrow_input_gradients(draft: Draft) -> Draft:
    """Computes only those columns of a dense layer's input gradient that something reads.

    A network for tables begins with a dense layer on columns, their codes and embeddings, one after the other; only the
    embeddings need their part of dx, often a tenth of it. The slice that would cut the part out is left out, too.
    """
    for i in [i for i in draft.backward if isinstance(i, InputGradient)]:
        readers = draft.readers(i.dx)
        slices = [r for r in readers if isinstance(r, Slice) and is_of_columns(r)]
        if slices and len(slices) == len(readers):
            first = min(s.starts[-1] for s in slices)
            after = max(s.starts[-1] + s.z.shape[-1] for s in slices)
            if after - first < i.dx.shape[-1]:
                draft = draft.changed(narrowed(i, slices, first, after))
    return draft


def is_of_columns(s: Slice) -> bool:
    """Whether a slice takes consecutive columns, at all positions of a row."""
    return s.steps[-1] == 1 and s.z.shape[:-1] == s.x.shape[:-1]


def narrowed(
    i: InputGradient, slices: Sequence[Slice], first: int, after: int
) -> dict[Instruction, Sequence[Instruction]]:
    """The changes after which only columns `first` to `after` of dx are computed."""
    whole = len(slices) == 1
    dx = slices[0].z if whole else Buffer(f"{i.dx}[{first}:{after}]", (*i.dx.shape[:-1], after - first))
    changes: dict[Instruction, Sequence[Instruction]] = {i: [native(i, dx=dx, first=first)]}
    for s in slices:
        changes[s] = [] if whole else [replace(s, x=dx, starts=(*s.starts[:-1], s.starts[-1] - first))]
    return changes
