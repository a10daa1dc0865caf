"""Layers that rearrange elements. Names, arguments and defaults are Keras's; images are (height, width, channels)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers.convolution import Sizes, image_shape, pair, sequence_shape
from thalweg.layers.layer import Layer, Shape
from thalweg.program.builder import Builder
from thalweg.program.instructions.convolution import Pair
from thalweg.program.instructions.images.resizing import INTERPOLATIONS
from thalweg.program.ir.instruction import Buffer
from thalweg.support.checks import whole
from thalweg.support.naming import choose

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Permute",
    "Reshape",
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
    (2, 2, 3)
    """

    title_zh = "改變形狀"
    summary_zh = "同樣的數，另一個形狀。"

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

    title_zh = "換軸"
    summary_zh = "改變各軸的順序。"
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

    title_zh = "補零"
    summary_zh = "在影像四周補零。"

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

    title_zh = "裁切"
    summary_zh = "去掉影像邊緣。"

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

    title_zh = "放大"
    summary_zh = "重複像素或在像素之間內插，放大影像。"

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

    title_zh = "一維補零"
    summary_zh = "在序列兩端補零。"

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

    title_zh = "一維裁切"
    summary_zh = "去掉序列兩端。"

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

    title_zh = "一維放大"
    summary_zh = "重複序列的每一步。"

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
