"""The update on lanes: each has gradients of its own, which are summed; each then updates its share of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from thalweg.engine.native.instructions.updates import NativeMuon, NormPart, Reduce, TableReduce
from thalweg.engine.native.instructions.variants import native
from thalweg.program.instructions.embedding import EmbeddingGradient
from thalweg.program.instructions.updates.gradients import ClipNorm, SquaredNorm
from thalweg.program.instructions.updates.matrix_updates import Muon, WholeUpdate
from thalweg.program.instructions.updates.table_updates import TableUpdate
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import DOUBLE, GRADIENTS, NORMS, Buffer, Instruction
from thalweg.program.passes.draft import Draft
from thalweg.program.stretches import named, pieces, span


@dataclass(frozen=True)
class Table:
    """A table of which a lane updates the rows that occur in the batch and are its own."""

    gradient: EmbeddingGradient
    listed: Buffer  # the rows that occur, by the gradient's kernel
    own: Buffer


def update_on_lanes(draft: Draft) -> Draft:
    """Sums the gradients of all lanes before the update; sums norms in parts, one for each lane and stretch; deals out
    whole arrays in order of size; and lists the rows of tables, so that a lane finds its own."""
    if not draft.backward:
        return draft
    tables = [table_of(i) for i in draft.backward if isinstance(i, EmbeddingGradient) and i.counts is not None]
    changes: dict[Instruction, Sequence[Instruction]] = {
        table.gradient: [native(table.gradient, touched=table.listed)] for table in tables
    }
    for table in tables:
        steps = [u for u in draft.update if isinstance(u, TableUpdate) and u.counts is table.gradient.counts]
        changes |= {u: [native(u, own=table.own)] for u in steps}
        changes[steps[0]] = [rows_reduced(draft, table, steps), *changes[steps[0]]]
    whole = sorted((u for u in draft.update if isinstance(u, WholeUpdate)), key=lambda u: -u.w.size)
    room = max((NativeMuon.room(u) for u in whole if isinstance(u, Muon)), default=0)
    scratch = Buffer("scratch", (room,), per_row=False)
    for turn, u in enumerate(whole):
        changes[u] = [native(u, turn=turn, scratch=scratch) if isinstance(u, Muon) else native(u, turn=turn)]
    draft = draft.changed(changes | dict(norms(draft.update)))
    return replace(draft, update=[*reduced(draft, [table.gradient.dW for table in tables]), *draft.update])


def table_of(i: EmbeddingGradient) -> Table:
    return Table(
        i, *(Buffer(f"{what} {i.dW}", (1 + i.dW.shape[0],), per_row=False) for what in ("rows of", "own rows of"))
    )


def rows_reduced(draft: Draft, table: Table, steps: Sequence[TableUpdate]) -> TableReduce:
    """The sum over the lanes before a table's steps."""
    i, dw = table.gradient, next(u.buffers["dw"] for u in steps if "dw" in u.buffers)
    assert i.counts is not None
    dW = replace(dw, shape=i.dW.shape)
    return TableReduce(dW, i.counts, table.listed, table.own, align(draft.vector), i.ids.size)


def reduced(draft: Draft, sparse: Sequence[Buffer]) -> list[Reduce]:
    """The sums over the lanes of all gradients but sparse ones, whose rows are summed on their own."""
    apart = {dW.offset for dW in sparse}
    weights = [W for W in draft.trained if W.offset not in apart]
    result = []
    for cut in pieces(weights, [None] * len(weights)):
        (offset, size), name = span(weights[cut]), named(weights[cut], draft.vector)
        dw = Buffer(f"d{name}", (size,), GRADIENTS, per_row=False, offset=offset)
        result.append(Reduce(dw, align(draft.vector)))
    return result


def norms(update: Sequence[Instruction]) -> Iterator[tuple[Instruction, Sequence[Instruction]]]:
    """The changes after which each lane and each stretch has a norm of its own, whose sum those who clip take."""
    squares = [i for i in update if isinstance(i, SquaredNorm)]
    stride = align(sum(len(i.dw) for i in squares))
    sums: dict[Buffer, Buffer] = {}
    place = 0
    for i in squares:
        sums[i.n] = Buffer(i.n.name, (len(i.dw),), NORMS, per_row=False, dtype=DOUBLE, offset=place)
        own = [
            Buffer(f"‖{dw}‖²", (1,), NORMS, per_row=False, dtype=DOUBLE, offset=place + k) for k, dw in enumerate(i.dw)
        ]
        yield i, [NormPart(dw, n, stride) for dw, n in zip(i.dw, own, strict=True)]
        place += len(i.dw)
    for clip in update:
        if isinstance(clip, ClipNorm):
            yield clip, [native(clip, n=sums[clip.n], norms=stride)]
