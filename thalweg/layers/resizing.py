"""Images of another size: resized, or cut out of their middle. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.layers.convolution import channels_last, image_shape
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.images.resizing import INTERPOLATIONS
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose

__all__ = ["CenterCrop", "Resizing"]


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

    title_zh = "改變影像大小"
    summary_zh = "以內插把影像放大或縮小。"

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

    title_zh = "中央裁切"
    summary_zh = "取影像的中央部分。"

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
