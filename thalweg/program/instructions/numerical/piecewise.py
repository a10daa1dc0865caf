"""Codes of numbers by bins: how far a number has got through each bin of its column, or in which one it lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Constant, Instruction


class BinCodes(Instruction):
    """Base: a number for every bin of every column      x (rows, columns) → z (rows, bins)"""

    x: Buffer
    places: Constant  # (columns + 1,): the first bin of each column, then the number of bins
    lows: Constant  # (bins,): where a bin begins
    ends: Constant  # (bins,): what else describes it
    z: Buffer

    writes = ("z",)
    shapes = "x: rows n; places: n+1; lows: bins; ends: bins; z: rows bins"

    @property
    def sizes(self) -> dict[str, int]:
        return {"columns": self.x.size, "bins": self.z.size}

    @property
    def columns(self) -> Array:
        """(bins,): the column of each bin."""
        return columns_of(self.places)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.z.size


def columns_of(places: Constant) -> Array:
    """(bins,): the column of each bin."""
    firsts = places.values.astype(np.int64)
    return np.repeat(np.arange(len(firsts) - 1), np.diff(firsts))


class PiecewiseLinear(BinCodes):
    """z[j] = clip((x[c] − low[j])·slope[j], 0, 1) for each bin j of column c; `ends` are the slopes"""

    name = "piecewise linear"
    printed = "{z} = clip(({x} − {lows})·{ends}, 0, 1), bins from {places} on"
    differentiates = ("x",)

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield PiecewiseLinearAdjoint(self.x, self.places, self.lows, self.ends, d(self.z), d.into(self.x))

    def reference(self, xp: Any, x: Array, places: Array, lows: Array, ends: Array) -> Array:
        return xp.clip((xp.take(x, self.columns, axis=1) - lows) * ends, 0, 1)


class PiecewiseLinearAdjoint(Instruction):
    """dx[c] = Σ_j dz[j]·slope[j]·[0 ≤ (x[c] − low[j])·slope[j] < 1] over the bins j of column c"""

    x: Buffer
    places: Constant
    lows: Constant
    slopes: Constant
    dz: Buffer
    dx: Buffer

    name = "piecewise linear adjoint"
    writes = ("dx",)
    shapes = "x: rows n; places: n+1; lows: bins; slopes: bins; dz: rows bins; dx: rows n"

    @property
    def formula(self) -> str:
        inside = f"[0 ≤ ({self.x} − {self.lows})·{self.slopes} < 1]"
        return f"{self.dx} = Σ {self.dz}·{self.slopes}·{inside}, bins from {self.places} on"

    @property
    def sizes(self) -> dict[str, int]:
        return {"columns": self.x.size, "bins": self.dz.size}

    def reference(self, xp: Any, x: Array, places: Array, lows: Array, slopes: Array, dz: Array) -> Array:
        columns = columns_of(self.places)
        z = (xp.take(x, columns, axis=1) - lows) * slopes
        part = xp.where((z >= 0) & (z < 1), dz * slopes, 0)
        return part @ xp.asarray(columns[:, None] == np.arange(self.x.size), dtype=part.dtype)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.dz.size


class BinIndicators(BinCodes):
    """z[j] = [low[j] ≤ x[c] < end[j]] for each bin j of column c. Its derivative is 0."""

    name = "bin indicators"
    printed = "{z} = [{lows} ≤ {x} < {ends}], bins from {places} on"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        yield from ()

    def reference(self, xp: Any, x: Array, places: Array, lows: Array, ends: Array) -> Array:
        each = xp.take(x, self.columns, axis=1)
        return xp.where((lows <= each) & (each < ends), 1.0, 0.0)
