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


def taps(inputs: int, outputs: int, before: int) -> int:
    """How many of the multiplications along one dimension aren't with the zeros around the image."""
    return sum(0 <= i + tap - before < inputs for i in range(outputs) for tap in range(3))


def plan(x: Buffer, h: Buffer, window: Window, groups: int, whole: bool = False) -> Pair | None:
    """How many rows and columns of outputs are taken by tiles, if x ∗ W → h is worth taking this way; None if it isn't.

    That is for 3×3 at every place, whole vectors of channels, and fewer operations. A last row or column that tiles
    would cover half may be cheaper directly, unless the `whole` has to be taken by tiles.
    """
    channels = (x.shape[-1], h.shape[-1])
    if (*window.size, *window.strides, *window.dilation, groups) != (3, 3, 1, 1, 1, 1, 1):
        return None
    if any(n % CHANNELS or n > MOST_CHANNELS for n in channels) or not all(0 <= n <= 2 for n in window.before):
        return None
    height, width = h.shape[:2]
    transforms = 1 + 3 / channels[0] + 3 / channels[1]  # of a product's time: some 50 operations for each channel

    def direct(rows: int, columns: int) -> int:
        return taps(x.shape[0], rows, window.before[0]) * taps(x.shape[1], columns, window.before[1])

    def cost(covered: Pair) -> float:
        return direct(height, width) - direct(*covered) + 16 * math.prod(tiles(covered)) * transforms

    even = (height - height % 2, width - width % 2)
    choices = [(height, width)] if whole else [(i, j) for i in (height, even[0]) for j in (width, even[1]) if i and j]
    best = min(choices, key=cost)
    return best if GAIN * cost(best) <= direct(height, width) else None


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
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, which is x ∗ W + b; W is read where the last row or column is taken directly

    x (rows, height, width, in), U (4, 4, in, out), W (3, 3, in, out), b (out,) → h (rows, height', width', out)
    """

    x: Buffer
    U: Buffer
    W: Buffer | None
    b: Buffer | None
    h: Buffer
    before: Pair  # zeros before the image
    covered: Pair  # rows and columns of h that are taken by tiles

    name = "winograd convolution"
    writes = ("h",)

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        last = "" if self.W is None else f", last places {self.x} ∗ {self.W}{bias}"
        return f"{self.h} = Aᵀ·((Bᵀ·{self.x}·B) ⊙ {self.U})·A{bias}{last}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, *self.h.shape, *self.before, *self.covered)

    def reference(self, m: Values) -> None:
        d = squares(m[self.x], 4, self.before, self.covered)
        v = np.einsum("pi,nhwcij,qj->nhwcpq", BT, d, BT, optimize=True)
        products = np.einsum("nhwcpq,pqco->nhwopq", v, m[self.U], optimize=True)
        y = np.einsum("pi,nhwopq,qj->nhiwjo", A, products, A, optimize=True)
        (height, width), (rows, high, _, wide, _, outputs) = self.covered, y.shape
        if self.W is not None:
            window = Window((3, 3), before=self.before, after=self.after)
            Convolution(self.x, self.W, None, self.h, window).reference(m)
        m[self.h][:, :height, :width] = y.reshape(rows, 2 * high, 2 * wide, outputs)[:, :height, :width]
        if self.b is not None:
            m[self.h][:] += m[self.b]

    @property
    def after(self) -> Pair:
        """Zeros after the image, as far as a kernel reaches."""
        down, across = (n + 2 - b - size for n, b, size in zip(self.h.shape, self.before, self.x.shape, strict=False))
        return max(0, down), max(0, across)

    def flops(self, rows: int) -> int:
        (height, width, outputs), places = self.h.shape, math.prod(self.covered)
        tile = 2 * self.U.size + 32 * self.x.shape[-1] + 28 * outputs
        return rows * (math.prod(tiles(self.covered)) * tile + (height * width - places) * 9 * self.U.size // 8)


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
    if isinstance(i, Convolution) and (covered := plan(i.x, i.h, i.window, i.groups)):
        return taken(WinogradKernel(i.W, transform_of(i.W, i.x, i.h)), i.W, i, i.window.before, covered)
    if isinstance(i, TransposedConvolution) and (covered := plan(i.x, i.h, turned(i.window), i.groups)):
        kernel = WinogradKernel(i.W, transform_of(i.flipped, i.x, i.h), turned=True)
        return taken(kernel, i.flipped, i, turned(i.window).before, covered)
    if isinstance(i, KernelGradient) and plan(i.x, i.dh, i.window, i.groups, whole=True):
        dU = Buffer(f"dU{i.dW.name.removeprefix('d')}", (4, 4, i.x.shape[-1], i.dh.shape[-1]), WORKSPACE, per_row=False)
        return [WinogradGradient(i.x, i.dh, dU, i.window.before), WinogradKernelGradient(dU, i.dW)]
    return [i]


def transform_of(W: Buffer, x: Buffer, h: Buffer) -> Buffer:
    return Buffer(f"U{W}", (4, 4, x.shape[-1], h.shape[-1]), PREPARED, per_row=False)


def taken(
    kernel: WinogradKernel, W: Buffer, i: Convolution | TransposedConvolution, before: Pair, covered: Pair
) -> list[Instruction]:
    """The transform of the kernel, and the convolution; W is read only for what tiles don't cover."""
    rest = None if covered == i.h.shape[:2] else W
    return [kernel, WinogradConvolution(i.x, kernel.U, rest, i.b, i.h, before, covered)]


def turned(window: Window) -> Window:
    """The window of the kernel turned around, as it moves over the places of the first."""
    before, after = (
        (window.span[0] - 1 - zeros[0], window.span[1] - 1 - zeros[1]) for zeros in (window.before, window.after)
    )
    return replace(window, before=before, after=after)
