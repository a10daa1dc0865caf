"""Convolution over images of shape (height, width, channels), the two products its adjoint needs, and one of these,
the transposed convolution, as an operation in its own right.

What networks call a convolution is a correlation: the kernel is not flipped. With a, b the kernel's row and column,
s the strides, d the dilations and p the padding before the image (zeros outside it):

    h[i, j, o] = b[o] + Σ_a Σ_b Σ_c x[i·s + a·d − p, j·s + b·d − p, c] · W[a, b, c, o]

`groups` divides the input and output channels into that many equal parts: each part of the outputs sees one of inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.program.instructions.linear import BiasGradient
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction

Pair = tuple[int, int]  # (along the height, along the width)


def images(x: Buffer, h: Buffer) -> dict[str, int]:
    """The shapes of an image and of one made of it, by name."""
    return dict(zip(("H", "Wd", "C", "OH", "OW", "O"), (*x.shape, *h.shape), strict=True))


@dataclass(frozen=True)
class Window:
    """How a window moves over an image: its size, strides, dilation, and the zeros before and after the image."""

    size: Pair
    strides: Pair = (1, 1)
    dilation: Pair = (1, 1)
    before: Pair = (0, 0)
    after: Pair = (0, 0)

    def outputs(self, height: int, width: int) -> Pair:
        """The number of window positions: (down, across)."""
        h, w = (
            (n + self.before[k] + self.after[k] - self.span[k]) // self.strides[k] + 1
            for k, n in enumerate((height, width))
        )
        return h, w

    def fits(self, image: tuple[int, ...], places: tuple[int, ...]) -> bool:
        """Whether it has so many places on an image (height, width, …)."""
        positive = min(*self.size, *self.strides, *self.dilation, *places) > 0 <= min(*self.before, *self.after)
        return positive and self.outputs(*image[:2]) == places[:2]

    @property
    def span(self) -> Pair:
        """The height and width that the window covers, dilation included."""
        h, w = (1 + (n - 1) * d for n, d in zip(self.size, self.dilation, strict=True))
        return h, w

    @property
    def sizes(self) -> dict[str, int]:
        """Its whole numbers, by name."""
        (kh, kw), (sh, sw), (down, across), (top, left) = self.size, self.strides, self.dilation, self.before
        return {
            "kh": kh, "kw": kw, "sh": sh, "sw": sw, "dilation_h": down, "dilation_w": across, "top": top, "left": left
        }  # fmt: skip

    def pad(self, xp: Any, x: Array, value: float = 0.0) -> Array:
        """(rows, height, width, channels) with the border around it."""
        border = [(b, a) for b, a in zip(self.before, self.after, strict=True)]
        return xp.pad(x, [(0, 0), *border, (0, 0)], constant_values=value)

    def under(self, padded: Array, a: int, b: int) -> Array:
        """The elements under the kernel's element (a, b): (rows, places down, places across, channels)."""
        (s, t), (d, e), (down, across) = self.strides, self.dilation, self.span
        last = padded.shape[1] - down, padded.shape[2] - across  # where the last window may begin
        return padded[:, a * d : a * d + last[0] + 1 : s, b * e : b * e + last[1] + 1 : t]

    def windows(self, xp: Any, padded: Array) -> Array:
        """(rows, places down, places across, channels, kernel rows, kernel columns) of a padded image."""
        rows = [xp.stack([self.under(padded, a, b) for b in range(self.size[1])], -1) for a in range(self.size[0])]
        return xp.stack(rows, -2)

    def spread(self, xp: Any, parts: Mapping[Pair, Array], image: tuple[int, ...]) -> Array:
        """The adjoint of `pad` and `under`: sums what each kernel element (a, b) adds to the image under it."""
        (s, t), (d, e) = self.strides, self.dilation
        height, width = (n + b + a for n, b, a in zip(image, self.before, self.after, strict=False))
        total = 0
        for (a, b), part in parts.items():
            n, h, w, c = part.shape
            apart = xp.pad(part[:, :, None, :, None], [(0, 0), (0, 0), (0, s - 1), (0, 0), (0, t - 1), (0, 0)])
            apart = apart.reshape(n, h * s, w * t, c)[:, : (h - 1) * s + 1, : (w - 1) * t + 1]
            below, right = height - a * d - apart.shape[1], width - b * e - apart.shape[2]
            total = total + xp.pad(apart, [(0, 0), (a * d, below), (b * e, right), (0, 0)])
        (top, left), (bottom, right) = self.before, self.after
        return total[:, top : height - bottom, left : width - right]  # type: ignore[index]


def same(size: Pair, strides: Pair, dilation: Pair, image: Pair) -> Window:
    """Padding that gives ⌈image / strides⌉ places; an odd zero goes after the image, as in Keras."""
    before, after = [], []
    for k, s, d, n in zip(size, strides, dilation, image, strict=True):
        zeros = max(0, (-(-n // s) - 1) * s + 1 + (k - 1) * d - n)
        before.append(zeros // 2)
        after.append(zeros - zeros // 2)
    return Window(size, strides, dilation, (before[0], before[1]), (after[0], after[1]))


def enlarging(
    size: Pair, strides: Pair, dilation: Pair, padding: str, more: Pair | None, places: Pair
) -> tuple[Window, Pair]:
    """The window of a transposed convolution as it moves over the result, and the result's (height, width).

    As in Keras: "valid" gives (places − 1)·strides + max(span, strides) elements, "same" places·strides. With `more`
    elements after the image, it is (places − 1)·strides + span + more, and (places − 1)·strides + (span mod 2) + more.
    """
    before, after, image = [], [], []
    for k, (span, s, n) in enumerate(zip(Window(size, strides, dilation).span, strides, places, strict=True)):
        if padding == "valid":
            first, length = 0, span + (max(0, s - span) if more is None else more[k])
        else:
            length = s if more is None else span % 2 + more[k]
            first = span - 1 - min((span - 2 + length + 1) // 2, span - 1)
        image.append((n - 1) * s + length)
        before.append(first)
        after.append(max(0, span - first - length))  # elements that no window reaches need no zeros after them
    window = Window(size, strides, dilation, (before[0], before[1]), (after[0], after[1]))
    return window, (image[0], image[1])


def can_be(h: Buffer, x: Buffer, W: Buffer, window: Window, groups: int) -> bool:
    """Whether h can be x ∗ W in so many groups, with a W of some shape."""
    whole = groups > 0 and x.shape[-1] % groups == h.shape[-1] % groups == 0
    elements = math.prod(window.size) * x.shape[-1] * h.shape[-1]
    return whole and W.size * groups == elements and window.fits(x.shape, h.shape)


def ungrouped(W: Array, groups: int) -> Array:
    """A kernel (…, inputs of a group, outputs) as (…, inputs of a group, groups, outputs of a group)."""
    return W.reshape(*W.shape[:-1], groups, -1)


def grouped_windows(xp: Any, x: Array, window: Window, groups: int) -> Array:
    """(rows, places down, places across, groups, channels of a group, kernel rows, kernel columns)"""
    windows = window.windows(xp, window.pad(xp, x))
    n, i, j, c, a, b = windows.shape
    return windows.reshape(n, i, j, groups, c // groups, a, b)


class Convolution(Instruction):
    """h = x ∗ W + b

    x (rows, height, width, in), W (kernel rows, columns, in/groups, out), b (out,) → h (rows, height', width', out)
    """

    x: Buffer
    W: Buffer
    b: Buffer | None
    h: Buffer
    window: Window
    groups: int = 1

    name = "convolution"
    writes = ("h",)
    shapes = "x: rows H W in; b: out; h: rows H′ W′ out"
    differentiates = ("x", "W", "b")

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        return f"{self.h} = {self.x} ∗ {self.W}{bias}"

    @property
    def sizes(self) -> dict[str, int]:
        return {**images(self.x, self.h), **self.window.sizes, "groups": self.groups}

    @property
    def fits(self) -> bool:
        return can_be(self.h, self.x, self.W, self.window, self.groups)

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """W seen as (kernel rows, columns, in/groups, out), whatever its own shape."""
        return (*self.window.size, self.x.shape[-1] // self.groups, self.h.shape[-1])

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dh = d(self.h)
        if d.wants(self.W):
            yield KernelGradient(self.x, dh, d.into(self.W), self.window, self.groups)
        if self.b is not None and d.wants(self.b):
            yield BiasGradient(dh, d.into(self.b))
        if d.wants(self.x):
            flip = flip_of(self.W, self.kernel_shape, self.window)
            yield flip
            yield TransposedConvolution(dh, self.W, flip.flipped, None, d.into(self.x), self.window, self.groups)

    def reference(self, xp: Any, x: Array, W: Array, b: Array | None) -> Array:
        windows = grouped_windows(xp, x, self.window, self.groups)
        W = ungrouped(W.reshape(self.kernel_shape), self.groups)
        h = xp.einsum("nijgcab,abcgo->nijgo", windows, W, optimize=True)
        h = h.reshape(*h.shape[:3], -1)
        return h if b is None else h + b

    @property
    def matrix_size(self) -> int:
        return self.W.size

    def flops(self, rows: int) -> int:
        height, width, outputs = self.h.shape
        return rows * height * width * (2 * self.W.size + (0 if self.b is None else outputs))


class KernelGradient(Instruction):
    """dW[a, b, c, o] = Σ over rows and places of x under (a, b)·dh"""

    x: Buffer
    dh: Buffer
    dW: Buffer
    window: Window
    groups: int = 1

    name = "kernel gradient"
    printed = "{dW} = {x} ∗ {dh}"
    writes = ("dW",)
    reduces = ("dW",)
    shapes = "x: rows H W in; dh: rows H′ W′ out"

    @property
    def sizes(self) -> dict[str, int]:
        return {**images(self.x, self.dh), **self.window.sizes, "groups": self.groups}

    @property
    def fits(self) -> bool:
        return can_be(self.dh, self.x, self.dW, self.window, self.groups)

    def reference(self, xp: Any, x: Array, dh: Array) -> Array:
        windows = grouped_windows(xp, x, self.window, self.groups)
        dW: Array = xp.einsum("nijgcab,nijgo->abcgo", windows, ungrouped(dh, self.groups), optimize=True)
        return dW.reshape(self.dW.shape)

    def flops(self, rows: int) -> int:
        height, width, _ = self.dh.shape
        return 2 * rows * height * width * self.dW.size


class Flip(Instruction):
    """Wᶠ, once a step: W with its kernel rotated by 180° and its channels transposed, for the input gradient.

    With strides s, an element of the image lies only under every s-th element of the kernel: these are kept together.
    """

    W: Buffer
    flipped: Buffer
    strides: Pair

    name = "flip"
    printed = "{flipped} = {W} turned around"
    writes = ("flipped",)

    @property
    def sizes(self) -> dict[str, int]:
        rows, columns, outputs, inputs = self.flipped.shape
        return {"kh": rows, "kw": columns, "C": inputs, "O": outputs, "sh": self.strides[0], "sw": self.strides[1]}

    @property
    def fits(self) -> bool:
        return self.W.size == self.flipped.size and min(self.strides) > 0

    def reference(self, xp: Any, W: Array) -> Array:
        rows, columns = (turned(n, s) for n, s in zip(self.flipped.shape, self.strides, strict=False))
        W = W.reshape(*self.flipped.shape[:2], *self.flipped.shape[:1:-1])
        return W[np.ix_(rows, columns)].swapaxes(2, 3)


def flip_of(W: Buffer, shape: tuple[int, int, int, int], window: Window) -> Flip:
    """The instruction that flips W, seen as (kernel rows, columns, inputs, outputs)."""
    rows, columns, inputs, outputs = shape
    return Flip(W, Buffer(f"{W}ᶠ", (rows, columns, outputs, inputs), per_row=False), window.strides)


def turned(n: int, stride: int) -> list[int]:
    """The elements 0 … n−1 grouped by their remainder modulo the stride, each group from last to first."""
    return [a for first in range(stride) for a in reversed(range(first, n, stride))]


class TransposedConvolution(Instruction):
    """h[i·s + a·d − p, …] = b + Σ of x[i, j]·W[a, b]ᵀ over all places whose window covers the element

    The gradient of a convolution with respect to its input, with x for dh: each is the other's adjoint. The product
    reads the flipped W; the adjoint is that of W itself.
    x (rows, height', width', in), W (kernel rows, columns, out/groups, in), b (out,) → h (rows, height, width, out)
    """

    x: Buffer
    W: Buffer
    flipped: Buffer
    b: Buffer | None
    h: Buffer
    window: Window  # as it moves over h
    groups: int = 1

    name = "transposed convolution"
    writes = ("h",)
    shapes = "x: rows H W in; b: out; h: rows H′ W′ out"
    differentiates = ("x", "W", "b")

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        return f"{self.h} = {self.x} ∗ {self.flipped}{bias}"

    @property
    def sizes(self) -> dict[str, int]:
        return {**images(self.h, self.x), **self.window.sizes, "groups": self.groups}

    @property
    def fits(self) -> bool:
        flipped = (*self.window.size, self.x.shape[-1], self.h.shape[-1] // self.groups) if self.groups else ()
        return self.flipped.shape == flipped and can_be(self.x, self.h, self.W, self.window, self.groups)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dh = d(self.h)
        if d.wants(self.W):
            yield KernelGradient(dh, self.x, d.into(self.W), self.window, self.groups)
        if self.b is not None and d.wants(self.b):
            yield BiasGradient(dh, d.into(self.b))
        if d.wants(self.x):
            yield Convolution(dh, self.W, None, d.into(self.x), self.window, self.groups)

    def reference(self, xp: Any, x: Array, flipped: Array, b: Array | None) -> Array:
        x = ungrouped(x, self.groups)
        rows, columns = (turned(n, s) for n, s in zip(self.window.size, self.window.strides, strict=True))
        parts = {}
        for place, row in enumerate(rows):
            for where, column in enumerate(columns):
                W = flipped[place, where].reshape(self.groups, x.shape[-1], -1)
                part = xp.einsum("nijgo,goc->nijgc", x, W, optimize=True)
                parts[row, column] = part.reshape(*part.shape[:3], -1)
        h = self.window.spread(xp, parts, self.h.shape)
        return h if b is None else h + b

    @property
    def matrix_size(self) -> int:
        return self.W.size

    def flops(self, rows: int) -> int:
        height, width, _ = self.x.shape
        return rows * (2 * height * width * self.flipped.size + (0 if self.b is None else self.h.size))
