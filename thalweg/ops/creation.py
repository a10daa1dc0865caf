"""Operations that make arrays: zeros, ones, ranges, coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.ops.arrangement import of_one_row
from thalweg.ops.operation import operand, operation
from thalweg.ops.tensor import program_of

__all__ = [
    "arange", "eye", "full", "full_like", "identity", "linspace", "meshgrid", "ones", "ones_like", "zeros",
    "zeros_like",
]  # fmt: skip


def full(shape: Any, fill_value: Any, dtype: Any = "float32") -> Any:
    """An array of one number; in a network the rows are left to broadcasting: their size is 1.

    >>> full((2,), 3.0).tolist()
    [3.0, 3.0]
    """
    return np.full(of_one_row(shape), fill_value, dtype)


def zeros(shape: Any, dtype: Any = "float32") -> Any:
    """An array of zeros; see `full`.

    >>> zeros(2).tolist()
    [0.0, 0.0]
    """
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = "float32") -> Any:
    """An array of ones; see `full`.

    >>> ones(2).tolist()
    [1.0, 1.0]
    """
    return full(shape, 1, dtype)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """0 for every number of x, in its type or another.

    >>> zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """1 for every number of x, in its type or another.

    >>> ones_like([1, 2]).tolist()
    [1, 1]
    """
    return full_like(x, 1, dtype)


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    return np.full_like(np.asarray(x, np.result_type(np.asarray(x), np.int8)), fill_value, dtype)


@operation(_full_like)
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One number for every number of x, in its type or another.

    >>> full_like([1, 2], 7).tolist(), full_like([1, 2], 7.5, "float32").tolist()
    ([7, 7], [7.5, 7.5])
    """
    program = program_of([x])
    like, value = operand(program, x), _full_like(np.zeros(()), fill_value, dtype)
    return program.broadcast_to(program.constant(value), like.shape, like.per_row)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, … below stop, as an array.

    >>> arange(3).tolist()
    [0, 1, 2]
    """
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return values if dtype is None else values.astype(dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """Equally spaced numbers from start to stop, as an array: without stop itself unless `endpoint`.

    >>> linspace(0, 1, 3).tolist(), linspace(0, 1, 2, endpoint=False).tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5])
    """
    return np.linspace(start, stop, num, endpoint, retstep, dtype, axis)  # type: ignore[call-overload]


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = "float32") -> Any:
    """A matrix with ones on a diagonal, as an array.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return np.eye(N, M, k, dtype or "float32")


def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Matrices of coordinates, of arrays.

    >>> meshgrid([1, 2], [3])[0].tolist()
    [[1, 2]]
    """
    return np.meshgrid(*x, indexing=indexing)  # type: ignore[call-overload]


def identity(n: int, dtype: Any = "float32") -> Any:
    """The identity matrix, as an array.

    >>> identity(1).tolist()
    [[1.0]]
    """
    return eye(n, dtype=dtype)
