"""Pooling: the largest element, or the mean, of each window of an image, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.program.instructions.convolution import Window
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


def pooled(x: Buffer, a: Buffer) -> dict[str, int]:
    """An image's shape and that of its windows, by name."""
    return dict(zip(("H", "Wd", "C", "OH", "OW"), (*x.shape, *a.shape[:2]), strict=True))


class MaxPooling(Instruction):
    """a = the largest element of each window; padding doesn't count. NaN stays NaN."""

    x: Buffer
    a: Buffer
    window: Window

    name = "max pooling"
    printed = "{a} = max over {window.size} of {x}"
    writes = ("a",)
    shapes = "x: rows H W n; a: rows H′ W′ n"
    differentiates = ("x",)

    @property
    def sizes(self) -> dict[str, int]:
        return {**pooled(self.x, self.a), **self.window.sizes}

    @property
    def fits(self) -> bool:
        return self.window.fits(self.x.shape, self.a.shape)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield MaxPoolingAdjoint(self.x, self.a, d(self.a), d.into(self.x), self.window)

    def reference(self, xp: Any, x: Array) -> Array:
        largest: Array = self.window.windows(xp, self.window.pad(xp, x, -np.inf)).max(axis=(-2, -1))
        return largest

    def flops(self, rows: int) -> int:
        return rows * self.a.size * (self.window.size[0] * self.window.size[1] - 1)


class MaxPoolingAdjoint(Instruction):
    """dx = Σ of da over the windows in which the element is the first largest"""

    x: Buffer
    a: Buffer
    da: Buffer
    dx: Buffer
    window: Window

    name = "max pooling adjoint"
    printed = "{dx} = {da} where {x} is the first {a}"
    writes = ("dx",)
    shapes = "x: rows H W n; a: rows H′ W′ n; da: rows H′ W′ n; dx: rows H W n"

    @property
    def sizes(self) -> dict[str, int]:
        return {**pooled(self.x, self.a), **self.window.sizes}

    @property
    def fits(self) -> bool:
        return self.window.fits(self.x.shape, self.a.shape)

    def reference(self, xp: Any, x: Array, a: Array, da: Array) -> Array:
        padded, parts = self.window.pad(xp, x, -np.inf), {}
        left = xp.ones(a.shape, bool)  # windows whose largest element isn't found yet
        for place in np.ndindex(self.window.size):
            here = left & (self.window.under(padded, *place) == a)
            parts[place] = xp.where(here, da, 0)
            left = left & ~here
        return self.window.spread(xp, parts, self.dx.shape)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.a.size * self.window.size[0] * self.window.size[1]


def counted(window: Window, image: tuple[int, ...]) -> Array:
    """How many elements of the image each window covers: (places down, places across, 1)."""
    ones = window.pad(np, np.ones((1, *image[:2], 1)))
    count: Array = window.windows(np, ones).sum(axis=(-2, -1))[0]
    return count


class AveragePooling(Instruction):
    """a = the mean of each window; padding doesn't count."""

    x: Buffer
    a: Buffer
    window: Window

    name = "average pooling"
    printed = "{a} = mean over {window.size} of {x}"
    writes = ("a",)
    shapes = "x: rows H W n; a: rows H′ W′ n"
    differentiates = ("x",)

    @property
    def sizes(self) -> dict[str, int]:
        return {**pooled(self.x, self.a), **self.window.sizes}

    @property
    def fits(self) -> bool:
        return self.window.fits(self.x.shape, self.a.shape)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield AveragePoolingAdjoint(d(self.a), d.into(self.x), self.window)

    def reference(self, xp: Any, x: Array) -> Array:
        sums = self.window.windows(xp, self.window.pad(xp, x)).sum(axis=(-2, -1))
        return sums / counted(self.window, self.x.shape)

    def flops(self, rows: int) -> int:
        return rows * self.a.size * self.window.size[0] * self.window.size[1]


class AveragePoolingAdjoint(Instruction):
    """dx = Σ of da/(elements in the window) over the windows that cover the element"""

    da: Buffer
    dx: Buffer
    window: Window

    name = "average pooling adjoint"
    printed = "{dx} = {da} spread over {window.size}"
    writes = ("dx",)
    shapes = "da: rows H′ W′ n; dx: rows H W n"

    @property
    def sizes(self) -> dict[str, int]:
        return {**pooled(self.dx, self.da), **self.window.sizes}

    @property
    def fits(self) -> bool:
        return self.window.fits(self.dx.shape, self.da.shape)

    def reference(self, xp: Any, da: Array) -> Array:
        share = da / counted(self.window, self.dx.shape)
        return self.window.spread(xp, dict.fromkeys(np.ndindex(self.window.size), share), self.dx.shape)

    def flops(self, rows: int) -> int:
        return rows * self.da.size * self.window.size[0] * self.window.size[1]
