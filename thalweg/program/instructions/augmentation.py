"""Random changes of images, a new one for every image in every step: flips, warps (shift, turn, zoom), contrast.

Their random numbers come from the counter (seed, step, place in the batch), so that nothing is stored. They have no
adjoint: they belong before the first layer with weights, and anywhere else the derivation refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.program.ir.counter import drawn
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState

Range = tuple[float, float]
FILL_MODES = ("constant", "nearest", "wrap", "reflect")  # what lies beyond an edge, in the kernel's numbering
INTERPOLATIONS = ("nearest", "bilinear")
DRAWS = 5  # random numbers per image for a warp


def between(u: Array, bounds: Range) -> Array:
    """Numbers in [0, 1) mapped to the range, in float64."""
    return bounds[0] + (bounds[1] - bounds[0]) * u.astype(np.float64)


@dataclass(frozen=True, eq=False)
class RandomFlip(Instruction):
    """z = x or x mirrored, each image with probability ½, left to right, top to bottom or both at once."""

    x: Buffer
    z: Buffer
    horizontal: bool
    vertical: bool
    stream: int

    name = "random flip"
    writes = ("z",)

    @property
    def formula(self) -> str:
        axes = ["x → −x"] * self.horizontal + ["y → −y"] * self.vertical
        return f"{self.z} = {self.x}, half of them {', '.join(axes)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, int(self.horizontal), int(self.vertical), self.stream)

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        axes = [1] * self.vertical + [2] * self.horizontal
        return xp.where(drawn(step, self.stream, (1, 1, 1)) <= 0.5, xp.flip(x, tuple(axes)), x)


@dataclass(frozen=True, eq=False)
class RandomWarp(Instruction):
    """z[p] = x[c + R·Z·(p − c) − t], c the centre, R a turn, Z = diag(zoom), t a shift, drawn for each image.

    Pixels lie at integer positions. Between them x is interpolated; beyond its edges `fill_mode` extends it:
    "constant" (k k|a b c|k k), "nearest" (a a|a b c|c c), "wrap" (b c|a b c|a b), "reflect" (b a|a b c|c b).
    Angles are in turns, shifts are fractions of the height and width; a zoom above 1 makes the picture smaller.
    """

    x: Buffer
    z: Buffer
    angle: Range
    shift: tuple[Range, Range]  # down, to the right
    zoom: tuple[Range, Range]  # vertically, horizontally
    alike: bool  # whether both zooms are the same number
    fill_mode: str
    fill_value: float
    interpolation: str
    stream: int

    name = "random warp"
    writes = ("z",)

    @property
    def formula(self) -> str:
        parts = {
            f"turn {limits(self.angle)}": self.angle != (0, 0),
            f"shift {limits(self.shift[0])}, {limits(self.shift[1])}": self.shift != ((0, 0), (0, 0)),
            f"zoom {limits(self.zoom[0])}, {'alike' if self.alike else limits(self.zoom[1])}": self.zoom
            != ((1, 1), (1, 1)),
        }
        return f"{self.z} = {self.x}[{'; '.join(text for text, acts in parts.items() if acts) or 'as it is'}]"

    @property
    def sizes(self) -> tuple[int, ...]:
        mode = FILL_MODES.index(self.fill_mode)
        return (*self.x.shape, int(self.alike), mode, INTERPOLATIONS.index(self.interpolation), self.stream)

    @property
    def constants(self) -> tuple[float, ...]:
        ranges = (self.angle, *self.shift, *self.zoom)
        return (self.fill_value, *(float(bound) for pair in ranges for bound in pair))

    def maps(self, step: StepState) -> tuple[Array, Array]:
        """Each image's matrix (rows, 2, 2) and offset (rows, 2): position p in z is matrix·p + offset in x."""
        u = drawn(step, self.stream, (DRAWS,))
        height, width, _ = self.x.shape
        turn = 2 * np.pi * between(u[:, 0], self.angle)
        down, right = between(u[:, 1], self.shift[0]) * height, between(u[:, 2], self.shift[1]) * width
        tall = between(u[:, 3], self.zoom[0])
        wide = tall if self.alike else between(u[:, 4], self.zoom[1])
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = np.stack([cos * tall, sin * wide, -sin * tall, cos * wide], axis=1).reshape(-1, 2, 2)
        centre = np.array([(height - 1) / 2, (width - 1) / 2])
        return matrix, centre - matrix @ centre - np.stack([down, right], axis=1)

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        height, width, _ = self.x.shape
        matrix, offset = self.maps(step)
        grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1)
        places = np.einsum("nij,yxj->nyxi", matrix, grid) + offset[:, None, None, :]
        if self.interpolation == "nearest":
            return self.look(xp, x, np.floor(places + 0.5).astype(int))
        low = np.floor(places).astype(int)
        share = places - low
        z: Any = 0.0
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = np.where(corner, share, 1 - share).prod(axis=-1, keepdims=True)
            z = z + weight * self.look(xp, x, low + corner)
        return z

    def look(self, xp: Any, x: Array, places: Array) -> Array:
        """The pixels at integer positions (rows, height, width, 2), including those beyond the edges."""
        n = np.array(self.x.shape[:2])
        inside = ((places >= 0) & (places < n)).all(axis=-1, keepdims=True)
        if self.fill_mode == "reflect":
            places = np.minimum(places % (2 * n), 2 * n - 1 - places % (2 * n))
        elif self.fill_mode == "wrap":
            places = places % n
        else:
            places = np.clip(places, 0, n - 1)
        pixels = x[np.arange(len(x))[:, None, None], places[..., 0], places[..., 1]]
        return pixels if self.fill_mode != "constant" else xp.where(inside, pixels, self.fill_value)

    def flops(self, rows: int) -> int:
        height, width, channels = self.x.shape
        return rows * height * width * (4 + (0 if self.interpolation == "nearest" else 4 + 8 * channels))


@dataclass(frozen=True, eq=False)
class RandomContrast(Instruction):
    """z = clip(mean + f·(x − mean), low, high), with each channel's mean over an image; f is drawn for each image."""

    x: Buffer
    z: Buffer
    factor: Range
    clip: Range
    stream: int

    name = "random contrast"
    writes = ("z",)
    inplace = ("x", "z")

    @property
    def formula(self) -> str:
        return f"{self.z} = clip(mean + f·({self.x} − mean)), f {limits(self.factor)}"

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.x.shape, self.stream)

    @property
    def constants(self) -> tuple[float, ...]:
        return (*self.factor, *self.clip)

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        factor = between(drawn(step, self.stream, (1, 1, 1)), self.factor).astype(x.dtype)
        mean = x.mean(axis=(1, 2), keepdims=True)
        return xp.clip(mean + factor * (x - mean), *self.clip)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.x.size


def limits(bounds: Range) -> str:
    """ "−0.1…0.1" """
    return "…".join(f"{bound:g}".replace("-", "−") for bound in bounds)
