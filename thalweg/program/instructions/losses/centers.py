"""Class centres in feature space: the distance to them, its gradient, the sums of the batch by class, and the update of
the centres by these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.program.instructions.losses.loss_instruction import class_numbers, scale, times
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Instruction, StepState, rows_of


def away(xp: Any, x: Array, y: Array, centers: Array) -> Array:
    """x − c_y of each row, as (rows, features); NaN where y isn't a class"""
    labels, known = class_numbers(xp, y[:, 0], centers.shape[0])
    return xp.where(known[:, None], rows_of(x) - xp.take(centers, labels, axis=0), np.nan)


def weighted(rows: Array, weight: Array | None) -> Array:
    """(rows, …) times the weight of each row."""
    return rows if weight is None else rows * weight


def weight_text(weight: Buffer | None) -> str:
    return "" if weight is None else f"{weight}·"


class OfCenters(Instruction):
    """Base of what is computed from rows, their classes and the classes' centres."""

    x: Buffer
    y: Buffer
    weight: Buffer | None
    centers: Buffer


class CenterDistance(OfCenters):
    """Adds rows·L to `sums`, L = mean (or Σ) w·factor·½·‖x − c_y‖² over the rows

    x (rows, …) with `features` elements per row, y (rows, 1) class numbers, centers (classes, features)
    """

    sums: Buffer
    factor: float
    total: bool = False

    name = "center distance"
    writes = ("sums",)
    reduces = ("sums",)
    shapes = "x: rows …; y: rows 1; weight: rows 1; centers: classes n; sums: 1"
    differentiates = ("x",)  # the centres aren't moved by a gradient

    @property
    def labels(self) -> tuple[Buffer, int] | None:
        return (self.y, self.centers.shape[0])

    @property
    def formula(self) -> str:
        over_rows = "Σ" if self.total else "mean"
        factor = f"{weight_text(self.weight)}{times(self.factor / 2)}"
        return f"{self.sums} += {over_rows} {factor}‖{self.x} − {self.centers}[{self.y}]‖²"

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield CenterDistanceGradient(
                self.x, self.y, self.weight, self.centers, d.into(self.x), self.factor, self.total
            )

    def reference(self, xp: Any, x: Array, y: Array, weight: Array | None, centers: Array, step: StepState) -> Array:
        squares = (away(xp, x, y, centers) ** 2).sum(axis=1, keepdims=True)
        mean = weighted(squares, weight).sum(dtype=np.float64) * self.factor / 2
        loss: Array = xp.asarray(mean * (step.batch_rows if self.total else 1))
        return loss

    def flops(self, rows: int) -> int:
        return 3 * rows * self.x.size


class CenterDistanceGradient(OfCenters):
    """dx = w·factor·(x − c_y)/rows, with `total` without /rows"""

    dx: Buffer
    factor: float
    total: bool = False

    name = "center distance gradient"
    writes = ("dx",)
    shapes = "x: rows …; y: rows 1; weight: rows 1; centers: classes n; dx: rows …"

    @property
    def formula(self) -> str:
        text = f"{weight_text(self.weight)}{times(self.factor)}({self.x} − {self.centers}[{self.y}])"
        return f"{self.dx} = {text}" + ("" if self.total else "/rows")

    def reference(self, xp: Any, x: Array, y: Array, weight: Array | None, centers: Array, step: StepState) -> Array:
        slope = weighted(away(xp, x, y, centers), weight) * scale(self.total, self.factor, step)
        return slope.reshape(x.shape)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.x.size


class CenterSums(OfCenters):
    """parts = for each class Σ w·(c − x) and, in the last column, Σ w over its rows

    parts (classes, features + 1). A row of weight 2 counts as two rows, one of weight 0 as none.
    """

    parts: Buffer

    name = "center sums"
    writes = ("parts",)
    reduces = ("parts",)
    shapes = "x: rows …; y: rows 1; weight: rows 1; centers: classes n; parts: classes n+1"

    @property
    def formula(self) -> str:
        w = weight_text(self.weight)
        return f"{self.parts} = Σ {w}({self.centers} − {self.x}), Σ {w or '1'} of each {self.y}".replace("· of", " of")

    @property
    def sizes(self) -> dict[str, int]:
        return {"features": self.x.size, "classes": self.centers.shape[0]}

    def reference(self, xp: Any, x: Array, y: Array, weight: Array | None, centers: Array) -> Array:
        difference = away(xp, x, y, centers)
        rows = xp.concatenate([-difference, xp.ones_like(difference[:, :1])], axis=1)
        classes = xp.arange(self.parts.shape[0])
        return (y == classes).astype(rows.dtype).T @ weighted(rows, weight)

    def flops(self, rows: int) -> int:
        return 2 * rows * self.x.size


class CenterUpdate(Instruction):
    """c ← c − alpha·Σ (c − x)/(1 + n) for each class; n = the rows of the class"""

    parts: Buffer
    centers: Buffer
    alpha: float

    name = "center update"
    writes = ("centers",)
    shapes = "centers: classes n; parts: classes n+1"

    @property
    def formula(self) -> str:
        return f"{self.centers} −= {times(self.alpha)}Σ/(1 + n) from {self.parts}"

    @property
    def sizes(self) -> dict[str, int]:
        classes, features = self.centers.shape
        return {"classes": classes, "features": features}

    def reference(self, xp: Any, parts: Array, centers: Array) -> Array:
        return centers - self.alpha * parts[:, :-1] / (1 + parts[:, -1:])

    def flops(self, rows: int) -> int:
        return 3 * self.centers.size
