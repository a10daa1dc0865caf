"""Images under a transformation: every place of the result looks up another of the image."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from thalweg.ops.arrangement import expand_dims, ndim, reshape, shape
from thalweg.ops.contractions import per_row
from thalweg.ops.image.image_shapes import checked
from thalweg.ops.indexing import get_item, take, take_along_axis
from thalweg.ops.pointwise import abs as size_of
from thalweg.ops.pointwise import clip, floor, floor_divide, greater_equal, less, logical_and, mod, sign, where
from thalweg.ops.tensor import Operators, refuse
from thalweg.support.naming import choose

__all__ = ["affine_transform"]


def mirrored(place: Any, n: int) -> Any:
    """Back and forth between 0 and n − 1, the ends once."""
    return size_of(mod(place + (n - 1), 2 * (n - 1)) - (n - 1)) if n > 1 else 0 * place


FILLS: dict[str, Any] = {  # fill mode → the place among n that stands for one outside
    "constant": lambda place, n: clip(place, 0, n - 1),
    "nearest": lambda place, n: clip(place, 0, n - 1),
    "wrap": mod,
    "mirror": mirrored,
    "reflect": lambda place, n: floor_divide(mirrored(2 * place + 1, 2 * n + 1) - 1, 2),
}


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images whose place (x, y) shows what the images have at ((a₀x + a₁y + a₂)/k, (b₀x + b₁y + b₂)/k), with
    k = c₀x + c₁y + 1; x counts to the right, y down.

    Args:
        images: (rows, height, width, channels), or one without rows.
        transform: a₀, a₁, a₂, b₀, b₁, b₂, c₀, c₁, the same for all or (rows, 8): also a tensor, which then gets a
            gradient if the interpolation is bilinear.
        interpolation: "bilinear" or "nearest".
        fill_mode: what lies outside: "constant", fill_value; "nearest", the border; "wrap", the image again; "reflect"
            and "mirror", the image turned round, with its border twice or once.
        fill_value: for "constant".
        data_format: None or "channels_last".

    >>> affine_transform(np.arange(3.0).reshape(1, 3, 1), [1, 0, 0.5, 0, 1, 0, 0, 0]).ravel().tolist()
    [0.5, 1.5, 1.0]
    """
    x = checked("affine_transform", images, data_format)
    interpolation = choose("interpolation", interpolation, ("bilinear", "nearest"))
    filled = choose("fill_mode", fill_mode, FILLS)
    t = transform if isinstance(transform, Operators) else np.asarray(transform, np.float64)
    if ndim(t) not in (1, 2) or shape(t)[-1] != 8 or (per_row(t) and not per_row(x)):
        raise refuse(
            f"affine_transform takes eight numbers, or eight for each row of images, got {shape(t)} for {shape(x)}"
        )
    height, width, channels = (int(n) for n in shape(x)[-3:])
    down, across = (axis.ravel() for axis in np.indices((height, width)).astype(float))
    a0, a1, a2, b0, b1, b2, c0, c1 = (get_item(t, (..., slice(k, k + 1))) for k in range(8))
    k = c0 * across + c1 * down + 1
    places = ((b0 * across + b1 * down + b2) / k, height), ((a0 * across + a1 * down + a2) / k, width)
    pixels = reshape(x, (-1, height * width, channels))
    exact = pixels if isinstance(x, Operators) or x.dtype.kind == "f" else pixels.astype(np.float64)
    result = 0.0
    for (i, by_row), (j, by_column) in product(*(neighbours(place, interpolation) for place, _ in places)):
        inside = logical_and(within(i, height), within(j, width))
        place = filled(i, height) * width + filled(j, width)
        found = looked_up(exact, place)
        if fill_mode == "constant":
            found = where(expand_dims(inside, -1), found, float(fill_value))
        result = result + found * expand_dims(by_row * by_column, -1)
    result = reshape(result, shape(x) if ndim(x) == 3 else (shape(x)[0], *shape(x)[1:]))
    if isinstance(result, Operators):
        return result
    return (rounded(result) if x.dtype.kind in "iu" else result).astype(x.dtype)


def rounded(x: Any) -> Any:
    """The nearest whole number, of two the one farther from 0."""
    return sign(x) * floor(size_of(x) + 0.5)


def neighbours(place: Any, interpolation: str) -> list[tuple[Any, Any]]:
    """The whole numbers around a place, with their weights."""
    if interpolation == "nearest":
        return [(rounded(place), 1.0 + 0 * place)]
    below = floor(place)
    return [(below, 1 - (place - below)), (below + 1, place - below)]


def within(place: Any, n: int) -> Any:
    """1 where a place is one of n."""
    return logical_and(greater_equal(place, 0), less(place, n))


def looked_up(pixels: Any, place: Any) -> Any:
    """The pixels (rows, places, channels) at the places of each row, or the same of all rows."""
    if isinstance(place, Operators):
        return take_along_axis(pixels, expand_dims(place, -1), 1)
    if len(place) == 1 or place.ndim == 1:
        return take(pixels, place.reshape(-1).astype(int), 1)
    return np.take_along_axis(pixels, place[..., None].astype(int), 1)
