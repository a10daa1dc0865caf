"""Elements of a graph's arrays, put back to where others were taken from: sums at each place, among zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from thalweg.program.graphs.traced_values import FUNCTIONS, Shape, Value, reshaped, value_of
from thalweg.program.graphs.value_functions import Tracing, broadcast_to, flip, pad, where


def spread(x: Value, starts: Sequence[int], steps: Sequence[int], shape: Shape) -> Value:
    """(shape): the elements of x where a slice with these starts and steps finds them."""
    for axis, (start, step, n) in enumerate(zip(starts, steps, shape, strict=True)):
        lead, more, count = [(0, 0)] * axis, [(0, 0)] * (x.ndim - axis - 1), x.shape[axis]
        if not count:
            start = 0
        elif step < 0:
            x, start, step = flip(x, axis), start + step * (count - 1), -step
        if step > 1 and count > 1:
            apart = pad(x[(slice(None),) * (axis + 1) + (None,)], [*lead, (0, 0), (0, step - 1), *more])
            x = reshaped(apart, (*x.shape[:axis], count * step, *x.shape[axis + 1 :]))
            x = x[(slice(None),) * axis + (slice(step * (count - 1) + 1),)]
        x = pad(x, [*lead, (start, n - start - x.shape[axis]), *more])
    return x


def put_back(shape: Shape, indices: Value, x: Value, axis: int) -> Value:
    """(shape): the sum of what `take` took from each place along an axis."""
    blocks, n, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    at = n * counted(blocks, 2) + reshaped(from_the_first(indices, n), (1, -1, 1))
    return put(shape, at * inner + Tracing.arange(inner), x)


def put_along(shape: Shape, indices: Value, x: Value, axis: int) -> Value:
    """The same of `take_along_axis`. Where another axis is of length 1, it was repeated."""
    places: Any = 0
    stride = 1
    for a, n in reversed([*enumerate(shape)]):
        places = places + stride * (from_the_first(indices, n) if a == axis else counted(n, len(shape) - a - 1))
        stride *= n
    return put(shape, broadcast_to(places, x.shape), x)


def from_the_first(indices: Any, n: int) -> Any:
    """Indices, of which negative ones count from the end."""
    return where(indices < 0, indices + n, indices)


def counted(n: int, axes: int) -> Any:
    """0, 1, 2 … n − 1, and so many axes behind."""
    return reshaped(value_of(Tracing.arange(n)), (n, *(1,) * axes))


def put(shape: Shape, places: Any, x: Value) -> Value:
    """The sums of elements at each place, counted through all axes."""
    sums = FUNCTIONS["bincount"](reshaped(places, (-1,)), reshaped(x, (-1,)), math.prod(shape))
    return reshaped(sums, shape)
