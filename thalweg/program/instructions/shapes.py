"""Moving elements: slices and what they come from, concatenation, permuting axes, nearest upsampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.derived.derived_adjoint import Derived
from thalweg.program.instructions.scans import along
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Shape

MOST_PARTS = 8  # that one instruction concatenates, so that an engine need not have room for any number of operands


def distances(shape: Shape) -> list[int]:
    """How far apart consecutive elements are along each axis."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def walk(sizes: Sequence[int], steps: Sequence[int], row: int) -> tuple[int, ...]:
    """A loop over elements some steps apart: how many axes, the size of each, and its step; adjacent axes are merged.

    The first axis, of at least two, includes the rows, which are `row` elements apart.
    """
    axes: list[tuple[int, int]] = []
    for n, step in zip(sizes, steps, strict=True):
        if n > 1 and axes and axes[-1][1] == n * step:
            axes[-1] = (axes[-1][0] * n, step)
        elif n > 1:
            axes.append((n, step))
    axes = axes or [(1, 1)]
    if len(axes) == 1 or axes[0][0] * axes[0][1] != row:
        axes.insert(0, (1, row))
    return (len(axes), *(n for n, _ in axes), *(step for _, step in axes))


def stretch(first: int, step: int, n: int) -> slice:
    """The n places from `first` on, `step` apart."""
    after = first + n * step
    return slice(first, None if after < 0 else after, step)


class Slicing(Instruction):
    """Base: some elements of a larger array, n of them along an axis, from `starts` on and `steps` apart."""

    x: Buffer
    z: Buffer
    starts: tuple[int, ...]
    steps: tuple[int, ...]

    writes = ("z",)
    differentiates = ("x",)

    @property
    def large(self) -> Buffer:
        """The larger array."""
        raise NotImplementedError

    @property
    def small(self) -> Buffer:
        """Some of its elements."""
        raise NotImplementedError

    @property
    def fits(self) -> bool:
        n, large = self.small.shape, self.large.shape
        if not len(n) == len(large) == len(self.starts) == len(self.steps) or self.x.per_row != self.z.per_row:
            return False
        ends = ((s, s + step * (k - 1)) for s, step, k in zip(self.starts, self.steps, n, strict=True))
        return all(0 <= min(pair) <= max(pair) < k for pair, k in zip(ends, large, strict=True))

    @property
    def places(self) -> tuple[slice, ...]:
        """The place of the small array in the large one."""
        return tuple(map(stretch, self.starts, self.steps, self.small.shape))

    @property
    def shown(self) -> str:
        """The places, as in Python."""
        whole = [s == slice(0, n, 1) for s, n in zip(self.places, self.large.shape, strict=True)]
        texts = [f"{s.start}:{'' if s.stop is None else s.stop}:{s.step}" for s in self.places]
        return ", ".join(":" if all_ else t.removesuffix(":1") for all_, t in zip(whole, texts, strict=True))

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        """Whether there are rows, the first place in the large array, and the loop from there."""
        apart = distances(self.large.shape)
        first = sum(start * step for start, step in zip(self.starts, apart, strict=True))
        steps = [step * by for step, by in zip(self.steps, apart, strict=True)]
        loop = walk(self.small.shape, steps, self.large.size)
        return {"per_row": int(self.z.per_row), "start": first, "loop": loop}


class Slice(Slicing):
    """z = x[starts::steps], as many elements as z has along each axis, not counting the rows' axis. Per row or once."""

    name = "slice"
    printed = "{z} = {x}[{shown}]"

    @property
    def large(self) -> Buffer:
        return self.x

    @property
    def small(self) -> Buffer:
        return self.z

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Placement(d(self.z), d.into(self.x), self.starts, self.steps)

    def reference(self, xp: Any, x: Array) -> Array:
        places: tuple[Any, ...] = (..., *self.places)
        return x[places]


class Placement(Slicing):
    """z[starts::steps] = x, and a fixed value elsewhere: padding, and the adjoint of a slice. Per row or once."""

    value: float = 0.0

    name = "placement"
    printed = "{z}[{shown}] = {x}, else {value:g}"

    @property
    def large(self) -> Buffer:
        return self.z

    @property
    def small(self) -> Buffer:
        return self.x

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        return super().sizes | {"large": self.large.size}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Slice(d(self.z), d.into(self.x), self.starts, self.steps)

    def reference(self, xp: Any, x: Array) -> Array:
        """By the places of z along each axis: which element of x belongs there, if any."""
        for axis, (places, n) in enumerate(zip(self.places, self.z.shape, strict=True)):
            inside = np.zeros(n, bool)
            inside[places] = True
            of_x = np.zeros(n, np.int64)
            of_x[places] = np.arange(self.x.shape[axis])
            here = inside.reshape(-1, *[1] * (len(self.z.shape) - 1 - axis))
            x = xp.where(here, xp.take(x, of_x, axis=axis + self.z.per_row), self.value)
        return x


class Concatenation(Instruction):
    """z = the parts one after the other along an axis, which doesn't count the rows' axis. Per row or once a step."""

    parts: tuple[Buffer, ...]
    z: Buffer
    axis: int

    name = "concatenation"
    writes = ("z",)
    differentiates = ("parts",)

    @cached_property
    def named_operands(self) -> dict[str, Buffer | tuple[Buffer, ...] | None]:
        return {"z": self.z, "parts": self.parts}

    @property
    def formula(self) -> str:
        along = "" if self.axis == len(self.z.shape) - 1 else f" along axis {self.axis + 1}"
        return f"{self.z} = {', '.join(p.name for p in self.parts)}{along}"

    @property
    def fits(self) -> bool:
        long = (along(part, self.axis, self.z.shape[self.axis]) for part in self.parts)
        whole = sum(part.shape[self.axis] for part in self.parts) == self.z.shape[self.axis]
        return whole and all(shape == (self.z.shape, self.z.per_row) for shape in long)

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        """Whether there are rows, the elements before the axis, how many parts, and the run of each part."""
        before = math.prod(self.z.shape[: self.axis])
        runs = tuple(p.size // before for p in self.parts)
        return {"per_row": int(self.z.per_row), "before": before, "count": len(self.parts), "parts": runs}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        first, axes = 0, range(len(self.z.shape))
        for part in self.parts:
            if d.wants(part):
                starts = tuple(first if axis == self.axis else 0 for axis in axes)
                yield Slice(d(self.z), d.into(part), starts, tuple(1 for _ in axes))
            first += part.shape[self.axis]

    def reference(self, xp: Any, parts: tuple[Array, ...]) -> Array:
        return xp.concatenate(parts, axis=self.axis + self.z.per_row)


class Permutation(Instruction):
    """z = x with its axes in another order: axis k of z is axis order[k] of x, not counting the rows' axis

    Per row or once a step.
    """

    x: Buffer
    z: Buffer
    order: tuple[int, ...]

    name = "permutation"
    writes = ("z",)
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x}, its axes in the order {', '.join(str(k + 1) for k in self.order)}"

    @property
    def fits(self) -> bool:
        every = sorted(self.order) == list(range(len(self.x.shape)))
        return every and self.z.shape == tuple(self.x.shape[k] for k in self.order) and self.z.per_row == self.x.per_row

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        """Whether there are rows, and the loop over the elements of x in the order of z."""
        apart = distances(self.x.shape)
        loop = walk(self.z.shape, [apart[axis] for axis in self.order], self.x.size)
        return {"per_row": int(self.z.per_row), "loop": loop}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Permutation(d(self.z), d.into(self.x), tuple(np.argsort(self.order).tolist()))

    def reference(self, xp: Any, x: Array) -> Array:
        rows = tuple(range(self.z.per_row))
        return x.transpose(*rows, *(k + len(rows) for k in self.order))


def enlarged(x: Buffer, size: Pair) -> Shape:
    """The shape of an image each of whose elements is repeated."""
    height, width, channels = x.shape
    return height * size[0], width * size[1], channels


class Upsampling(Derived):
    """z[i, j] = x[i // size, j // size]: every element is repeated, down and across"""

    x: Buffer
    z: Buffer
    size: Pair

    name = "upsampling"
    printed = "{z} = {x}, each {size} times"
    writes = ("z",)
    differentiates = ("x",)

    @property
    def fits(self) -> bool:
        return self.z.shape == enlarged(self.x, self.size)

    def reference(self, xp: Any, x: Array) -> Array:
        return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)
