"""Sums and extremes of numbered segments."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.ops.arrangement import expand_dims, ndim, reshape, shape, transpose
from thalweg.ops.contractions import matmul, per_row
from thalweg.ops.indexing import one_hot
from thalweg.ops.pointwise import where
from thalweg.ops.summaries import largest
from thalweg.ops.tensor import Operators, refuse

__all__ = ["segment_max", "segment_sum"]


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Of each segment k the sum of the parts of data whose segment_ids is k, along the leading axis.

    In a network that is the leading axis of each row: data (rows, n, …) → (rows, num_segments, …).

    Args:
        data: what is summed.
        segment_ids: for each of the n parts a whole number: an array (n,), or a tensor (rows, n) with data of rows. The
            parts of numbers other than 0 … num_segments − 1 are left out.
        num_segments: how many segments; None: one more than the largest number of an array.
        sorted: Keras's, which changes no number.

    >>> segment_sum(np.array([1, 2, 4, 8]), [0, 2, 0, 1]).tolist()
    [5, 8, 2]
    """
    data, ids, count = checked("segment_sum", data, segment_ids, num_segments)
    if not isinstance(data, Operators) and not isinstance(ids, Operators):
        return gathered(np.add, data, ids, count, 0)
    at, parts = membership(data, ids, count)
    return reshape(matmul(at, parts), (*shape(data)[: int(per_row(data))], count, *behind(data)))


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Of each segment the largest part; −∞ of one without any, of whole numbers the smallest. See `segment_sum`.

    >>> segment_max(np.array([1, 2, 4, 8]), [0, 1, 0, 1]).tolist()
    [4, 8]
    """
    data, ids, count = checked("segment_max", data, segment_ids, num_segments)
    if not isinstance(data, Operators) and not isinstance(ids, Operators):
        least = -np.inf if data.dtype.kind == "f" else np.iinfo(data.dtype).min
        return gathered(np.maximum, data, ids, count, least)
    at, parts = membership(data, ids, count)
    first = int(per_row(data))
    found = largest(where(expand_dims(at, -1), expand_dims(parts, first), -np.inf), first + 1)
    return reshape(found, (*shape(data)[:first], count, *behind(data)))


def checked(what: str, data: Any, ids: Any, count: int | None) -> tuple[Any, Any, int]:
    """The arguments, of which the number of segments is known."""
    data, ids = (x if isinstance(x, Operators) else np.asarray(x) for x in (data, ids))
    first, of_rows = int(per_row(data)), int(per_row(ids))
    if ndim(ids) != 1 + of_rows or of_rows > first or ndim(data) <= first or shape(ids)[-1] != shape(data)[first]:
        raise refuse(f"{what} takes a number for each part of data, got {shape(ids)} for {shape(data)}")
    if count is None:
        if isinstance(ids, Operators):
            raise refuse(f"{what} needs num_segments where segment_ids is a tensor, whose numbers aren't known yet")
        count = int(ids.max()) + 1
    if count < 1:
        raise refuse(f"{what} needs a segment at least, got num_segments={count}")
    return data, ids, int(count)


def gathered(function: Any, data: Any, ids: Any, count: int, first: Any) -> Any:
    """An array of the segments, from a first value on."""
    result = np.full((count, *data.shape[1:]), first, data.dtype)
    there = (ids >= 0) & (ids < count)
    function.at(result, ids[there].astype(int), data[there])
    return result


def behind(data: Any) -> tuple[int, ...]:
    """The sizes of a part."""
    return tuple(int(n) for n in shape(data)[1 + int(per_row(data)) :])


def membership(data: Any, ids: Any, count: int) -> tuple[Any, Any]:
    """1 where a segment (rows of a matrix) has a part (its columns), and the parts as vectors."""
    at = one_hot(ids, count)
    at = transpose(at, (0, 2, 1)) if per_row(ids) else transpose(at)
    first = int(per_row(data))
    return at, reshape(data, (*shape(data)[: first + 1], int(np.prod(behind(data)))))
