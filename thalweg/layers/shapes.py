"""Layers that rearrange elements, or change the size of images. Names, arguments and defaults are Keras's.

Images are (height, width, channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.convolution import Sizes, channels_last, image_shape, pair, sequence_shape
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.images.resizing import INTERPOLATIONS
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose

__all__ = [
    "CenterCrop",
    "Cropping1D",
    "Cropping2D",
    "Permute",
    "Reshape",
    "Resizing",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]


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

    def __init__(self, target_shape: Sequence[int], name: str | None = None) -> None:
        super().__init__(name)
        if not isinstance(target_shape, (list, tuple)) or not target_shape:
            raise ArgumentError(f"Reshape's target_shape is a tuple of whole numbers, got {target_shape!r}")
        self.target_shape = tuple(n if n == -1 else whole("Reshape's target_shape", n) for n in target_shape)
        if self.target_shape.count(-1) > 1:
            raise ArgumentError(f"Reshape's target_shape may hold one −1, got {target_shape!r}")

    def build(self, input_shape: Shape) -> None:
        known = math.prod(n for n in self.target_shape if n != -1)
        self.shape = tuple(math.prod(input_shape) // known if n == -1 else n for n in self.target_shape)
        if math.prod(self.shape) != math.prod(input_shape):
            raise ShapeError(f"Reshape can't turn {input_shape} into {self.target_shape}: their sizes differ")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.reshape(x, self.shape)

    def get_config(self) -> dict[str, Any]:
        return {"target_shape": list(self.target_shape), "name": self.name}


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

    MOST = 8  # axes, which is all that a row of the machine's table holds

    def __init__(self, dims: Sequence[int], name: str | None = None) -> None:
        super().__init__(name)
        if not isinstance(dims, (list, tuple)) or not 1 <= len(dims) <= self.MOST:
            raise ArgumentError(f"Permute's dims is a tuple of up to {self.MOST} whole numbers, got {dims!r}")
        self.dims = tuple(whole("Permute's dims", n) for n in dims)
        if sorted(self.dims) != list(range(1, len(dims) + 1)):
            raise ArgumentError(f"Permute's dims holds each of 1 … {len(dims)} once, got {dims!r}")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != len(self.dims):
            raise ShapeError(f"Permute{self.dims} takes inputs of {len(self.dims)} axes, not {input_shape}")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.permute(x, tuple(n - 1 for n in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {"dims": list(self.dims), "name": self.name}


def border(what: str, value: Any) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)) from one number, two numbers, or two pairs."""
    if not isinstance(value, (list, tuple)):
        value = (value, value)
    if len(value) != 2:
        raise ArgumentError(f"{what} is a whole number, two of them, or ((top, bottom), (left, right)), got {value!r}")
    return pair(what, value[0], least=0), pair(what, value[1], least=0)


class ZeroPadding2D(Layer):
    """Zeros around an image      (rows, height, width, channels) → (rows, top + height + bottom, …, channels)

    Args:
        padding: a number for all sides, (height, width), or ((top, bottom), (left, right)).
    """

    def __init__(self, padding: Any = (1, 1), name: str | None = None) -> None:
        super().__init__(name)
        self.padding = border("ZeroPadding2D's padding", padding)

    def build(self, input_shape: Shape) -> None:
        image_shape("ZeroPadding2D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        (top, bottom), (left, right) = self.padding
        return program.pad(x, ((top, bottom), (left, right), (0, 0)))

    def get_config(self) -> dict[str, Any]:
        return {"padding": [list(side) for side in self.padding], "name": self.name}


class Cropping2D(Layer):
    """An image without its border      (rows, height, width, channels) → (rows, height − top − bottom, …, channels)

    Args:
        cropping: a number for all sides, (height, width), or ((top, bottom), (left, right)).
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), name: str | None = None) -> None:
        super().__init__(name)
        self.cropping = border("Cropping2D's cropping", cropping)

    def build(self, input_shape: Shape) -> None:
        sizes = image_shape("Cropping2D", input_shape)
        if any(n <= sum(sides) for n, sides in zip(sizes, self.cropping, strict=False)):
            raise ShapeError(f"Cropping2D takes {self.cropping} from an image of {input_shape[:2]}: nothing is left")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        (top, bottom), (left, right) = self.cropping
        return program.crop(x, (top, left), (bottom, right))

    def get_config(self) -> dict[str, Any]:
        return {"cropping": [list(side) for side in self.cropping], "name": self.name}


class UpSampling2D(Layer):
    """Enlarges images, by repeating every element or between them   (rows, h, w, channels) → (rows, h·size, w·size, …)

    Args:
        size: (height, width), or one number for both.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5", as in `Resizing`.

    >>> from thalweg import Input, Sequential
    >>> Sequential([Input((1, 2, 1)), UpSampling2D((1, 2), "bilinear")]).predict([[[[0], [4]]]]).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    def __init__(self, size: Sizes = (2, 2), interpolation: str = "nearest", name: str | None = None) -> None:
        super().__init__(name)
        self.size = pair("UpSampling2D's size", size)
        self.interpolation = choose("UpSampling2D's interpolation", interpolation, INTERPOLATIONS)

    def build(self, input_shape: Shape) -> None:
        image_shape("UpSampling2D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.interpolation == "nearest":
            return program.upsample(x, self.size)
        height, width, _ = x.shape
        return program.resize(x, (height * self.size[0], width * self.size[1]), self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {"size": list(self.size), "interpolation": self.interpolation, "name": self.name}


class ZeroPadding1D(Layer):
    """Zeros before and after a sequence      (rows, steps, channels) → (rows, before + steps + after, channels)

    Args:
        padding: a number for both ends, or (before, after).
    """

    def __init__(self, padding: Sizes = 1, name: str | None = None) -> None:
        super().__init__(name)
        self.padding = pair("ZeroPadding1D's padding", padding, least=0)

    def build(self, input_shape: Shape) -> None:
        sequence_shape("ZeroPadding1D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        return program.pad(x, (self.padding, (0, 0)))

    def get_config(self) -> dict[str, Any]:
        return {"padding": list(self.padding), "name": self.name}


class Cropping1D(Layer):
    """A sequence without its ends      (rows, steps, channels) → (rows, steps − before − after, channels)

    Args:
        cropping: a number for both ends, or (before, after).
    """

    def __init__(self, cropping: Sizes = (1, 1), name: str | None = None) -> None:
        super().__init__(name)
        self.cropping = pair("Cropping1D's cropping", cropping, least=0)

    def build(self, input_shape: Shape) -> None:
        steps, _ = sequence_shape("Cropping1D", input_shape)
        if steps <= sum(self.cropping):
            raise ShapeError(f"Cropping1D takes {self.cropping} from a sequence of {steps} steps: nothing is left")

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        steps, channels = x.shape
        return program.slice(x, (self.cropping[0], 0), (steps - self.cropping[1], channels), (1, 1))

    def get_config(self) -> dict[str, Any]:
        return {"cropping": list(self.cropping), "name": self.name}


class UpSampling1D(Layer):
    """Repeats every step of a sequence      (rows, steps, channels) → (rows, steps·size, channels)

    Args:
        size: how many times.
    """

    def __init__(self, size: int = 2, name: str | None = None) -> None:
        super().__init__(name)
        self.size = whole("UpSampling1D's size", size)

    def build(self, input_shape: Shape) -> None:
        sequence_shape("UpSampling1D", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        z = program.upsample(program.reshape(x, (1, *x.shape)), (1, self.size))
        return program.reshape(z, z.shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size, "name": self.name}


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

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.size = whole("Resizing's height", height), whole("Resizing's width", width)
        self.interpolation = choose("Resizing's interpolation", interpolation, INTERPOLATIONS)
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ArgumentError("Resizing takes crop_to_aspect_ratio or pad_to_aspect_ratio, not both")
        self.fill_mode = choose("Resizing's fill_mode", fill_mode, ("constant",))
        self.fill_value = number("Resizing's fill_value", fill_value, -math.inf)
        self.antialias = bool(antialias)
        channels_last("Resizing", data_format)

    def build(self, input_shape: Shape) -> None:
        image_shape("Resizing", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        if self.crop_to_aspect_ratio:
            return fitted(program, x, self.size, self.interpolation, self.antialias)
        if self.pad_to_aspect_ratio:
            x = framed(program, x, self.size, self.fill_value)
        return program.resize(x, self.size, self.interpolation, self.antialias)

    def get_config(self) -> dict[str, Any]:
        return {
            "height": self.size[0],
            "width": self.size[1],
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
            "name": self.name,
        }


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

    def __init__(self, height: int, width: int, data_format: str | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.size = whole("CenterCrop's height", height), whole("CenterCrop's width", width)
        channels_last("CenterCrop", data_format)

    def build(self, input_shape: Shape) -> None:
        image_shape("CenterCrop", input_shape)

    def forward(self, program: Builder, x: Buffer) -> Buffer:
        down, across = (old - new for old, new in zip(x.shape, self.size, strict=False))
        if down < 0 or across < 0:
            return fitted(program, x, self.size)
        return cut(program, x, (down // 2, across // 2), self.size)

    def get_config(self) -> dict[str, Any]:
        return {"height": self.size[0], "width": self.size[1], "name": self.name}
