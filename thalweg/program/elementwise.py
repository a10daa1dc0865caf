"""Instructions that act on every element by itself, and those that act on one row: activations, sums, dropout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg.program.counter import uniform
from thalweg.program.instruction import Adjoints, Array, Buffer, Instruction, Values


@dataclass(frozen=True, eq=False)
class Elementwise(Instruction):
    """a = f(h), element by element. A subclass is one activation: its formula, its slope, and both in NumPy."""

    h: Buffer
    a: Buffer

    writes = ("a",)
    inplace = ("h", "a")

    formula_text: ClassVar[str]  # of {h}
    slope_text: ClassVar[str]  # of {h} or {a}, whichever `slope_of` names
    slope_of: ClassVar[str] = "a"  # with "a", h need not be kept and a may overwrite it
    cost: ClassVar[int] = 1  # floating-point operations an element, roughly

    def value(self, h: Array) -> Array:
        """f(h)"""
        raise NotImplementedError

    def slope(self, v: Array) -> Array:
        """f'(h), from the operand that `slope_of` names."""
        raise NotImplementedError

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.formula_text.format(h=self.h)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size,)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield ElementwiseAdjoint(self, getattr(self, self.slope_of), d(self.a), d.into(self.h))

    def reference(self, m: Values) -> None:
        m[self.a][:] = self.value(m[self.h])

    def flops(self, rows: int) -> int:
        return self.cost * rows * self.a.size


@dataclass(frozen=True, eq=False)
class ElementwiseAdjoint(Instruction):
    """dh = da·f'(h), element by element, for the activation `of`."""

    of: Elementwise
    v: Buffer  # h or a
    da: Buffer
    dh: Buffer

    name = "adjoint"
    writes = ("dh",)
    inplace = ("da", "dh")

    @property
    def title(self) -> str:
        return f"{self.of.title} adjoint"

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.da}·{self.of.slope_text.format(h=self.v, a=self.v)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.dh.size,)

    @property
    def constants(self) -> tuple[float, ...]:
        return self.of.constants

    def reference(self, m: Values) -> None:
        m[self.dh][:] = m[self.da] * self.of.slope(m[self.v])

    def flops(self, rows: int) -> int:
        return 3 * rows * self.dh.size


@dataclass(frozen=True, eq=False)
class Sigmoid(Elementwise):
    """a = σ(h) = 1/(1 + e⁻ʰ)"""

    name = "sigmoid"
    formula_text = "σ({h})"
    slope_text = "{a}·(1 − {a})"
    cost = 12

    def value(self, h: Array) -> Array:
        e = np.exp(-np.abs(h))  # never overflows
        return np.where(h >= 0, 1 / (1 + e), e / (1 + e))

    def slope(self, v: Array) -> Array:
        return v * (1 - v)


@dataclass(frozen=True, eq=False)
class Tanh(Elementwise):
    """a = tanh(h)"""

    name = "tanh"
    formula_text = "tanh({h})"
    slope_text = "(1 − {a}²)"
    cost = 12

    def value(self, h: Array) -> Array:
        return np.tanh(h)

    def slope(self, v: Array) -> Array:
        return 1 - v * v


@dataclass(frozen=True, eq=False)
class Relu(Elementwise):
    """a = max(h, 0); the slope at 0 is taken as 0, as in Keras and PyTorch. NaN stays NaN."""

    name = "relu"
    formula_text = "max({h}, 0)"
    slope_text = "[{a} > 0]"

    def value(self, h: Array) -> Array:
        return np.maximum(h, 0)

    def slope(self, v: Array) -> Array:
        return v > 0


@dataclass(frozen=True, eq=False)
class LeakyRelu(Elementwise):
    """a = h for h > 0, otherwise negative_slope·h"""

    negative_slope: float = 0.2

    name = "leaky relu"
    formula_text = "max({h}, s·{h})"
    slope_text = "[{h} > 0, otherwise s]"
    slope_of = "h"  # the sign of a is not that of h when the slope is 0 or negative

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.h} > 0 ? {self.h} : {self.negative_slope:g}·{self.h}"

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.negative_slope,)

    def value(self, h: Array) -> Array:
        return np.where(h > 0, h, self.negative_slope * h)

    def slope(self, v: Array) -> Array:
        return np.where(v > 0, 1.0, self.negative_slope)


@dataclass(frozen=True, eq=False)
class Softmax(Instruction):
    """a = e^(h − max h) / Σ e^(h − max h) over the last axis      h, a (rows, …, classes)"""

    h: Buffer
    a: Buffer

    name = "softmax"
    writes = ("a",)
    inplace = ("h", "a")

    @property
    def formula(self) -> str:
        return f"{self.a} = softmax({self.h})"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size // self.a.shape[-1], self.a.shape[-1])

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield SoftmaxAdjoint(self.a, d(self.a), d.into(self.h))

    def reference(self, m: Values) -> None:
        e = np.exp(m[self.h] - m[self.h].max(axis=-1, keepdims=True))
        m[self.a][:] = e / e.sum(axis=-1, keepdims=True)

    def flops(self, rows: int) -> int:
        return 14 * rows * self.a.size


@dataclass(frozen=True, eq=False)
class SoftmaxAdjoint(Instruction):
    """dh = a·(da − Σ da·a)      the sum is over the last axis"""

    a: Buffer
    da: Buffer
    dh: Buffer

    name = "softmax adjoint"
    writes = ("dh",)
    inplace = ("da", "dh")

    @property
    def formula(self) -> str:
        return f"{self.dh} = {self.a}·({self.da} − Σ {self.da}·{self.a})"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size // self.a.shape[-1], self.a.shape[-1])

    def reference(self, m: Values) -> None:
        a, da = m[self.a], m[self.da]
        m[self.dh][:] = a * (da - (da * a).sum(axis=-1, keepdims=True))

    def flops(self, rows: int) -> int:
        return 4 * rows * self.a.size


@dataclass(frozen=True, eq=False)
class Add(Instruction):
    """z = x + y: a residual connection, or the two contributions to one adjoint. Per row or once a step."""

    x: Buffer
    y: Buffer
    z: Buffer

    name = "add"
    writes = ("z",)
    inplace = ("x", "z")

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} + {self.y}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.z.size, int(self.z.per_row))

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x, self.y)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for value in (self.x, self.y):
            if d.wants(value):
                yield Copy(d(self.z), d.into(value))

    def reference(self, m: Values) -> None:
        m[self.z][:] = m[self.x] + m[self.y]

    def flops(self, rows: int) -> int:
        return self.z.size * (rows if self.z.per_row else 1)


@dataclass(frozen=True, eq=False)
class Copy(Instruction):
    """z = x"""

    x: Buffer
    z: Buffer

    name = "copy"
    writes = ("z",)
    inplace = ("x", "z")

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.z.size,)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Copy(d(self.z), d.into(self.x))

    def reference(self, m: Values) -> None:
        m[self.z][:] = m[self.x]


@dataclass(frozen=True, eq=False)
class Reshape(Instruction):
    """z = x under another shape: the same memory, no work."""

    x: Buffer
    z: Buffer

    name = "reshape"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} as {self.z.shape}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return ()

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            dx = d.into(self.x)
            dx.view_of = d(self.z)
            yield Reshape(d(self.z), dx)

    def reference(self, m: Values) -> None:
        """Nothing: z is a view of x."""

    def bytes(self, rows: int) -> int:
        return 0


@dataclass(frozen=True, eq=False)
class Dropout(Instruction):
    """a = h·keep/(1 − rate), keep drawn 0 with probability `rate` from a counter, so that no mask is stored.

    The adjoint is the same instruction on the adjoints: the same counter gives the same mask.
    """

    h: Buffer
    a: Buffer
    rate: float
    stream: int  # tells this layer's random numbers from another's

    name = "dropout"
    writes = ("a",)
    inplace = ("h", "a")

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.h}·keep/{1 - self.rate:g}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.a.size, self.stream)

    @property
    def constants(self) -> tuple[float, ...]:
        return (self.rate,)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.h,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield Dropout(d(self.a), d.into(self.h), self.rate, self.stream)

    def reference(self, m: Values) -> None:
        first = m.first_row * self.a.size
        u = uniform(m.seed, m.iteration, self.stream, first, m.rows * self.a.size).reshape(m[self.a].shape)
        m[self.a][:] = np.where(u >= self.rate, m[self.h] / (1 - self.rate), 0)

    def flops(self, rows: int) -> int:
        return 10 * rows * self.a.size
