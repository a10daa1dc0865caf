"""Convolutions of 3×3 by Winograd's minimal filtering F(2×2, 3×3): 16 multiplications where the direct way takes 36.

One dimension: two outputs of a filter g of three taps, from four numbers d, take four products instead of six,

    y = Aᵀ·((G·g) ⊙ (Bᵀ·d))        Bᵀ = 1  0 −1  0      G = 1   0   0      A = 1  0
                                        0  1  1  0          ½   ½   ½          1  1
                                        0 −1  1  0          ½  −½   ½          1 −1
                                        0 −1  0  1          0   0   1          0  1

and an image does the same along rows and columns: squares d of 4×4 that overlap by 2 give 2×2 outputs each. Over
channels, each of the 16 elements is a product of matrices. The gradient by the kernel is the adjoint of that,
dg = Gᵀ·((A·dy) ⊙ (Bᵀ·d)), and the gradient by the image a convolution with the kernel turned around.

Source: S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks", arXiv 1509.09308. Sums are taken in another order than by the definition, with rounding
errors of about the same size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from thalweg.program.convolution import Convolution, Flip, KernelGradient, Pair, TransposedConvolution, Window
from thalweg.program.instruction import PREPARED, WORKSPACE, Array, Buffer, Instruction, Values

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, -1, 0, 1]])
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
A = np.array([[1, 0], [1, 1], [1, -1], [0, 1]])

CHANNELS = 16  # a vector of the widest processor: their number is a multiple of this …
MOST_CHANNELS = 512  # … up to here, where a few tiles fill the core's cache
GAIN = 1.2  # so many times fewer operations than directly, the transforms counted, or it isn't worth it


def tiles(image: Sequence[int]) -> Pair:
    """How many tiles of 2×2 cover (height, width, …)."""
    return -(-image[0] // 2), -(-image[1] // 2)


def pays(x: Buffer, h: Buffer, window: Window, groups: int) -> bool:
    """Whether x ∗ W → h is taken this way: 3×3, every place, whole vectors of channels, and fewer operations."""
    channels = (x.shape[-1], h.shape[-1])
    if (*window.size, *window.strides, *window.dilation, groups) != (3, 3, 1, 1, 1, 1, 1):
        return False
    if any(n % CHANNELS or n > MOST_CHANNELS for n in channels):
        return False
    down, across = (taps(*sizes) for sizes in zip(x.shape[:2], h.shape[:2], window.before, strict=True))
    transforms = 1 + 3 / channels[0] + 3 / channels[1]  # of a product's time: some 50 operations for each channel
    return down * across >= GAIN * transforms * 16 * math.prod(tiles(h.shape))


def taps(inputs: int, outputs: int, before: int) -> int:
    """How many of the multiplications along one dimension aren't with the zeros around the image."""
    return sum(0 <= i + tap - before < inputs for i in range(outputs) for tap in range(3))


def squares(x: Array, size: int, before: Pair, image: Sequence[int]) -> Array:
    """(rows, tiles down, tiles across, channels, size, size): squares 2 apart, zeros around the image."""
    high, wide = tiles(image)
    padded = np.zeros((len(x), 2 * high + size - 2, 2 * wide + size - 2, x.shape[-1]), x.dtype)
    inside = padded[:, before[0] :, before[1] :]
    height, width = (min(a, b) for a, b in zip(x.shape[1:3], inside.shape[1:3], strict=True))
    inside[:, :height, :width] = x[:, :height, :width]
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))[:, ::2, ::2]


@dataclass(frozen=True, eq=False)
class WinogradKernel(Instruction):
    """U = G·W·Gᵀ, once a step; or of the kernel turned around and its channels transposed, for the input gradient"""

    W: Buffer
    U: Buffer
    turned: bool = False

    name = "winograd kernel"
    writes = ("U",)

    @property
    def formula(self) -> str:
        return f"{self.U} = G·{self.W}{' turned around' if self.turned else ''}·Gᵀ"

    @property
    def sizes(self) -> tuple[int, ...]:
        channels = self.U.shape[:1:-1] if self.turned else self.U.shape[2:]
        return (*channels, int(self.turned))

    def reference(self, m: Values) -> None:
        W = m[self.W].reshape(3, 3, *self.sizes[:2])
        W = W[::-1, ::-1].swapaxes(2, 3) if self.turned else W
        m[self.U][:] = np.einsum("pa,qb,abco->pqco", G, G, W)

    def flops(self, rows: int) -> int:
        return 28 * self.sizes[0] * self.sizes[1]


@dataclass(frozen=True, eq=False)
class WinogradConvolution(Instruction):
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, which is x ∗ W + b

    x (rows, height, width, in), U (4, 4, in, out), b (out,) → h (rows, height', width', out)
    """

    x: Buffer
    U: Buffer
    b: Buffer | None
    h: Buffer
    before: Pair  # zeros before the image

    name = "winograd convolution"
    writes = ("h",)

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        return f"{self.h} = Aᵀ·((Bᵀ·{self.x}·B) ⊙ {self.U})·A{bias}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.h.shape, *self.before)

    def reference(self, m: Values) -> None:
        d = squares(m[self.x], 4, self.before, self.h.shape)
        v = np.einsum("pi,nhwcij,qj->nhwcpq", BT, d, BT, optimize=True)
        products = np.einsum("nhwcpq,pqco->nhwopq", v, m[self.U], optimize=True)
        y = np.einsum("pi,nhwopq,qj->nhiwjo", A, products, A, optimize=True)
        rows, high, _, wide, _, _ = y.shape
        height, width, outputs = self.h.shape
        m[self.h][:] = y.reshape(rows, 2 * high, 2 * wide, outputs)[:, :height, :width]
        if self.b is not None:
            m[self.h][:] += m[self.b]

    def flops(self, rows: int) -> int:
        high, wide = tiles(self.h.shape)
        return rows * high * wide * (2 * self.U.size + 32 * self.x.shape[-1] + 28 * self.h.shape[-1])


@dataclass(frozen=True, eq=False)
class WinogradGradient(Instruction):
    """dU = Σ over rows and tiles of (Bᵀ·x·B) ⊙ (A·dh·Aᵀ)"""

    x: Buffer
    dh: Buffer
    dU: Buffer
    before: Pair

    name = "winograd gradient"
    writes = ("dU",)
    reduces = True

    @property
    def formula(self) -> str:
        return f"{self.dU} = Σ (Bᵀ·{self.x}·B) ⊙ (A·{self.dh}·Aᵀ)"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.dh.shape, *self.before)

    def reference(self, m: Values) -> None:
        v = np.einsum("pi,nhwcij,qj->nhwcpq", BT, squares(m[self.x], 4, self.before, self.dh.shape), BT, optimize=True)
        e = np.einsum("pi,nhwoij,qj->nhwopq", A, squares(m[self.dh], 2, (0, 0), self.dh.shape), A, optimize=True)
        m.reduce(self.dU, np.einsum("nhwcpq,nhwopq->pqco", v, e, optimize=True))

    def flops(self, rows: int) -> int:
        high, wide = tiles(self.dh.shape)
        return rows * high * wide * (2 * self.dU.size + 32 * self.x.shape[-1] + 12 * self.dh.shape[-1])


@dataclass(frozen=True, eq=False)
class WinogradKernelGradient(Instruction):
    """dW = Gᵀ·dU·G, once all blocks of a lane are in"""

    dU: Buffer
    dW: Buffer

    name = "winograd kernel gradient"
    writes = ("dW",)

    @property
    def formula(self) -> str:
        return f"{self.dW} = Gᵀ·{self.dU}·G"

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.dU.shape[2:]

    def reference(self, m: Values) -> None:
        m[self.dW][:] = np.einsum("pa,qb,pqco->abco", G, G, m[self.dU]).reshape(self.dW.shape)

    def flops(self, rows: int) -> int:
        return 42 * self.sizes[0] * self.sizes[1]


def by_winograd(
    forward: Sequence[Instruction], backward: Sequence[Instruction] = ()
) -> tuple[list[Instruction], list[Instruction]]:
    """Forward and backward, where every convolution for which it pays, and its two gradients, are taken this way."""
    forward, backward = ([j for i in half for j in replaced(i)] for half in (forward, backward))
    read = {b for i in (*forward, *backward) for b in i.inputs}

    def needed(half: Sequence[Instruction]) -> list[Instruction]:
        """Without the kernels turned around that nothing reads any more."""
        return [i for i in half if not isinstance(i, Flip) or i.flipped in read]

    return needed(forward), needed(backward)


def replaced(i: Instruction) -> list[Instruction]:
    """The instructions that take an instruction's place: itself, if it isn't such a convolution."""
    if isinstance(i, Convolution) and pays(i.x, i.h, i.window, i.groups):
        U = Buffer(f"U{i.W}", (4, 4, i.x.shape[-1], i.h.shape[-1]), PREPARED, per_row=False)
        return [WinogradKernel(i.W, U), WinogradConvolution(i.x, U, i.b, i.h, i.window.before)]
    if isinstance(i, TransposedConvolution) and pays(i.x, i.h, turned(i.window), i.groups):
        U = Buffer(f"U{i.W}ᶠ", (4, 4, i.x.shape[-1], i.h.shape[-1]), PREPARED, per_row=False)
        return [WinogradKernel(i.W, U, turned=True), WinogradConvolution(i.x, U, i.b, i.h, turned(i.window).before)]
    if isinstance(i, KernelGradient) and pays(i.x, i.dh, i.window, i.groups):
        dU = Buffer(f"dU{i.dW.name.removeprefix('d')}", (4, 4, i.x.shape[-1], i.dh.shape[-1]), WORKSPACE, per_row=False)
        return [WinogradGradient(i.x, i.dh, dU, i.window.before), WinogradKernelGradient(dU, i.dW)]
    return [i]


def turned(window: Window) -> Window:
    """The window of the kernel turned around, as it moves over the places of the first."""
    before, after = (
        (window.span[0] - 1 - zeros[0], window.span[1] - 1 - zeros[1]) for zeros in (window.before, window.after)
    )
    return replace(window, before=before, after=after)
