"""Edges of the bins of `PiecewiseLinearEncoding`: where a decision tree divides a column, or at its quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.layers.layer import Array
from thalweg.ops.variable import to_numbers
from thalweg.support.checks import whole
from thalweg.support.extras import need
from thalweg.support.naming import choose

MOST_ROWS = 50_000  # from which edges are found; of more rows, as many are drawn
TASKS = ("classification", "regression")


def tree_edges(
    x: ArrayLike, y: ArrayLike, task: str, leaves: int = 16, sample_weight: ArrayLike | None = None, seed: int = 0
) -> list[list[float]]:
    """The edges of each column of x where a decision tree on this column alone would divide it to predict y

    They are the column's minimum, the tree's thresholds, and its maximum; a column whose tree doesn't divide it has an
    empty list. The tree is scikit-learn's, with at most `leaves` leaves of at least max(10, rows // 500) rows. Of
    more than 50,000 rows, as many are drawn. Gorishniy, Rubachev and Babenko, NeurIPS 2022.

    Args:
        x: finite numbers, of shape (rows, columns): of the training rows only, as y is used.
        y: a class number or a name for each row, or with "regression" a number or several.
        task: "classification" or "regression".
        leaves: at most, so also the largest number of bins.
        sample_weight: a weight for each row.
        seed: of the drawing.

    >>> x = np.arange(60.0).reshape(-1, 1)
    >>> tree_edges(x, x[:, 0] > 39, "classification")
    [[0.0, 39.5, 59.0]]
    """
    choose("task of tree_edges", task, TASKS)
    whole("tree_edges' leaves", leaves, 2)
    x, y = columns_of(x, "tree_edges"), np.asarray(y)
    weights = None if sample_weight is None else to_numbers(sample_weight, "tree_edges' sample_weight")
    for what, values in (("y", y), ("sample_weight", weights)):
        if values is not None and (values.ndim == 0 or len(values) != len(x)):
            raise ShapeError(f"tree_edges: {what} has the shape {values.shape} for {len(x)} rows")
    if len(x) > MOST_ROWS:
        rows = np.random.default_rng(seed).choice(len(x), MOST_ROWS, replace=False)
        x, y, weights = x[rows], y[rows], None if weights is None else weights[rows]
    tree = new_tree(task, leaves, max(10, len(x) // 500))
    return [divided(tree, column, y, weights) for column in np.ascontiguousarray(x.T)]


def new_tree(task: str, leaves: int, rows: int) -> Any:
    """scikit-learn's tree for one column."""
    need("sklearn", "", "tree_edges")
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeClassifier if task == "classification" else DecisionTreeRegressor
    return kind(max_leaf_nodes=leaves, min_samples_leaf=rows, random_state=0)


def divided(tree: Any, column: Array, y: Array, weights: Array | None) -> list[float]:
    """The column's least number, the thresholds of the tree, and the largest; nothing if there is no threshold."""
    fitted = tree.fit(column[:, None], y, sample_weight=weights).tree_
    thresholds = fitted.threshold[fitted.feature >= 0]
    return increasing([column.min(), *thresholds, column.max()]) if len(thresholds) else []


def quantile_edges(x: ArrayLike, bins: int = 16) -> list[list[float]]:
    """The edges of each column of x at its quantiles 0, 1/bins, …, 1, of which equal ones count once

    A column with fewer than three has an empty list. Of more than 50,000 rows, every second, third … is taken.

    >>> quantile_edges(np.arange(9.0).reshape(-1, 1), bins=4)
    [[0.0, 2.0, 4.0, 6.0, 8.0]]
    """
    whole("quantile_edges' bins", bins, 2)
    x = columns_of(x, "quantile_edges")
    x = x[:: -(-len(x) // MOST_ROWS)]
    quantiles = np.quantile(x, np.linspace(0, 1, bins + 1), axis=0)
    found = [increasing(column) for column in quantiles.T]
    return [edges if len(edges) > 2 else [] for edges in found]


def increasing(edges: Any) -> list[float]:
    """Sorted, each once, as float32 numbers, in which the layer computes."""
    edges = np.unique(np.asarray(edges, np.float32))
    apart = np.diff(edges, prepend=-np.inf) > np.finfo(np.float32).tiny * 4  # whose inverse is finite
    kept: list[float] = edges[apart].tolist()
    return kept


def columns_of(x: ArrayLike, what: str) -> Array:
    """The numbers as an array (rows, columns), checked."""
    array = to_numbers(x, what)
    if array.ndim != 2:
        raise ShapeError(f"{what} takes x of shape (rows, columns), got {array.shape}")
    if not len(array):
        raise DataError(f"{what} needs rows to find edges in, got none")
    finite = np.isfinite(array).all(axis=0)
    if not finite.all():
        raise DataError(f"{what}: column {int(finite.argmin())} has values that aren't finite: fill them in before")
    if np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise ArgumentError(f"{what}: x holds numbers beyond those of float32")
    return array
