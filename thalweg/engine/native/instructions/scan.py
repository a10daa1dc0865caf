"""A scan on sequences by steps, whose parts lie in the sequences themselves; and the way between the two layouts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState


class NativeScan(Scan):
    """The scan. What its body writes lies in a kept sequence, or in memory that is `held` for all steps."""

    held: tuple[Buffer, ...] = ()

    writes: ClassVar[tuple[str, ...]] = ("kept", "finals", "held")

    @cached_property
    def named_operands(self) -> Mapping[str, Buffer | tuple[Buffer, ...] | None]:
        return {**super().named_operands, "held": self.held}

    @cached_property
    def outputs(self) -> tuple[Buffer, ...]:
        return (*(b for b in (*self.kept, *self.finals) if b is not None), *self.held)

    @cached_property
    def sequences(self) -> Mapping[Buffer, Buffer]:
        """The sequence in which a value of the body lies."""
        return dict(zip((*self.parts, *self.made), (*self.taken, *self.kept), strict=True))

    def reference(
        self,
        xp: Any,
        taken: tuple[Array, ...],
        initial: tuple[Array | None, ...],
        given: tuple[Array, ...],
        step: StepState,
    ) -> tuple[Array | None, ...]:
        return (*super().reference(xp, taken, initial, given, step), *(None for _ in self.held))


class ByStepsOf(Instruction):
    """A sequence in the other layout: z by steps, or again by rows. The same numbers at other places."""

    x: Buffer
    z: Buffer
    back: bool = False

    name = "by steps"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}, by {'rows' if self.back else 'steps'}"

    @property
    def sizes(self) -> dict[str, int]:
        steps = self.x.shape[0]
        return {"steps": steps, "size": self.x.size // steps, "back": int(self.back)}

    def reference(self, xp: Any, x: Array) -> Array:
        return x
