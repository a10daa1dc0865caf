"""What is beside the networks, as graphs: fitted trees and linear models, and all of it with the networks as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg import layers, ops
from thalweg.data.columns import CategoryColumn, TextColumn
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.tabular.features import Features
from thalweg.tabular.forests.conversion import Grown, of_boosting, of_trees
from thalweg.tabular.forests.forest_layer import ForestLayer

Array = NDArray[Any]

NEVER = -1e9
"""The pre-activation of a class that a fit hasn't seen: its probability is 0."""

BATCH = 4096
"""Rows that are predicted in a batch."""


class Trees(NamedTuple):
    """Trees of one kind in an ensemble, or linear models."""

    name: str
    model: Model
    """The mean of several fits: the matrix → what the ensemble's networks give for it."""
    weight: float
    """Their part in the ensemble's prediction; the networks have the rest."""


def trees_of(name: str, models: Sequence[Any], features: Features, weight: float) -> Trees:
    """Fitted scikit-learn estimators of a kind, for the matrix, or the compact one, of some features."""
    target = features.target
    assert target is not None
    classes = len(target.classes)
    x = layers.Input((len(features.feature_names),), name="columns")
    if hasattr(models[0], "coef_"):
        return Trees(name, lines(name, x, models, classes), weight)
    columns = columns_of(features)
    if hasattr(models[0], "_predictors"):
        return Trees(name, boosted(name, x, models, columns, classes), weight)
    return Trees(name, averaged(name, x, models, columns, classes), weight)


def columns_of(features: Features) -> list[list[int]]:
    """For each column of the compact matrix those of the matrix; several for a column of categories.

    Trees learn faster from the compact matrix. It has codes, −1 for none, and doesn't say again which are missing;
    of free text it has only what is missing.
    """
    found: list[list[int]] = []
    places = count()
    for column in features.columns:
        own = [next(places) for _ in column.features]
        shown = own[: len(own) - (column.missing > 0)]
        if isinstance(column, TextColumn):  # trees would take longer than the networks
            own = own[len(shown) :]
        is_coded = isinstance(column, CategoryColumn) and len(shown) > 1
        found += [shown] if is_coded else [[k] for k in own]
    return found


# --- each kind -------------------------------------------------------------------------------------------------------


def lines(name: str, x: Any, models: Sequence[Any], classes: int) -> Model:
    """Linear models."""
    rows = [row for model in models for row in rows_of_line(model, classes)]
    h = layers.Dense(len(rows), name=name)(x)
    if not classes:
        low, high = (np.array(ends, np.float32) for ends in zip(*(m.range_ for m in models), strict=True))
        h = ops.minimum(ops.maximum(h, low), high)
    model = Functional(x, mean(h, len(models), classes), name=name, seed=0)
    W, b = np.array([w for w, _ in rows]), np.array([b for _, b in rows])
    model.get_layer(name).set_weights([np.ascontiguousarray(W.T, np.float32), b.astype(np.float32)])
    return model


def rows_of_line(model: Any, classes: int) -> Iterator[tuple[Array, float]]:
    """Weights and intercept of each of a linear model's outputs."""
    W, b = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if not classes:
        yield W[0], b[0]
        return
    of = outputs_of(list(zip(W, b, strict=True)), model.classes_, classes)
    yield from ((np.zeros(W.shape[1]), base) if isinstance(base, float) else base for base in of)


def outputs_of(given: Sequence[Any], seen: Array, classes: int) -> list[Any]:
    """What each output of the target has of those of a fit, whose classes may be fewer; or a constant.

    Two classes have one output, the second's; a fit to two of several, too, which is then against a constant 0.
    """
    if classes == 2:
        return list(given)
    places = {int(k): place for place, k in enumerate(seen)}
    if len(given) == 1:
        return [given[0] if places.get(k) == 1 else 0.0 if k in places else NEVER for k in range(classes)]
    return [given[places[k]] if k in places else NEVER for k in range(classes)]


def boosted(name: str, x: Any, models: Sequence[Any], columns: Sequence[Sequence[int]], classes: int) -> Model:
    """HistGradientBoosting: each tree adds to one output of its fit."""
    parts: list[Grown] = []
    places: list[int] = []
    base: list[float] = []
    for model in models:
        given = list(zip(of_boosting(model), np.ravel(model._baseline_prediction).tolist(), strict=True))
        for one in outputs_of(given, model.classes_, classes) if classes else given:
            if not isinstance(one, float):
                parts.append(one[0])
                places += [len(base)] * len(one[0].roots)
            base.append(one if isinstance(one, float) else one[1])
    tables = Grown.together(parts).tables(np.array(places), np.array(base))
    layer = ForestLayer.of(tables, columns, name)
    model = Functional(x, mean(layer(x), len(models), classes), name=name, seed=0)
    layer.filled(tables)
    return model


def mean(h: Any, fits: int, classes: int) -> Any:
    """The mean of several fits, of their probabilities or numbers, from all their outputs side by side."""
    if classes > 2:
        return ops.mean(ops.softmax(ops.reshape(h, (-1, fits, classes)), axis=-1), axis=1)
    return ops.mean(ops.sigmoid(h) if classes else h, axis=-1, keepdims=True)


def averaged(name: str, x: Any, models: Sequence[Any], columns: Sequence[Sequence[int]], classes: int) -> Model:
    """ExtraTrees, whose mean is a sum of parts; a missing value goes where what replaced it goes."""
    parts = []
    for model in models:
        imputer, forest = model.steps[0][1], model.steps[-1][1]
        values = [shares_of(one.tree_, forest, classes) / len(forest.estimators_) for one in forest.estimators_]
        parts.append(of_trees(forest.estimators_, [v / len(models) for v in values], float(imputer.fill_value)))
    grown = Grown.together(parts)
    width = grown.values.shape[1]
    tables = grown.tables(np.zeros(len(grown.roots)), np.zeros(width))
    layer = ForestLayer.of(tables, columns, name)
    model = Functional(x, layer(x), name=name, seed=0)
    layer.filled(tables)
    return model


def shares_of(tree: Any, forest: Any, classes: int) -> Array:
    """What each node of a tree predicts: numbers, or the probabilities of all classes; of two the second's."""
    held: Array = tree.value[:, 0, :]
    if not classes:
        return held
    shares = np.zeros((len(held), classes))
    shares[:, forest.classes_.astype(np.int64)] = held / held.sum(axis=1, keepdims=True)
    return shares[:, 1:] if classes == 2 else shares


# --- all of it -------------------------------------------------------------------------------------------------------


def joined(networks: Model, trees: Sequence[Trees]) -> Model:
    """Networks and trees as one graph, which gives what the networks give: their weighted mean."""
    if not trees:
        return networks
    x = layers.Input(networks.input_shape[1:], name="columns")
    parts = [(networks, 1 - sum(kind.weight for kind in trees)), *((kind.model, kind.weight) for kind in trees)]
    weighted = [
        layers.Rescaling(weight, name=f"part_{number}")(model(x)) for number, (model, weight) in enumerate(parts, 1)
    ]
    return Functional(x, layers.Add(name="prediction")(weighted), name="whole", seed=0)


def predicted_in_batches(graph: Model, x: Array, lanes: int | None = None) -> Array:
    """The outputs for a matrix: many rows in batches of one size, so that tables that are predicted in parts, which
    begin with a batch, have the same bits as whole ones."""
    outputs: Array = graph.predict(x, batch_size=BATCH if len(x) >= BATCH else None, verbose=0, lanes=lanes)
    return outputs


__all__ = ["BATCH", "Trees", "columns_of", "joined", "predicted_in_batches", "trees_of"]
