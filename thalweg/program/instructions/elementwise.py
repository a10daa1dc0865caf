"""Elementwise instructions other than activations: sums, copies, reshaping, rescaling, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Stated, StepState


class Add(Instruction):
    """z = x + y: a residual connection, or the two contributions to one adjoint. Per row or once a step."""

    x: Buffer
    y: Buffer
    z: Buffer

    name = "add"
    printed = "{z} = {x} + {y}"
    writes = ("z",)
    differentiates = ("x", "y")

    @property
    def stated(self) -> Stated:
        return Stated("z = x + y", {"x": self.x, "y": self.y, "z": self.z})

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for value in (self.x, self.y):
            if d.wants(value):
                yield from d.pass_on(d(self.z), value)

    def reference(self, xp: Any, x: Array, y: Array) -> Array:
        return x + y

    def flops(self, rows: int) -> int:
        return self.z.size * (rows if self.z.per_row else 1)


class Copy(Instruction):
    """z = x. Per row or once a step."""

    x: Buffer
    z: Buffer

    name = "copy"
    printed = "{z} = {x}"
    writes = ("z",)
    differentiates = ("x",)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield from d.pass_on(d(self.z), self.x)

    def reference(self, xp: Any, x: Array) -> Array:
        return x.reshape((*[-1] * self.z.per_row, *self.z.shape))


class Reshape(Instruction):
    """z = x under another shape: the same memory, no work. If it `stops` there, no derivative flows back to x."""

    x: Buffer
    z: Buffer
    stops: bool = False

    name = "reshape"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} as {'a constant' if self.stops else self.z.shape}"

    def differentiable(self) -> tuple[Buffer, ...]:
        return () if self.stops else (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if not d.wants(self.x):
            return
        dx = d.into(self.x)
        if dx.per_row:
            dx.view_of = d(self.z)
            yield Reshape(d(self.z), dx)
        else:  # it may have a place of its own, among the gradients
            yield Copy(d(self.z), dx)

    def reference(self, xp: Any, x: Array) -> Array:
        return x.reshape((*[-1] * self.z.per_row, *self.z.shape))

    def bytes(self, rows: int) -> int:
        return 0


class Rescale(Instruction):
    """z = scale·x + offset; the adjoint is the same instruction without the offset."""

    x: Buffer
    z: Buffer
    scale: float
    offset: float

    name = "rescale"
    writes = ("z",)
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        offset = f" {'−' if self.offset < 0 else '+'} {abs(self.offset):.6g}" if self.offset else ""
        return f"{self.z} = {self.scale:.6g}·{self.x}{offset}"

    @property
    def stated(self) -> Stated:
        return Stated(
            "z = scale * x + offset", {"x": self.x, "z": self.z}, {"scale": self.scale, "offset": self.offset}
        )

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Rescale(d(self.z), d.into(self.x), self.scale, 0.0)

    def reference(self, xp: Any, x: Array) -> Array:
        return self.scale * x + self.offset

    def flops(self, rows: int) -> int:
        return 2 * rows * self.z.size


class Dropout(Instruction):
    """a = h·keep/(1 − rate); keep is 0 with probability `rate`, drawn from a counter, so that no mask is stored.

    The adjoint is the same instruction on the adjoints: the same counter gives the same mask.
    """

    h: Buffer
    a: Buffer
    rate: float
    stream: int  # distinguishes this layer's random numbers from another's

    name = "dropout"
    writes = ("a",)
    shapes = "h: …; a: …"
    differentiates = ("h",)

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.h}·keep/{1 - self.rate:g}"

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.a.size, "stream": self.stream}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield Dropout(d(self.a), d.into(self.h), self.rate, self.stream)

    def reference(self, xp: Any, h: Array, step: StepState) -> Array:
        u = step.drawn(xp, self.stream, self.a.shape)
        return xp.where(u >= self.rate, h / (1 - self.rate), 0)

    def flops(self, rows: int) -> int:
        return 10 * rows * self.a.size
