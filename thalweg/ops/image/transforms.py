"""Images under a transformation: every place of the result looks up another of the image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from thalweg.ops.arrangement import concatenate, expand_dims, ndim, reshape, shape, stack
from thalweg.ops.contractions import per_row
from thalweg.ops.draws import normal, seed_of
from thalweg.ops.image.blurring import gaussian_blur
from thalweg.ops.image.image_shapes import checked
from thalweg.ops.indexing import get_item, take, take_along_axis
from thalweg.ops.linalg import solve
from thalweg.ops.operation import operation
from thalweg.ops.pointwise import abs as size_of
from thalweg.ops.pointwise import clip, floor, floor_divide, greater_equal, less, logical_and, mod, sign, where
from thalweg.ops.tensor import Operators, refuse
from thalweg.support.checks import number
from thalweg.support.naming import choose

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform"]


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
    choose("fill_mode", fill_mode, FILLS)
    t = transform if isinstance(transform, Operators) else np.asarray(transform, np.float64)
    if ndim(t) not in (1, 2) or shape(t)[-1] != 8 or (per_row(t) and not per_row(x)):
        raise refuse(
            f"affine_transform takes eight numbers, or eight for each row of images, got {shape(t)} for {shape(x)}"
        )
    height, width = (int(n) for n in shape(x)[-3:-1])
    down, across = grid(height, width)
    a0, a1, a2, b0, b1, b2, c0, c1 = (get_item(t, (..., slice(k, k + 1))) for k in range(8))
    k = c0 * across + c1 * down + 1
    return moved(
        x, (b0 * across + b1 * down + b2) / k, (a0 * across + a1 * down + a2) / k, interpolation, fill_mode, fill_value
    )


def grid(height: int, width: int) -> tuple[Any, Any]:
    """How far down and across each element of an image lies, row after row."""
    down, across = (axis.ravel() for axis in np.indices((height, width)).astype(float))
    return down, across


def moved(x: Any, down: Any, across: Any, interpolation: str, fill_mode: str, fill_value: float) -> Any:
    """Images whose places show what x has at others, which count down and across."""
    height, width, channels = (int(n) for n in shape(x)[-3:])
    pixels = reshape(x, (-1, height * width, channels))
    exact = pixels if isinstance(x, Operators) or x.dtype.kind == "f" else pixels.astype(np.float64)
    result = found_at(exact, ((down, height), (across, width)), interpolation, fill_mode, fill_value)
    result = reshape(result, shape(x) if ndim(x) == 3 else (shape(x)[0], *shape(x)[1:]))
    if isinstance(result, Operators):
        return result
    return (rounded(result) if x.dtype.kind in "iu" else result).astype(x.dtype)


def found_at(
    pixels: Any, places: Sequence[tuple[Any, int]], interpolation: str, fill_mode: str, fill_value: float
) -> Any:
    """What pixels (rows, all of them, channels) show between each other: along every axis a place, among so many."""
    filled, result = FILLS[fill_mode], 0.0
    for corner in product(*(neighbours(place, interpolation) for place, _ in places)):
        along = [
            (filled(near, n), n, within(near, n), share) for (near, share), (_, n) in zip(corner, places, strict=True)
        ]
        at, _, inside, weight = along[0]
        for place, n, within_axis, share in along[1:]:
            at, weight, inside = at * n + place, weight * share, logical_and(inside, within_axis)
        found = looked_up(pixels, at)
        if fill_mode == "constant":
            found = where(expand_dims(inside, -1), found, float(fill_value))
        result = result + found * expand_dims(weight, -1)
    return result


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images that show at four points what they had at four others, as seen from elsewhere: an `affine_transform`
    whose eight numbers follow from the points

    Args:
        images: (rows, height, width, channels), or one without rows.
        start_points: where the four are in the images: (4, 2) for all or (rows, 4, 2), each (x, y); also a tensor.
        end_points: where they are in the result.
        interpolation: "bilinear" or "nearest".
        fill_value: what lies outside.
        data_format: None or "channels_last".

    Three points in a line have no such transformation: on arrays this raises.

    >>> square = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> perspective_transform(np.arange(3.0).reshape(1, 3, 1), square, square + [1, 0]).ravel().tolist()
    [0.0, 0.0, 1.0]
    """
    start, end = (p if isinstance(p, Operators) else np.asarray(p, np.float64) for p in (start_points, end_points))
    for points in (start, end):
        if ndim(points) not in (2, 3) or tuple(shape(points)[-2:]) != (4, 2):
            raise refuse(
                "perspective_transform takes four points (x, y), or four for each row of images, before and after: "
                f"(4, 2) or (rows, 4, 2), got {shape(start)} and {shape(end)}"
            )
    x, y = start[..., 0], start[..., 1]
    to_x, to_y = end[..., 0], end[..., 1]
    none = 0.0 * to_x * x
    one = none + 1.0
    across = stack([to_x + none, to_y + none, one, none, none, none, -x * to_x, -x * to_y], -1)
    down = stack([none, none, none, to_x + none, to_y + none, one, -y * to_x, -y * to_y], -1)
    transform = solve(concatenate([across, down], -2), concatenate([x + none, y + none], -1))
    return affine_transform(images, transform, interpolation, "constant", fill_value, data_format)


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """What an array has at the places of `coordinates`, which may lie between its elements

    Args:
        inputs: an array of any shape. In a network (rows, …): each row is an array of its own.
        coordinates: one for each axis of the array, (axes, …), or a list of them; the result has the shape of one. In
            a network (rows, axes, …), or a list of tensors (rows, …), or the same for all rows, without an axis for
            them.
        order: 0, the nearest element, or 1, linear between elements; then the coordinates have gradients.
        fill_mode, fill_value: what lies outside, see `affine_transform`.

    >>> map_coordinates(np.array([[0.0, 1.0], [2.0, 3.0]]), [[0.5, 1.0], [0.5, 0.0]], 1).tolist()
    [1.5, 2.0]
    """
    if order not in (0, 1) or isinstance(order, bool):
        raise refuse(f"map_coordinates takes the order 0, the nearest element, or 1, linear, got {order!r}")
    choose("fill_mode", fill_mode, FILLS)
    x: Any = inputs if isinstance(inputs, Operators) else np.asarray(inputs)
    if isinstance(coordinates, (list, tuple)) and any(isinstance(c, Operators) for c in coordinates):
        coordinates = stack(list(coordinates), 1)
    c: Any = coordinates if isinstance(coordinates, Operators) else np.asarray(coordinates, np.float64)
    rows, sizes = per_row(x), tuple(int(n) for n in shape(x)[int(per_row(x)) :])
    axis = int(per_row(c))
    if per_row(c) and not rows:
        raise refuse("map_coordinates with coordinates for each row of a network takes inputs (rows, …) of it")
    if ndim(c) < axis + 2 or shape(c)[axis] != len(sizes) or not sizes:
        raise refuse(
            f"map_coordinates takes a coordinate for each of {len(sizes)} axes, got the shape {shape(c)} for inputs "
            f"of shape {shape(x)}"
        )
    kept = tuple(int(n) for n in shape(c)[axis + 1 :])
    pixels = reshape(x, (-1, int(np.prod(sizes)), 1))
    exact = pixels if isinstance(x, Operators) or x.dtype.kind == "f" else pixels.astype(np.float64)
    flat = reshape(c, ((-1,) if per_row(c) else ()) + (len(sizes), int(np.prod(kept))))
    places = [(flat[:, k] if per_row(c) else flat[k], n) for k, n in enumerate(sizes)]
    found = found_at(exact, places, "bilinear" if order else "nearest", fill_mode, fill_value)
    result = reshape(found, (-1, *kept) if rows else kept)
    if isinstance(result, Operators):
        return result
    return (rounded(result) if x.dtype.kind in "iu" else result).astype(x.dtype)


def shaken(x: Any, alpha: float, sigma: float, seed: Any, interpolation: str, fill_mode: str, fill: float) -> Any:
    """Images whose elements have moved with their neighbours, at random."""
    height, width = (int(n) for n in shape(x)[-3:-1])
    size = int(6 * sigma) | 1
    rows = shape(x)[0] if ndim(x) == 4 else 1
    drawn = gaussian_blur(normal((rows, height, width, 2), 0.0, sigma, seed=seed), (size, size), (sigma, sigma))
    far = alpha * reshape(drawn, (rows, height * width, 2))
    down, across = grid(height, width)
    return moved(x, down + far[..., 1], across + far[..., 0], interpolation, fill_mode, fill)


@operation(shaken)
def elastic(x: Any, alpha: float, sigma: float, seed: Any, interpolation: str, fill_mode: str, fill: float) -> Any:
    """The same, drawn anew for every row and step."""
    return shaken(x, alpha, sigma, seed, interpolation, fill_mode, fill)


def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images distorted at random: each place shows what was α·d away, where d is `gaussian_blur` of normally
    distributed numbers with the standard deviation σ, by a bell of the same σ

    Args:
        images: (rows, height, width, channels), or one without rows; every image is distorted by itself.
        alpha: how far places move.
        sigma: how far what moves together reaches.
        interpolation, fill_mode, fill_value: see `affine_transform`.
        seed: a whole number, or a `SeedGenerator`.
        data_format: None or "channels_last".

    Source: Simard, Steinkraus and Platt, ICDAR 2003.

    >>> x = np.arange(64.0).reshape(1, 8, 8, 1)
    >>> bool((elastic_transform(x, seed=0) == elastic_transform(x, seed=0)).all()), elastic_transform(x).shape
    (True, (1, 8, 8, 1))
    """
    x = checked("elastic_transform", images, data_format)
    interpolation = choose("interpolation", interpolation, ("bilinear", "nearest"))
    choose("fill_mode", fill_mode, FILLS)
    width = number("elastic_transform's sigma", sigma, 1e-6, np.inf)
    far = number("elastic_transform's alpha", alpha, -np.inf, np.inf)
    return elastic(x, far, width, seed_of(seed), interpolation, fill_mode, float(fill_value))


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
