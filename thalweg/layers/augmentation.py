"""Random changes to images in training: flips, shifts, turns, zooms, crops, contrast, brightness, erased patches.

Names, arguments and defaults are Keras's, and the same random numbers give the same pictures. A layer draws new
numbers for every image in every step, from the counter (seed, step, image). These layers belong at the front: they
have no derivative, and training raises if one follows a layer with weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.kinds import listed, one_of, optional
from thalweg.layers.layer import Layer, Shape
from thalweg.layers.shapes import fitted
from thalweg.program.builder import Builder
from thalweg.program.instructions.images import augmentation
from thalweg.program.instructions.images.augmentation import FILL_MODES, INTERPOLATIONS, Range
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import AT_MOST_1, number
from thalweg.support.hooks import unwritten

__all__ = [
    "RandomBrightness", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip", "RandomRotation",
    "RandomTranslation", "RandomZoom",
]  # fmt: skip

Factor = float | Sequence[float]
Fill = float | Sequence[float] | None
NONE: Range = (0.0, 0.0)
ONE: Range = (1.0, 1.0)
MODES = ("horizontal", "vertical", "horizontal_and_vertical")


def bounds(what: str, factor: Factor, low: float, high: float) -> Range:
    """A factor f means (−f, f), as far as that is allowed; two numbers are the range itself."""
    pair = list(factor) if isinstance(factor, (tuple, list)) else [factor]
    if len(pair) not in (1, 2):
        raise ArgumentError(f"{what} is a number or two numbers in [{low:g}, {high:g}], got {factor!r}")
    numbers = sorted(number(what, v, low, math.nextafter(high, math.inf)) for v in pair)
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    return max(low, -abs(numbers[0])), abs(numbers[0])


def limits(what: str, value_range: Sequence[float]) -> Range:
    """The least and the greatest value that a pixel may have."""
    if len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise ArgumentError(f"{what} is (least, greatest), got {value_range!r}")
    return float(value_range[0]), float(value_range[1])


def bounded(low: float, high: float) -> kinds.Check:
    """The check of a factor."""
    return lambda what, value: bounds(what, value, low, high)


def in_order(what: str, value_range: Sequence[float]) -> Range:
    """The same, in either order."""
    return limits(what, sorted(value_range))


def contrast(what: str, factor: Factor) -> Range:
    """(lower, upper) from two numbers, or one for both."""
    pair = factor if isinstance(factor, (tuple, list)) else (factor, factor)
    if len(pair) != 2:
        raise ArgumentError(f"{what} is a number or two numbers in [0, 1], got {factor!r}")
    return number(what, pair[0], 0, AT_MOST_1), number(what, pair[1], 0, AT_MOST_1)


def fill(what: str, value: Fill) -> Fill:
    """A number, three, or None."""
    if not isinstance(value, (list, tuple)):
        return None if value is None else number(what, value, -math.inf)
    if len(value) != 3:
        raise ArgumentError(f"{what} is a number, three of them or None, got {value!r}")
    return [number(what, v, -math.inf) for v in value]


zoom = bounded(math.nextafter(-1.0, 0.0), 1)
Way = Annotated[Taken[Factor, Range], Checked(bounded(-1, 1), list)]
Chance = Annotated[Taken[Factor, Range], Checked(bounded(0, 1), list)]
Limits = Annotated[Taken[Sequence[float], Range], Checked(limits, list)]
FillMode = Annotated[str, Checked(one_of(*FILL_MODES))]
Interpolation = Annotated[str, Checked(one_of(*INTERPOLATIONS))]


class Augmentation(Layer):
    """Base of the layers in this file: images in, images out, of the same shape but for a crop; random in training."""

    seed: kinds.Seed

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3:
            raise ShapeError(
                f"{type(self).__name__} takes images of shape (height, width, channels), not {input_shape}: "
                "give Input((28, 28, 1)) for grey images of 28×28"
            )

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        stream = program.stream(self.seed)
        return self.change(program, x, program.value("v", x.shape), stream) if program.augments else x

    @property
    def usual_training(self) -> bool:
        """Called on arrays, it changes them unless `training=False`, as in Keras."""
        return True

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        """Appends the instruction z = changed x."""
        raise unwritten(self, "change(self, program, x, z, stream)", "it appends the instruction z = changed x")


@arguments
class RandomFlip(Augmentation):
    """z = x or its mirror image, each with probability ½.

    Args:
        mode: "horizontal" (left to right), "vertical", or "horizontal_and_vertical": both at once, as Keras does.
        seed: shifts the layer's random numbers; the model's seed sets all of them.
        data_format: None or "channels_last".
    """

    mode: Annotated[str, Checked(one_of(*MODES))] = "horizontal_and_vertical"
    seed: kinds.Seed = None
    data_format: kinds.DataFormat = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        return program.append(augmentation.RandomFlip(x, z, "horizontal" in self.mode, "vertical" in self.mode, stream))


class WarpLayer(Augmentation):
    """Base of shifts, rotations and zooms, which share how pixels between and beyond those of x are found.

    fill_mode: how x continues beyond its edges: "reflect" (b a|a b c|c b), "constant" (fill_value), "nearest" (the
    edge's pixel) or "wrap" (from the other side). interpolation: "bilinear" or "nearest".
    """

    fill_mode: FillMode
    interpolation: Interpolation
    fill_value: kinds.Real

    def warp(
        self,
        program: Builder,
        x: Buffer,
        z: Buffer,
        stream: int,
        angle: Range = NONE,
        shift: tuple[Range, Range] = (NONE, NONE),
        zoom: tuple[Range, Range] = (ONE, ONE),
        alike: bool = False,
    ) -> Buffer:
        fill = (self.fill_mode, self.fill_value, self.interpolation)
        return program.append(augmentation.RandomWarp(x, z, angle, shift, zoom, alike, *fill, stream))


@arguments
class RandomTranslation(WarpLayer):
    """z = x shifted down and to the right by random shares of its height and width.

    Args:
        height_factor: a share f for −f … f (positive: down), or the two ends.
        width_factor: the same sideways (positive: to the right).
        fill_mode, interpolation, fill_value: see `WarpLayer`.
        seed: shifts the layer's random numbers.
        data_format: None or "channels_last".
    """

    height_factor: Way
    width_factor: Way
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: kinds.Seed = None
    fill_value: kinds.Real = 0.0
    data_format: kinds.DataFormat = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        return self.warp(program, x, z, stream, shift=(self.height_factor, self.width_factor))


@arguments
class RandomRotation(WarpLayer):
    """z = x rotated about its centre by a random angle.

    Args:
        factor: a share f of a full turn, for −f … f (positive: counter-clockwise), or the two ends; 0.1 is ±36°.
        fill_mode, interpolation, fill_value: see `WarpLayer`.
        seed: shifts the layer's random numbers.
        data_format: None or "channels_last".
    """

    factor: Way
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: kinds.Seed = None
    fill_value: kinds.Real = 0.0
    data_format: kinds.DataFormat = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        return self.warp(program, x, z, stream, angle=self.factor)


@arguments
class RandomZoom(WarpLayer):
    """z = x seen from a random distance: +0.2 shows 20 % more in each direction, so things become smaller.

    Args:
        height_factor: a share f in (−1, 1] for −f … f, or the two ends.
        width_factor: the same sideways; None keeps the proportions.
        fill_mode, interpolation, fill_value: see `WarpLayer`.
        seed: shifts the layer's random numbers.
        data_format: None or "channels_last".
    """

    height_factor: Annotated[Taken[Factor, Range], Checked(zoom, list)]
    width_factor: Annotated[Taken[Factor | None, Range | None], Checked(optional(zoom), listed)] = default(None)
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: kinds.Seed = None
    fill_value: kinds.Real = 0.0
    data_format: kinds.DataFormat = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        tall = (1 + self.height_factor[0], 1 + self.height_factor[1])
        wide = tall if self.width_factor is None else (1 + self.width_factor[0], 1 + self.width_factor[1])
        return self.warp(program, x, z, stream, zoom=(tall, wide), alike=self.width_factor is None)


@arguments
class RandomContrast(Augmentation):
    """z = mean + f·(x − mean), clipped to `value_range`; the mean over an image's pixels, for each channel.

    Args:
        factor: a share s in [0, 1]: f is drawn from 1 − s … 1 + s; or (lower, upper): from 1 − lower … 1 + upper.
            That is what Keras documents; Keras 3.15 itself draws from 1 … 1 + s for a single number.
        value_range: the least and the greatest value; (0, 255) as in Keras, so put the layer before a rescaling.
        seed: shifts the layer's random numbers.
    """

    factor: Annotated[Taken[Factor, Range], Checked(contrast, list)]
    value_range: Limits = default((0, 255))
    seed: kinds.Seed = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        factor = (1 - self.factor[0], 1 + self.factor[1])
        return program.append(augmentation.RandomContrast(x, z, factor, self.value_range, stream))


@arguments
class RandomBrightness(Augmentation):
    """z = x + f·(greatest − least), clipped to `value_range`

    Args:
        factor: a share s in [0, 1]: f is drawn from −s … s for each image; or the two ends, in [−1, 1].
        value_range: the least and the greatest value; (0, 255) as in Keras, so put the layer before a rescaling.
        seed: shifts the layer's random numbers.
        data_format: None or "channels_last".
    """

    factor: Way
    value_range: Annotated[Taken[Sequence[float], Range], Checked(in_order, list)] = default((0, 255))
    seed: kinds.Seed = None
    data_format: kinds.DataFormat = None
    name: str | None = None

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        return program.append(augmentation.RandomBrightness(x, z, self.factor, self.value_range, stream))


@arguments
class RandomErasing(Augmentation):
    """z = x but for a rectangle at a random place, filled with noise or a value (Zhong et al., arXiv 1708.04896)

    Its height is √u of the image's and its width √v of it, with u and v drawn from `scale`.

    Args:
        factor: the probability of erasing, drawn for each image: from 0 … factor, or from the two ends, in [0, 1]. So
            the default, which is Keras's, erases from half of the images.
        scale: the ends between which u and v are drawn, in [0, 1]; one number is the upper.
        fill_value: what is put there; three numbers are those of the three channels; None: normal noise times the
            greatest value. It is clipped to `value_range`.
        value_range: the least and the greatest value; (0, 255) as in Keras, so put the layer before a rescaling.
        seed: shifts the layer's random numbers.
        data_format: None or "channels_last".
    """

    factor: Chance = default(1.0)
    scale: Chance = default((0.02, 0.33))
    fill_value: Annotated[Fill, Checked(fill)] = None
    value_range: Limits = default((0, 255))
    seed: kinds.Seed = None
    data_format: kinds.DataFormat = None
    name: str | None = None

    def __post_init__(self) -> None:
        self.fills = [] if self.fill_value is None else np.atleast_1d(self.fill_value).tolist()

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if len(self.fills) == 3 != input_shape[-1]:
            raise ShapeError(f"RandomErasing's fill_value has three numbers, but there are {input_shape[-1]} channels")

    def change(self, program: Builder, x: Buffer, z: Buffer, stream: int) -> Buffer:
        low, high = self.value_range
        fills = tuple(min(max(v, low), high) for v in self.fills)
        return program.append(augmentation.RandomErasing(x, z, self.factor, self.scale, fills, (low, high), stream))


@arguments
class RandomCrop(Augmentation):
    """z = a part of x, at a random place in training; (rows, h, w, channels) → (rows, height, width, channels)

    In evaluation and prediction, and of images that are smaller, it is the largest window in the middle that has the
    proportions of the result, resized: what Keras documents. (Keras 3.15 leaves images as they are in prediction.)

    Args:
        height, width: the size of the result.
        seed: shifts the layer's random numbers; each image has a place of its own, where Keras's batch has one.
        data_format: None or "channels_last".
    """

    height: kinds.Count
    width: kinds.Count
    seed: kinds.Seed = None
    data_format: kinds.DataFormat = None
    name: str | None = None

    def __post_init__(self) -> None:
        self.size = self.height, self.width

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        stream, (height, width, channels) = program.stream(self.seed), x.shape
        if not program.augments or height < self.size[0] or width < self.size[1]:
            return fitted(program, x, self.size)
        return program.append(augmentation.RandomCrop(x, program.value("v", (*self.size, channels)), stream))
