"""Small helpers, under Keras's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import ArgumentError, DataError
from thalweg.support.seeds import draw_seed, set_random_seed


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
