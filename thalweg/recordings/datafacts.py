"""What is noted of the rows: the kind of the target and its classes, rows shared with those validated on, a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.recordings.recording import Array, Recording, Sample

MOST_ROWS, MOST_BYTES = 2000, 1_500_000
"""Of a sample of the rows; the bytes of each array."""
MOST_HASHED = 1 << 26
"""Bytes of rows that are compared with those validated on."""
MOST_CLASSES = 10_000
"""Classes that are counted."""


def evenly(rows: int, most: int) -> Array:
    """The numbers of at most `most` of the rows, evenly spaced.

    >>> evenly(10, 4)
    array([0, 3, 6, 9])
    """
    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, most).round().astype(np.int64)


def sample_of(arrays: Mapping[str, Array], names: tuple[str, str]) -> tuple[Array | None, Array | None]:
    """x and y of some rows, copied; None for what isn't there."""
    if names[0] not in arrays:
        return None, None
    x, y = arrays[names[0]], arrays.get(names[1])
    row = max(1, x[:1].nbytes, 0 if y is None else y[:1].nbytes)
    rows = evenly(len(x), max(1, min(MOST_ROWS, MOST_BYTES // row)))
    return x[rows], None if y is None else y[rows]


def target_facts(y: Array | None, kind: str | None) -> dict[str, Any]:
    """Classes with their numbers of rows, or mean and standard deviation of each output.

    kind: "classes" (numbers from 0), "one-hot", "binary" (0 and 1, one output), "multilabel", "numbers", or None for
    what can't be described.

    >>> target_facts(np.array([0.0, 1.0, 1.0]), "binary")["class_counts"]
    [1, 2]
    """
    facts: dict[str, Any] = {"target_kind": kind, "class_counts": None, "target_mean": None, "target_std": None}
    if y is None or kind is None:
        return facts
    if kind == "classes":
        counts = np.bincount(y.reshape(-1).astype(np.int64))
        facts["class_counts"] = counts.tolist() if len(counts) <= MOST_CLASSES else None
    elif kind in ("one-hot", "multilabel"):
        facts["class_counts"] = y.reshape(-1, y.shape[-1]).sum(axis=0, dtype=np.float64).round().astype(int).tolist()
    elif kind == "binary":
        ones = int(np.count_nonzero(y >= 0.5))
        facts["class_counts"] = [int(y.size) - ones, ones]
    else:
        flat = y.reshape(len(y), -1)
        if flat.shape[1] <= MOST_CLASSES:
            facts["target_mean"] = flat.mean(axis=0, dtype=np.float64).tolist()
            facts["target_std"] = flat.std(axis=0, dtype=np.float64).tolist()
    return facts


def twins(x: Array, held_x: Array) -> dict[str, int]:
    """How many of the rows validated on equal one of those trained on, of how many that were looked at.

    Up to 64 MB of rows are compared. If there are more, only some of those trained on are, and twins may be missed.

    >>> twins(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    {'equal': 1, 'looked_at': 2}
    """
    row = max(1, x[:1].nbytes)
    x = x[evenly(len(x), max(1, MOST_HASHED // row))]
    held_x = held_x[evenly(len(held_x), max(1, min(MOST_HASHED // row, 10 * MOST_ROWS)))]
    own, held = hashes(x), np.sort(hashes(held_x))
    first = np.searchsorted(held, own)
    met = held[first[first < len(held)]] == own[first < len(held)]
    same = np.isin(held, own[first < len(held)][met])
    return {"equal": int(np.count_nonzero(same)), "looked_at": len(held_x)}


def with_rows(recording: Recording, x: Array, y: Array, learned: Array, held: Array) -> Recording:
    """A recording with the rows that were learned from and held out, if the fit was told otherwise: their numbers."""
    kept = learned[evenly(len(learned), max(1, MOST_HASHED // max(1, x[:1].nbytes)))]
    of, behind = ({"X": a[rows], "Y": b[rows]} for a, b, rows in ((x, y, kept), (x, y, held)))
    sample = Sample(*sample_of(of, ("X", "Y")), *sample_of(behind, ("X", "Y")))
    facts = target_facts(y[learned], recording.facts.get("target_kind"))
    facts |= {"rows": len(learned), "held_rows": len(held), "twins": twins(of["X"], behind["X"])}
    return replace(recording, sample=sample, facts=recording.facts | facts)


def hashes(rows: Array) -> Array:
    """A 64-bit hash of every row: −0 counts as 0; that two different rows share one is unlikely (1 in 10¹⁰ pairs)."""
    flat = rows.reshape(len(rows), -1)
    if flat.dtype.kind == "f":
        flat = flat + flat.dtype.type(0)
    octets = np.ascontiguousarray(flat).view(np.uint8)
    spare = -octets.shape[1] % 8
    if spare:
        octets = np.concatenate([octets, np.zeros((len(octets), spare), np.uint8)], axis=1)
    words = octets.view(np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (words ^ (words >> np.uint64(32))) * factors
    result: Array = (mixed ^ (mixed >> np.uint64(29))).sum(axis=1, dtype=np.uint64)
    return result
