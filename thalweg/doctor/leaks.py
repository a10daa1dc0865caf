"""How well a column predicts the target by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.support.extras import need

Array = NDArray[Any]

LEAVES = 64
GIVES_AWAY = 0.99
"""The least balanced accuracy, or R², of a column alone that is called a leak."""


def tells_apart(y: Array) -> bool:
    """Whether these targets are enough, and not all the same."""
    return len(y) >= 10 and bool((y != y[0]).any())


def tree_score(x: Array, y: Array, learn: Array, judge: Array, task: str) -> float:
    """The balanced accuracy, or R², of a small decision tree on these columns.

    Args:
        x: (rows, columns).
        y: class numbers, or numbers, (rows,).
        learn, judge: the rows that it learns from, and those on which it is judged.
        task: "regression", or a task of classes.
    """
    need("sklearn", "", "the doctor")
    from sklearn.metrics import r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if task == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(x[learn], y[learn])
        return float(r2_score(y[judge], tree.predict(x[judge])))
    leaves = max(LEAVES, 2 * len(np.unique(y)))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(x[learn], y[learn])
    right, truth = tree.predict(x[judge]) == y[judge], y[judge]
    return float(np.mean([right[truth == label].mean() for label in np.unique(truth)]))
