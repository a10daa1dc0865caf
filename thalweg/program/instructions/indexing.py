"""Elements chosen by numbers: constant ones, or those of each row. Numbers travel as floats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from thalweg.program.instructions.scans import along, around
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction


def is_at(xp: Any, places: Array, n: int) -> Array:
    """For every place, a vector of n with a 1 there and zeros elsewhere; only zeros if it isn't one of 0 … n − 1."""
    return xp.where(places[..., None] == xp.arange(n), 1.0, 0.0)


class Take(Instruction):
    """z[…, j, …] = x[…, indices[j], …] along an axis, which doesn't count the rows' axis. Per row or once a step."""

    x: Buffer
    indices: Buffer  # (count,), each of them valid, the same for all rows
    z: Buffer
    axis: int

    name = "take"
    writes = ("z",)
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} at {self.indices} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        return (self.z.shape, self.z.per_row) == along(self.x, self.axis, self.indices.size)

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.x, self.axis), "count": self.indices.size}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield TakeAdjoint(d(self.z), self.indices, d.into(self.x), self.axis)

    def reference(self, xp: Any, x: Array, indices: Array) -> Array:
        return xp.take(x, indices.astype(int), axis=self.axis + self.z.per_row)


class TakeAdjoint(Instruction):
    """dx[…, k, …] = Σ dz[…, j, …] over all j with indices[j] = k"""

    dz: Buffer
    indices: Buffer
    dx: Buffer
    axis: int

    name = "take adjoint"
    writes = ("dx",)

    @property
    def formula(self) -> str:
        return f"{self.dx} = Σ of {self.dz}, each at its place of {self.indices} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        return (self.dz.shape, self.dz.per_row) == along(self.dx, self.axis, self.indices.size)

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.dx, self.axis), "count": self.indices.size}

    def reference(self, xp: Any, dz: Array, indices: Array) -> Array:
        axis = self.axis + self.dx.per_row
        moved = xp.moveaxis(dz, axis, -1) @ is_at(xp, indices, self.dx.shape[self.axis])
        return xp.moveaxis(moved, -1, axis)

    def flops(self, rows: int) -> int:
        return self.dz.size * (rows if self.dz.per_row else 1)


class TakeAlongAxis(Instruction):
    """z[…, j, …] = x[…, ids[…, j, …], …] along an axis, which doesn't count the rows' axis. Per row or once a step.

    Negative ids count from the end, as in NumPy. Where there is no such element, z is NaN.
    """

    x: Buffer
    ids: Buffer  # of z's shape
    z: Buffer
    axis: int

    name = "take along axis"
    writes = ("z",)
    shapes = "ids: …; z: …"
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.x} at {self.ids} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        return (self.z.shape, self.z.per_row) == along(self.x, self.axis, self.ids.shape[self.axis])

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.x, self.axis), "count": self.ids.shape[self.axis]}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield TakeAlongAxisAdjoint(d(self.z), self.ids, d.into(self.x), self.axis)

    def reference(self, xp: Any, x: Array, ids: Array) -> Array:
        n = self.x.shape[self.axis]
        there = (ids >= -n) & (ids < n)
        places = xp.where(there, ids, 0).astype(int)
        places = xp.where(places < 0, places + n, places)
        return xp.where(there, xp.take_along_axis(x, places, axis=self.axis + self.z.per_row), xp.nan)


class TakeAlongAxisAdjoint(Instruction):
    """dx[…, k, …] = Σ dz[…, j, …] over all j with ids[…, j, …] = k"""

    dz: Buffer
    ids: Buffer
    dx: Buffer
    axis: int

    name = "take along axis adjoint"
    writes = ("dx",)
    shapes = "ids: …; dz: …"

    @property
    def formula(self) -> str:
        return f"{self.dx} = Σ of {self.dz}, each at its place of {self.ids} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        return (self.dz.shape, self.dz.per_row) == along(self.dx, self.axis, self.ids.shape[self.axis])

    @property
    def sizes(self) -> dict[str, int]:
        return {**around(self.dx, self.axis), "count": self.ids.shape[self.axis]}

    def reference(self, xp: Any, dz: Array, ids: Array) -> Array:
        axis, n = self.axis + self.dx.per_row, self.dx.shape[self.axis]
        places = xp.trunc(xp.moveaxis(ids, axis, -1))
        at = is_at(xp, xp.where(places < 0, places + n, places), n)
        return xp.moveaxis((xp.moveaxis(dz, axis, -1)[..., None] * at).sum(axis=-2), -1, axis)

    def flops(self, rows: int) -> int:
        return self.dz.size * (rows if self.dz.per_row else 1)


class OneHot(Instruction):
    """z[…, k] = 1 where ids[…] = k, otherwise 0; only zeros for ids outside 0 … depth − 1. Without a derivative.

    Per row or once a step.
    """

    ids: Buffer
    z: Buffer

    name = "one hot"
    printed = "{z} = 1 at {ids}, otherwise 0"
    writes = ("z",)
    shapes = "ids: …; z: … depth"

    @property
    def sizes(self) -> dict[str, int]:
        return {"count": self.ids.size, "depth": self.z.shape[-1], "per_row": int(self.z.per_row)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        yield from ()  # an id is a whole number: its derivative is 0

    def reference(self, xp: Any, ids: Array) -> Array:
        return is_at(xp, ids, self.z.shape[-1])


class Argsort(Instruction):
    """z = the ids of the k smallest elements along the last axis, in their order; or largest. Without a derivative.

    Of equal elements the first comes first, and NaN comes last. Per row or once a step.
    """

    x: Buffer
    z: Buffer
    descending: bool = False

    name = "argsort"
    writes = ("z",)
    shapes = "x: … n; z: … k"

    @property
    def formula(self) -> str:
        which = "largest" if self.descending else "smallest"
        return f"{self.z} = the ids of the {self.z.shape[-1]} {which} of {self.x}"

    @property
    def sizes(self) -> dict[str, int]:
        *before, n = self.x.shape
        axes = {"before": math.prod(before), "n": n, "k": self.z.shape[-1]}
        return {**axes, "per_row": int(self.x.per_row), "descending": int(self.descending)}

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        yield from ()  # an id is a whole number: its derivative is 0

    def reference(self, xp: Any, x: Array) -> Array:
        return xp.lexsort((-x if self.descending else x,), axis=-1)[..., : self.z.shape[-1]].astype(x.dtype)

    def flops(self, rows: int) -> int:
        comparisons = self.x.size * max(1, math.ceil(math.log2(self.z.shape[-1])))
        return comparisons * (rows if self.per_row else 1)
