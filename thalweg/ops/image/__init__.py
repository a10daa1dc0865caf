"""Operations on images (rows, height, width, channels), or on one without rows, by the names of Keras's ops.image.

>>> import numpy as np
>>> from thalweg import ops
>>> ops.image.resize(np.zeros((2, 8, 6, 3)), (4, 4)).shape
(2, 4, 4, 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.ops.arrangement import concatenate, ndim, pad, reshape, shape, transpose
from thalweg.ops.contractions import matmul
from thalweg.ops.image.blurring import gaussian_blur
from thalweg.ops.image.image_shapes import checked, in_type, multiplied
from thalweg.ops.image.transforms import affine_transform, elastic_transform, map_coordinates, perspective_transform
from thalweg.ops.indexing import get_item, take
from thalweg.ops.operation import operand, operation
from thalweg.ops.pointwise import abs as size_of
from thalweg.ops.pointwise import clip, equal, greater, less, maximum, minimum, mod, where
from thalweg.ops.tensor import Operators, program_of, refuse
from thalweg.program.instructions.images.resizing import INTERPOLATIONS, interpolated, nearest
from thalweg.support.naming import answer_for, choose

__all__ = [
    "affine_transform", "crop_images", "elastic_transform", "extract_patches", "extract_patches_3d", "gaussian_blur",
    "hsv_to_rgb", "map_coordinates", "pad_images", "perspective_transform", "resize", "rgb_to_grayscale", "rgb_to_hsv",
]  # fmt: skip


def of_arrays(x: Any, size: tuple[int, int], interpolation: str, antialias: bool) -> Any:
    """Images as arrays: whole numbers are rounded to such again, others keep their precision."""
    real = x if x.dtype.kind == "f" else x.astype(np.float64)
    for axis in sorted((-3, -2), key=lambda k: size[k + 3] / x.shape[k]):
        n, m = x.shape[axis], size[axis + 3]
        if n != m and interpolation == "nearest":
            real = np.take(real, nearest(n, m), axis)
        elif n != m:
            real = multiplied(real, interpolated(n, m, interpolation, antialias), axis)
    return in_type(real, x.dtype)


@operation(of_arrays)
def resized(x: Any, size: tuple[int, int], interpolation: str, antialias: bool) -> Any:
    """Images of another size."""
    program = program_of([x])
    image = operand(program, x)
    if len(image.shape) != 3:
        raise refuse(f"resize takes the images of a network's rows, or one image, got weights of shape {image.shape}")
    return program.resize(image, size, interpolation, antialias)


def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of another size, as the layer `Resizing` makes them, in their own type.

    Args:
        images: (rows, height, width, channels), or one without rows.
        size: (height, width).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: in a smaller image, whether all the old elements count.
        crop_to_aspect_ratio: cuts off what would distort the image, at both sides.
        pad_to_aspect_ratio: puts `fill_value` at both sides instead.
        fill_mode: "constant".
        data_format: None or "channels_last".

    >>> resize([[[0.0], [4.0]]], (1, 4)).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    x = checked("resize", images, data_format)
    interpolation = choose("interpolation", interpolation, INTERPOLATIONS)
    choose("fill_mode", fill_mode, ("constant",))
    if not isinstance(size, Sequence) or len(size) != 2 or any(int(n) != n or n < 1 for n in size):
        raise refuse(f"resize takes the size (height, width), got {size!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise refuse("resize takes crop_to_aspect_ratio or pad_to_aspect_ratio, not both")
    height, width = shape(x)[-3:-1]
    tall, wide = width * size[0] // size[1], height * size[1] // size[0]
    if crop_to_aspect_ratio:
        tall, wide = max(min(height, tall), 1), max(min(width, wide), 1)
        top, left = (height - tall) // 2, (width - wide) // 2
        x = crop_images(x, top, left, target_height=tall, target_width=wide)
    if pad_to_aspect_ratio:
        down = (max(height, tall) - height) // 2
        across = 0 if down else (max(width, wide) - width) // 2
        x = around(x, (down, down), (across, across), fill_value)
    return resized(x, (int(size[0]), int(size[1])), interpolation, bool(antialias))


def around(x: Any, down: tuple[int, int], across: tuple[int, int], value: float = 0.0) -> Any:
    """Images with a value at their sides."""
    return pad(x, ((0, 0),) * (ndim(x) - 3) + (down, across, (0, 0)), constant_values=value)


def sides(what: str, word: str, first: Any, last: Any, target: Any, n: int) -> tuple[int, int]:
    """What is added to, or cut off, both ends of an axis of n elements; two of the three numbers are given."""
    names = {"height": ("top", "bottom"), "width": ("left", "right")}[word]
    kind = what.partition("_")[0] + ("p" if what.startswith("crop") else "d") + "ing"
    if (first, last, target).count(None) != 1:
        raise refuse(f"{what} takes two of {names[0]}_{kind}, {names[1]}_{kind} and target_{word}")
    sign = -1 if what == "crop_images" else 1
    more = None if target is None else sign * (target - n)
    first = more - last if first is None else first
    last = more - first if last is None else last
    if min(first, last) < 0 or (sign < 0 and first + last >= n):
        raise refuse(f"{what}: {names[0]}_{kind}={first} and {names[1]}_{kind}={last} don't fit a {word} of {n}")
    return int(first), int(last)


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with zeros around them: along each axis, two of the numbers before, after and the new size are given.

    >>> pad_images(np.ones((2, 3, 1)), 1, 0, target_height=4, target_width=3)[:, 0, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    x = checked("pad_images", images, data_format)
    height, width = shape(x)[-3:-1]
    down = sides("pad_images", "height", top_padding, bottom_padding, target_height, height)
    return around(x, down, sides("pad_images", "width", left_padding, right_padding, target_width, width))


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images without their borders: along each axis, two of the numbers before, after and the new size are given.

    >>> crop_images(np.arange(6).reshape(2, 3, 1), 0, 1, target_height=1, target_width=2).ravel().tolist()
    [1, 2]
    """
    x = checked("crop_images", images, data_format)
    height, width = shape(x)[-3:-1]
    top, bottom = sides("crop_images", "height", top_cropping, bottom_cropping, target_height, height)
    left, right = sides("crop_images", "width", left_cropping, right_cropping, target_width, width)
    part = (slice(top, height - bottom), slice(left, width - right), slice(None))
    return get_item(x, (slice(None),) * (ndim(x) - 3) + part)


def extract_patches(
    images: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The parts of images under a window, each as one vector: (rows, …, height', width', elements of the window)

    Args:
        images: (rows, height, width, channels), or one without rows; volumes if `size` has three numbers.
        size: that of the window: a number for height and width, or one for each axis.
        strides: how far it moves; None: its size, so that patches don't overlap.
        dilation_rate: the distance between the elements that it takes.
        padding: "valid", or "same": zeros around the images, so that there are ⌈size of the image/strides⌉ patches.
        data_format: None or "channels_last".

    >>> extract_patches(np.arange(8).reshape(2, 4, 1), 2)[0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    axes = 2 if isinstance(size, int) else len(size)
    if axes not in (2, 3):
        raise refuse(f"extract_patches takes the size of a window of two or three axes, got {size!r}")
    x = checked("extract_patches", images, data_format, axes + 2)
    sizes, steps, dilations = (
        (n,) * axes if isinstance(n, int) else tuple(n)
        for n in (size, size if strides is None else strides, dilation_rate)
    )
    if not len(sizes) == len(steps) == len(dilations) or min(*sizes, *steps, *dilations) < 1:
        raise refuse(f"extract_patches takes positive sizes for {axes} axes, got {size}, {strides} and {dilation_rate}")
    same = choose("padding", padding.lower(), ("valid", "same")) == "same"
    first = ndim(x) - axes - 1
    for k, (n, step, dilation) in enumerate(zip(sizes, steps, dilations, strict=True)):
        axis, span = first + 2 * k, (n - 1) * dilation + 1
        length = int(shape(x)[axis])
        zeros = max(0, (-(-length // step) - 1) * step + span - length) if same else 0
        if length + zeros < span:
            raise refuse(f"extract_patches: the window spans {span} elements, more than the image's {length}")
        if zeros:
            widths = [(0, 0)] * ndim(x)
            widths[axis] = (zeros // 2, zeros - zeros // 2)
            x = pad(x, widths)
        places = np.arange(0, length + zeros - span + 1, step)[:, None] + dilation * np.arange(n)
        x = take(x, places, axis)
    order = [first + 2 * k for k in range(axes)] + [first + 2 * k + 1 for k in range(axes)]
    x = transpose(x, (*range(first), *order, ndim(x) - 1))
    kept = shape(x)[: first + axes]
    return reshape(x, (*kept, int(np.prod([int(n) for n in shape(x)[first + axes :]]))))


def extract_patches_3d(
    volumes: Any,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """`extract_patches` of volumes (rows, depth, height, width, channels).

    >>> extract_patches_3d(np.zeros((4, 4, 4, 2)), 2).shape
    (2, 2, 2, 16)
    """
    return extract_patches(
        volumes, (size,) * 3 if isinstance(size, int) else size, strides, dilation_rate, padding, data_format
    )


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """0.2989·red + 0.587·green + 0.114·blue, with one channel; images that have one already stay as they are.

    >>> rgb_to_grayscale(np.ones((1, 1, 3), "f")).shape
    (1, 1, 1)
    """
    x = checked("rgb_to_grayscale", images, data_format)
    if shape(x)[-1] not in (1, 3):
        raise refuse(f"rgb_to_grayscale takes images of three channels, or of one, got {shape(x)}")
    if shape(x)[-1] == 1:
        return x
    weights = np.array([[0.2989], [0.587], [0.114]])
    if isinstance(x, Operators):
        return matmul(x, weights)
    return (x @ weights.astype(x.dtype if x.dtype.kind == "f" else np.float64)).astype(x.dtype)


def planes(what: str, images: Any, data_format: str | None) -> list[Any]:
    """The three channels of images of real numbers, each with an axis of its own."""
    x = checked(what, images, data_format)
    if shape(x)[-1] != 3 or not (isinstance(x, Operators) or x.dtype.kind == "f"):
        kind = "" if isinstance(x, Operators) else f" of {x.dtype}"
        raise refuse(f"{what} takes images of three channels of floats, got the shape {shape(x)}{kind}")
    return [get_item(x, (slice(None),) * (ndim(x) - 1) + (slice(k, k + 1),)) for k in range(3)]


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value of images whose red, green and blue are in 0 … 1; a hue of 0 is red, ⅓ green, ⅔ blue.

    >>> rgb_to_hsv([[[0.0, 0.5, 0.0]]])[0, 0].round(3).tolist()
    [0.333, 1.0, 0.5]
    """
    channels = planes("rgb_to_hsv", images, data_format)
    least = float(np.finfo(np.float32 if isinstance(channels[0], Operators) else channels[0].dtype).eps)
    red, green, blue = (where(less(size_of(plane), least), 0.0, plane) for plane in channels)
    value = maximum(maximum(red, green), blue)
    between = value - minimum(minimum(red, green), blue)
    saturation = where(greater(value, 0.0), between / where(greater(value, 0.0), value, 1.0), 0.0)
    sixth = 1.0 / (6.0 * where(greater(between, 0.0), between, 1.0))
    hue = where(equal(value, green), sixth * (blue - red) + 2 / 6, sixth * (red - green) + 4 / 6)
    hue = where(equal(value, red), sixth * (green - blue), hue)
    hue = where(greater(between, 0.0), hue, 0.0)
    return concatenate([where(less(hue, 0.0), hue + 1.0, hue), saturation, value], -1)


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Red, green and blue of images of hue, saturation and value; of a hue only the fraction counts.

    >>> hsv_to_rgb([[[1 / 3, 1.0, 0.5]]])[0, 0].round(3).tolist()
    [0.0, 0.5, 0.0]
    """
    hue, saturation, value = planes("hsv_to_rgb", images, data_format)
    turn = mod(hue, 1.0) * 6.0
    colours = size_of(turn - 3.0) - 1.0, 2.0 - size_of(turn - 2.0), 2.0 - size_of(turn - 4.0)
    return concatenate([value * (1.0 - saturation + saturation * clip(c, 0.0, 1.0)) for c in colours], -1)


answer_for(__name__)
