"""Along one axis, in its order: running sums and products, and the place of the largest element."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from thalweg.program.instructions.derived.derived_adjoint import Derived
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, Shape


def around(x: Buffer, axis: int) -> dict[str, int]:
    """The elements before an axis, along it and after it, and whether there are rows."""
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return {"before": before, "n": x.shape[axis], "after": after, "per_row": int(x.per_row)}


def along(x: Buffer, axis: int, n: int) -> tuple[Shape, bool]:
    """The shape of x with n elements along an axis, and whether it is per row."""
    return (*x.shape[:axis], n, *x.shape[axis + 1 :]), x.per_row


class CumulativeSum(Instruction):
    """z[k] = Σ x[i] for i ≤ k along an axis, which doesn't count the rows' axis; if `backwards`, for i ≥ k

    The adjoint is the same in the other direction. Per row or once a step.
    """

    x: Buffer
    z: Buffer
    axis: int
    backwards: bool = False

    name = "cumulative sum"
    writes = ("z",)
    shapes = "x: …; z: …"
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        order = ", backwards" if self.backwards else ""
        return f"{self.z} = sums of {self.x} along axis {self.axis + 1}{order}"

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.x, self.axis), "backwards": int(self.backwards)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield CumulativeSum(d(self.z), d.into(self.x), self.axis, not self.backwards)

    def reference(self, xp: Any, x: Array) -> Array:
        axis = self.axis + self.per_row
        return xp.flip(xp.cumsum(xp.flip(x, axis), axis), axis) if self.backwards else xp.cumsum(x, axis)

    def flops(self, rows: int) -> int:
        return self.x.size * (rows if self.per_row else 1)


class CumulativeProduct(Derived):
    """z[k] = Π x[i] for i ≤ k along an axis, which doesn't count the rows' axis. Per row or once a step."""

    x: Buffer
    z: Buffer
    axis: int

    name = "cumulative product"
    writes = ("z",)
    shapes = "x: …; z: …"
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        return f"{self.z} = products of {self.x} along axis {self.axis + 1}"

    def reference(self, xp: Any, x: Array) -> Array:
        n, after = self.x.shape[self.axis], math.prod(self.x.shape[self.axis + 1 :])
        products: Array = xp.cumprod(x.reshape(-1, n, after), 1)  # as few axes as there can be
        return products.reshape(x.shape)

    def flops(self, rows: int) -> int:
        return self.x.size * (rows if self.per_row else 1)


class Argmax(Instruction):
    """z = the index of the first largest element along an axis, which doesn't count the rows' axis; or smallest

    As a float; without a derivative. A NaN counts as the largest and as the smallest. Per row or once a step.
    """

    x: Buffer
    z: Buffer
    axis: int
    smallest: bool = False

    name = "argmax"
    writes = ("z",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {'argmin' if self.smallest else 'argmax'} of {self.x} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        return (self.z.size * self.x.shape[self.axis], self.z.per_row) == (self.x.size, self.x.per_row)

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.x, self.axis), "smallest": int(self.smallest)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        yield from ()  # an index moves in jumps: its derivative is 0

    def reference(self, xp: Any, x: Array) -> Array:
        find = xp.argmin if self.smallest else xp.argmax
        found: Array = find(x, axis=self.axis + self.per_row)
        return found.reshape((*[-1] * self.per_row, *self.z.shape))

    def flops(self, rows: int) -> int:
        return self.x.size * (rows if self.per_row else 1)
