"""Rows of different lengths, filled up to the steps that a network takes with what its mask leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.batches.arrays import Array, Shape
from thalweg.errors import DataError, ShapeError
from thalweg.layers import Embedding, Layer, Masking
from thalweg.support.frames import checked


def filler(layers: Sequence[Layer]) -> float | None:
    """What the layers right behind an input leave out, all of them: the number that a row may be filled up with."""
    found = {fill_of(layer) for layer in layers}
    return found.pop() if len(found) == 1 else None


def fill_of(layer: Layer) -> float | None:
    """The number that makes a step one that doesn't count; None for a layer without a mask of its own."""
    if isinstance(layer, Masking):
        return float(layer.mask_value)
    return 0.0 if isinstance(layer, Embedding) and layer.mask_zero else None


def listed(x: Any) -> list[Any] | None:
    """The rows, if they come one by one: in a list, an array of objects, an Arrow list or a column of a data frame."""
    checked(x, "x")
    if isinstance(x, (list, tuple)):
        rows = list(x)
    elif hasattr(x, "to_pylist"):
        rows = x.to_pylist()
    elif isinstance(x, np.ndarray) or (hasattr(x, "to_numpy") and len(getattr(x, "shape", ())) == 1):
        array = x if isinstance(x, np.ndarray) else x.to_numpy()
        rows = list(array) if array.dtype == object and array.ndim == 1 else []
    else:
        return None
    several = rows and all(hasattr(row, "__len__") and not isinstance(row, (str, bytes, dict)) for row in rows)
    return rows if several else None


def filled(x: Any, shape: Shape, fill: float | None, what: str) -> Any:
    """x as an array (rows, *shape) if its rows come one by one and have fewer steps than `shape`; otherwise as it is.

    Raises:
        ShapeError: rows of different lengths where nothing leaves steps out, or too long ones; steps of another shape.
        DataError: a row without steps.
    """
    rows = listed(x) if shape else None
    if rows is None:
        return x
    lengths = {len(row) for row in rows}
    if lengths == {shape[0]} or (fill is None and len(lengths) == 1):
        return x if isinstance(x, (list, tuple)) else rows
    if fill is None:
        row = next(k for k, other in enumerate(rows) if len(other) != len(rows[0]))
        raise ShapeError(
            f"{what} has rows of different lengths, {len(rows[0])} in row 0 and {len(rows[row])} in row {row}: put "
            "Masking or Embedding(mask_zero=True) right behind Input, so that shorter rows can be filled up"
        )
    result = np.full((len(rows), *shape), fill, np.float64)
    for k, row in enumerate(rows):
        steps = steps_of(row, shape, k, what)
        result[k, : len(steps)] = steps
    return result


def steps_of(row: Any, shape: Shape, k: int, what: str) -> Array:
    """One row as an array of its steps, checked."""
    try:
        steps = np.asarray(row if isinstance(row, np.ndarray) and row.dtype != object else list(row), np.float64)
    except (TypeError, ValueError):
        raise ShapeError(f"row {k} of {what} isn't an array of numbers with steps of one shape") from None
    if not len(steps):
        raise DataError(f"row {k} of {what} has no steps: leave it out")
    if len(steps) > shape[0]:
        raise ShapeError(f"row {k} of {what} has {len(steps)} steps, but the network takes at most {shape[0]}: cut it")
    if steps.shape[1:] != shape[1:]:
        wanted = ", ".join(map(str, ("steps", *shape[1:])))
        raise ShapeError(f"row {k} of {what} has the shape {steps.shape}, but rows are ({wanted})")
    return steps


def filled_like(x: Any, output: Shape, **given: Any) -> list[Any]:
    """Targets and weights of steps, filled up with zeros where the rows of x are; otherwise as they are.

    Raises:
        ShapeError: a row has another number of steps than in x.
    """
    rows = listed(x)
    return [y if rows is None or not output else like(rows, y, output[0], what) for what, y in given.items()]


def like(rows: list[Any], y: Any, steps: int, what: str) -> Any:
    """The same for one of them."""
    others = listed(y)
    if others is None or len(rows) != len(others):
        return y
    for k, (row, other) in enumerate(zip(rows, others, strict=True)):
        if len(row) != len(other):
            raise ShapeError(f"row {k} has {len(row)} steps in x, but {len(other)} in {what}")
    return filled(y, (steps, *np.shape(others[0])[1:]), 0.0, what)
