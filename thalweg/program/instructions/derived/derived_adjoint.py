"""Adjoints that nothing states: they are derived from what an instruction's reference computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.program.graphs.evaluated import TracedStep, evaluated, traced_step
from thalweg.program.graphs.reverse_mode import gradients
from thalweg.program.graphs.simplified import simplified
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_values import Value, constant, named, value_of, walk
from thalweg.program.graphs.value_functions import Tracing, broadcast_to
from thalweg.program.ir.instruction import (
    BYTES,
    DOUBLE,
    Adjoints,
    Array,
    Buffer,
    Constant,
    Instruction,
    StepState,
    fields_of,
)
from thalweg.program.ir.references import compute


class Derived(Instruction):
    """Base of instructions without an adjoint of their own: it is derived from the reference, for each operand."""

    def differentiable(self) -> tuple[Buffer, ...]:
        return tuple(dict.fromkeys(super().differentiable()))

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for place, value in enumerate(self.differentiable()):
            if d.wants(value):
                dz = tuple(d(o) if d.known(o) else None for o in self.outputs)
                yield DerivedAdjoint(self, place, dz, d.into(value))


class DerivedAdjoint(Derived):
    """dx = dz·∂z/∂x, for the instruction `of`, which writes z and reads x: the operand at a `place` among those by
    which it is differentiated

    The reference of `of` is traced, the graph derived, and what comes out computed. If `of` writes several values,
    their parts are summed; `dz` is None for those on which no loss depends. If x isn't per row, dx is the sum over the
    rows. The derivative of this instruction is found in the same way.
    """

    of: Instruction
    place: int
    dz: tuple[Buffer | None, ...]
    dx: Buffer

    writes = ("dx",)

    @property
    def name(self) -> str:  # type: ignore[override]
        if len(self.of.differentiable()) == 1:
            return f"{self.of.title} adjoint"
        held = ((name, v if isinstance(v, tuple) else (v,)) for name, v in fields_of(self.of).items())
        return f"{self.of.title} adjoint of {next(name for name, of in held if any(v is self.x for v in of))}"

    @property
    def x(self) -> Buffer:
        return self.of.differentiable()[self.place]

    @property
    def reduces(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("dx",) if self.per_row and not self.dx.per_row else ()

    @property
    def fits(self) -> bool:
        pairs = [(dz, z) for dz, z in zip(self.dz, self.of.outputs, strict=True) if dz is not None]
        return self.place >= 0 and all(
            (one.shape, one.per_row) == (other.shape, other.per_row) for one, other in [(self.dx, self.x), *pairs]
        )

    @cached_property
    def named_operands(self) -> Mapping[str, Buffer | tuple[Buffer, ...] | None]:
        return {"taken": self.taken, "dz": self.given, "dx": self.dx}

    @property
    def given(self) -> tuple[Buffer, ...]:
        return tuple(b for b in self.dz if b is not None)

    @cached_property
    def taken(self) -> tuple[Buffer, ...]:
        """What the derivative depends on, of what `of` reads."""
        read = (v.options["buffer"] for v in walk([self.traced(ROWS, np.dtype(np.float64))]) if v.function == "name")
        return tuple(b for b in dict.fromkeys(read) if b not in self.given)

    @property
    def formula(self) -> str:
        pairs = ((dz, z) for dz, z in zip(self.dz, self.of.outputs, strict=True) if dz is not None)
        terms = " + ".join(f"{dz}·∂{z}/∂{self.x}" for dz, z in pairs)
        return f"{self.dx} = {terms} of {self.of.formula}"

    @property
    def streams(self) -> tuple[int, ...]:
        return self.of.streams

    def differentiable(self) -> tuple[Buffer, ...]:
        by = self.of.differentiable()
        return tuple(dict.fromkeys((*self.given, *(b for b in self.taken if b in by))))

    def traced(self, rows: int, dtype: np.dtype[Any]) -> Value:
        """dx as a graph, for so many rows and real numbers of a type."""
        arrays = Leaves(rows, dtype)
        found = compute(self.of, arrays, Tracing())
        written = [(b, v) for b, v in zip(self.of.results, found, strict=True) if b is not None]
        pairs = [(b, v, dz) for (b, v), dz in zip(written, self.dz, strict=True) if v is not None and dz is not None]
        results = [broadcast_to(v, arrays.shape(b)) for b, v, _ in pairs]
        (dx,) = gradients(results, [value_of(arrays[dz]) for _, _, dz in pairs], [arrays[self.x]])
        return simplified([dx])[0]

    @cached_property
    def graphs(self) -> dict[tuple[int, str], Value]:
        """Those that were computed: by the number of rows and the type of the numbers."""
        return {}

    def reference(self, xp: Any, taken: tuple[Array, ...], dz: tuple[Array | None, ...], step: StepState) -> Array:
        given = [array for array in dz if array is not None]
        arrays = dict(zip((*self.taken, *self.given), (*taken, *given), strict=True))
        dtype = given[0].dtype
        key = step.rows, dtype.name
        if key not in self.graphs:
            self.graphs[key] = self.traced(step.rows, np.dtype(dtype))
        return evaluated([self.graphs[key]], arrays, step, xp)[0]

    def flops(self, rows: int) -> int:
        return 2 * self.of.flops(rows)


class Leaves(dict[Buffer, Value]):
    """An array for each buffer, of which a graph is made; views are arrays of their own."""

    def __init__(self, rows: int, dtype: np.dtype[Any]) -> None:
        self.step: TracedStep = traced_step(rows)
        self.dtype = dtype

    def shape(self, buffer: Buffer) -> tuple[int, ...]:
        return (*[self.step.rows] * buffer.per_row, *buffer.shape)

    def __missing__(self, buffer: Buffer) -> Value:
        kind = np.dtype({BYTES: np.uint8, DOUBLE: np.float64}.get(buffer.dtype, self.dtype))
        if isinstance(buffer, Constant):
            self[buffer] = constant(buffer.values.astype(kind))
        else:
            self[buffer] = named(buffer, self.shape(buffer), kind)
        return self[buffer]
