"""What functions of images take, and have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.ops.arrangement import ndim, shape
from thalweg.ops.tensor import Operators, refuse


def checked(what: str, images: Any, data_format: Any, rank: int = 4) -> Any:
    """The images, of which those of a network have rows; what isn't of so many axes raises."""
    if data_format not in (None, "channels_last"):
        raise refuse(f"{what} takes images as (height, width, channels): 'channels_last', not {data_format!r}")
    x = images if isinstance(images, Operators) else np.asarray(images)
    rows = isinstance(x, Operators) and (not x.shape or x.shape[0] is None)
    if ndim(x) not in (rank, rank if rows else rank - 1):
        raise refuse(
            f"{what} takes {'images' if rank == 4 else 'volumes'} of {rank} axes with the rows, got {shape(x)}"
        )
    return x


def multiplied(x: Any, matrix: Any, axis: int) -> Any:
    """An array times a matrix (new, old) along an axis, in its own precision."""
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T.astype(x.dtype), -1, axis)


def in_type(x: Any, dtype: Any) -> Any:
    """Numbers in another type: whole ones are rounded to."""
    if dtype.kind not in "iu":
        return x.astype(dtype, copy=False)
    bounds = np.iinfo(dtype)
    return np.clip(np.round(x), bounds.min, bounds.max).astype(dtype)
