"""Class numbers as one-hot rows, rows of length 1, and sequences of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.errors import DataError, ShapeError
from thalweg.support.checks import whole
from thalweg.support.naming import choose, suggesting


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


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> NDArray[Any]:
    """x, divided by its norm of this order along an axis; zeros stay zeros.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.atleast_1d(np.asarray(x))
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    result: NDArray[Any] = array / np.expand_dims(norms, axis)
    return result


@suggesting
def pad_sequences(
    sequences: Sequence[Sequence[Any]],
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> NDArray[Any]:
    """Sequences of different lengths as the rows of one array (sequences, maxlen, …).

    Args:
        sequences: lists or arrays; what they hold may be numbers or arrays of one shape.
        maxlen: the length of all rows; that of the longest sequence if None.
        dtype: the type of the array.
        padding: "pre" or "post": on which side a short sequence is filled with `value`.
        truncating: "pre" or "post": from which side a long sequence loses elements.
        value: what fills.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    padding, truncating = (choose(n, v, ("pre", "post")) for n, v in (("padding", padding), ("truncating", truncating)))
    if not hasattr(sequences, "__len__") or any(not hasattr(s, "__len__") for s in sequences):
        raise DataError("pad_sequences takes a list of sequences")
    length = max((len(s) for s in sequences), default=0) if maxlen is None else whole("maxlen", maxlen, 0)
    shape = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    rows = np.full((len(sequences), length, *shape), value, dtype)
    for row, sequence in zip(rows, sequences, strict=True):
        kept = np.asarray(sequence[-length:] if truncating == "pre" else sequence[:length], dtype)[:length]
        if kept.size == 0:
            continue
        if kept.shape[1:] != shape:
            raise ShapeError(f"pad_sequences: the elements have the shapes {shape} and {kept.shape[1:]}")
        row[slice(0, len(kept)) if padding == "post" else slice(length - len(kept), None)] = kept
    return rows
