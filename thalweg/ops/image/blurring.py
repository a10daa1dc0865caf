"""Images whose elements are means of their neighbours, weighted by a bell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.ops.image.image_shapes import checked, in_type, multiplied
from thalweg.ops.operation import operand, operation
from thalweg.ops.tensor import program_of, refuse
from thalweg.support.checks import number, whole

__all__ = ["gaussian_blur"]

Bells = tuple[tuple[int, float], tuple[int, float]]  # size and standard deviation: down, across


def bell(n: int, size: int, sigma: float) -> Any:
    """The matrix (n, n) that makes every element the mean of `size` of them around it; beyond the ends there is 0."""
    weights = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / sigma) ** 2)
    weights /= weights.sum()
    taken = np.arange(n) - np.arange(n)[:, None] + (size - 1) // 2  # which weight an element has in the mean at another
    return np.where((taken >= 0) & (taken < size), weights[np.clip(taken, 0, size - 1)], 0.0)


def of_arrays(x: Any, bells: Bells) -> Any:
    """Images as arrays."""
    real = x if x.dtype.kind == "f" else x.astype(np.float64)
    for axis, (size, sigma) in zip((-3, -2), bells, strict=True):
        real = multiplied(real, bell(x.shape[axis], size, sigma), axis)
    return in_type(real, x.dtype)


@operation(of_arrays)
def blurred(x: Any, bells: Bells) -> Any:
    """The means."""
    program = program_of([x])
    image = operand(program, x)
    for axis, (size, sigma) in enumerate(bells):
        image = program.resample(image, bell(image.shape[axis], size, sigma), axis)
    return image


def gaussian_blur(
    images: Any,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> Any:
    """Images whose elements are means of those around them, with weights exp(−(dx²/σx² + dy²/σy²)/2), scaled to sum 1;
    around the images there is 0

    Args:
        images: (rows, height, width, channels), or one without rows; the result is of their type.
        kernel_size: how many elements count across and down, in the order that Keras's have (its documentation tells
            the other).
        sigma: σx and σy.
        data_format: None or "channels_last".

    >>> gaussian_blur(np.array([[[0.0], [1.0], [0.0], [0.0]]]), (3, 1)).round(3).ravel().tolist()
    [0.274, 0.452, 0.274, 0.0]
    """
    x = checked("gaussian_blur", images, data_format)
    for what, given in (("kernel_size", kernel_size), ("sigma", sigma)):
        if not isinstance(given, Sequence) or len(given) != 2:
            raise refuse(f"gaussian_blur takes two numbers as {what}, (across, down), got {given!r}")
    across, down = (
        (whole("gaussian_blur's kernel_size", size), number("gaussian_blur's sigma", width, 1e-6, np.inf))
        for size, width in zip(kernel_size, sigma, strict=True)
    )
    return blurred(x, (down, across))
