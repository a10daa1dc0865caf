"""Tables of houses and their prices, shuffled and divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.datasets.pickled import Array, read_arrays
from thalweg.errors import DataError
from thalweg.support.checks import number


def divided(
    path: Path, test_split: float, seed: int | None, most: int | None = None
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """x and y of an archive, of the first `most` rows, in a random order; the last share is for testing."""
    share = number("test_split", test_split, 0, 1)
    x, y = (array[:most] for array in read_arrays(path, ["x", "y"]))
    if x.ndim != 2 or y.shape != (len(x),) or not {x.dtype.kind, y.dtype.kind} <= set("uif"):
        raise DataError(f"{path} holds no rows with a price each: {x.shape} of {x.dtype}, {y.shape} of {y.dtype}")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras's order
    first = int(len(x) * (1 - share))
    x, y = x[order], y[order]
    return (x[:first], y[:first]), (x[first:], y[first:])
