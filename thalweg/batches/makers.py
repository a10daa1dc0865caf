"""What makes batches, whosever it is: datasets, generators, tf.data's datasets and PyTorch's loaders."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.batches.ahead import numbered
from thalweg.batches.dataset import Batches, PyDataset
from thalweg.errors import DataError, ThalwegError
from thalweg.support.nested import mapped


def is_source(x: Any) -> bool:
    """Whether x makes batches, rather than being the data."""
    return (
        isinstance(x, (PyDataset, Batches)) or hasattr(x, "__next__") or hasattr(x, "as_numpy_iterator") or is_loader(x)
    )


def is_loader(x: Any) -> bool:
    """Whether x is PyTorch's DataLoader, or derives from it."""
    return any(c.__name__ == "DataLoader" and c.__module__.startswith("torch.utils.data") for c in type(x).__mro__)


def one_pass(source: Any) -> Iterator[Any]:
    """The batches of a pass: the next one where any number can be made, otherwise what is left."""
    if isinstance(source, PyDataset):
        return numbered(source, range(len(source)))
    if hasattr(source, "__next__"):
        return iter(source)
    if hasattr(source, "as_numpy_iterator"):
        return iter(source.as_numpy_iterator())
    return (tuple(batch) if isinstance(batch, list) else batch for batch in source)  # a loader, whose batches are lists


def length_of(source: Any) -> int | None:
    """The number of batches of a pass; None where it isn't known."""
    try:
        return None if hasattr(source, "__next__") else len(source)
    except TypeError:  # of tf.data's datasets and PyTorch's loaders, too
        return None


def told(batches: Iterator[Any], name: str) -> Iterator[Any]:
    """The batches; what making one raises becomes the cause of a sentence."""
    for number in count(1):
        try:
            batch = next(batches)
        except StopIteration:
            return
        except ThalwegError:
            raise
        except Exception as error:
            raise DataError(f"{name} failed in batch {number} of a pass: {type(error).__name__}: {error}") from error
        yield batch


def as_array(values: Any) -> NDArray[Any]:
    """An array, or a tensor of PyTorch's or TensorFlow's as one."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def arrays_of(data: Any, what: str) -> Iterator[Any]:
    """The data, all at once, or the batches x that a source of them makes.

    >>> [x.tolist() for x in arrays_of((np.ones(n) for n in (1, 2)), "adapt")], list(arrays_of([1, 2], "adapt"))
    ([[1.0], [1.0, 1.0]], [[1, 2]])
    """
    if not is_source(data):
        yield data
        return
    for batch in told(one_pass(data), type(data).__name__):
        if isinstance(batch, tuple):
            raise DataError(f"{what} takes batches x without targets, such as batches.map(lambda x, y: x)")
        yield columns_of(batch)


def columns_of(batch: Any) -> Any:
    """A batch with arrays in place of tensors; lists, which may be columns of text, are left as they are."""
    if isinstance(batch, dict):
        return {name: columns_of(column) for name, column in batch.items()}
    return batch if isinstance(batch, list) else mapped(batch, as_array)
