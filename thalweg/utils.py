"""Small helpers, under Keras's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError, DataError

_generator = np.random.default_rng()


def set_random_seed(seed: int) -> None:
    """Fixes the seeds of models made from now on without their own seed (also NumPy's and Python's)."""
    import random

    global _generator
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError(f"a seed is a whole number from 0, got {seed!r}")
    _generator = np.random.default_rng(seed)
    random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)  # noqa: NPY002 — Keras does this too: code beside the model may draw from it


def draw_seed() -> int:
    """A seed for a model that was given none."""
    return int(_generator.integers(2**31))


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[Any]:
    """Class numbers → one-hot rows of float64, as Keras does.

    Args:
        x: whole numbers from 0, of any shape; a last axis of size 1 is dropped.
        num_classes: how many classes; the largest number + 1 if not given.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.asarray(x)
    if labels.dtype.kind not in "buif" or labels.size == 0 or (labels != np.floor(labels)).any() or labels.min() < 0:
        raise DataError("to_categorical takes class numbers: whole numbers from 0")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    labels = labels.astype(np.int64)
    count = int(labels.max()) + 1 if num_classes is None else num_classes
    if labels.max() >= count:
        raise DataError(f"to_categorical: class {labels.max()} is not below num_classes={count}")
    rows: NDArray[Any] = np.eye(count)[labels]
    return rows
