"""Operations on several values, element by element, with NumPy's broadcasting; and sums and extremes along axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.program.formula import operations
from thalweg.program.formula.language import assigned, evaluate, shown
from thalweg.program.formula.operations import Operation
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Shape, Stated, StepState

COMBINED = {"sum": "Σ", "prod": "Π", "max": "max", "min": "min"}  # as printed


class Pointwise(Instruction):
    """z = f(x, y, …), element by element, with NumPy's broadcasting; summed along every axis that z lacks

    The axes are those of a row, and the rows, if a value is per row; a value that isn't is the same for all rows. So
    the adjoint of an operation is one, too: dz·∂f/∂x, summed over the axes along which x was repeated, and a sum's
    adjoint repeats dz. Some operations take the product, the largest or the smallest instead of the sum.
    """

    operation: Operation
    values: tuple[Buffer, ...]
    z: Buffer
    arguments: tuple[float, ...] = ()

    writes = ("z",)

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.operation.name

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {**{f"v{n}": b for n, b in enumerate(self.values)}, "z": self.z}

    @property
    def named(self) -> dict[str, Buffer]:
        """The operands by their names in the operation's texts."""
        return dict(zip(self.operation.slopes, self.values, strict=True))

    @property
    def reduces(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("z",) if self.per_row and not self.z.per_row else ()

    @property
    def space(self) -> tuple[int, ...]:
        """The shape over which the elements run, without the rows."""
        return np.broadcast_shapes(*(b.shape for b in (*self.values, self.z)))

    @property
    def summed(self) -> tuple[int, ...]:
        """The axes of `space` that z lacks."""
        own = aligned(self.z.shape, len(self.space))
        return tuple(axis for axis, n in enumerate(self.space) if own[axis] != n)

    @property
    def formula(self) -> str:
        names = {name: b.name for name, b in self.named.items()}
        numbers = dict(zip(self.operation.arguments, self.arguments, strict=True))
        line = shown(self.operation.value, names, numbers)
        along = ["rows"] * len(self.reduces) + [f"axis {axis + 1}" for axis in self.summed]
        if not along:
            return f"{self.z} = {line}"
        return f"{self.z} = {COMBINED[self.operation.combine]} over {', '.join(along)} of {line}"

    @property
    def stated(self) -> Stated:
        numbers = dict(zip(self.operation.arguments, self.arguments, strict=True))
        text = assigned("result", self.operation.value)  # z may be an operand, too
        return Stated(text, self.named | {"result": self.z}, numbers, self.operation.combine)

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        """The axes, with adjacent ones merged: how many, which of them includes the rows (−1: none), their sizes, and
        for each operand a number whose bit k says whether it varies along axis k."""
        at_rows, axes = self.axes()
        masks = [sum(1 << k for k, (_, varies) in enumerate(axes) if varies[n]) for n in range(len(self.operands))]
        return {"count": len(axes), "at_rows": at_rows, "axes": (*(size for size, _ in axes), *masks)}

    def axes(self) -> tuple[int, list[tuple[int, tuple[bool, ...]]]]:
        """The number of the axis that includes the rows, and the merged axes, two at least: size, and which vary."""
        operands = (*self.values, self.z)
        shapes = [aligned(b.shape, len(self.space)) for b in operands]
        found: list[tuple[int, tuple[bool, ...]]] = []
        if self.per_row:
            found.append((1, tuple(b.per_row for b in operands)))
        for axis, size in enumerate(self.space):
            varies = tuple(shape[axis] == size for shape in shapes)
            if size == 1:
                continue
            if found and found[-1][1] == varies:
                found[-1] = (found[-1][0] * size, varies)
            else:
                found.append((size, varies))
        missing = 2 - len(found)
        return (max(missing, 0) if self.per_row else -1), [(1, (True,) * len(operands))] * missing + found

    @property
    def constants(self) -> dict[str, float]:
        return {f"k{n}": k for n, k in enumerate(self.arguments)}

    def differentiable(self) -> tuple[Buffer, ...]:
        if self.operation.combine != "sum":
            return self.values
        return tuple(b for name, b in self.named.items() if self.operation.slopes[name] is not None)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        match self.operation.combine:
            case "sum":
                for name, slope in self.operation.slopes.items():
                    if slope is not None and d.wants(self.named[name]):
                        yield from self.adjoint_of(name, d)
            case "prod":
                if d.wants(self.values[0]):
                    yield from self.adjoint_of_product(d)
            case _:
                if d.wants(self.values[0]):
                    yield from self.adjoint_of_extreme(d)

    def adjoint_of(self, name: str, d: Adjoints) -> Iterator[Instruction]:
        """Of one operand of a sum."""
        dz, value = d(self.z), self.named[name]
        if self.operation.slopes[name] == "1" and (value.shape, value.per_row) == (dz.shape, dz.per_row):
            yield from d.pass_on(dz, value)
            return
        operation = operations.adjoint(self.operation, name)
        known = self.named | {"dz": dz}
        yield Pointwise(operation, tuple(known[n] for n in operation.slopes), d.into(value), self.arguments)

    def adjoint_of_extreme(self, d: Adjoints) -> Iterator[Instruction]:
        """Equal shares for all elements that are the largest."""
        x, ties = self.values[0], self.beside("ties")
        yield Pointwise(operations.TIES, (x, self.z), ties)
        yield Pointwise(operations.SHARES, (d(self.z), ties, x, self.z), d.into(x))

    def adjoint_of_product(self, d: Adjoints) -> Iterator[Instruction]:
        """dz times the product of the other elements."""
        x, zeros, others = self.values[0], self.beside("zeros"), self.beside("product")
        yield Pointwise(operations.ZEROS, (x,), zeros)
        yield Pointwise(operations.OTHERS, (x,), others)
        yield Pointwise(operations.FACTORS, (d(self.z), x, zeros, others), d.into(x))

    def beside(self, what: str) -> Buffer:
        """A place for something else of z's shape."""
        return Buffer(f"{what} of {self.z}", self.z.shape, per_row=self.z.per_row)

    def reference(self, xp: Any, values: tuple[Array, ...], step: StepState) -> Array:
        texts = dict(zip(self.operation.slopes, values, strict=True))
        numbers = dict(zip(self.operation.arguments, self.arguments, strict=True))
        result = xp.asarray(evaluate(self.operation.value, texts | numbers, xp))
        leading = (step.rows,) * self.per_row
        result = xp.broadcast_to(result, (*leading, *self.space))
        axes = (*range(len(self.reduces)), *(axis + self.per_row for axis in self.summed))
        if axes:
            result = getattr(xp, self.operation.combine)(result, axis=axes)
        return result.reshape((*leading * self.z.per_row, *self.z.shape))

    def flops(self, rows: int) -> int:
        return self.operation.cost * math.prod(self.space) * (rows if self.per_row else 1)


def aligned(shape: Shape, axes: int) -> Shape:
    """A shape with as many axes, as NumPy aligns it: at the end."""
    return (1,) * (axes - len(shape)) + shape
