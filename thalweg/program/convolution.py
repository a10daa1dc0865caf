"""Convolution over images of shape (height, width, channels), and the two products its adjoint needs.

What networks call a convolution is a correlation: the kernel is not flipped. With `a`, `b` counting the kernel's rows
and columns, s the strides, d the dilations and p the padding before the image (zeros outside of it):

    h[i, j, o] = b[o] + Σ_a Σ_b Σ_c x[i·s + a·d − p, j·s + b·d − p, c] · W[a, b, c, o]

In `groups` the channels are cut in as many equal parts, in and out: a part of the outputs sees one part of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thalweg.program.instruction import PREPARED, Adjoints, Array, Buffer, Instruction, Values
from thalweg.program.linear import BiasGradient

Pair = tuple[int, int]  # (along the height, along the width)


@dataclass(frozen=True)
class Window:
    """How a window moves over an image: its size, strides, dilation, and the zeros before and after the image."""

    size: Pair
    strides: Pair = (1, 1)
    dilation: Pair = (1, 1)
    before: Pair = (0, 0)
    after: Pair = (0, 0)

    def outputs(self, height: int, width: int) -> Pair:
        """How many places the window takes: (height, width)."""
        h, w = (
            (n + self.before[k] + self.after[k] - self.span[k]) // self.strides[k] + 1
            for k, n in enumerate((height, width))
        )
        return h, w

    @property
    def span(self) -> Pair:
        """What the window covers, dilation included."""
        h, w = (1 + (n - 1) * d for n, d in zip(self.size, self.dilation, strict=True))
        return h, w

    @property
    def sizes(self) -> tuple[int, ...]:
        """As the native kernels take it."""
        return (*self.size, *self.strides, *self.dilation, *self.before)

    def pad(self, x: Array, value: float = 0.0) -> Array:
        """(rows, height, width, channels) with the border around it."""
        border = [(b, a) for b, a in zip(self.before, self.after, strict=True)]
        return np.pad(x, [(0, 0), *border, (0, 0)], constant_values=value)

    def unpad(self, x: Array) -> Array:
        """The view without the border."""
        (top, left), (bottom, right) = self.before, self.after
        return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]

    def windows(self, padded: Array) -> Array:
        """A view (rows, places down, places across, channels, kernel rows, kernel columns) of a padded image."""
        every = np.lib.stride_tricks.sliding_window_view(padded, self.span, (1, 2))
        (s, t), (d, e) = self.strides, self.dilation
        return every[:, ::s, ::t, :, ::d, ::e]

    def under(self, padded: Array, a: int, b: int, outputs: Pair) -> Array:
        """The view of what lies under the kernel's element (a, b): (rows, places down, places across, channels)."""
        y, x = a * self.dilation[0], b * self.dilation[1]
        (s, t), (h, w) = self.strides, outputs
        return padded[:, y : y + (h - 1) * s + 1 : s, x : x + (w - 1) * t + 1 : t]


def same(size: Pair, strides: Pair, dilation: Pair, image: Pair) -> Window:
    """Padding such that there are ⌈image / strides⌉ places; an odd zero goes after the image, as in Keras."""
    before, after = [], []
    for k, s, d, n in zip(size, strides, dilation, image, strict=True):
        zeros = max(0, (-(-n // s) - 1) * s + 1 + (k - 1) * d - n)
        before.append(zeros // 2)
        after.append(zeros - zeros // 2)
    return Window(size, strides, dilation, (before[0], before[1]), (after[0], after[1]))


def ungrouped(W: Array, groups: int) -> Array:
    """A kernel (…, inputs of a group, outputs) as (…, inputs of a group, groups, outputs of a group)."""
    return W.reshape(*W.shape[:-1], groups, -1)


@dataclass(frozen=True, eq=False)
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

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        return f"{self.h} = {self.x} ∗ {self.W}{bias}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.h.shape, *self.window.sizes, self.groups)

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """W's shape, whatever it is seen as: (kernel rows, columns, in/groups, out)."""
        return (*self.window.size, self.x.shape[-1] // self.groups, self.h.shape[-1])

    def differentiable(self) -> tuple[Buffer, ...]:
        return (self.x, self.W) if self.b is None else (self.x, self.W, self.b)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dh = d(self.h)
        if d.wants(self.W):
            yield KernelGradient(self.x, dh, d.into(self.W), self.window, self.groups)
        if self.b is not None and d.wants(self.b):
            yield BiasGradient(dh, d.into(self.b))
        if d.wants(self.x):
            rows, columns, inputs, outputs = self.kernel_shape
            flipped = Buffer(f"{self.W}ᶠ", (rows, columns, outputs, inputs), PREPARED, per_row=False)
            yield Flip(self.W, flipped, self.window.strides)
            yield ConvolutionAdjoint(dh, flipped, d.into(self.x), self.window, self.groups)

    def reference(self, m: Values) -> None:
        windows = self.window.windows(self.window.pad(m[self.x]))
        n, i, j, c, a, b = windows.shape
        windows = windows.reshape(n, i, j, self.groups, c // self.groups, a, b)
        W = ungrouped(m[self.W].reshape(self.kernel_shape), self.groups)
        result = np.einsum("nijgcab,abcgo->nijgo", windows, W, optimize=True)
        m[self.h][:] = result.reshape(n, i, j, -1)
        if self.b is not None:
            m[self.h][:] += m[self.b]

    def flops(self, rows: int) -> int:
        height, width, outputs = self.h.shape
        return rows * height * width * (2 * self.W.size + (0 if self.b is None else outputs))


@dataclass(frozen=True, eq=False)
class KernelGradient(Instruction):
    """dW[a, b, c, o] = Σ over rows and places of x under (a, b)·dh"""

    x: Buffer
    dh: Buffer
    dW: Buffer
    window: Window
    groups: int = 1

    name = "kernel gradient"
    writes = ("dW",)
    reduces = True

    @property
    def formula(self) -> str:
        return f"{self.dW} = {self.x} ∗ {self.dh}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.dh.shape, *self.window.sizes, self.groups)

    def reference(self, m: Values) -> None:
        windows = self.window.windows(self.window.pad(m[self.x]))
        n, i, j, c, a, b = windows.shape
        windows = windows.reshape(n, i, j, self.groups, c // self.groups, a, b)
        dh = ungrouped(m[self.dh], self.groups)
        m.reduce(self.dW, np.einsum("nijgcab,nijgo->abcgo", windows, dh, optimize=True).reshape(self.dW.shape))

    def flops(self, rows: int) -> int:
        height, width, _ = self.dh.shape
        return 2 * rows * height * width * self.dW.size


@dataclass(frozen=True, eq=False)
class Flip(Instruction):
    """Wᶠ, once a step: W with its kernel turned around and its channels transposed, for the input gradient.

    With strides s, an element of the image lies only under every s-th element of the kernel: these stand together.
    """

    W: Buffer
    flipped: Buffer
    strides: Pair

    name = "flip"
    writes = ("flipped",)

    @property
    def formula(self) -> str:
        return f"{self.flipped} = {self.W} turned around"

    @property
    def sizes(self) -> tuple[int, ...]:
        rows, columns, outputs, inputs = self.flipped.shape
        return (rows, columns, inputs, outputs, *self.strides)

    def reference(self, m: Values) -> None:
        rows, columns = (turned(n, s) for n, s in zip(self.flipped.shape, self.strides, strict=False))
        W = m[self.W].reshape(*self.flipped.shape[:2], *self.flipped.shape[:1:-1])
        m[self.flipped][:] = W[np.ix_(rows, columns)].swapaxes(2, 3)


def turned(n: int, stride: int) -> list[int]:
    """The elements 0 … n−1 from the last to the first, those that are a multiple of the stride apart together."""
    return [a for phase in range(stride) for a in reversed(range(phase, n, stride))]


@dataclass(frozen=True, eq=False)
class ConvolutionAdjoint(Instruction):
    """dx[i·s + a·d − p, …] = Σ of dh[i, j]·W[a, b]ᵀ over all places whose window covers the element"""

    dh: Buffer
    flipped: Buffer
    dx: Buffer
    window: Window
    groups: int = 1

    name = "convolution adjoint"
    writes = ("dx",)

    @property
    def formula(self) -> str:
        return f"{self.dx} = {self.dh} ∗ {self.flipped}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.dx.shape, *self.dh.shape, *self.window.sizes, self.groups)

    def reference(self, m: Values) -> None:
        dh = ungrouped(m[self.dh], self.groups)
        dx = self.window.pad(np.zeros_like(m[self.dx]))
        rows, columns = (turned(n, s) for n, s in zip(self.window.size, self.window.strides, strict=True))
        for place, a in enumerate(rows):
            for where, b in enumerate(columns):
                W = m[self.flipped][place, where].reshape(self.groups, dh.shape[-1], -1)
                part = np.einsum("nijgo,goc->nijgc", dh, W, optimize=True)
                under = self.window.under(dx, a, b, self.dh.shape[:2])  # type: ignore[arg-type]
                under += part.reshape(under.shape)
        m[self.dx][:] = self.window.unpad(dx)

    def flops(self, rows: int) -> int:
        height, width, _ = self.dh.shape
        return 2 * rows * height * width * self.flipped.size
