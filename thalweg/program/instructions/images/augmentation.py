"""Random changes of images, a new one for every image in every step: flips, warps (shift, turn, zoom), crops, contrast,
brightness, erased patches.

Their random numbers come from the counter (seed, step, place in the batch), so that nothing is stored. They have no
adjoint: they belong before the first layer with weights, and anywhere else the derivation refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.program.instructions.noise import normal
from thalweg.program.ir.counter import key
from thalweg.program.ir.instruction import Array, Buffer, Instruction, StepState

Range = tuple[float, float]
FILL_MODES = ("constant", "nearest", "wrap", "reflect")  # what lies beyond an edge, as numbered in `sizes`
INTERPOLATIONS = ("nearest", "bilinear")
DRAWS = 5  # random numbers per image for a warp
ERASING = 6  # those for an erased patch


def sides(x: Buffer) -> dict[str, int]:
    """An image's shape, by name."""
    return dict(zip(("height", "width", "channels"), x.shape, strict=True))


def bounds(ranges: Mapping[str, Range]) -> dict[str, float]:
    """The ends of ranges, by name."""
    return {f"{name}_{end}": float(n) for name, r in ranges.items() for end, n in zip(("low", "high"), r, strict=True)}


def between(u: Array, bounds: Range) -> Array:
    """Numbers in [0, 1) mapped to the range, in float64."""
    return bounds[0] + (bounds[1] - bounds[0]) * u.astype(np.float64)


class RandomFlip(Instruction):
    """z = x or x mirrored, each image with probability ½, left to right, top to bottom or both at once."""

    x: Buffer
    z: Buffer
    horizontal: bool
    vertical: bool
    stream: int

    name = "random flip"
    writes = ("z",)
    shapes = "x: rows H W n; z: rows H W n"

    @property
    def formula(self) -> str:
        axes = ["x → −x"] * self.horizontal + ["y → −y"] * self.vertical
        return f"{self.z} = {self.x}, half of them {', '.join(axes)}"

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        axes = [1] * self.vertical + [2] * self.horizontal
        return xp.where(step.drawn(xp, self.stream, (1, 1, 1)) <= 0.5, xp.flip(x, tuple(axes)), x)


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
    shapes = "x: rows H W n; z: rows H W n"

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
    def sizes(self) -> dict[str, int]:
        mode, bilinear = FILL_MODES.index(self.fill_mode), INTERPOLATIONS.index(self.interpolation)
        return {**sides(self.x), "alike": int(self.alike), "mode": mode, "bilinear": bilinear, "stream": self.stream}

    @property
    def constants(self) -> dict[str, float]:
        (down, right), (tall, wide) = self.shift, self.zoom
        ranges = {"angle": self.angle, "down": down, "right": right, "tall": tall, "wide": wide}
        return {"fill": self.fill_value, **bounds(ranges)}

    def maps(self, xp: Any, step: StepState) -> tuple[Array, Array]:
        """Each image's matrix (rows, 2, 2) and offset (rows, 2): position p in z is matrix·p + offset in x."""
        u = step.drawn(xp, self.stream, (DRAWS,))
        height, width, _ = self.x.shape
        turn = 2 * np.pi * between(u[:, 0], self.angle)
        down, right = between(u[:, 1], self.shift[0]) * height, between(u[:, 2], self.shift[1]) * width
        tall = between(u[:, 3], self.zoom[0])
        wide = tall if self.alike else between(u[:, 4], self.zoom[1])
        cos, sin = xp.cos(turn), xp.sin(turn)
        matrix = xp.stack([cos * tall, sin * wide, -sin * tall, cos * wide], axis=1).reshape(-1, 2, 2)
        centre = xp.asarray([(height - 1) / 2, (width - 1) / 2])
        return matrix, centre - matrix @ centre - xp.stack([down, right], axis=1)

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        height, width, _ = self.x.shape
        matrix, offset = self.maps(xp, step)
        grid = xp.stack(xp.meshgrid(xp.arange(height), xp.arange(width), indexing="ij"), axis=-1)
        places = xp.einsum("nij,yxj->nyxi", matrix, grid.astype(matrix.dtype)) + offset[:, None, None, :]
        if self.interpolation == "nearest":
            return self.look(xp, x, xp.floor(places + 0.5).astype(int))
        low = xp.floor(places).astype(int)
        share = places - low
        z: Any = 0.0
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            corner = xp.asarray(corner)
            weight = xp.where(corner, share, 1 - share).prod(axis=-1, keepdims=True)
            z = z + weight * self.look(xp, x, low + corner)
        return z

    def look(self, xp: Any, x: Array, places: Array) -> Array:
        """The pixels at integer positions (rows, height, width, 2), including those beyond the edges."""
        n = xp.asarray(self.x.shape[:2])
        inside = ((places >= 0) & (places < n)).all(axis=-1, keepdims=True)
        if self.fill_mode == "reflect":
            places = xp.minimum(places % (2 * n), 2 * n - 1 - places % (2 * n))
        elif self.fill_mode == "wrap":
            places = places % n
        else:
            places = xp.clip(places, 0, n - 1)
        pixels = x[xp.arange(x.shape[0])[:, None, None], places[..., 0], places[..., 1]]
        return pixels if self.fill_mode != "constant" else xp.where(inside, pixels, self.fill_value)

    def flops(self, rows: int) -> int:
        height, width, channels = self.x.shape
        return rows * height * width * (4 + (0 if self.interpolation == "nearest" else 4 + 8 * channels))


class RandomContrast(Instruction):
    """z = clip(mean + f·(x − mean), low, high), with each channel's mean over an image; f is drawn for each image."""

    x: Buffer
    z: Buffer
    factor: Range
    clip: Range
    stream: int

    name = "random contrast"
    writes = ("z",)
    shapes = "x: rows H W n; z: rows H W n"

    @property
    def formula(self) -> str:
        return f"{self.z} = clip(mean + f·({self.x} − mean)), f {limits(self.factor)}"

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        factor = between(step.drawn(xp, self.stream, (1, 1, 1)), self.factor).astype(x.dtype)
        mean = x.mean(axis=(1, 2), keepdims=True)
        return xp.clip(mean + factor * (x - mean), *self.clip)

    def flops(self, rows: int) -> int:
        return 4 * rows * self.x.size


class RandomBrightness(Instruction):
    """z = clip(x + f·(high − low), low, high); f is drawn for each image."""

    x: Buffer
    z: Buffer
    factor: Range
    clip: Range
    stream: int

    name = "random brightness"
    writes = ("z",)
    shapes = "x: rows …; z: rows …"

    @property
    def formula(self) -> str:
        return f"{self.z} = clip({self.x} + f·{self.clip[1] - self.clip[0]:g}), f {limits(self.factor)}"

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        share = between(step.drawn(xp, self.stream, (1, 1, 1)), self.factor)
        return xp.clip(x + (share * (self.clip[1] - self.clip[0])).astype(x.dtype), *self.clip)

    def flops(self, rows: int) -> int:
        return 3 * rows * self.x.size


class RandomErasing(Instruction):
    """z = x but for a rectangle: fill there, or clip(n·high) with normal numbers n. It is drawn for each image.

    Its sides are √u of the image's, u from `scale` for each, and lie inside; the probability is drawn from `factor`.
    """

    x: Buffer
    z: Buffer
    factor: Range
    scale: Range
    fill: tuple[float, ...]  # one number, one for each channel, or none for noise
    clip: Range
    stream: int

    name = "random erasing"
    writes = ("z",)
    shapes = "x: rows H W n; z: rows H W n"

    @property
    def formula(self) -> str:
        fill = ", ".join(f"{v:g}" for v in self.fill) or "noise"
        return f"{self.z} = {self.x}, {limits(self.factor)} of them with {fill} in √{limits(self.scale)} of each side"

    @property
    def noise(self) -> int:
        """The stream of the normal numbers."""
        return key(self.stream, 0, 0) >> 1

    @property
    def streams(self) -> tuple[int, ...]:
        return (self.stream, self.noise)

    @property
    def sizes(self) -> dict[str, int]:
        return {**sides(self.x), "fills": len(self.fill), "stream": self.stream, "noise": self.noise}

    @property
    def constants(self) -> dict[str, float | tuple[float, ...]]:
        ranges = bounds({"factor": self.factor, "area": self.scale})
        return {**ranges, "low": self.clip[0], "high": self.clip[1], "fill": self.fill}

    def rectangle(self, xp: Any, step: StepState) -> Array:
        """Which pixels are erased: (rows, height, width, 1)."""
        u, (height, width, _) = step.drawn(xp, self.stream, (ERASING,)), self.x.shape
        erased = u[:, 5] < between(u[:, 4], self.factor)
        along = []
        for n, share, place in ((height, u[:, 1], u[:, 3]), (width, u[:, 0], u[:, 2])):
            length = xp.sqrt(between(share, self.scale)) * n
            start = place.astype(np.float64) * (n - length)
            at = xp.arange(n)
            along.append((at >= start[:, None]) & (at < (start + length)[:, None]))
        return (along[0][:, :, None] & along[1][:, None, :] & erased[:, None, None])[..., None]

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        fill = (
            xp.asarray(self.fill)
            if self.fill
            else xp.clip(normal(xp, step, self.noise, self.x.shape) * self.clip[1], *self.clip)
        )
        return xp.where(self.rectangle(xp, step), fill.astype(x.dtype), x)

    def flops(self, rows: int) -> int:
        return 0 if self.fill else int(40 * rows * self.x.size * sum(self.scale) / 2)


class RandomCrop(Instruction):
    """z[i, j] = x[i + top, j + left], with top and left drawn for each image from all those that lie inside."""

    x: Buffer
    z: Buffer
    stream: int

    name = "random crop"
    writes = ("z",)
    shapes = "x: rows H W n; z: rows H′ W′ n"

    @property
    def formula(self) -> str:
        return f"{self.z} = {self.z.shape[0]}×{self.z.shape[1]} of {self.x}"

    @property
    def sizes(self) -> dict[str, int]:
        return {**sides(self.x), "tall": self.z.shape[0], "wide": self.z.shape[1], "stream": self.stream}

    def reference(self, xp: Any, x: Array, step: StepState) -> Array:
        u = step.drawn(xp, self.stream, (2,)).astype(np.float64)
        spare = xp.asarray([old - new + 1 for old, new in zip(self.x.shape[:2], self.z.shape[:2], strict=True)])
        start = xp.floor(u * spare).astype(int)
        down, across = (start[:, k, None] + xp.arange(self.z.shape[k]) for k in range(2))
        return x[xp.arange(start.shape[0])[:, None, None], down[:, :, None], across[:, None, :]]


def limits(bounds: Range) -> str:
    """ "−0.1…0.1" """
    return "…".join(f"{bound:g}".replace("-", "−") for bound in bounds)
