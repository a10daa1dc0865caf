"""Operations that make arrays: zeros, ones, ranges, coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.ops.arrangement import ROWS
from thalweg.ops.tensor import Operators

__all__ = [
    "arange", "eye", "full", "full_like", "identity", "linspace", "meshgrid", "ones", "ones_like", "zeros",
    "zeros_like",
]  # fmt: skip


def like(x: Any, value: float) -> Any:
    if not isinstance(x, Operators):
        return np.full_like(np.asarray(x, np.result_type(np.asarray(x), np.int8)), value)
    return x * 0.0 + value


def full(shape: Any, fill_value: Any, dtype: Any = "float32") -> Any:
    """An array of one number; in a network the rows are left to broadcasting: their size is 1.

    >>> full((2,), 3.0).tolist()
    [3.0, 3.0]
    """
    sizes = (
        (shape,) if isinstance(shape, (int, np.integer)) else tuple(1 if n is ROWS or n is None else n for n in shape)
    )
    return np.full(sizes, fill_value, dtype)


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


def zeros_like(x: Any) -> Any:
    """0 for every number of x.

    >>> zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return like(x, 0)


def ones_like(x: Any) -> Any:
    """1 for every number of x.

    >>> ones_like([1, 2]).tolist()
    [1, 1]
    """
    return like(x, 1)


def full_like(x: Any, fill_value: float) -> Any:
    """One number for every number of x.

    >>> full_like([1, 2], 7).tolist()
    [7, 7]
    """
    return like(x, fill_value)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, … below stop, as an array.

    >>> arange(3).tolist()
    [0, 1, 2]
    """
    values = np.arange(start) if stop is None else np.arange(start, stop, 1 if step is None else step)
    return values if dtype is None else values.astype(dtype)


def linspace(start: float, stop: float, num: int = 50) -> Any:
    """Equally spaced numbers from start to stop, as an array.

    >>> linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.linspace(start, stop, num)


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
