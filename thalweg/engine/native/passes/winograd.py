"""Convolutions of 3×3 and 5×5 by Winograd's minimal filtering: F(4×4, 3×3) and F(2×2, 5×5), with 36 multiplications
where direct computation takes 144 and 100.

One dimension: m outputs of a filter g of r taps, from n = m + r − 1 numbers d, are the coefficients of a product of
polynomials. This is computed from their values at n points, which takes n products instead of m·r:

    y = Aᵀ·((G·g) ⊙ (Bᵀ·d))

G and A evaluate at the points, Bᵀ (transposed: the roles of the operands are exchanged) interpolates. An image needs
the same along rows and columns: squares d of 6×6 that overlap by r − 1. Over channels, each of the 36 elements is a
product of matrices. The kernel's gradient is the adjoint of that, dg = Gᵀ·((A·dy) ⊙ (Bᵀ·d)), and the image's gradient
a convolution with the flipped kernel.

The points determine the accuracy. Among pairs ±a, ±b, 0, ±11/16, ±3/2 and infinity have the least rounding errors: a
quarter of those of the usual ±1, ±2, and about twice those of direct computation. Pairs halve the transforms' work.

Source: S. Winograd, Arithmetic Complexity of Computations (1980); A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks", arXiv 1509.09308; on points: B. Barabasz and others, "Error analysis and improving the
accuracy of Winograd convolution for deep neural networks", arXiv 1803.10986.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from thalweg.engine.native.instructions.changes import end, ended, variant
from thalweg.engine.native.instructions.convolution import NativeConvolution, NativeTransposedConvolution
from thalweg.engine.native.layouts.filtering import SIDE, TAPS, matrices
from thalweg.engine.native.layouts.orders import in_columns
from thalweg.engine.native.layouts.regions import PREPARED
from thalweg.program.instructions.convolution import (
    Convolution,
    Flip,
    KernelGradient,
    Pair,
    TransposedConvolution,
    Window,
    images,
)
from thalweg.program.ir.instruction import WORKSPACE, Array, Buffer, Instruction
from thalweg.program.passes.draft import Draft

VECTOR = 16  # floats in a vector of the widest processor: passes assume it, so that programs are the same everywhere
MOST_CHANNELS = 512  # in and out together: up to here a few tiles fit the core's cache
GAIN, GAIN_BY_COLUMNS = 1.2, 1.1  # how many times as long direct computation must take

# What a tile costs besides its products, in multiply-adds of vectors: IMAGE and OUTPUT for the transforms of a vector
# of input and of output channels, STORE for storing a product. FEW: a direct multiply-add with few output channels.
IMAGE, OUTPUT, STORE, FEW = 110, 80, 3, 0.6
# By columns: a direct multiply-add, and the costs per input channel, per output channel and per tile.
TAP_COLUMN, IMAGE_COLUMN, OUTPUT_COLUMN, TILE = 1.05, 310, 205, 150


def tiles(outputs: Sequence[int], taps: int) -> Pair:
    """How many tiles cover (height, width, …)."""
    m = SIDE + 1 - taps
    return -(-outputs[0] // m), -(-outputs[1] // m)


def seen(inputs: int, outputs: int, before: int, taps: int) -> int:
    """How many of the multiplications along one dimension involve the image, not the zeros around it."""
    return sum(0 <= i + tap - before < inputs for i in range(outputs) for tap in range(taps))


class Plan(NamedTuple):
    """How many rows and columns of outputs tiles cover, and the time relative to direct computation."""

    covered: Pair
    part: float


def plan(x: Buffer, h: Buffer, window: Window, groups: int, whole: bool = False) -> Plan | None:
    """How x ∗ W → h is computed by tiles if that pays; None if it doesn't.

    The last rows or columns, which tiles would cover only in part, may be cheaper directly, unless tiles have to cover
    the `whole`.
    """
    inputs, outputs, r = x.shape[-1], h.shape[-1], window.size[0]
    if r not in TAPS or window != Window((r, r), before=window.before, after=window.after) or groups > 1:
        return None
    if inputs + outputs > MOST_CHANNELS or not all(0 <= n < r for n in window.before):
        return None
    (height, width), m = h.shape[:2], SIDE + 1 - r
    tap, tile = (times_by_columns if in_columns(x) else times_by_rows)(inputs, outputs)

    def direct(rows: int, columns: int) -> float:
        places = seen(x.shape[0], rows, window.before[0], r) * seen(x.shape[1], columns, window.before[1], r)
        return places * tap

    def cost(covered: Pair) -> float:
        return direct(height, width) - direct(*covered) + math.prod(tiles(covered, r)) * tile

    full = (height - height % m, width - width % m)
    choices = [(height, width)] if whole else [(i, j) for i in (height, full[0]) for j in (width, full[1]) if i and j]
    best = min(choices, key=cost)
    part = cost(best) / direct(height, width)
    return Plan(best, part) if (GAIN_BY_COLUMNS if in_columns(x) else GAIN) * part <= 1 else None


def times_by_rows(inputs: int, outputs: int) -> tuple[float, float]:
    """The costs of a tap and of a tile of an image, in multiply-adds of vectors, which run along the output channels,
    or hold few channels of several places."""
    vectors = -(-outputs // VECTOR)
    tap = inputs * (vectors if outputs > VECTOR // 2 else FEW)
    return tap, SIDE * SIDE * (inputs + STORE) * vectors + IMAGE * -(-inputs // VECTOR) + OUTPUT * vectors


def times_by_columns(inputs: int, outputs: int) -> tuple[float, float]:
    """The same by columns, for a vector of rows: each channel is transformed separately."""
    products = inputs * outputs
    return TAP_COLUMN * products, SIDE * SIDE * products + IMAGE_COLUMN * inputs + OUTPUT_COLUMN * outputs + TILE


def planned(i: Instruction) -> Plan | None:
    """The plan for an instruction, if it is a convolution or one of its gradients and tiles pay."""
    if isinstance(i, Convolution):
        return plan(i.x, i.h, i.window, i.groups)
    if isinstance(i, TransposedConvolution):
        return plan(i.x, i.h, turned(i.window), i.groups)
    return plan(i.x, i.dh, i.window, i.groups, whole=True) if isinstance(i, KernelGradient) else None


def squares(xp: Any, x: Array, size: int, taps: int, before: Pair, outputs: Sequence[int]) -> Array:
    """(rows, tiles down, tiles across, channels, size, size): squares as far apart as tiles; zeros around the image."""
    m = SIDE + 1 - taps
    room = [m * n + size - m - b for n, b in zip(tiles(outputs, taps), before, strict=True)]  # for the image
    x = x[:, : room[0], : room[1]]
    after = (room[0] - x.shape[1], room[1] - x.shape[2])
    window = Window((size, size), (m, m), before=before, after=after)
    return window.windows(xp, window.pad(xp, x))


class WinogradKernel(Instruction):
    """U = G·W·Gᵀ, once a step; or that of the flipped kernel with its channels transposed, for the input gradient"""

    W: Buffer
    U: Buffer
    taps: int
    turned: bool = False

    name = "winograd kernel"
    writes = ("U",)

    @property
    def formula(self) -> str:
        return f"{self.U} = G·{self.W}{' turned around' if self.turned else ''}·Gᵀ"

    @property
    def sizes(self) -> dict[str, int]:
        channels = self.U.shape[:1:-1] if self.turned else self.U.shape[2:]
        return {"C": channels[0], "O": channels[1], "taps": self.taps, "turned": int(self.turned)}

    def reference(self, xp: Any, W: Array) -> Array:
        W = W.reshape(self.taps, self.taps, self.sizes["C"], self.sizes["O"])
        W = W[::-1, ::-1].swapaxes(2, 3) if self.turned else W
        G = matrices(self.taps).G
        U: Array = xp.einsum("pa,qb,abco->pqco", G, G, W)
        return U

    def flops(self, rows: int) -> int:
        return self.sizes["C"] * self.sizes["O"] * transform_flops(matrices(self.taps).G)


class WinogradConvolution(Instruction):
    """h = Aᵀ·((Bᵀ·x·B) ⊙ U)·A + b, which is x ∗ W + b; W is read if the last rows or columns are computed directly

    x (rows, height, width, in), U (6, 6, in, out), W (taps, taps, in, out), b (out,) → h (rows, height', width', out)
    """

    x: Buffer
    U: Buffer
    W: Buffer | None
    b: Buffer | None
    h: Buffer
    taps: int
    before: Pair  # zeros before the image
    covered: Pair  # rows and columns of h that tiles cover
    relu: bool = False  # relu, a: as in `NativeConvolution`
    a: Buffer | None = None

    name = "winograd convolution"
    writes = ("h",)

    @property
    def formula(self) -> str:
        bias = "" if self.b is None else f" + {self.b}"
        last = "" if self.W is None else f", last places {self.x} ∗ {self.W}{bias}"
        return ended(f"{self.h} = Aᵀ·((Bᵀ·{self.x}·B) ⊙ {self.U})·A{bias}", self.relu, self.a) + last

    @property
    def sizes(self) -> dict[str, int]:
        (top, left), (down, across) = self.before, self.covered
        covered = {"taps": self.taps, "top": top, "left": left, "down": down, "across": across}
        return {**images(self.x, self.h), **covered, "relu": int(self.relu)}

    def reference(self, xp: Any, x: Array, U: Array, W: Array | None, b: Array | None, a: Array | None) -> Array:
        BT, _, A = matrices(self.taps)
        d = squares(xp, x, SIDE, self.taps, self.before, self.covered)
        v = xp.einsum("pi,nhwcij,qj->nhwcpq", BT, d, BT, optimize=True)
        products = xp.einsum("nhwcpq,pqco->nhwopq", v, U, optimize=True)
        y = xp.einsum("pi,nhwopq,qj->nhiwjo", A, products, A, optimize=True)
        (height, width), (rows, high, down, wide, across, outputs) = self.covered, y.shape
        h = y.reshape(rows, high * down, wide * across, outputs)[:, :height, :width]
        if self.W is not None:
            window = Window((self.taps, self.taps), before=self.before, after=self.after)
            direct = Convolution(self.x, self.W, None, self.h, window).reference(xp, x, W, None)  # type: ignore[arg-type]
            h = xp.concatenate([h, direct[:, :height, width:]], axis=2)
            h = xp.concatenate([h, direct[:, height:]], axis=1)
        return end(xp, h if b is None else h + b, self.relu, a)

    @property
    def after(self) -> Pair:
        """Zeros after the image, as far as the kernel reaches."""
        down, across = (
            n + self.taps - 1 - b - size for n, b, size in zip(self.h.shape, self.before, self.x.shape, strict=False)
        )
        return max(0, down), max(0, across)

    @property
    def matrix_size(self) -> int:
        return self.U.size

    def flops(self, rows: int) -> int:
        (height, width, outputs), (BT, _, A) = self.h.shape, matrices(self.taps)
        tile = 2 * self.U.size + self.x.shape[-1] * transform_flops(BT) + outputs * transform_flops(A.T)
        rest = 2 * (height * width - math.prod(self.covered)) * self.taps**2 * self.x.shape[-1] * outputs
        return rows * (math.prod(tiles(self.covered, self.taps)) * tile + rest)


class WinogradGradient(Instruction):
    """dU = Σ over rows and tiles of (Bᵀ·x·B) ⊙ (A·dh·Aᵀ)"""

    x: Buffer
    dh: Buffer
    dU: Buffer
    taps: int
    before: Pair

    name = "winograd gradient"
    printed = "{dU} = Σ (Bᵀ·{x}·B) ⊙ (A·{dh}·Aᵀ)"
    writes = ("dU",)
    reduces = ("dU",)

    @property
    def sizes(self) -> dict[str, int]:
        top, left = self.before
        return {**images(self.x, self.dh), "taps": self.taps, "top": top, "left": left}

    def reference(self, xp: Any, x: Array, dh: Array) -> Array:
        BT, _, A = matrices(self.taps)
        x = squares(xp, x, SIDE, self.taps, self.before, self.dh.shape[:2])
        errors = squares(xp, dh, SIDE + 1 - self.taps, self.taps, (0, 0), self.dh.shape[:2])
        v = xp.einsum("pi,nhwcij,qj->nhwcpq", BT, x, BT, optimize=True)
        e = xp.einsum("pi,nhwoij,qj->nhwopq", A, errors, A, optimize=True)
        dU: Array = xp.einsum("nhwcpq,nhwopq->pqco", v, e, optimize=True)
        return dU

    def flops(self, rows: int) -> int:
        BT, _, A = matrices(self.taps)
        transforms = self.x.shape[-1] * transform_flops(BT) + self.dh.shape[-1] * transform_flops(A)
        return rows * math.prod(tiles(self.dh.shape, self.taps)) * (2 * self.dU.size + transforms)


class WinogradKernelGradient(Instruction):
    """dW = Gᵀ·dU·G, once all blocks of a lane are done"""

    dU: Buffer
    dW: Buffer
    taps: int

    name = "winograd kernel gradient"
    printed = "{dW} = Gᵀ·{dU}·G"
    writes = ("dW",)

    @property
    def sizes(self) -> dict[str, int]:
        return {"C": self.dU.shape[2], "O": self.dU.shape[3], "taps": self.taps}

    def reference(self, xp: Any, dU: Array) -> Array:
        G = matrices(self.taps).G
        dW: Array = xp.einsum("pa,qb,pqco->abco", G, G, dU)
        return dW.reshape(self.dW.shape)

    def flops(self, rows: int) -> int:
        return self.sizes["C"] * self.sizes["O"] * transform_flops(matrices(self.taps).G.T)


def transform_flops(matrix: Array) -> int:
    """Operations of L·X·Lᵀ: a multiply-add for every element that isn't 0, in each column of X and each row of L·X."""
    rows, columns = matrix.shape
    operations: int = 2 * (columns + rows) * int(np.count_nonzero(matrix))
    return operations


def by_winograd(draft: Draft) -> Draft:
    """Replaces every convolution, and each of its two gradients, for which it pays."""
    draft = draft.changed({i: replaced(i) for i in draft})
    unread = [i for i in draft if isinstance(i, Flip) and not draft.readers(i.flipped)]
    return draft.changed({i: [] for i in unread})


def replaced(i: Instruction) -> list[Instruction]:
    """The instructions that replace an instruction: itself, if tiles don't pay."""
    way = planned(i)
    if way is None:
        return [i]
    if isinstance(i, Convolution):
        kernel = WinogradKernel(i.W, transform_of(i.W, i.x, i.h), i.window.size[0])
        return taken(kernel, i.W, variant(NativeConvolution, i), i.window.before, way.covered)
    if isinstance(i, TransposedConvolution):
        kernel = WinogradKernel(i.W, transform_of(i.flipped, i.x, i.h), i.window.size[0], turned=True)
        return taken(kernel, i.flipped, variant(NativeTransposedConvolution, i), turned(i.window).before, way.covered)
    assert isinstance(i, KernelGradient)
    r, shape = i.window.size[0], (SIDE, SIDE, i.x.shape[-1], i.dh.shape[-1])
    dU = Buffer(f"dU{i.dW.name.removeprefix('d')}", shape, WORKSPACE, per_row=False)
    return [WinogradGradient(i.x, i.dh, dU, r, i.window.before), WinogradKernelGradient(dU, i.dW, r)]


def transform_of(W: Buffer, x: Buffer, h: Buffer) -> Buffer:
    return Buffer(f"U{W}", (SIDE, SIDE, x.shape[-1], h.shape[-1]), PREPARED, per_row=False)


def taken(
    kernel: WinogradKernel, W: Buffer, i: NativeConvolution | NativeTransposedConvolution, before: Pair, covered: Pair
) -> list[Instruction]:
    """The transform of the kernel, and the convolution; W is read only for outputs that tiles don't cover."""
    rest = None if covered == i.h.shape[:2] else W
    return [kernel, WinogradConvolution(i.x, kernel.U, rest, i.b, i.h, kernel.taps, before, covered, i.relu, i.a)]


def turned(window: Window) -> Window:
    """The window of the flipped kernel, as it moves over the outputs of the original one."""
    before, after = (
        (window.span[0] - 1 - zeros[0], window.span[1] - 1 - zeros[1]) for zeros in (window.before, window.after)
    )
    return replace(window, before=before, after=after)
