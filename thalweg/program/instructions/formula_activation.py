"""An activation given as a formula, with or without trainable parameters for each unit, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg.program.formula.parsing import VALUE, Formula
from thalweg.program.instructions.linear import matrix
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


@dataclass(frozen=True, eq=False)
class FormulaActivation(Instruction):
    """a = f(h; p₁, p₂, …), element by element      h, a (rows, …, units), each parameter (units,)"""

    h: Buffer
    a: Buffer
    formula_of_h: Formula
    parameters: tuple[Buffer, ...] = ()

    name = "formula"
    writes = ("a",)
    inplace = ("h", "a")

    @property
    def operands(self) -> tuple[Buffer | None, ...]:
        return (self.h, *self.parameters, self.a)

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.formula_of_h.shown(**self.names(self.h))}"

    def names(self, v: Buffer) -> dict[str, str]:
        """The formula's symbols → the names of the buffers."""
        f = self.formula_of_h
        return {f.variables[0]: v.name, VALUE: v.name} | {
            name: p.name for name, p in zip(f.parameters, self.parameters, strict=True)
        }

    def values(self, v: Array, parameters: tuple[Array, ...]) -> dict[str, Array]:
        """The formula's symbols → their values."""
        f = self.formula_of_h
        return {f.variables[0]: v, VALUE: v} | dict(zip(f.parameters, parameters, strict=True))

    @property
    def sizes(self) -> tuple[int, ...]:
        return sizes(self, self.a)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h, *self.parameters)

    def source(self, by: str) -> Buffer:
        """h, or a where the derivative is had from it."""
        return self.h if self.formula_of_h.needs(by) else self.a

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for number, (name, parameter) in enumerate(zip(self.formula_of_h.parameters, self.parameters, strict=True)):
            if d.wants(parameter):
                yield ParameterGradient(self, number, self.source(name), d(self.a), d.into(parameter))
        if d.wants(self.h):
            x = self.formula_of_h.variables[0]
            yield FormulaAdjoint(self, self.source(x), d(self.a), d.into(self.h))

    def reference(self, xp: Any, h: Array, parameters: tuple[Array, ...]) -> Array:
        return self.formula_of_h.value(**self.values(h, parameters))

    def flops(self, rows: int) -> int:
        return 10 * rows * self.a.size


def sizes(of: FormulaActivation, like: Buffer) -> tuple[int, ...]:
    """The size of a row; with parameters how many times it holds all units, and how many units."""
    if not of.parameters:
        return (like.size,)
    units = of.parameters[0].size
    return like.size // units, units


@dataclass(frozen=True, eq=False)
class FormulaAdjoint(Instruction):
    """dh = da·f'(h), element by element, for the formula of `of`."""

    of: FormulaActivation
    v: Buffer  # h or a
    da: Buffer
    dh: Buffer

    name = "formula adjoint"
    writes = ("dh",)
    inplace = ("da", "dh")

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        return self.of.parameters

    @property
    def operands(self) -> tuple[Buffer | None, ...]:
        return (self.v, *self.parameters, self.da, self.dh)

    @property
    def formula(self) -> str:
        f = self.of.formula_of_h
        return f"{self.dh} = {self.da}·({f.shown_slope(f.variables[0], **self.of.names(self.v))})" + self.unused()

    def unused(self) -> str:
        """Parameters that the derivative doesn't need are among the operands all the same."""
        text = self.of.formula_of_h.shown_slope(self.of.formula_of_h.variables[0], **self.of.names(self.v))
        names = [p.name for p in (self.v, *self.of.parameters) if p.name not in text]
        return f"  (for all {', '.join(names)})" if names else ""

    @property
    def sizes(self) -> tuple[int, ...]:
        return sizes(self.of, self.dh)

    def reference(self, xp: Any, v: Array, parameters: tuple[Array, ...], da: Array) -> Array:
        f = self.of.formula_of_h
        return da * f.slope(f.variables[0], **self.of.values(v, parameters))

    def flops(self, rows: int) -> int:
        return 12 * rows * self.dh.size


@dataclass(frozen=True, eq=False)
class ParameterGradient(Instruction):
    """dp = Σ da·∂f/∂p over rows and positions, for a parameter of the formula of `of`."""

    of: FormulaActivation
    number: int
    v: Buffer  # h or a
    da: Buffer
    dp: Buffer

    name = "formula gradient"
    writes = ("dp",)
    reduces = True

    @property
    def parameters(self) -> tuple[Buffer, ...]:
        return self.of.parameters

    @property
    def operands(self) -> tuple[Buffer | None, ...]:
        return (self.v, *self.parameters, self.da, self.dp)

    @property
    def formula(self) -> str:
        f = self.of.formula_of_h
        text = f.shown_slope(f.parameters[self.number], **self.of.names(self.v))
        names = [p.name for p in (self.v, *self.of.parameters) if p.name not in text]
        return f"{self.dp} = Σ {self.da}·({text})" + (f"  (for all {', '.join(names)})" if names else "")

    @property
    def sizes(self) -> tuple[int, ...]:
        return sizes(self.of, self.da)

    def reference(self, xp: Any, v: Array, parameters: tuple[Array, ...], da: Array) -> Array:
        f = self.of.formula_of_h
        slope = f.slope(f.parameters[self.number], **self.of.values(v, parameters))
        return matrix(da * slope).sum(axis=0)

    def flops(self, rows: int) -> int:
        return 12 * rows * self.da.size
