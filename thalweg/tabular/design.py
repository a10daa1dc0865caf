"""From fitted columns to the blueprint of a member: which numbers get codes and an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.data.columns import NumberColumn, TextColumn
from thalweg.data.dates import DateColumn
from thalweg.data.notations.texts import WIDTH
from thalweg.layers import tree_edges
from thalweg.tabular.blueprint import Blueprint
from thalweg.tabular.features import Features
from thalweg.tabular.qualities import Settings

Array = NDArray[Any]

CHUNK = 500


def design(features: Features, x: Array, y: Array, settings: Settings, weights: Array | None, seed: int) -> Blueprint:
    """The blueprint for a matrix of these features and targets: class numbers or standardised numbers (rows,)."""
    target = features.target
    assert target is not None
    numbers = telling(x, y, number_places(features), settings.numbers)
    kind = "regression" if target.task == "regression" else "classification"
    edges = tree_edges(x[:, numbers], y, kind, settings.leaves, weights, seed) if len(numbers) else []
    coded = tuple(tuple(column) for column in edges)
    texts = tuple(text_places(features))
    return Blueprint(x.shape[1], tuple(numbers.tolist()), coded, texts, target.task, target.outputs, settings)


def number_places(features: Features) -> Array:
    """The matrix columns that hold scaled numbers; a date's day is one."""
    places: list[int] = []
    first = 0
    for column in features.columns:
        if isinstance(column, NumberColumn | DateColumn) and column.features and column.scale.scale > 0:
            places.append(first)
        first += len(column.features)
    return np.array(places, np.int64)


def text_places(features: Features) -> list[int]:
    """The matrix columns of free text."""
    places: list[int] = []
    first = 0
    for column in features.columns:
        if isinstance(column, TextColumn):
            places += range(first, first + WIDTH)
        first += len(column.features)
    return places


def telling(x: Array, y: Array, places: Array, most: int) -> Array:
    """At most so many of the places, those whose numbers alone explain most of y linearly, in their order."""
    if len(places) <= most:
        return places
    told = np.eye(int(y.max()) + 1)[y] if y.dtype.kind in "iu" else y[:, None]
    told = (told - told.mean(axis=0)).astype(np.float32)
    strength = np.empty(len(places))
    for first in range(0, len(places), CHUNK):  # a copy of all would need as much memory again
        part = x[:, places[first : first + CHUNK]]
        part = part - part.mean(axis=0)
        products = part.T @ told / np.sqrt(np.maximum((told**2).sum(axis=0), 1e-30))
        strength[first : first + CHUNK] = (products**2).sum(axis=1) / np.maximum((part**2).sum(axis=0), 1e-30)
    return np.sort(places[np.argsort(-strength, kind="stable")[:most]])
