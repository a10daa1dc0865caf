"""Images of another size: along one axis, every new element is a weighted sum of neighbouring old ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thalweg.program.instructions.scans import along, around
from thalweg.program.ir.instruction import Adjoints, Array, Buffer, Constant, Instruction


def triangle(d: Array) -> Array:
    """Linear interpolation, by the distance from an element."""
    return np.maximum(0, 1 - d)


def cubic(d: Array) -> Array:
    """Cubic convolution with a = −1/2 (Keys 1981)."""
    near, far = ((1.5 * d - 2.5) * d) * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d >= 2, 0, np.where(d >= 1, far, near))


def lanczos(radius: int) -> Callable[[Array], Array]:
    """A sinc times its own middle lobe, stretched to the radius (Duchon 1979)."""
    return lambda d: np.where(d > radius, 0, np.sinc(d) * np.sinc(d / radius))


WEIGHTS: dict[str, Callable[[Array], Array]] = {
    "bilinear": triangle,
    "bicubic": cubic,
    "lanczos3": lanczos(3),
    "lanczos5": lanczos(5),
}
INTERPOLATIONS = ("nearest", *WEIGHTS)


def nearest(n: int, m: int) -> Array:
    """Which of n elements is nearest to each of m that take their place; in float32, as in Keras."""
    return np.floor((np.arange(m, dtype=np.float32) + np.float32(0.5)) * np.float32(n) / np.float32(m)).astype(int)


def interpolated(n: int, m: int, interpolation: str, antialias: bool) -> Array:
    """The matrix (m, n) that makes m elements of n; each row sums to 1. The outer edges coincide.

    With `antialias`, fewer elements are made of stretched weights, so that each of the old ones counts.
    """
    places = (np.arange(m) + 0.5) * n / m - 0.5
    stretched = max(n / m, 1.0) if antialias else 1.0
    weights = WEIGHTS[interpolation](abs(places[:, None] - np.arange(n)) / stretched)
    weights[abs(weights) < 1e-9] = 0  # where sinc should be 0
    matrix: Array = weights / weights.sum(axis=1, keepdims=True)
    return matrix


def banded(matrix: Array) -> tuple[Constant, Constant]:
    """Each row of a matrix from the first to the last element that isn't 0: (first, count), and those elements."""
    there = matrix != 0
    first = there.argmax(axis=1)
    counts = np.where(there.any(axis=1), matrix.shape[1] - there[:, ::-1].argmax(axis=1) - first, 0)
    taps = np.arange(counts.max())
    at = np.minimum(first[:, None] + taps, matrix.shape[1] - 1)
    weights = np.where(taps < counts[:, None], np.take_along_axis(matrix, at, axis=1), 0)
    return Constant("places", np.stack([first, counts], axis=1)), Constant("weights", weights)


class Resampling(Instruction):
    """z[…, j, …] = Σ_t weights[j, t]·x[…, first[j] + t, …] for t < count[j], along an axis

    The axis doesn't count the rows' axis. The adjoint is the same with the transposed matrix. Per row or once a step.
    """

    x: Buffer
    places: Constant  # (elements of z, 2): first and count
    weights: Constant  # (elements of z, the largest count)
    z: Buffer
    axis: int

    name = "resampling"
    writes = ("z",)
    shapes = "places: m 2; weights: m most"
    differentiates = ("x",)

    @property
    def formula(self) -> str:
        old, new = self.x.shape[self.axis], self.z.shape[self.axis]
        sums = f"Σ {self.weights}·{self.x} from {self.places} on"
        return f"{self.z} = {sums}, {new} of {old} along axis {self.axis + 1}"

    @property
    def fits(self) -> bool:
        last = self.places.values.sum(axis=1).max(initial=0)
        whole = (self.z.shape, self.z.per_row) == along(self.x, self.axis, len(self.weights.values))
        return whole and last <= self.x.shape[self.axis] and self.places.values.min(initial=0) >= 0

    @property
    def sizes(self) -> dict[str, int]:
        m, most = self.weights.shape
        return {**around(self.x, self.axis), "m": m, "most": most}

    @property
    def matrix(self) -> Array:
        """(elements of z, elements of x)"""
        matrix = np.zeros((self.z.shape[self.axis], self.x.shape[self.axis]))
        for row, (first, count) in enumerate(self.places.values.astype(int)):
            matrix[row, first : first + count] = self.weights.values[row, :count]
        return matrix

    def adjoint(self, d: Adjoints) -> Iterator[Instruction]:
        if d.wants(self.x):
            yield Resampling(d(self.z), *banded(self.matrix.T), d.into(self.x), self.axis)

    def reference(self, xp: Any, x: Array, places: Array, weights: Array) -> Array:
        axis, n = self.axis + self.x.per_row, self.x.shape[self.axis]
        column = (-1, *(1 for _ in self.x.shape[self.axis + 1 :]))
        first, count = (places[:, k].astype(int) for k in range(2))
        z: Any = 0.0
        for t in range(self.weights.shape[1]):
            term = xp.take(x, xp.minimum(first + t, n - 1), axis=axis) * weights[:, t].reshape(column)
            z = z + xp.where((t < count).reshape(column), term, 0)
        return z

    def flops(self, rows: int) -> int:
        columns = self.x.size // self.x.shape[self.axis]
        return 2 * int(self.places.values[:, 1].sum()) * columns * (rows if self.x.per_row else 1)
