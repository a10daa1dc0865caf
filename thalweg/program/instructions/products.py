"""Products of many pairs of matrices, such as those of attention."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from thalweg.program.instructions.pointwise import aligned
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Shape


class Axis(NamedTuple):
    """An axis over which pairs of matrices run, and whether x, y and z vary along it."""

    size: int
    varies: tuple[bool, bool, bool]


class Nest(NamedTuple):
    """As products of (M, K) and (K, N), one for each index of the axes."""

    M: int
    N: int
    K: int
    rows_in_M: bool  # the number of rows multiplies M …
    rows_in_K: bool  # … or K …
    at_rows: int  # … or the size of this axis; −1: of none
    axes: list[Axis]


def turned(xp: Any, matrices: Array, turn: bool) -> Array:
    """Each matrix transposed, or as it is."""
    return xp.swapaxes(matrices, -1, -2) if turn else matrices


class MatrixProduct(Instruction):
    """z = x·y for each pair of matrices      x (…, M, K), y (…, K, N) → z (…, M, N)

    A matrix may be stored transposed: x as (…, K, M), y as (…, N, K). The axes before the last two broadcast, and so do
    the rows: what isn't per row is the same for all. The result is summed along every such axis, the rows included,
    that z lacks. So both adjoints are products, too. Per row or once a step.
    """

    x: Buffer
    y: Buffer
    z: Buffer
    transpose_x: bool = False
    transpose_y: bool = False

    name = "matrix product"
    writes = ("z",)
    differentiates = ("x", "y")

    @property
    def reduces(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("z",) if self.per_row and not self.z.per_row else ()

    @property
    def space(self) -> Shape:
        """The axes over which the pairs run, without the rows."""
        return np.broadcast_shapes(*(b.shape[:-2] for b in (self.x, self.y, self.z)))

    @property
    def summed(self) -> tuple[int, ...]:
        """The axes of `space` that z lacks."""
        own = aligned(self.z.shape[:-2], len(self.space))
        return tuple(axis for axis, n in enumerate(self.space) if own[axis] != n)

    @property
    def formula(self) -> str:
        sign = "Σ " if self.summed or self.reduces else ""
        x, y = (f"{b}ᵀ" if turn else b.name for b, turn in ((self.x, self.transpose_x), (self.y, self.transpose_y)))
        return f"{self.z} = {sign}{x}·{y}"

    @property
    def nest(self) -> Nest:
        """The loops around the products, with adjacent axes merged. Where pairs share y, the rows of their x and z
        follow one another and make one large matrix; where they share z, so do those that are summed."""
        *_, M, N = self.z.shape
        K = self.x.shape[-2 if self.transpose_x else -1]
        operands = (self.x, self.y, self.z)
        shapes = [aligned(b.shape[:-2], len(self.space)) for b in operands]
        ways = [(bool(x == n), bool(y == n), bool(z == n)) for n, x, y, z in zip(self.space, *shapes, strict=True)]
        axes = [Axis(n, way) for n, way in zip(self.space, ways, strict=True) if n > 1]
        if self.per_row:
            axes.insert(0, Axis(1, (self.x.per_row, self.y.per_row, self.z.per_row)))
        merged: list[Axis] = []
        for axis in axes:
            if merged and merged[-1].varies == axis.varies:
                axis = Axis(merged.pop().size * axis.size, axis.varies)
            merged.append(axis)
        last = merged[-1] if merged else None
        in_M = last is not None and last.varies == (True, False, True) and not self.transpose_x
        in_K = last is not None and last.varies == (True, True, False) and self.transpose_x and not self.transpose_y
        if last is not None and (in_M or in_K):
            merged.pop()
            M, K = M * last.size if in_M else M, K * last.size if in_K else K
        alone = self.per_row and not merged  # the rows are part of what has become one matrix
        return Nest(M, N, K, alone and in_M, alone and in_K, 0 if self.per_row and merged else -1, merged)

    @property
    def fits(self) -> bool:
        x = self.x.shape[:-3:-1] if self.transpose_x else self.x.shape[-2:]
        y = self.y.shape[:-3:-1] if self.transpose_y else self.y.shape[-2:]
        return x[1] == y[0] and self.z.shape[-2:] == (x[0], y[1]) and len(self.space) >= len(self.z.shape) - 2

    @property
    def sizes(self) -> dict[str, int | tuple[int, ...]]:
        """Those of the matrices; which are transposed; where the rows are; whether they are summed; the axes: how many,
        their sizes, and for each operand a number whose bit k says whether it varies along axis k."""
        M, N, K, rows_in_M, rows_in_K, at_rows, axes = self.nest
        masks = [sum(axis.varies[n] << k for k, axis in enumerate(axes)) for n in range(3)]
        turned = {"transpose_x": int(self.transpose_x), "transpose_y": int(self.transpose_y)}
        rows = {"rows_in_M": int(rows_in_M), "rows_in_K": int(rows_in_K), "at_rows": at_rows}
        loop = (*(axis.size for axis in axes), *masks)
        return {
            "M": M,
            "N": N,
            "K": K,
            **turned,
            **rows,
            "summed_rows": len(self.reduces),
            "count": len(axes),
            "axes": loop,
        }

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        dz, x, y, tx, ty = d(self.z), self.x, self.y, self.transpose_x, self.transpose_y
        if d.wants(x):
            dx = d.into(x)
            yield MatrixProduct(y, dz, dx, ty, True) if tx else MatrixProduct(dz, y, dx, False, not ty)
        if d.wants(y):
            dy = d.into(y)
            yield MatrixProduct(dz, x, dy, True, tx) if ty else MatrixProduct(x, dz, dy, not tx, False)

    def reference(self, xp: Any, x: Array, y: Array) -> Array:
        products = xp.matmul(turned(xp, x, self.transpose_x), turned(xp, y, self.transpose_y))
        axes = (*range(len(self.reduces)), *(axis + self.per_row for axis in self.summed))
        if axes:
            products = products.sum(axis=axes)
        return products.reshape(*[-1] * self.z.per_row, *self.z.shape)

    def flops(self, rows: int) -> int:
        K = self.x.shape[-2 if self.transpose_x else -1]
        return 2 * K * math.prod((*self.space, *self.z.shape[-2:])) * (rows if self.per_row else 1)
