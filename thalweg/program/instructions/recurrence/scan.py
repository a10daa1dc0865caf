"""A loop over the steps of sequences: one instruction that runs instructions of its own for each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg.program.instructions.recurrence.backward import Loop, adjoint_of_loop
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, StepState
from thalweg.program.ir.references import compute


class Scan(Loop):
    """Runs its `body` for each step of sequences; some values are carried from one step to the next.

    A sequence is a per-row value of shape (steps, …). In a step, the body finds the step's part of each sequence that
    is `taken` in one of `parts`, and in `memories` what the step before has left in `after`: at the first step the
    `initial` values, zeros for None. What it reads besides, such as weights, is `given`: the same in each step. The
    values that are `made`, memories or what the body writes, are kept as sequences; what `after` holds at the end are
    the `finals`, where they aren't None. If `backwards`, the last step of the sequences comes first.

    The adjoint is a scan in the other direction (backpropagation through time: Werbos, 1990). The gradients of weights
    are computed behind it, of all steps at once.
    """

    name = "scan"
    writes: ClassVar[tuple[str, ...]] = ("kept", "finals")
    differentiates = ("taken", "initial", "given")

    @cached_property
    def named_operands(self) -> Mapping[str, Buffer | tuple[Buffer, ...] | None]:
        return {name: getattr(self, name) for name in ("taken", "initial", "given", "kept", "finals")}

    @cached_property
    def outputs(self) -> tuple[Buffer, ...]:
        return tuple(b for b in (*self.kept, *self.finals) if b is not None)

    @property
    def runs(self) -> tuple[Instruction, ...]:
        return self.body

    @property
    def heading(self) -> str:
        return f"{self.repeated}{self.carried}"

    @property
    def formula(self) -> str:
        return f"{self.repeated} of [{'; '.join(i.formula for i in self.body)}]{self.carried}"

    @property
    def repeated(self) -> str:
        """What it writes, and in how many steps."""
        order = ", from the last to the first" if self.backwards else ""
        return f"{', '.join(b.name for b in self.outputs)} = {self.steps} steps{order}"

    @property
    def carried(self) -> str:
        """What the memories are in the first step, and in each other one."""
        if not self.memories:
            return ""
        first = ", ".join(f"{m} = {'0' if b is None else b}" for m, b in zip(self.memories, self.initial, strict=True))
        later = ", ".join(f"{m} = {a}" for m, a in zip(self.memories, self.after, strict=True))
        return f"; at first {first}; then {later}"

    @property
    def fits(self) -> bool:
        sequences = (*zip(self.taken, self.parts, strict=True), *zip(self.kept, self.made, strict=True))
        carried = (*zip(self.initial, self.memories, strict=True), *zip(self.finals, self.after, strict=True))
        return (
            all(whole.shape == (self.steps, *part.shape) and whole.per_row for whole, part in sequences)
            and all(b is None or (b.shape == m.shape and b.per_row) for b, m in carried)
            and all(m.shape == a.shape for m, a in zip(self.memories, self.after, strict=True))
        )

    @property
    def sizes(self) -> dict[str, int]:
        return {"steps": self.steps, "backwards": int(self.backwards)}

    @property
    def order(self) -> range:
        """The steps in the order in which they are done."""
        return range(self.steps - 1, -1, -1) if self.backwards else range(self.steps)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        return adjoint_of_loop(self, d)

    def reference(
        self,
        xp: Any,
        taken: tuple[Array, ...],
        initial: tuple[Array | None, ...],
        given: tuple[Array, ...],
        step: StepState,
    ) -> tuple[Array | None, ...]:
        like = next(a for a in (*taken, *initial, *given) if a is not None)
        dtype = like.dtype
        memories = [
            xp.zeros((step.rows, *m.shape), dtype) if a is None else a
            for m, a in zip(self.memories, initial, strict=True)
        ]
        made: list[list[Array]] = [[] for _ in self.made]
        for t in self.order:
            values = StepValues(step, zip(self.given, given, strict=True))
            values.update(zip(self.memories, memories, strict=True))
            values.update((part, x[:, t]) for part, x in zip(self.parts, taken, strict=True))
            for i in self.body:
                for b, value in zip(i.results, compute(i, values, xp), strict=True):
                    if b is not None:
                        value = value.astype(dtype) if value.dtype == np.bool_ else value
                        values[b] = xp.broadcast_to(value, (step.rows, *b.shape))
            for found, b in zip(made, self.made, strict=True):
                found.append(values[b])
            memories = [values[b] for b in self.after]
        kept = (xp.stack(found[::-1] if self.backwards else found, axis=1) for found in made)
        return (*kept, *(None if b is None else m for b, m in zip(self.finals, memories, strict=True)))

    def flops(self, rows: int) -> int:
        return self.steps * sum(i.flops(rows) for i in self.body)

    @property
    def matrix_size(self) -> int:
        return sum(i.matrix_size for i in self.body)


class StepValues(dict[Buffer, Array]):
    """The values of one step of a scan."""

    def __init__(self, step: StepState, values: Any) -> None:
        super().__init__(values)
        self.step = step

    def __missing__(self, buffer: Buffer) -> Array:
        """A value under another shape."""
        if buffer.view_of is None:
            raise KeyError(buffer.name)
        return self[buffer.view_of].reshape(-1, *buffer.shape)
