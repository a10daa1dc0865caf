"""Batches of windows that slide over a series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.batches.dataset import Batches
from thalweg.errors import ArgumentError, DataError
from thalweg.support.checks import whole
from thalweg.support.naming import suggesting
from thalweg.support.seeds import draw_seed
from thalweg.utils.directories import batched


@suggesting
def timeseries_dataset_from_array(
    data: ArrayLike,
    targets: ArrayLike | None,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Batches:
    """Batches of windows over a series: window k is data[s], data[s + r], … with s = k·sequence_stride.

    Args:
        data: the series, (moments, …).
        targets: targets[s] belongs to the window that begins at s, so that the next value as target is
            targets=data[sequence_length:] for a sampling_rate of 1. None: the batches are windows alone.
        sequence_length: moments in a window.
        sequence_stride: from the beginning of one window to that of the next.
        sampling_rate: r, from one moment in a window to the next.
        batch_size: windows of a batch; None: single windows.
        shuffle: whether the windows come in another order, a new one in each pass.
        seed: fixes the order.
        start_index, end_index: only data[start_index:end_index] is looked at, and of the targets the same part.
        format: "tf", which are the batches that it returns.

    Returns:
        `Batches` of x, (rows, sequence_length, …), or (x, y).

    >>> batches = timeseries_dataset_from_array(np.arange(6.0), np.arange(3.0, 6.0), 3, batch_size=2)
    >>> [(x.tolist(), y.tolist()) for x, y in batches]
    [([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], [3.0, 4.0]), ([[2.0, 3.0, 4.0]], [5.0])]
    """
    series, wanted = np.asarray(data), None if targets is None else np.asarray(targets)
    if format != "tf":
        raise ArgumentError(f"format={format!r} isn't there: leave it out; the batches are NumPy arrays")
    length, stride, rate = (
        whole(name, value)
        for name, value in (
            ("sequence_length", sequence_length),
            ("sequence_stride", sequence_stride),
            ("sampling_rate", sampling_rate),
        )
    )
    for name, value in (("sampling_rate", rate), ("sequence_stride", stride)):
        if value >= len(series):
            raise ArgumentError(f"{name} has to be less than the {len(series)} moments of data, got {value}")
    start = 0 if start_index is None else whole("start_index", start_index, 0)
    end = len(series) if end_index is None else whole("end_index", end_index)
    if not start < end <= len(series):
        raise ArgumentError(f"data[{start}:{end}] has to be a part of its {len(series)} moments")
    count = end - start - (length - 1) * rate
    if wanted is not None:
        count = min(count, len(wanted))
    places = np.arange(0, count, stride)
    if not len(places):
        raise DataError(f"{end - start} moments are too few for a window of {length} with a sampling_rate of {rate}")
    series, wanted = series[start:end], None if wanted is None else wanted[start:end]
    if wanted is not None and places[-1] >= len(wanted):
        raise DataError(f"targets[{start}:{end}] has {len(wanted)} rows, and the last window begins at {places[-1]}")
    steps = np.arange(length) * rate
    window_seed = None if not shuffle else draw_seed() if seed is None else whole("seed", seed, 0)
    if batch_size is not None:
        whole("batch_size", batch_size)

    def samples(rows: NDArray[Any]) -> Any:
        begins = places[rows]
        x = series[begins[:, None] + steps]
        return x if wanted is None else (x, wanted[begins])

    return batched(samples, len(places), batch_size, window_seed)
