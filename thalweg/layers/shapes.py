"""Layers that rearrange elements, or change the size of images. Names, arguments and defaults are Keras's.

Images are (height, width, channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.convolution import image_shape, sequence_shape
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.images.resizing import INTERPOLATIONS
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole

__all__ = [
    "CenterCrop", "Cropping1D", "Cropping2D", "Permute", "RepeatVector", "Reshape", "Resizing", "UpSampling1D",
    "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D",
]  # fmt: skip


def border(what: str, value: Any) -> tuple[Pair, ...]:
    """((top, bottom), (left, right)) from one number, two numbers, or two pairs."""
    if not isinstance(value, (list, tuple)):
        value = (value, value)
    if len(value) != 2:
        raise ArgumentError(f"{what} is a whole number, two of them, or ((top, bottom), (left, right)), got {value!r}")
    return tuple(kinds.sizes(2, 0)(what, side) for side in value)


def shape_of(what: str, value: Any) -> Shape:
    """A shape, in which one −1 stands for the rest."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ArgumentError(f"{what} is a tuple of whole numbers, got {value!r}")
    shape = tuple(n if n == -1 else whole(what, n) for n in value)
    if shape.count(-1) > 1:
        raise ArgumentError(f"{what} may hold one −1, got {value!r}")
    return shape


def order(what: str, value: Any) -> Shape:
    """The numbers of axes, each once."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MOST:
        raise ArgumentError(f"{what} is a tuple of up to {MOST} whole numbers, got {value!r}")
    axes = tuple(whole(what, n) for n in value)
    if sorted(axes) != list(range(1, len(axes) + 1)):
        raise ArgumentError(f"{what} holds each of 1 … {len(axes)} once, got {value!r}")
    return axes


MOST = 8  # axes, which is all that a row of the machine's table holds
Border = Annotated[Taken[Any, tuple[Pair, Pair]], Checked(border, kinds.listed)]
Ends = Annotated[Taken[kinds.Sizes, Pair], Checked(kinds.sizes(2, 0), kinds.listed)]
Numbers = Annotated[Taken[Sequence[int], Shape], Checked(shape_of, kinds.listed)]
Axes = Annotated[Taken[Sequence[int], Shape], Checked(order, kinds.listed)]
Interpolation = Annotated[str, Checked(kinds.one_of(*INTERPOLATIONS))]
Constant = Annotated[str, Checked(kinds.one_of("constant"))]


@arguments
class Reshape(Layer):
    """(rows, …) → (rows, *target_shape): the same elements in the same order

    Args:
        target_shape: the new shape of a row; one −1 stands for the rest.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((12,)), Reshape((-1, 2, 3))])
    >>> model.build()
    >>> model.output_shape
    (None, 2, 2, 3)
    """

    target_shape: Numbers
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        known = math.prod(n for n in self.target_shape if n != -1)
        self.shape = tuple(math.prod(input_shape) // known if n == -1 else n for n in self.target_shape)
        if math.prod(self.shape) != math.prod(input_shape):
            raise ShapeError(f"Reshape can't turn {input_shape} into {self.target_shape}: their sizes differ")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.reshape(x, self.shape)


@arguments
class Permute(Layer):
    """The axes of a row in another order: axis k of the result is axis dims[k] of the input, counted from 1

    Args:
        dims: the numbers 1, 2, … of the axes in their new order, not counting the rows.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((2, 3)), Permute((2, 1))]).predict([[[1, 2, 3], [4, 5, 6]]])
    array([[[1., 4.],
            [2., 5.],
            [3., 6.]]], dtype=float32)
    """

    dims: Axes
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != len(self.dims):
            raise ShapeError(f"Permute{self.dims} takes inputs of {len(self.dims)} axes, not {input_shape}")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.permute(x, tuple(n - 1 for n in self.dims))


@arguments
class ZeroPadding2D(Layer):
    """Zeros around an image      (rows, height, width, channels) → (rows, top + height + bottom, …, channels)

    Args:
        padding: a number for all sides, (height, width), or ((top, bottom), (left, right)).
    """

    padding: Border = default((1, 1))
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        image_shape("ZeroPadding2D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        (top, bottom), (left, right) = self.padding
        return program.pad(x, ((top, bottom), (left, right), (0, 0)))


@arguments
class Cropping2D(Layer):
    """An image without its border      (rows, height, width, channels) → (rows, height − top − bottom, …, channels)

    Args:
        cropping: a number for all sides, (height, width), or ((top, bottom), (left, right)).
    """

    cropping: Border = default(((0, 0), (0, 0)))
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        sizes = image_shape("Cropping2D", input_shape)
        if any(n <= sum(sides) for n, sides in zip(sizes, self.cropping, strict=False)):
            raise ShapeError(f"Cropping2D takes {self.cropping} from an image of {input_shape[:2]}: nothing is left")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        (top, bottom), (left, right) = self.cropping
        return program.crop(x, (top, left), (bottom, right))


@arguments
class UpSampling2D(Layer):
    """Enlarges images, by repeating every element or between them   (rows, h, w, channels) → (rows, h·size, w·size, …)

    Args:
        size: (height, width), or one number for both.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5", as in `Resizing`.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((1, 2, 1)), UpSampling2D((1, 2), "bilinear")]).predict([[[[0], [4]]]]).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    size: kinds.Pair = default((2, 2))
    interpolation: Interpolation = "nearest"
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        image_shape("UpSampling2D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.interpolation == "nearest":
            return program.upsample(x, self.size)
        height, width, _ = x.shape
        return program.resize(x, (height * self.size[0], width * self.size[1]), self.interpolation)


@arguments
class ZeroPadding1D(Layer):
    """Zeros before and after a sequence      (rows, steps, channels) → (rows, before + steps + after, channels)

    Args:
        padding: a number for both ends, or (before, after).
    """

    padding: Ends = default(1)
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        sequence_shape("ZeroPadding1D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.pad(x, (self.padding, (0, 0)))


@arguments
class Cropping1D(Layer):
    """A sequence without its ends      (rows, steps, channels) → (rows, steps − before − after, channels)

    Args:
        cropping: a number for both ends, or (before, after).
    """

    cropping: Ends = default((1, 1))
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        steps, _ = sequence_shape("Cropping1D", input_shape)
        if steps <= sum(self.cropping):
            raise ShapeError(f"Cropping1D takes {self.cropping} from a sequence of {steps} steps: nothing is left")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        steps, channels = x.shape
        return program.slice(x, (self.cropping[0], 0), (steps - self.cropping[1], channels), (1, 1))


@arguments
class UpSampling1D(Layer):
    """Repeats every step of a sequence      (rows, steps, channels) → (rows, steps·size, channels)

    Args:
        size: how many times.
    """

    size: kinds.Count = 2
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        sequence_shape("UpSampling1D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        z = program.upsample(program.reshape(x, (1, *x.shape)), (1, self.size))
        return program.reshape(z, z.shape[1:])


@arguments
class RepeatVector(Layer):
    """The same vector at each of n steps      (rows, columns) → (rows, n, columns)

    Args:
        n: the number of steps.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((2,)), RepeatVector(3)]).output_shape
    (None, 3, 2)
    """

    n: kinds.Count
    name: str | None = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise ShapeError(f"RepeatVector takes vectors of shape (columns,), not {input_shape}")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.broadcast_to(x, (self.n, *x.shape))


def cut(program: Builder, x: Buffer, start: Pair, size: Pair) -> Buffer:
    """The part of an image that begins at a pixel and has a size."""
    height, width, _ = x.shape
    return program.crop(x, start, (height - start[0] - size[0], width - start[1] - size[1]))


def fitted(program: Builder, x: Buffer, size: Pair, interpolation: str = "bilinear", antialias: bool = False) -> Buffer:
    """The largest window in the middle of an image that has the proportions of a size, resized to it."""
    height, width, _ = x.shape
    tall = max(min(height, width * size[0] // size[1]), 1)
    wide = max(min(width, height * size[1] // size[0]), 1)
    window = cut(program, x, ((height - tall) // 2, (width - wide) // 2), (tall, wide))
    return program.resize(window, size, interpolation, antialias)


def framed(program: Builder, x: Buffer, size: Pair, value: float) -> Buffer:
    """An image with as much of a value around it as gives it the proportions of a size."""
    height, width, _ = x.shape
    down = (max(height, width * size[0] // size[1]) - height) // 2
    across = 0 if down else (max(width, height * size[1] // size[0]) - width) // 2
    return program.pad(x, ((down, down), (across, across), (0, 0)), value)


@arguments
class Resizing(Layer):
    """Images of another size      (rows, h, w, channels) → (rows, height, width, channels)

    The outer edges of both images coincide: element i of n is at (i + ½)·old/new − ½ among the old ones, and is a
    weighted sum of those near it, or a copy of the nearest. Along each axis the weights sum to 1.

    Args:
        height, width: the new size.
        interpolation: "bilinear" (two elements along each axis), "nearest", "bicubic" (4), "lanczos3" (6) or "lanczos5"
            (10).
        crop_to_aspect_ratio: cuts off what would distort the image, at both sides.
        pad_to_aspect_ratio: puts `fill_value` at both sides instead.
        fill_mode: only "constant".
        fill_value: what is put there.
        antialias: in a smaller image, whether all the old elements count; without, some are skipped.
        data_format: None or "channels_last".

    It has a derivative, so it may stand anywhere.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((2, 2, 1)), Resizing(1, 4)]).predict([[[[0], [4]], [[2], [6]]]]).ravel()
    array([1., 2., 4., 5.], dtype=float32)
    """

    height: kinds.Count
    width: kinds.Count
    interpolation: Interpolation = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: Constant = "constant"
    fill_value: kinds.Real = 0.0
    antialias: bool = False
    data_format: kinds.DataFormat = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError("Resizing takes crop_to_aspect_ratio or pad_to_aspect_ratio, not both")
        self.size = self.height, self.width

    def build(self, input_shape: Shape) -> None:
        image_shape("Resizing", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.crop_to_aspect_ratio:
            return fitted(program, x, self.size, self.interpolation, self.antialias)
        if self.pad_to_aspect_ratio:
            x = framed(program, x, self.size, self.fill_value)
        return program.resize(x, self.size, self.interpolation, self.antialias)


@arguments
class CenterCrop(Layer):
    """The middle of an image      (rows, h, w, channels) → (rows, height, width, channels)

    An odd pixel is taken from the end. Of an image that is smaller, it is the largest window in the middle that has the
    proportions of the result, enlarged by `Resizing`.

    Args:
        height, width: the size of the result.
        data_format: None or "channels_last".

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((1, 3, 1)), CenterCrop(1, 1)]).predict([[[[3], [4], [5]]]])
    array([[[[4.]]]], dtype=float32)
    """

    height: kinds.Count
    width: kinds.Count
    data_format: kinds.DataFormat = None
    name: str | None = None

    def __post_init__(self) -> None:
        self.size = self.height, self.width

    def build(self, input_shape: Shape) -> None:
        image_shape("CenterCrop", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        down, across = (old - new for old, new in zip(x.shape, self.size, strict=False))
        if down < 0 or across < 0:
            return fitted(program, x, self.size)
        return cut(program, x, (down // 2, across // 2), self.size)
