"""A step as JAX traces it: every instruction's reference is called with traced arrays, and what it returns is kept.

Graphs of values, as exports make them, aren't needed: the references take JAX's arrays as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any

from thalweg.engine.jax.devices import Devices
from thalweg.engine.jax.forms import form_of
from thalweg.engine.jax.library import jnp, lax
from thalweg.engine.jax.pieces import Array, Layout, Piece, Pieces, stretches
from thalweg.program.instructions.batches import Gather, Store
from thalweg.program.ir.instruction import DATA, TOTALS, Buffer, Constant, Instruction, StepState
from thalweg.program.ir.references import compute


class TracedStep(Mapping[Buffer, Array]):
    """The values by buffer.

    Attributes:
        layout, pieces: the flat vectors.
        data: the caller's arrays, by name.
        step: its state, of which all but the numbers of rows is traced.
        dtype: of what is computed.
        devices: that share its rows.
    """

    def __init__(
        self, layout: Layout, pieces: Pieces, data: dict[str, Array], step: StepState, dtype: Any, devices: Devices
    ) -> None:
        self.layout, self.pieces, self.data, self.step = layout, dict(pieces), dict(data), step
        self.dtype, self.devices = dtype, devices
        self.arrays: dict[Buffer, Array] = {}  # of the workspace, by storage

    def __getitem__(self, buffer: Buffer) -> Array:
        if isinstance(buffer, Constant):
            return jnp.asarray(buffer.values, self.dtype)
        if buffer.region == DATA:
            return self.data[buffer.name].reshape(-1, *buffer.shape)
        if buffer.region in self.pieces:
            found = self.of(buffer)
            return (found[0] if len(found) == 1 else jnp.concatenate(found)).reshape(buffer.shape)
        return self.arrays[buffer.storage].reshape(self.shape(buffer))

    def __setitem__(self, buffer: Buffer, value: Array) -> None:
        if buffer.region not in self.pieces:
            self.arrays[buffer.storage] = jnp.broadcast_to(jnp.asarray(value, self.dtype), self.shape(buffer))
        elif buffer.view_of is None:  # a view of what lasts is there already
            flat = jnp.broadcast_to(value, buffer.shape).reshape(-1)
            ends = [0, *accumulate(piece.size for piece in self.of(buffer))]
            self.put(buffer, [flat[first:after] for first, after in pairwise(ends)])

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def shape(self, buffer: Buffer) -> tuple[int, ...]:
        return (self.step.rows, *buffer.shape) if buffer.per_row else buffer.shape

    def of(self, buffer: Buffer) -> list[Array]:
        """The pieces of a buffer in a flat vector."""
        return self.pieces[buffer.region][self.layout.at(buffer)]

    def put(self, buffer: Buffer, pieces: list[Array]) -> None:
        """Replaces them."""
        olds, changed = self.of(buffer), [*self.pieces[buffer.region]]
        changed[self.layout.at(buffer)] = [
            jnp.broadcast_to(jnp.asarray(new, old.dtype), old.shape) for old, new in zip(olds, pieces, strict=True)
        ]
        self.pieces[buffer.region] = changed

    def execute(self, instructions: Iterable[Instruction]) -> None:
        for i in instructions:
            together = stretches(i, self.pieces)
            if isinstance(i, Gather):
                self[i.x] = self.devices.divided(self[i.X].at[self.step.order].get(mode="clip"))
            elif isinstance(i, Store):
                self.store(i)
            elif together and len(self.of(together[0])) > 1:
                self.by_pieces(i, together)
            else:
                form = form_of(i, self.devices.platform)
                self.keep(i, compute(i, self, jnp) if form is None else (form(i, self),))

    def store(self, i: Store) -> None:
        """Keeps the rows of a batch; those whose numbers no row has only fill it up."""
        Y = self.data[i.Y.name]
        y = self[i.y].astype(Y.dtype).reshape(-1, *Y.shape[1:])
        self.data[i.Y.name] = Y.at[self.step.order].set(y, mode="drop")

    def by_pieces(self, i: Instruction, together: list[Buffer]) -> None:
        """Executes what works element by element on each piece of its stretches."""
        pieces = zip(*map(self.of, together), strict=True)
        results = [compute(i, Piece(self, self.step, dict(zip(together, p, strict=True))), jnp) for p in pieces]
        for buffer, news in zip(i.results, zip(*results, strict=True), strict=True):
            if buffer is not None and news[0] is not None:
                self.put(buffer, list(news))

    def keep(self, i: Instruction, results: tuple[Array, ...]) -> None:
        """Keeps what a reference has returned, as `Values.execute` does."""
        for buffer, value in zip(i.results, results, strict=True):
            if buffer is not None and value is not None:
                adds = i.accumulates or buffer.region == TOTALS
                self[buffer] = self[buffer] + value if adds else value

    def execute_if(self, test: Array, instructions: Iterable[Instruction]) -> None:
        """Executes what changes only flat vectors where the test holds."""

        def done(pieces: Pieces) -> Pieces:
            inner = TracedStep(self.layout, pieces, self.data, self.step, self.dtype, self.devices)
            inner.arrays = dict(self.arrays)
            inner.execute(instructions)
            return inner.pieces

        self.pieces = lax.cond(test, done, lambda pieces: pieces, self.pieces)
