"""Moving elements: padding and cropping images, nearest upsampling, concatenation, permuting axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.linear import positions
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


@dataclass(frozen=True, eq=False)
class ZeroPadding(Instruction):
    """z = x with zeros around it"""

    x: Buffer
    z: Buffer
    before: Pair

    name = "zero padding"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} with zeros around it"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.z.shape[:2], *self.before)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Cropping(d(self.z), d.into(self.x), self.before)

    def reference(self, xp: Any, x: Array) -> Array:
        sizes = zip(self.z.shape, self.x.shape, self.before, strict=False)
        return xp.pad(x, [(0, 0), *((before, whole - before - own) for whole, own, before in sizes), (0, 0)])


@dataclass(frozen=True, eq=False)
class Cropping(Instruction):
    """z = x without its border"""

    x: Buffer
    z: Buffer
    before: Pair

    name = "cropping"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} without its border"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.z.shape, *self.x.shape[:2], *self.before)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield ZeroPadding(d(self.z), d.into(self.x), self.before)

    def reference(self, xp: Any, x: Array) -> Array:
        return x[(slice(None), *(slice(b, b + n) for b, n in zip(self.before, self.z.shape, strict=False)))]


@dataclass(frozen=True, eq=False)
class Upsampling(Instruction):
    """z[i, j] = x[i // size, j // size]: every element is repeated, down and across"""

    x: Buffer
    z: Buffer
    size: Pair

    name = "upsampling"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}, each {self.size} times"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.size)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield UpsamplingAdjoint(d(self.z), d.into(self.x), self.size)

    def reference(self, xp: Any, x: Array) -> Array:
        return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)


@dataclass(frozen=True, eq=False)
class UpsamplingAdjoint(Instruction):
    """dx = Σ of dz over the copies of each element"""

    dz: Buffer
    dx: Buffer
    size: Pair

    name = "upsampling adjoint"
    writes = ("dx",)

    @property
    def formula(self) -> str:
        return f"{self.dx} = Σ over {self.size} of {self.dz}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.dx.shape, *self.size)

    def reference(self, xp: Any, dz: Array) -> Array:
        height, width, channels = self.dx.shape
        return dz.reshape(-1, height, self.size[0], width, self.size[1], channels).sum(axis=(2, 4))

    def flops(self, rows: int) -> int:
        return rows * self.dz.size


@dataclass(frozen=True, eq=False)
class Concatenation(Instruction):
    """z = x followed by y along the last axis"""

    x: Buffer
    y: Buffer
    z: Buffer

    name = "concatenation"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}, {self.y}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.x.shape[-1], self.y.shape[-1], positions(self.z))

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x, self.y)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        for value, first in ((self.x, 0), (self.y, self.x.shape[-1])):
            if d.wants(value):
                yield Part(d(self.z), d.into(value), first)

    def reference(self, xp: Any, x: Array, y: Array) -> Array:
        return xp.concatenate([x, y], axis=-1)


@dataclass(frozen=True, eq=False)
class Part(Instruction):
    """x = a slice of z along the last axis"""

    z: Buffer
    x: Buffer
    first: int

    name = "part"
    writes = ("x",)

    @property
    def formula(self) -> str:
        return f"{self.x} = {self.z}[…, {self.first}:{self.first + self.x.shape[-1]}]"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.z.shape[-1], self.x.shape[-1], self.first, positions(self.x))

    def reference(self, xp: Any, z: Array) -> Array:
        return z[..., self.first : self.first + self.x.shape[-1]]


@dataclass(frozen=True, eq=False)
class Permutation(Instruction):
    """z = x with its axes in another order: axis k of z is axis order[k] of x, not counting the rows' axis"""

    x: Buffer
    z: Buffer
    order: tuple[int, ...]

    name = "permutation"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}, its axes in the order {', '.join(str(k + 1) for k in self.order)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of axes, the size of each in z, and the distance between its elements in x.

        Axes that are adjacent in both are merged.
        """
        sizes: list[int] = []
        steps: list[int] = []
        for k, axis in enumerate(self.order):
            n, step = self.x.shape[axis], math.prod(self.x.shape[axis + 1 :])
            if k and self.order[k - 1] == axis - 1:
                sizes[-1], steps[-1] = sizes[-1] * n, step
            else:
                sizes.append(n)
                steps.append(step)
        return (len(sizes), *sizes, *steps)

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Permutation(d(self.z), d.into(self.x), tuple(np.argsort(self.order).tolist()))

    def reference(self, xp: Any, x: Array) -> Array:
        return x.transpose(0, *(k + 1 for k in self.order))
