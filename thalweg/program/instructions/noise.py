"""Random numbers: noise in training, added, multiplied, or replacing elements, and values that are nothing else. They
come from a counter and aren't stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from thalweg.program.instructions.derived.derived_adjoint import Derived
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Shape, StepState

DROPPED = -1.7580993408473766  # −scale·alpha of selu: its limit for very negative inputs


def normal(xp: Any, step: StepState, stream: int, row: Shape) -> Array:
    """Normal numbers of mean 0 and variance 1 (Box and Muller 1958)."""
    u = step.drawn(xp, stream, (*row, 2)).astype(np.float64)
    numbers: Array = xp.sqrt(-2 * xp.log(1 - u[..., 0])) * xp.cos(2 * np.pi * u[..., 1])
    return numbers


class Noise(Instruction):
    """Base of instructions that draw random numbers for every element of h."""

    h: Buffer
    a: Buffer
    amount: float  # a standard deviation or a rate
    stream: int  # distinguishes this layer's random numbers from another's

    writes = ("a",)
    shapes = "h: …; a: …"
    differentiates = ("h",)

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.a.size, "stream": self.stream}

    def flops(self, rows: int) -> int:
        return 40 * rows * self.a.size


class GaussianNoise(Noise):
    """a = h + amount·z, z normal with mean 0 and variance 1"""

    name = "gaussian noise"
    printed = "{a} = {h} + {amount:g}·z"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield from d.pass_on(d(self.a), self.h)

    def reference(self, xp: Any, h: Array, step: StepState) -> Array:
        return h + self.amount * normal(xp, step, self.stream, self.a.shape)


class GaussianDropout(Noise):
    """a = h·(1 + amount·z), z normal with mean 0 and variance 1. It is its own adjoint, like dropout."""

    name = "gaussian dropout"
    printed = "{a} = {h}·(1 + {amount:g}·z)"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield GaussianDropout(d(self.a), d.into(self.h), self.amount, self.stream)

    def reference(self, xp: Any, h: Array, step: StepState) -> Array:
        return h * (1 + self.amount * normal(xp, step, self.stream, self.a.shape))


class SpatialDropout(Noise):
    """a = h·keep/(1 − amount); keep is 0 with probability `amount`, drawn for each row and channel, for all positions.

    It is its own adjoint, like dropout.
    """

    name = "spatial dropout"

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.h}·keep/{1 - self.amount:g}, a keep for each channel"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.h):
            yield SpatialDropout(d(self.a), d.into(self.h), self.amount, self.stream)

    def reference(self, xp: Any, h: Array, step: StepState) -> Array:
        one_place = (*(1 for _ in self.a.shape[1:]), self.a.shape[-1])
        keep = step.drawn(xp, self.stream, one_place) >= self.amount
        return xp.where(keep, h / (1 - self.amount), 0)

    def flops(self, rows: int) -> int:
        return rows * (self.a.size + 10 * self.a.shape[-1])


class AlphaDropout(Noise, Derived):
    """a = scale·(keep ? h : −1.758) + shift, which preserves mean 0 and variance 1 (Klambauer et al. 2017)."""

    name = "alpha dropout"

    @property
    def scale(self) -> float:
        scale: float = ((1 - self.amount) * (1 + self.amount * DROPPED**2)) ** -0.5
        return scale

    @property
    def shift(self) -> float:
        return -self.scale * self.amount * DROPPED

    @property
    def formula(self) -> str:
        return f"{self.a} = {self.scale:.4g}·(keep ? {self.h} : {DROPPED:.4g}) + {self.shift:.4g}"

    def reference(self, xp: Any, h: Array, step: StepState) -> Array:
        keep = step.drawn(xp, self.stream, self.a.shape) >= self.amount
        return self.scale * xp.where(keep, h, DROPPED) + self.shift


class RandomValues(Instruction):
    """Base of instructions whose result depends on no other value: random numbers, in every kind of program."""

    z: Buffer
    first: float
    second: float
    stream: int

    writes = ("z",)
    meanings: ClassVar[tuple[str, str]]  # of the two numbers

    @property
    def sizes(self) -> dict[str, int]:
        return {"size": self.z.size, "stream": self.stream}

    @property
    def constants(self) -> dict[str, float]:
        return dict(zip(self.meanings, (self.first, self.second), strict=True))

    def flops(self, rows: int) -> int:
        return 10 * rows * self.z.size


class RandomNormal(RandomValues):
    """z = first + second·n, n normal with mean 0 and variance 1"""

    name = "random normal"
    printed = "{z} = {first:g} + {second:g}·n, n normal"
    meanings = ("mean", "stddev")

    def reference(self, xp: Any, step: StepState) -> Array:
        return xp.asarray(self.first + self.second * normal(xp, step, self.stream, self.z.shape))

    def flops(self, rows: int) -> int:
        return 40 * rows * self.z.size


class RandomUniform(RandomValues):
    """z = first + (second − first)·u, u uniform in [0, 1)"""

    name = "random uniform"
    printed = "{z} = uniform in [{first:g}, {second:g})"
    meanings = ("least", "most")

    def reference(self, xp: Any, step: StepState) -> Array:
        return xp.asarray(self.first + (self.second - self.first) * step.drawn(xp, self.stream, self.z.shape))


class RandomBernoulli(RandomValues):
    """z = second with probability first, otherwise 0"""

    name = "random bernoulli"
    printed = "{z} = {second:g} with probability {first:g}, otherwise 0"
    meanings = ("probability", "value")

    def reference(self, xp: Any, step: StepState) -> Array:
        return xp.where(step.drawn(xp, self.stream, self.z.shape) < self.first, self.second, 0)
