"""Pooling: the largest element, or the mean, of each window of an image, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.program.instructions.convolution import Window
from thalweg.program.instructions.linear import end, ended
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Values


@dataclass(frozen=True, eq=False)
class MaxPooling(Instruction):
    """a = the largest element of each window; what lies beside the image doesn't count. NaN stays NaN.

    With `relu`, a = max(0, the largest element): a relu before the pooling, in one instruction. Of numbers that only
    get larger the largest stays the largest.
    """

    x: Buffer
    a: Buffer
    window: Window
    relu: bool = False

    name = "max pooling"
    writes = ("a",)

    @property
    def title(self) -> str:
        return "relu + max pooling" if self.relu else self.name

    @property
    def kernel(self) -> str:
        return "max_pooling"

    @property
    def formula(self) -> str:
        of = f"max({self.x}, 0)" if self.relu else f"{self.x}"
        return f"{self.a} = max over {self.window.size} of {of}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.a.shape, *self.window.sizes, int(self.relu), int(self.x.by_columns))

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield MaxPoolingAdjoint(self.x, self.a, d(self.a), d.into(self.x), self.window, self.relu)

    def reference(self, m: Values) -> None:
        largest = self.window.windows(self.window.pad(m[self.x], -np.inf)).max(axis=(-2, -1))
        m[self.a][:] = np.maximum(largest, 0) if self.relu else largest

    def flops(self, rows: int) -> int:
        return rows * self.a.size * (self.window.size[0] * self.window.size[1] - 1 + self.relu)


@dataclass(frozen=True, eq=False)
class MaxPoolingAdjoint(Instruction):
    """dx = Σ of da over the windows whose first largest element it is; with a relu, if that is above 0"""

    x: Buffer
    a: Buffer
    da: Buffer
    dx: Buffer
    window: Window
    relu: bool = False

    name = "max pooling adjoint"
    writes = ("dx",)

    @property
    def title(self) -> str:
        return "relu + max pooling adjoint" if self.relu else self.name

    @property
    def kernel(self) -> str:
        return "max_pooling_adjoint"

    @property
    def formula(self) -> str:
        above = f" and {self.a} > 0" if self.relu else ""
        return f"{self.dx} = {self.da} where {self.x} is the first {self.a}{above}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.a.shape, *self.window.sizes, int(self.relu), int(self.x.by_columns))

    def reference(self, m: Values) -> None:
        x, dx = self.window.pad(m[self.x], -np.inf), self.window.pad(np.zeros_like(m[self.dx]))
        left = m[self.a] > 0 if self.relu else np.ones(m[self.a].shape, bool)  # whose largest hasn't been met
        for a, b in np.ndindex(self.window.size):
            here = left & (self.window.under(x, a, b, self.a.shape[:2]) == m[self.a])  # type: ignore[arg-type]
            under = self.window.under(dx, a, b, self.a.shape[:2])  # type: ignore[arg-type]
            under += np.where(here, m[self.da], 0)
            left &= ~here
        m[self.dx][:] = self.window.unpad(dx)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.a.size * self.window.size[0] * self.window.size[1]


def counted(window: Window, image: tuple[int, ...]) -> Array:
    """How many elements of the image each window covers: (places down, places across, 1)."""
    ones = window.pad(np.ones((1, *image[:2], 1)))
    count: Array = window.windows(ones).sum(axis=(-2, -1))[0]
    return count


@dataclass(frozen=True, eq=False)
class AveragePooling(Instruction):
    """a = the mean of each window; what lies beside the image doesn't count."""

    x: Buffer
    a: Buffer
    window: Window

    name = "average pooling"
    writes = ("a",)

    @property
    def formula(self) -> str:
        return f"{self.a} = mean over {self.window.size} of {self.x}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.a.shape, *self.window.sizes, int(self.x.by_columns))

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x,)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield AveragePoolingAdjoint(d(self.a), d.into(self.x), self.window)

    def reference(self, m: Values) -> None:
        sums = self.window.windows(self.window.pad(m[self.x])).sum(axis=(-2, -1))
        m[self.a][:] = sums / counted(self.window, self.x.shape)

    def flops(self, rows: int) -> int:
        return rows * self.a.size * self.window.size[0] * self.window.size[1]


@dataclass(frozen=True, eq=False)
class AveragePoolingAdjoint(Instruction):
    """dx = Σ of da/elements over the windows that cover the element

    With a, the relu's output that x is, dx·[a > 0]: the relu's adjoint behind it.
    """

    da: Buffer
    dx: Buffer
    window: Window
    a: Buffer | None = None

    name = "average pooling adjoint"
    writes = ("dx",)

    @property
    def formula(self) -> str:
        return f"{self.dx} = {ended(f'{self.da} spread over {self.window.size}', False, self.a)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.dx.shape, *self.da.shape, *self.window.sizes, int(self.da.by_columns))

    def reference(self, m: Values) -> None:
        dx = self.window.pad(np.zeros_like(m[self.dx]))
        share = m[self.da] / counted(self.window, self.dx.shape)
        for a, b in np.ndindex(self.window.size):
            self.window.under(dx, a, b, self.da.shape[:2])[:] += share  # type: ignore[arg-type]
        m[self.dx][:] = self.window.unpad(dx)
        end(m, self.dx, False, self.a)

    def flops(self, rows: int) -> int:
        return rows * self.da.size * self.window.size[0] * self.window.size[1]
