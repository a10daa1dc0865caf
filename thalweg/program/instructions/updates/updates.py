"""Steps as texts, over stretches of flat vectors: w the parameters, dw their gradients, the rest the slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from thalweg.program.formula.statements import operations, run, shown_step, targets
from thalweg.program.ir.instruction import Array, Buffer, Instruction, Stated, StepState, fields_of

GIVEN = ("t", "iteration", "learning_rate")  # what a text may use: numbers of the update and the step, and the rate


class Stretch(Instruction):
    """Base of instructions that work on a stretch of the parameter vector, element by element, in any order of parts.

    The first operand gives the stretch; ints among the fields are sizes, floats are constants.
    """

    @property
    def sizes(self) -> dict[str, int]:
        first = self.operands[0]
        assert first is not None
        return {"size": first.size} | {name: int(v) for name, v in fields_of(self).items() if isinstance(v, int)}


class Statements(Stretch):
    """Base: the statements of a text, for every element; see `thalweg.program.formula.statements`.

    The first vector is w or dw, and gives the stretch. The learning rate is multiplied by `factor`.
    """

    called: str  # its name as printed
    text: str
    buffers: Mapping[str, Buffer]  # the vectors, by their names in the text
    numbers: Mapping[str, float]
    factor: float = field(default=1.0, kw_only=True)

    writes = ("vectors",)

    @property
    def title(self) -> str:
        return self.called

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the vectors, in the order of the operands."""
        return tuple(self.buffers)

    @property
    def vectors(self) -> tuple[Buffer, ...]:
        return tuple(self.buffers.values())

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {f"vector_{name}": buffer for name, buffer in self.buffers.items()}

    @cached_property
    def outputs(self) -> tuple[Buffer, ...]:
        changed = targets(self.text)
        return tuple(b for name, b in self.buffers.items() if name in changed)

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.vectors[0].size}

    @property
    def constants(self) -> dict[str, float]:
        return {"factor": self.factor} | {f"scalar_{name}": number for name, number in self.numbers.items()}

    @property
    def formula(self) -> str:
        names = {name: str(buffer) for name, buffer in self.buffers.items()}
        return shown_step(self.text, self.numbers, names | {"eta": "η"}, self.factor)

    @property
    def stated(self) -> Stated | None:
        rate = "" if self.factor == 1 else f"learning_rate = {self.factor!r} * learning_rate\n"
        return Stated(rate + self.text.strip(), self.buffers, self.numbers)

    def reference(self, xp: Any, vectors: tuple[Array, ...], step: StepState) -> tuple[Array | None, ...]:
        before = dict(zip(self.names, vectors, strict=True))
        given = {"t": step.update, "iteration": step.iteration, "learning_rate": step.learning_rate * self.factor}
        after, changed = run(self.text, {**before, **given, **self.numbers}, xp), targets(self.text)
        return tuple(after[name] if name in changed else None for name in before)

    def flops(self, rows: int) -> int:
        return operations(self.text, self.names) * self.vectors[0].size


class Update(Statements):
    """Runs when the weights are updated: an optimizer's step, weight decay, gradient clipping."""

    name = "update"
    due = True


class Running(Statements):
    """Runs in every step, including those that only accumulate gradients: running sums and means."""

    name = "running"
